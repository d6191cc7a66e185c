"""Unpacking an archive that somebody else made: nothing is written outside of the folder, whatever its names say.

Beside Python's own `data` filter (no absolute names, no devices, no foreign owners) two rules that do not depend on it:
nothing is written through a link, neither one of the archive nor one that lay in the folder before.
"""

from __future__ import annotations

import os
import stat
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path


class UnsafeArchive(ValueError):  # noqa: N818 - it names what was given
    """It is damaged, or it would write outside of the folder; the text says which member."""


def unpack(archive: Path, folder: Path, told: Callable[[int], None] = lambda _read: None) -> list[Path]:
    """Unpack a tar file, compressed or not, into a folder; `told` hears how many bytes of the archive were read.

    Returns what was written. Raises UnsafeArchive at the first bad member; what came before it stays.
    """
    written = []
    try:
        with archive.open("rb") as file, tarfile.open(fileobj=file, mode="r:*") as tar:
            for member in tar:
                path = _unpack_one(tar, member, folder)
                if not member.isdir():
                    written.append(path)
                told(file.tell())
    except (tarfile.TarError, EOFError, zlib.error, UnicodeError) as error:
        raise UnsafeArchive(str(error)) from error
    return written


def _unpack_one(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> Path:
    safe = tarfile.data_filter(member, str(folder))
    if safe is None:
        raise UnsafeArchive(f"{member.name!r} cannot be unpacked")
    path = _inside(folder, safe.name)
    if safe.islnk():
        _inside(folder, safe.linkname)
    if not safe.isdir() and path.is_symlink():
        path.unlink()  # a file is written in the place of a link, never to where it leads
    tar.extract(safe, folder, set_attrs=not safe.issym(), filter="fully_trusted")  # it was filtered above
    return path


def _inside(folder: Path, name: str) -> Path:
    """The member's path, no folder above it being a link."""
    steps = [step for step in name.split("/") if step not in ("", ".")]
    if ".." in steps or name.startswith("/"):
        raise UnsafeArchive(f"{name!r} leads out of the folder")
    path = folder
    for step in steps[:-1]:
        path /= step
        if os.path.lexists(path) and not stat.S_ISDIR(path.lstat().st_mode):
            raise UnsafeArchive(f"{name!r} lies below {path}, which is a link or a file")
    return path / steps[-1] if steps else folder
