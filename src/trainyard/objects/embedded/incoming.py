"""Bytes on their way in: digested and written while more of them arrive, in memory never more than two batches."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager

from trainyard.kit import digests
from trainyard.model.errors import Transient
from trainyard.objects.embedded.blobs import Blobs, NewBlob
from trainyard.objects.embedded.extents import Extent

LARGEST_BODY = 32 * 1024  # bytes that lie in the index itself: one fsync less, and no file
_BATCH = 1 << 20  # bytes that are handed to a thread at once


class IncomingBytes:
    """ports.buckets.Incoming, and what becomes of it."""

    def __init__(self, blobs: Blobs, pool: Executor, algorithms: Sequence[str]) -> None:
        self._blobs, self._pool = blobs, pool
        self._digests = {name: digests.begin(name) for name in dict.fromkeys(("MD5", *algorithms))}
        self._held: list[bytes] = []
        self._held_size = 0
        self._blob: NewBlob | None = None
        self._writing: asyncio.Future[None] | None = None
        self.size = 0
        self.is_named = False

    async def write(self, piece: bytes) -> None:
        """Take in more."""
        self._held.append(piece)
        self._held_size += len(piece)
        self.size += len(piece)
        if self._held_size >= _BATCH:
            await self._hand_over()

    async def finish(self) -> None:
        """The rest; then all is durable, or small enough to become so with its name."""
        if self._writing is None and self.size <= LARGEST_BODY:
            self._take_in(self._held)
            return
        await self._hand_over()
        await self._settled()
        await asyncio.get_running_loop().run_in_executor(self._pool, self._sync)

    def digest(self, algorithm: str) -> bytes:
        """One of those that were asked for, or MD5."""
        return self._digests[algorithm].digest()

    def extents(self) -> list[Extent]:
        """Where the bytes are."""
        if self._blob is None:
            return [Extent(size=self.size, body=b"".join(self._held))]
        return [Extent(size=self.size, blob=self._blob.name)]

    async def close(self) -> None:
        """Let go of them; remove them unless they were given a name."""
        if self._writing is not None:
            await asyncio.wait([self._writing])
        if self._blob is not None:
            self._blob.close(keep=self.is_named)

    async def _hand_over(self) -> None:
        batch, self._held, self._held_size = self._held, [], 0
        await self._settled()
        self._writing = asyncio.get_running_loop().run_in_executor(self._pool, self._write, batch)

    async def _settled(self) -> None:
        if self._writing is not None:
            await self._writing

    def _write(self, batch: Sequence[bytes]) -> None:
        with _told():
            if self._blob is None:
                self._blob = self._blobs.create()
            self._take_in(batch)
            self._blob.write(batch)

    def _sync(self) -> None:
        with _told():
            if self._blob is not None:
                self._blob.sync()

    def _take_in(self, batch: Sequence[bytes]) -> None:
        for piece in batch:
            for digest in self._digests.values():
                digest.update(piece)


@contextmanager
def _told() -> Iterator[None]:
    """A full disk, in words."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise Transient("The disk that holds the embedded store is full; free some space.", after=5.0) from error
