"""Objects that are files below a folder: a user's own folder, and `file://`.

Writes are whole or not at all: temporary file, fsync, rename. Keys are relative paths as they are; one that cannot be a
path is refused. (The embedded store, which keeps every legal key, is a package of its own.)
"""

from __future__ import annotations

import asyncio
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from trainyard.kit.atomic import sync_folder
from trainyard.model.errors import ValidationRefused
from trainyard.ports.objects import ObjectInfo

_TEMPORARY = ".trainyard-"


class FolderStore:
    """Objects of one bucket below `root`; URIs begin with `base` (`s3://bucket/`, or `file:///` itself)."""

    def __init__(self, root: Path, base: str, *, create: bool) -> None:
        self._root, self._base, self._create = root, base, create

    async def list(self, uri: str) -> AsyncIterator[ObjectInfo]:
        """Objects in order of keys; the listing is taken in a thread and handed on in pieces."""
        prefix = uri.removeprefix(self._base)
        names = await asyncio.to_thread(lambda: sorted(self._keys(prefix)))
        for key in names:
            info = self._info(key)
            if info is not None:
                yield info

    async def head(self, uri: str) -> ObjectInfo | None:
        """One object, or None."""
        return self._info(uri.removeprefix(self._base))

    async def get(self, uri: str) -> bytes:
        """The whole object."""
        try:
            return await asyncio.to_thread(self._path(uri).read_bytes)
        except (FileNotFoundError, IsADirectoryError) as error:
            raise ValidationRefused(f"There is no object {uri}.") from error

    async def read(self, info: ObjectInfo, start: int, stop: int) -> bytes:
        """A part of the object's file."""
        return await asyncio.to_thread(_part, self._path(info.uri), info, start, stop)

    async def download(self, info: ObjectInfo, target: Path) -> int:
        """Copy the object's file; the kernel shares the blocks where the file system can."""
        await asyncio.to_thread(_copy, self._path(info.uri), target, False)
        return info.size

    async def put(self, uri: str, content: bytes) -> None:
        """Write a small object."""
        await asyncio.to_thread(self._write, uri, content)

    async def upload(self, source: Path, uri: str) -> int:
        """Copy a file into the store, durably."""
        target = self._target(uri)
        await asyncio.to_thread(_copy, source, target, True)
        return target.stat().st_size

    async def delete(self, uri: str) -> None:
        """Remove an object."""
        self._path(uri).unlink(missing_ok=True)

    def place_of(self, uri: str) -> str:
        """The file that the URI is."""
        return f"folder {self._root / uri.removeprefix(self._base)}"

    def _write(self, uri: str, content: bytes) -> None:
        target = self._target(uri)
        temporary = target.with_name(_TEMPORARY + uuid.uuid4().hex)
        temporary.write_bytes(content)
        _publish(temporary, target, durable=True)

    def _path(self, uri: str) -> Path:
        return self._root / path_of(uri.removeprefix(self._base))

    def _target(self, uri: str) -> Path:
        if not self._create and not self._root.is_dir():
            raise ValidationRefused(f"The folder {self._root} of {self._base} does not exist.")
        target = self._path(uri)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise ValidationRefused(f"{uri} lies below a key that is itself a file.") from error
        return target

    def _info(self, key: str) -> ObjectInfo | None:
        path = self._root / path_of(key)
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not path.is_file():
            return None
        modified = round(status.st_mtime, 3)
        return ObjectInfo(uri=self._base + key, size=status.st_size, etag=_etag(status), modified=modified)

    def _keys(self, prefix: str) -> Iterator[str]:
        for path in _files(self._start(prefix), prefix.rpartition("/")[2]):
            key = path.relative_to(self._root).as_posix()
            if key.startswith(prefix) and not path.name.startswith(_TEMPORARY):
                yield key

    def _start(self, prefix: str) -> Path:
        """The deepest folder that every key of that prefix lies in."""
        parent = prefix[: prefix.rfind("/") + 1].rstrip("/")
        return self._root / path_of(parent) if parent else self._root


def path_of(key: str) -> str:
    """The key itself, if it is a sound relative path. Raises ValidationRefused."""
    parts = key.split("/")
    if (
        not key
        or "\0" in key
        or any(part in ("", ".", "..") or len(part.encode("utf-8", "surrogatepass")) > 255 for part in parts)
    ):
        raise ValidationRefused(f"The key {key!r} cannot be a file of a folder.")
    return key


def _files(folder: Path, begun: str = "") -> Iterator[Path]:
    """Files below a folder; of its own entries only those whose names begin so, for the others may be a whole disk."""
    try:
        with os.scandir(folder) as found:
            entries = list(found)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in (entry for entry in entries if entry.name.startswith(begun)):
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path))
        elif entry.is_file():
            yield Path(entry.path)


def _etag(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns:x}-{status.st_size:x}"


def _part(path: Path, info: ObjectInfo, start: int, stop: int) -> bytes:
    try:
        with path.open("rb", buffering=0) as file:
            if info.etag in ("", _etag(os.fstat(file.fileno()))):
                data = os.pread(file.fileno(), stop - start, start)
                if len(data) == stop - start:
                    return data
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise ValidationRefused(f"There is no object {info.uri} any more.") from error
    raise ValidationRefused(f"The object {info.uri} is not what it was when the job began to read it.")


def _copy(source: Path, target: Path, durable: bool) -> None:
    temporary = target.with_name(_TEMPORARY + uuid.uuid4().hex)
    try:
        shutil.copyfile(source, temporary)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _publish(temporary, target, durable=durable)


def _publish(temporary: Path, target: Path, *, durable: bool) -> None:
    if durable:
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
    os.replace(temporary, target)
    if durable:
        sync_folder(target.parent)
