"""File mode: the objects of a channel become files of its folder, as the service lays them out.

A run that was killed is simply repeated: files that are there with their full size are not fetched again, and
what it left half-fetched is removed, for all that lies in a channel is data to a program.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from trainyard.agent.listing import Listing
from trainyard.agent.naming import Names
from trainyard.agent.orders import ChannelOrder
from trainyard.agent.sources import Item
from trainyard.model.errors import ValidationRefused
from trainyard.ports.objects import PARTIAL, ObjectInfo, ObjectStore

PARALLEL = 16  # transfers at once; small objects are bound by latency
Report = Callable[[int], None]


async def stage(store: ObjectStore, order: ChannelOrder, report: Report) -> None:
    """Fetch this host's part of a listed channel. `report` is told the bytes of each file as it lands.

    Raises ValidationRefused for a key that cannot be a file below the channel's folder.
    """
    root = Path(order.folder)
    root.mkdir(parents=True, exist_ok=True)
    _remove_remains(root)
    listing = Listing(order)
    async for _ in _fetched(store, _once(listing.mine(epoch=0), order), Names(root), report):
        pass
    write_manifest(order, listing)


def write_manifest(order: ChannelOrder, listing: Listing) -> None:
    """The list that the program finds beside its channel: the prefix, then every object of the whole channel.

    A line break in a key is written as in a URL: a line is an object.
    """
    partial = Path(f"{order.manifest}.partial")
    with partial.open("w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(_line(listing.prefix))
        for item in listing.whole():
            for part in item.parts:
                if isinstance(part, ObjectInfo):
                    file.write(f"\n{_line(part.uri)}")
    os.replace(partial, order.manifest)


def _line(text: str) -> str:
    return text.replace("\n", "%0A").replace("\r", "%0D")


def _remove_remains(root: Path) -> None:
    """Files that another run of ours was killed over. An object of such a name is fetched again."""
    for folder, _, names in os.walk(root):
        for name in names:
            if name.startswith(PARTIAL):
                os.unlink(os.path.join(folder, name))


def _once(items: Iterator[Item], order: ChannelOrder) -> Iterator[Item]:
    """Items without those that a manifest names again: they are the same file."""
    if order.kind != "ManifestFile":
        return items
    seen: set[str] = set()
    return (item for item in items if item.path not in seen and not seen.add(item.path))  # type: ignore[func-returns-value]


async def _fetched(store: ObjectStore, items: Iterator[Item], names: Names, report: Report) -> AsyncIterator[Item]:
    """Every item, once its file is there; at most PARALLEL under way, memory flat."""
    running: dict[asyncio.Task[None], Item] = {}
    try:
        for item in items:
            if len(running) >= PARALLEL:
                await _settle(running)
            running[asyncio.create_task(_fetch(store, item, names, report))] = item
            yield item
        while running:
            await _settle(running)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _settle(running: dict[asyncio.Task[None], Item]) -> None:
    done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        del running[task]
        task.result()


async def _fetch(store: ObjectStore, item: Item, names: Names, report: Report) -> None:
    if not item.path:
        return  # the marker of the folder itself
    (info,) = item.parts
    assert isinstance(info, ObjectInfo)  # noqa: S101 - lines of augmented manifests are never staged
    target = names.path_of(item.path, info.uri)
    is_marker = info.uri.endswith("/") and info.size == 0
    try:
        (target if is_marker else target.parent).mkdir(parents=True, exist_ok=True)
        if is_marker:
            return
        if not (target.is_file() and target.stat().st_size == info.size):
            await store.download(info, target)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        text = f"The object {info.uri!r} cannot be a file: one key is a file and a folder at once."
        raise ValidationRefused(text) from error
    report(info.size)
