"""FastFile mode: a channel's objects as files whose bytes are fetched when they are read, ahead of who reads in order.

What is in memory is bounded: so many blocks, whoever reads. Files are looked at from many threads; bytes are fetched on
one event loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from concurrent.futures import Future
from contextlib import suppress

from trainyard.agent.epochs import Read, fetched
from trainyard.agent.listing import Listing
from trainyard.agent.naming import is_path
from trainyard.agent.sources import Item
from trainyard.model.errors import ValidationRefused
from trainyard.ports.objects import ObjectInfo

BLOCK = 2 << 20  # bytes fetched by one request
KEPT = 32  # blocks in memory
FURTHEST = 16  # blocks fetched ahead of one reader


class Tree:
    """Folders and files; paths without a slash at either end, the root is "".

    Of a file its place in its channel's listing is kept, not what stands there.
    """

    def __init__(self) -> None:
        self.files: dict[str, int] = {}
        self.folders: dict[str, list[str]] = {"": []}
        self._listings: dict[str, Listing] = {}

    def add(self, channel: str, listing: Listing) -> None:
        """Put a channel's objects into a folder of its name. Raises ValidationRefused for keys that are no files."""
        self._listings[channel] = listing
        self._folder(channel, channel)
        for place in listing.places(epoch=0):
            item = listing.item(place)
            if item.path:
                self._add(f"{channel}/{item.path}", _object(item), place)

    def object(self, path: str) -> ObjectInfo | None:
        """The object that is the file of that path, if there is such a file."""
        place = self.files.get(path)
        return None if place is None else _object(self._listings[path.partition("/")[0]].item(place))

    def _add(self, path: str, info: ObjectInfo, place: int) -> None:
        if not is_path(path):
            raise ValidationRefused(
                f"The object {info.uri!r} has a key that cannot be a file below its channel's folder."
            )
        if path.endswith("/"):
            if info.size:
                raise ValidationRefused(f"The object {info.uri!r} has bytes and the key of a folder.")
            self._folder(path.removesuffix("/"), info.uri)
            return
        if path in self.folders:
            raise _both(info.uri)
        self._named(path, info.uri)
        self.files[path] = place

    def _folder(self, path: str, uri: str) -> None:
        if path in self.folders:
            return
        if path in self.files:
            raise _both(uri)
        self._named(path, uri)
        self.folders[path] = []

    def _named(self, path: str, uri: str) -> None:
        above, _, name = path.rpartition("/")
        self._folder(above, uri)
        self.folders[above].append(name)


def _object(item: Item) -> ObjectInfo:
    (info,) = item.parts
    assert isinstance(info, ObjectInfo)  # noqa: S101 - lines of augmented manifests are never files
    return info


def _both(uri: str) -> ValidationRefused:
    return ValidationRefused(f"The object {uri!r} cannot be a file: one key is a file and a folder at once.")


class Blocks:
    """Parts of objects, the last used ones kept. `read` is called on the loop, everything else from any thread."""

    def __init__(self, read: Read, loop: asyncio.AbstractEventLoop) -> None:
        self._read, self._loop = read, loop
        self._kept: OrderedDict[tuple[str, int], Future[bytes]] = OrderedDict()
        self._turn = threading.Lock()
        self._readers = 0

    def bytes_of(self, info: ObjectInfo, number: int) -> bytes:
        """A block, once it is there. Raises what reading raises."""
        return self.fetch(info, number).result()

    def fetch(self, info: ObjectInfo, number: int) -> Future[bytes]:
        """Begin to fetch a block, unless it is there or under way."""
        key = (info.uri, number)
        with self._turn:
            block = self._kept.get(key)
            if block is not None and not _failed(block):
                self._kept.move_to_end(key)
                return block
            start = number * BLOCK
            work = fetched(self._read, info, start, min(info.size, start + BLOCK))
            block = self._kept[key] = asyncio.run_coroutine_threadsafe(work, self._loop)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return block

    def reader(self, info: ObjectInfo) -> Reader:
        """Somebody who opens an object. Close it."""
        with self._turn:
            self._readers += 1
        return Reader(self, info)

    def leave(self) -> None:
        """One reader less."""
        with self._turn:
            self._readers -= 1

    @property
    def furthest(self) -> int:
        """Blocks that each reader may have fetched ahead, so that none takes what another is about to read."""
        return max(1, min(FURTHEST, KEPT // (2 * max(1, self._readers))))


class Reader:
    """One open file."""

    def __init__(self, blocks: Blocks, info: ObjectInfo) -> None:
        self._blocks, self._info = blocks, info
        self._next = 0  # the block that follows the last one
        self._ahead = 0

    def read(self, size: int, offset: int) -> bytes:
        """Bytes of the object; fewer at its end."""
        stop = min(self._info.size, offset + size)
        if offset >= stop:
            return b""
        first, last = offset // BLOCK, (stop - 1) // BLOCK
        pieces = []
        for number in range(first, last + 1):
            begin = number * BLOCK
            block = self._taken(number)
            pieces.append(block[max(0, offset - begin) : stop - begin])
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """The file is closed."""
        self._blocks.leave()

    def _taken(self, number: int) -> bytes:
        """A block, and those behind it on their way while they are read in order."""
        block = self._blocks.fetch(self._info, number)
        if number != self._next - 1:
            in_order = number == self._next
            self._ahead = min(self._blocks.furthest, max(1, 2 * self._ahead)) if in_order else 0
            self._next = number + 1
            end = -(-self._info.size // BLOCK)
            for further in range(number + 1, min(end, number + 1 + self._ahead)):
                self._blocks.fetch(self._info, further)
        return block.result()


def _failed(block: Future[bytes]) -> bool:
    """Whether a fetch ended without its bytes: it is tried anew by whoever asks next."""
    if not block.done():
        return False
    with suppress(Exception):
        return block.exception() is not None
    return True
