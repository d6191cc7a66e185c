"""Bytes on their way in: digested and written while more of them arrive, in memory never more than two batches."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor

from trainyard.kit import digests
from trainyard.objects.embedded.blobs import Blobs, NewBlob
from trainyard.objects.embedded.ciphers import Ciphers, new_cipher
from trainyard.objects.embedded.extents import Extent

LARGEST_BODY = 32 * 1024  # bytes that lie in the index itself: one fsync less, and no file
_FLUSHED = 32 << 20  # bytes after which they are sent on to the disk
_BATCH = 1 << 20  # bytes that are handed to a thread at once


class IncomingBytes:
    """ports.buckets.Incoming, and what becomes of it."""

    def __init__(self, blobs: Blobs, pool: Executor, algorithms: Sequence[str], ciphers: Ciphers, label: str) -> None:
        self._blobs, self._pool = blobs, pool
        self._ciphers, self._cipher = ciphers, new_cipher(label) if label else None
        self._written = 0
        self._digests = {name: digests.begin(name) for name in dict.fromkeys(("MD5", *algorithms))}
        self._held: list[bytes] = []
        self._held_size = 0
        self._blob: NewBlob | None = None
        self._writing: asyncio.Future[None] | None = None
        self._flushing: asyncio.Future[None] | None = None
        self._flushed = 0
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
        for work in (self._writing, self._flushing):
            if work is not None:
                await work
        await asyncio.get_running_loop().run_in_executor(self._pool, self._sync)

    def digest(self, algorithm: str) -> bytes:
        """One of those that were asked for, or MD5."""
        return self._digests[algorithm].digest()

    def extents(self) -> list[Extent]:
        """Where the bytes are."""
        if self._blob is None:
            return [Extent(size=self.size, body=self._sealed(b"".join(self._held)), cipher=self._cipher)]
        return [Extent(size=self.size, blob=self._blob.name, cipher=self._cipher)]

    async def close(self) -> None:
        """Let go of them; remove them unless they were given a name."""
        for work in (self._writing, self._flushing):
            if work is not None:
                await asyncio.wait([work])
                work.exception()  # told by `finish`, or of no use to who gave up
        if self._blob is not None:
            self._blob.close(keep=self.is_named)

    async def _hand_over(self) -> None:
        batch, self._held, self._held_size = self._held, [], 0
        if self._writing is not None:
            await self._writing
            await self._flush()
        self._writing = asyncio.get_running_loop().run_in_executor(self._pool, self._write, batch)

    async def _flush(self) -> None:
        """Keep the disk busy while bytes arrive, so that little is left to wait for at the end."""
        if self.size - self._flushed < _FLUSHED or self._blob is None:
            return
        if self._flushing is not None:
            if not self._flushing.done():
                return
            await self._flushing  # a disk says of a fault once, to whoever asks first
        self._flushed = self.size
        self._flushing = asyncio.get_running_loop().run_in_executor(self._pool, self._blob.flush)

    def _write(self, batch: Sequence[bytes]) -> None:
        if self._blob is None:
            self._blob = self._blobs.create()
        self._take_in(batch)
        self._blob.write([self._sealed(b"".join(batch))] if self._cipher else batch)
        self._written += sum(map(len, batch))

    def _sealed(self, data: bytes) -> bytes:
        """What comes next, as it is kept."""
        return data if self._cipher is None else self._ciphers.apply(self._cipher, data, self._written)

    def _sync(self) -> None:
        if self._blob is not None:
            self._blob.sync()

    def _take_in(self, batch: Sequence[bytes]) -> None:
        for piece in batch:
            for digest in self._digests.values():
                digest.update(piece)
