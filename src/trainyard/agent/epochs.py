"""The bytes of a channel in one epoch, as Pipe mode gives them: objects one after another, fetched ahead of the reader.

Memory is bounded by the pieces that are fetched ahead, however many and however large the objects are.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import IO, Any, NamedTuple

from trainyard.agent import recordio
from trainyard.agent.ahead import in_order
from trainyard.agent.gunzipping import Gunzip, NotGzip
from trainyard.agent.listing import Listing
from trainyard.agent.orders import ChannelOrder
from trainyard.agent.sources import encoded
from trainyard.model.errors import Transient, ValidationRefused
from trainyard.ports.objects import ObjectInfo

PIECE = 2 << 20  # bytes fetched by one request
AHEAD = 16  # pieces
TRIES = 6
IN_MEMORY = 8 << 20  # bytes of an unpacked record; a longer one waits in a file

Read = Callable[[ObjectInfo, int, int], Awaitable[bytes]]
"""Reads a part of an object: ports.objects.ObjectStore.read, with whatever keys hold by then."""


class _Piece(NamedTuple):
    """Bytes of a part of an item; where it begins, the part, and whether it ends here."""

    part: ObjectInfo | str
    data: bytes
    is_first: bool
    is_last: bool


async def epoch_bytes(
    read: Read, listing: Listing, order: ChannelOrder, epoch: int, scratch: Path
) -> AsyncGenerator[bytes, None]:
    """Everything that this host's reader gets in an epoch. `scratch` is a folder for what must be measured first.

    Raises ValidationRefused for what cannot be given as the channel asks for, Transient where a store stays away.
    """
    async with aclosing(in_order(_pieces(read, listing, order, epoch), AHEAD)) as pieces:
        framed = _unpacked(pieces, order, scratch) if order.is_gzip else _plain(pieces, order)
        async with aclosing(framed):
            async for data in framed:
                yield data


async def fetched(read: Read, info: ObjectInfo, start: int, stop: int) -> bytes:
    """A part of an object, asked for again where the world fails."""
    for tried in range(TRIES - 1):
        try:
            return await read(info, start, stop)
        except Transient as error:
            await asyncio.sleep(error.after * 2**tried / 4)
    return await read(info, start, stop)


async def _pieces(
    read: Read, listing: Listing, order: ChannelOrder, epoch: int
) -> AsyncIterator[Coroutine[Any, Any, _Piece]]:
    for item in listing.mine(epoch):
        for part in item.parts:
            if isinstance(part, str):
                yield _text(part)
            elif not _is_marker(part):
                for start in range(0, max(1, part.size), PIECE):
                    yield _object(read, part, start, order)


def _is_marker(info: ObjectInfo) -> bool:
    """Whether it only marks a folder: it is no data."""
    return info.size == 0 and info.uri.endswith("/")


async def _text(text: str) -> _Piece:
    return _Piece(text, encoded(text), is_first=True, is_last=True)


async def _object(read: Read, info: ObjectInfo, start: int, order: ChannelOrder) -> _Piece:
    if order.is_recordio and not order.is_gzip:
        _refuse_long_record(info, info.size)
    stop = min(info.size, start + PIECE)
    data = await fetched(read, info, start, stop)
    return _Piece(info, data, is_first=start == 0, is_last=stop == info.size)


async def _plain(pieces: AsyncIterator[_Piece], order: ChannelOrder) -> AsyncGenerator[bytes, None]:
    async for piece in pieces:
        size = len(piece.data) if isinstance(piece.part, str) else piece.part.size
        before = recordio.head(size) if order.is_recordio and piece.is_first else b""
        behind = recordio.tail(size) if order.is_recordio and piece.is_last else b""
        for data in (before, piece.data, behind):
            if data:
                yield data


async def _unpacked(pieces: AsyncIterator[_Piece], order: ChannelOrder, scratch: Path) -> AsyncGenerator[bytes, None]:
    """Objects without their gzip. A record's length stands before it, so that it is unpacked whole first."""
    gunzip = Gunzip()
    with tempfile.SpooledTemporaryFile(IN_MEMORY, dir=str(scratch)) as file:
        record = _Record(file) if order.is_recordio else None
        async for piece in pieces:
            found = iter((piece.data,)) if isinstance(piece.part, str) else _checked(gunzip, piece)
            while (data := await asyncio.to_thread(next, found, None)) is not None:
                if record is None:
                    yield data
                else:
                    record.add(data, piece.part)
            if piece.is_last:
                gunzip = Gunzip()
                for data in record.taken() if record is not None else ():
                    yield data


def _checked(gunzip: Gunzip, piece: _Piece) -> Iterator[bytes]:
    try:
        yield from gunzip.feed(piece.data)
        if piece.is_last:
            gunzip.end()
    except NotGzip as error:
        uri = "" if isinstance(piece.part, str) else piece.part.uri
        raise ValidationRefused(
            f"The object {uri} cannot be unpacked, as CompressionType Gzip asks: {error}."
        ) from error


class _Record:
    """One record as it grows, in a file that may be in memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._size = file, 0

    def add(self, data: bytes, part: ObjectInfo | str) -> None:
        """More of it."""
        self._size += len(data)
        if not isinstance(part, str):
            _refuse_long_record(part, self._size)
        self._file.write(data)

    def taken(self) -> Iterator[bytes]:
        """All of it in its frame; then the next one begins."""
        yield recordio.head(self._size)
        self._file.seek(0)
        while data := self._file.read(PIECE):
            yield data
        yield recordio.tail(self._size)
        self._file.seek(0)
        self._file.truncate()
        self._size = 0


def _refuse_long_record(info: ObjectInfo, size: int) -> None:
    if size > recordio.LONGEST:
        text = f"The object {info.uri} is longer than a RecordIO record can be ({recordio.LONGEST} bytes)."
        raise ValidationRefused(text)
