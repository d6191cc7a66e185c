"""The files that large bytes lie in. A file's name means nothing; who may read it stands in the index.

A file is locked by whoever writes it until the index names it. So what is neither named nor locked is left over from a
process that died, and is swept; no age is guessed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from trainyard.kit.atomic import sync_folder
from trainyard.model.errors import Transient


class NewBlob:
    """A file being written, locked until it is closed."""

    def __init__(self, name: str, path: Path, descriptor: int) -> None:
        self.name = name
        self._path = path
        self._descriptor = descriptor

    def write(self, pieces: Sequence[bytes]) -> None:
        """Append."""
        with _told():
            for piece in pieces:
                view = memoryview(piece)
                while view:
                    view = view[os.write(self._descriptor, view) :]

    def flush(self) -> None:
        """Send what is there on to the disk."""
        with _told():
            os.fdatasync(self._descriptor)

    def sync(self) -> None:
        """Make the bytes and the name durable."""
        with _told():
            os.fsync(self._descriptor)
            sync_folder(self._path.parent)

    def close(self, *, keep: bool) -> None:
        """Let go of it; remove it unless the index names it."""
        if not keep:
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


class Blobs:
    """All files of one store."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def create(self) -> NewBlob:
        """A new, empty file."""
        while True:
            name = uuid.uuid4().hex
            path = self._path(name)
            with _told():
                descriptor = self._created(path)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                return NewBlob(name, path, descriptor)
            os.close(descriptor)  # a sweeper was faster than our lock

    def open(self, name: str) -> int:
        """A descriptor for reading. Raises FileNotFoundError."""
        return os.open(self._path(name), os.O_RDONLY | os.O_CLOEXEC)

    def remove(self, names: Iterable[str]) -> None:
        """Remove files that the index no longer names."""
        for name in names:
            self._path(name).unlink(missing_ok=True)

    def sweep(self, is_named: Callable[[str], bool]) -> int:
        """Remove what nobody names and nobody writes; returns how many. `is_named` is asked under the file's lock."""
        return sum(self._swept(name, is_named) for name in self._names())

    def _path(self, name: str) -> Path:
        return self._root / name[:2] / name

    def _created(self, path: Path) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            return os.open(path, flags, 0o600)
        except FileNotFoundError:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_folder(self._root)
            sync_folder(self._root.parent)
            return os.open(path, flags, 0o600)

    def _names(self) -> Iterator[str]:
        with suppress(FileNotFoundError), os.scandir(self._root) as folders:
            for folder in folders:
                yield from os.listdir(folder)

    def _swept(self, name: str, is_named: Callable[[str], bool]) -> bool:
        if is_named(name):
            return False
        try:
            descriptor = self.open(name)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if is_named(name):
                return False
            self._path(name).unlink(missing_ok=True)
        except OSError as error:
            if error.errno != errno.EWOULDBLOCK:
                raise
            return False  # it is being written
        finally:
            os.close(descriptor)
        return True


@contextmanager
def _told() -> Iterator[None]:
    """A full disk, in words."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise Transient("The disk that holds the embedded store is full; free some space.", after=5.0) from error
