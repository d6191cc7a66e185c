"""The items of a channel, written down when its attempt begins: every epoch and every helper reads the same.

A file of JSON lines, the prefix first. What is in memory of it is eight bytes an item.
"""

from __future__ import annotations

import json
import os
import weakref
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from trainyard.agent import dealing
from trainyard.agent.orders import ChannelOrder
from trainyard.agent.sources import Item, open_source
from trainyard.model.errors import ValidationRefused
from trainyard.ports.objects import ObjectInfo, ObjectStore


class Written(NamedTuple):
    """How much a channel holds for the host that listed it."""

    items: int
    bytes: int


async def write_listing(store: ObjectStore, order: ChannelOrder) -> Written:
    """List a channel into its file, whole or not at all; returns what of it is this host's.

    Raises ValidationRefused for a channel without any object that must have one, in the service's words.
    """
    path = Path(order.listing)
    path.parent.mkdir(parents=True, exist_ok=True)
    source = await open_source(store, order)
    partial = path.with_name(f"{path.name}.partial")
    sizes = array("Q")
    with partial.open("w", encoding="ascii") as file:
        file.write(json.dumps(source.prefix))
        async for item in source.items:
            file.write(f"\n{json.dumps(_plain(item), separators=(',', ':'))}")
            sizes.append(item.size)
    if not sizes and not order.may_be_empty:
        raise ValidationRefused(f'No S3 objects found under S3 URL "{order.uri}" given in input data source.')
    os.replace(partial, path)
    mine = _places(order, len(sizes), epoch=0)
    return Written(len(mine), sum(sizes[place] for place in mine))


class Listing:
    """What `write_listing` wrote; read from any thread."""

    def __init__(self, order: ChannelOrder) -> None:
        self._order = order
        with open(order.listing, "rb") as file:
            self._file = os.dup(file.fileno())
            weakref.finalize(self, os.close, self._file)
            self.prefix: str = json.loads(file.readline())
            self._starts = array("Q", [file.tell()])
            for line in file:
                self._starts.append(self._starts[-1] + len(line))

    def __len__(self) -> int:
        return len(self._starts) - 1

    def whole(self) -> Iterator[Item]:
        """All items of the channel, whoever's they are, in the order of its first epoch."""
        return map(self.item, _places(self._order, len(self), epoch=0, is_sharded=False))

    def mine(self, epoch: int) -> Iterator[Item]:
        """This host's items in the order of an epoch."""
        return map(self.item, self.places(epoch))

    def places(self, epoch: int) -> Sequence[int]:
        """Where they are in the list."""
        return _places(self._order, len(self), epoch=epoch)

    def item(self, place: int) -> Item:
        """The item at a place."""
        start, stop = self._starts[place], self._starts[place + 1]
        path, *parts = json.loads(os.pread(self._file, stop - start, start))
        return Item(path, tuple(_part(part) for part in parts))


def _places(order: ChannelOrder, count: int, *, epoch: int, is_sharded: bool | None = None) -> Sequence[int]:
    deals = order.is_sharded if is_sharded is None else is_sharded
    host, hosts = (order.host, order.hosts) if deals else (0, 1)
    return dealing.places(count, seed=order.seed, epoch=epoch, host=host, hosts=hosts)


def _plain(item: Item) -> list[Any]:
    return [item.path, *(part if isinstance(part, str) else _plain_object(part) for part in item.parts)]


def _plain_object(info: ObjectInfo) -> list[Any]:
    return [info.uri, info.size, info.etag, info.modified]


def _part(plain: Any) -> ObjectInfo | str:
    if isinstance(plain, str):
        return plain
    uri, size, etag, modified = plain
    return ObjectInfo(uri=uri, size=size, etag=etag, modified=modified)
