"""model.tar.gz and output.tar.gz, as the service lays them out.

Recorded from a real archive: names relative to the folder without a leading `./`, folders included, owner 0/0 by
number, modes and times kept, no time in the gzip header. Links are stored as links and never followed; what is neither
file, folder nor link is left out with a notice.

The folder is the program's, the rights are ours: all is read by descriptors, so that nothing outside of it ever is.
"""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
from pathlib import Path
from typing import BinaryIO

from trainyard.agent.orders import OutputOrder
from trainyard.kit import beneath
from trainyard.model.errors import ValidationRefused
from trainyard.ports.objects import ObjectStore

COMPRESSION = 1  # weights hardly compress: a higher level costs time and gains a percent
LONGEST_NAME, MOST_NOTICES = 200, 20  # what is told of a folder full of what cannot be uploaded


def is_empty(order: OutputOrder) -> bool:
    """Whether there is nothing to upload. Cheap, and asks nothing of anybody."""
    return beneath.is_empty(Path(order.root), order.folder)


async def upload(store: ObjectStore, order: OutputOrder, scratch: Path) -> tuple[str, ...]:
    """Upload one folder, whole or not at all for an archive; returns notices. An empty folder makes no object.

    Raises ValidationRefused where the program put something else in the folder's place.
    """
    if is_empty(order):
        return ()
    try:
        with beneath.folder(Path(order.root), order.folder) as folder:
            if order.archive:
                return await _upload_archive(store, folder, order.uri, scratch)
            return await _upload_files(store, folder, order)
    except NotADirectoryError as error:
        text = f"/opt/ml/{order.folder} is no folder but a link or a file; what it leads to is not uploaded."
        raise ValidationRefused(text) from error


def pack(folder: int, archive: Path) -> tuple[str, ...]:
    """Write the archive of the contents of a folder (its descriptor); returns what was left out and why."""
    notices: list[str] = []
    with archive.open("wb") as raw, gzip.GzipFile("", "wb", COMPRESSION, raw, mtime=0) as packed:  # noqa: SIM117
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for entry in beneath.walk(folder):
                _add(tar, entry, notices)
    return _first(notices)


async def _upload_archive(store: ObjectStore, folder: int, uri: str, scratch: Path) -> tuple[str, ...]:
    archive = scratch / f"{uri.rsplit('/', 1)[-1]}.partial"
    try:
        notices = pack(folder, archive)
        await store.upload(archive, uri)
    finally:
        archive.unlink(missing_ok=True)
    return notices


def _add(tar: tarfile.TarFile, entry: beneath.Entry, notices: list[str]) -> None:
    kind = stat.S_IFMT(entry.status.st_mode)
    if entry.fault is not None:
        notices.append(f"{_shown(entry)} {entry.fault}: what it holds was left out of the archive.")
    if kind not in _ARCHIVED:
        notices.append(f"{_shown(entry)} is no file, folder or link and was left out of the archive.")
        return
    try:
        member, content = _member(entry, kind)
    except OSError as error:
        notices.append(f"{_shown(entry)} could not be read ({error.strerror}) and was left out of the archive.")
        return
    with content:
        tar.addfile(member, _Exactly(content, member.size))


_ARCHIVED = {stat.S_IFREG: tarfile.REGTYPE, stat.S_IFDIR: tarfile.DIRTYPE, stat.S_IFLNK: tarfile.SYMTYPE}


def _member(entry: beneath.Entry, kind: int) -> tuple[tarfile.TarInfo, BinaryIO]:
    """The archive's header of an entry, and its content. Raises OSError where it is gone, closed or replaced."""
    member = tarfile.TarInfo(entry.path)
    member.type = _ARCHIVED[kind]
    member.mode, member.mtime = stat.S_IMODE(entry.status.st_mode), int(entry.status.st_mtime)
    if kind == stat.S_IFLNK:
        member.linkname = entry.link()
    if kind != stat.S_IFREG:
        return member, io.BytesIO()
    content = open(entry.open(), "rb")  # noqa: SIM115 - the caller closes it
    member.size = os.fstat(content.fileno()).st_size
    return member, content


def _shown(entry: beneath.Entry) -> str:
    """The entry's name, fit to be read and stored, whatever its bytes."""
    text = os.fsencode(entry.path).decode("utf-8", "replace")
    return text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}…"


def _first(notices: list[str]) -> tuple[str, ...]:
    """As many as a person reads; how many more there are."""
    more = len(notices) - MOST_NOTICES
    return tuple(notices if more <= 0 else [*notices[:MOST_NOTICES], f"{more} more files or folders were left out."])


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


async def _upload_files(store: ObjectStore, folder: int, order: OutputOrder) -> tuple[str, ...]:
    """Every file as an object, also one that a link leads to as long as it lies in the folder: stores know no links."""
    notices = []
    for entry in beneath.walk(folder):
        if entry.fault is not None:
            notices.append(f"{_shown(entry)} {entry.fault}: what it holds was not uploaded.")
        if stat.S_ISDIR(entry.status.st_mode):
            continue
        try:
            descriptor = beneath.follow(folder, entry.path, seen_at=f"/opt/ml/{order.folder}")
        except OSError as error:
            notices.append(f"{_shown(entry)} was not uploaded: {error.strerror}.")
            continue
        try:
            await store.upload(Path(f"/proc/self/fd/{descriptor}"), f"{order.uri}/{entry.path}")
        finally:
            os.close(descriptor)
    return _first(notices)
