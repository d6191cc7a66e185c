"""The folder of a script, kept as it is when the job is submitted: what is edited later changes no job that waits."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from trainyard.kit.atomic import sync_folder
from trainyard.model.errors import TrainyardError
from trainyard.model.record import JobRecord

MOST_FILES = 10_000
MOST_BYTES = 256 * 1024**2
_NO_CODE = ("__pycache__", "node_modules")
_PIECE = 1024**2  # bytes that are copied at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """What goes along with a script.

    files   : paths below `folder`, in order.
    left_out: names in `folder` that stay behind: hidden ones, environments, caches, links to folders, other channels.
    """

    folder: Path
    files: tuple[str, ...]
    size: int
    left_out: tuple[str, ...]


def survey(script: Path, channels: Collection[Path]) -> Code:
    """Look at what would go along. `channels` are paths that the job reads otherwise.

    Raises TrainyardError for a folder that is more than code.
    """
    folder, others = script.parent, {os.path.realpath(path) for path in channels}
    files: list[str] = []
    size = 0
    for path in _sources(str(folder), others):
        files.append(os.path.relpath(path, folder))
        size += os.path.getsize(path)
        if len(files) > MOST_FILES or size > MOST_BYTES:
            raise TrainyardError(
                f"All of {folder} would go along with {script.name} as its code, and that is more than "
                f"{MOST_FILES:,} files or {MOST_BYTES // 1024**2} MiB. Put the script into a folder of its own, "
                "with what it imports, and give data as --channel NAME=PATH."
            )
    tops = {name.partition("/")[0] for name in files}
    return Code(
        folder=folder, files=tuple(sorted(files)), size=size, left_out=tuple(sorted({*os.listdir(folder)} - tops))
    )


def keep(code: Code, kept: Path) -> Path:
    """A copy below `kept`, one for all jobs whose code is the same; returns its folder."""
    kept.mkdir(mode=0o700, parents=True, exist_ok=True)
    copy = Path(tempfile.mkdtemp(prefix=".new-", dir=kept))
    try:
        digest = hashlib.sha256()
        for name in code.files:
            digest.update(f"{len(os.fsencode(name))}:".encode() + os.fsencode(name))
            digest.update(_copied(code.folder / name, copy / name))
        target = kept / digest.hexdigest()[:32]
        with suppress(OSError):  # it is there already, perhaps since this moment
            os.rename(copy, target)
            sync_folder(kept)
        os.utime(target)
        return target
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def forget(kept: Path, *, before: float, in_use: Collection[Path]) -> None:
    """Remove copies that no job was submitted with since that time, but for those in use."""
    with suppress(FileNotFoundError), os.scandir(kept) as found:
        for entry in list(found):
            if Path(entry.path) not in in_use and entry.stat().st_mtime < before:
                shutil.rmtree(entry.path, ignore_errors=True)


def folders_of(records: Sequence[JobRecord]) -> set[Path]:
    """The folders on this machine that jobs have channels in."""
    channels = [channel for record in records for channel in record.spec.input_data_config or ()]
    sources = [channel.data_source.s3_data_source for channel in channels]
    return {Path(one.s3_uri.removeprefix("file://")) for one in sources if one and one.s3_uri.startswith("file:///")}


def _sources(folder: str, others: Collection[str]) -> Iterator[str]:
    """Files that are code, in order; links to folders are not followed."""
    for above, names, leaves in os.walk(folder):
        names[:] = sorted(name for name in names if _is_code(os.path.join(above, name), others))
        paths = (os.path.join(above, leaf) for leaf in sorted(leaves))
        yield from (path for path in paths if _is_source(path, others))


def _is_code(path: str, others: Collection[str]) -> bool:
    name = os.path.basename(path)
    is_environment = os.path.exists(os.path.join(path, "pyvenv.cfg"))
    is_other = os.path.realpath(path) in others
    return not (name.startswith(".") or name in _NO_CODE or os.path.islink(path) or is_environment or is_other)


def _is_source(path: str, others: Collection[str]) -> bool:
    return not os.path.basename(path).startswith(".") and os.path.realpath(path) not in others and os.path.isfile(path)


def _copied(source: Path, target: Path) -> bytes:
    """Copy durably; returns the content's digest."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with source.open("rb") as read, target.open("wb") as written:
        while piece := read.read(_PIECE):
            digest.update(piece)
            written.write(piece)
        written.flush()
        os.fsync(written.fileno())
    return digest.digest()
