"""Unpacking an archive that somebody else made: nothing is written outside of the folder, whatever its names say.

Beside Python's own `data` filter (no absolute names, no devices, no foreign owners) two rules that do not depend on it:
nothing is written through a link, neither one of the archive nor one that lay in the folder before.
"""

from __future__ import annotations

import os
import stat
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path


class UnsafeArchive(ValueError):  # noqa: N818 - it names what was given
    """It is damaged, or it would write outside of the folder; the text says which member."""


def unpack(archive: Path, folder: Path, told: Callable[[int], None] = lambda _read: None) -> list[Path]:
    """Unpack a tar file, compressed or not, into a folder; `told` hears how many bytes of the archive were read.

    All of it, or nothing: it is unpacked beside its place, and moved there when it is whole. Returns what was written.
    Raises UnsafeArchive at the first bad member.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".trainyard-", dir=folder) as name:
        whole = Path(name)
        try:
            with archive.open("rb") as file, tarfile.open(fileobj=file, mode="r:*") as tar:
                for member in tar:
                    _unpack_one(tar, member, whole)
                    told(file.tell())
        except (tarfile.TarError, EOFError, zlib.error, UnicodeError) as error:
            raise UnsafeArchive(str(error)) from error
        return _moved(whole, folder)


def _moved(whole: Path, folder: Path) -> list[Path]:
    """Move what was unpacked to its place; asked first is whether all of it can be."""
    folders, files = [], []
    for above, names, leaves in os.walk(whole):
        here = Path(above)
        links = [name for name in names if (here / name).is_symlink()]
        folders += [here / name for name in names if name not in links]
        files += [here / name for name in (*links, *leaves)]
    for path in (*folders, *files):
        _refuse_what_is_in_the_way(path, _inside(folder, path.relative_to(whole).as_posix()))
    for path in folders:
        (folder / path.relative_to(whole)).mkdir(exist_ok=True)
    targets = [folder / path.relative_to(whole) for path in files]
    for path, target in zip(files, targets, strict=True):
        os.replace(path, target)
    return targets


def _refuse_what_is_in_the_way(path: Path, target: Path) -> None:
    is_folder = path.is_dir() and not path.is_symlink()
    if os.path.lexists(target) and is_folder != stat.S_ISDIR(target.lstat().st_mode):
        raise UnsafeArchive(f"{target} is in the way of a {'folder' if is_folder else 'file'}")


def _unpack_one(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    safe = tarfile.data_filter(member, str(folder))
    if safe is None:
        raise UnsafeArchive(f"{member.name!r} cannot be unpacked")
    path = _inside(folder, safe.name)
    if safe.islnk():
        _inside(folder, safe.linkname)
    if not safe.isdir() and path.is_symlink():
        path.unlink()  # a file is written in the place of a link, never to where it leads
    tar.extract(safe, folder, set_attrs=not safe.issym(), filter="fully_trusted")  # it was filtered above


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
