"""model.tar.gz and output.tar.gz, as the service lays them out.

Recorded from a real archive: names relative to the folder without a leading `./`, folders included, owner 0/0 by
number, modes and times kept, no time in the gzip header. Links are stored as links and never followed; what is neither
file, folder nor link is left out with a notice.
"""

from __future__ import annotations

import gzip
import os
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path

from trainyard.agent.orders import OutputOrder
from trainyard.ports.objects import ObjectStore

COMPRESSION = 1  # weights hardly compress: a higher level costs time and gains a percent


def is_empty(folder: Path) -> bool:
    """Whether a folder holds nothing to upload. Cheap, and asks nothing of anybody."""
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is None
    except FileNotFoundError:
        return True


async def upload(store: ObjectStore, order: OutputOrder, scratch: Path) -> tuple[str, ...]:
    """Upload one folder, whole or not at all for an archive; returns notices. An empty folder makes no object."""
    folder = Path(order.folder)
    if is_empty(folder):
        return ()
    if not order.archive:
        return await _upload_files(store, folder, order.uri)
    archive = scratch / f"{order.uri.rsplit('/', 1)[-1]}.partial"
    try:
        notices = pack(folder, archive)
        await store.upload(archive, order.uri)
    finally:
        archive.unlink(missing_ok=True)
    return notices


def pack(folder: Path, archive: Path) -> tuple[str, ...]:
    """Write the archive of a folder's contents; returns what was left out and why."""
    notices: list[str] = []
    with archive.open("wb") as raw, gzip.GzipFile("", "wb", COMPRESSION, raw, mtime=0) as packed:  # noqa: SIM117
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for path, status in walk(folder):
                _add(tar, path, path.relative_to(folder).as_posix(), status, notices)
    return tuple(notices)


def walk(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Everything below a folder in order of names, parents first; links are not followed."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return
    for entry in names:
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            continue
        yield Path(entry.path), status
        if stat.S_ISDIR(status.st_mode):
            yield from walk(Path(entry.path))


def _add(tar: tarfile.TarFile, path: Path, name: str, status: os.stat_result, notices: list[str]) -> None:
    member = tarfile.TarInfo(name)
    member.mode, member.mtime = stat.S_IMODE(status.st_mode), int(status.st_mtime)
    if stat.S_ISDIR(status.st_mode):
        member.type = tarfile.DIRTYPE
        tar.addfile(member)
    elif stat.S_ISLNK(status.st_mode):
        member.type, member.linkname = tarfile.SYMTYPE, os.readlink(path)
        tar.addfile(member)
    elif stat.S_ISREG(status.st_mode):
        _add_file(tar, member, path, notices)
    else:
        notices.append(f"{name} is no file, folder or link and was left out of the archive.")


def _add_file(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path, notices: list[str]) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        notices.append(f"{member.name} could not be read ({error.strerror}) and was left out of the archive.")
        return
    with open(descriptor, "rb") as file:
        member.size = os.fstat(descriptor).st_size
        tar.addfile(member, _Exactly(file, member.size))


class _Exactly:
    """A file read as exactly so many bytes: one that shrinks meanwhile is filled with zeros, one that grows is cut."""

    def __init__(self, file: object, size: int) -> None:
        self._file, self._left = file, size

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        wanted = self._left if size < 0 else min(size, self._left)
        data: bytes = self._file.read(wanted)  # type: ignore[attr-defined]
        self._left -= wanted
        return data + bytes(wanted - len(data))


async def _upload_files(store: ObjectStore, folder: Path, uri: str) -> tuple[str, ...]:
    notices = []
    for path, status in walk(folder):
        name = path.relative_to(folder).as_posix()
        if stat.S_ISREG(status.st_mode):
            await store.upload(path, f"{uri}/{name}")
        elif not stat.S_ISDIR(status.st_mode):
            notices.append(f"{name} is no file and was not uploaded.")
    return tuple(notices)
