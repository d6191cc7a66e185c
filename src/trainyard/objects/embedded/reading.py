"""Bytes on their way out: read ahead by one piece, from files that were opened before the first byte was given."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncGenerator, Iterator, Sequence
from concurrent.futures import Executor

from trainyard.model.buckets import PartRange, Version
from trainyard.model.errors import Transient
from trainyard.objects.embedded import extents
from trainyard.objects.embedded.blobs import Blobs
from trainyard.objects.embedded.ciphers import Ciphers
from trainyard.objects.embedded.extents import Extent

PIECE = 1 << 20  # bytes
_OPENED_FIRST = 128  # files; the others of a larger object are opened on the way


class EmbeddedReading:
    """ports.buckets.Reading."""

    def __init__(
        self, blobs: Blobs, pool: Executor, ciphers: Ciphers, version: Version, content: Sequence[Extent]
    ) -> None:
        self._blobs, self._pool, self._ciphers = blobs, pool, ciphers
        self._extents = content
        self.version = version

    @property
    def parts(self) -> Sequence[PartRange]:
        """The parts that it was uploaded in."""
        return extents.parts_of(self._extents)

    def extents(self, start: int, stop: int) -> list[Extent]:
        """Where its bytes from `start` to before `stop` are; one empty extent where there are none."""
        return extents.sliced(self._extents, start, stop) or [Extent(size=0, body=b"")]

    async def pieces(self, start: int, stop: int) -> AsyncGenerator[bytes]:
        """Its bytes."""
        wanted = extents.sliced(self._extents, start, stop)
        if all(extent.body is not None for extent in wanted):
            for extent in wanted:
                yield _opened(self._ciphers, extent, _body(extent), extent.start)
            return
        reader = _Files(self._blobs, self._ciphers, wanted)
        loop = asyncio.get_running_loop()
        ahead = loop.run_in_executor(self._pool, reader.begin)
        try:
            while (piece := await ahead) is not None:
                ahead = loop.run_in_executor(self._pool, reader.next)
                yield piece
        finally:
            await asyncio.wait([ahead])
            if not ahead.cancelled():
                ahead.exception()  # known already, or of no use to a client that has gone
            reader.close()

    async def save(self, target: int) -> None:
        """Write all of it to a descriptor; the kernel shares the blocks where the file system can."""
        await asyncio.get_running_loop().run_in_executor(self._pool, self._save, target)

    def _save(self, target: int) -> None:
        for extent in self._extents:
            if extent.blob is None:
                _write_all(target, _opened(self._ciphers, extent, _body(extent), extent.start))
                continue
            source = _open(self._blobs, extent.blob)
            try:
                if extent.cipher is None:
                    _copy(source, target, extent.start, extent.size)
                else:
                    for piece in _pieces(source, self._ciphers, extent):
                        _write_all(target, piece)
            finally:
                os.close(source)


class _Files:
    """The pieces of some extents, read one after another by whichever thread."""

    def __init__(self, blobs: Blobs, ciphers: Ciphers, wanted: Sequence[Extent]) -> None:
        self._blobs, self._ciphers, self._wanted = blobs, ciphers, wanted
        self._opened: dict[int, int] = {}
        self._pieces = self._read()

    def begin(self) -> bytes | None:
        """Open the files, and read the first piece."""
        for place, extent in enumerate(self._wanted[:_OPENED_FIRST]):
            if extent.blob is not None:
                self._open(place, extent.blob)
        return self.next()

    def next(self) -> bytes | None:
        """The next piece; None behind the last."""
        return next(self._pieces, None)

    def close(self) -> None:
        """Close what is open."""
        for descriptor in self._opened.values():
            os.close(descriptor)
        self._opened.clear()

    def _read(self) -> Iterator[bytes]:
        for place, extent in enumerate(self._wanted):
            if extent.blob is None:
                yield _opened(self._ciphers, extent, _body(extent), extent.start)
                continue
            descriptor = self._opened.get(place) or self._open(place, extent.blob)
            yield from _pieces(descriptor, self._ciphers, extent)
            os.close(self._opened.pop(place))

    def _open(self, place: int, blob: str) -> int:
        self._opened[place] = _open(self._blobs, blob)
        return self._opened[place]


def _open(blobs: Blobs, blob: str) -> int:
    try:
        return blobs.open(blob)
    except FileNotFoundError as error:
        raise Transient("The object was replaced or deleted while it was read; read again.") from error


def _pieces(descriptor: int, ciphers: Ciphers, extent: Extent) -> Iterator[bytes]:
    """The bytes of an extent of an open file."""
    for start in range(extent.start, extent.start + extent.size, PIECE):
        piece = _exactly(descriptor, min(PIECE, extent.start + extent.size - start), start)
        yield _opened(ciphers, extent, piece, start)


def _opened(ciphers: Ciphers, extent: Extent, piece: bytes, start: int) -> bytes:
    """A piece as its writer gave it."""
    return piece if extent.cipher is None else ciphers.apply(extent.cipher, piece, start)


def _copy(source: int, target: int, start: int, size: int) -> None:
    while size:
        try:
            done = os.copy_file_range(source, target, size, start)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            done = 0  # another file system, or one that cannot
        if not done:
            piece = _exactly(source, min(PIECE, size), start)
            _write_all(target, piece)
            done = len(piece)
        start, size = start + done, size - done


def _write_all(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]


def _body(extent: Extent) -> bytes:
    return (extent.body or b"")[extent.start : extent.start + extent.size]


def _exactly(descriptor: int, size: int, offset: int) -> bytes:
    data = os.pread(descriptor, size, offset)
    if len(data) != size:
        raise Transient("A file of the store is shorter than it was written; the disk may be damaged.")
    return data
