"""What a channel consists of: what lies under a prefix, what a manifest names, the lines of an augmented one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainyard.agent import manifests
from trainyard.agent.ahead import in_order
from trainyard.agent.manifests import Manifest, Reference
from trainyard.agent.orders import ChannelOrder
from trainyard.model import uris
from trainyard.model.errors import ValidationRefused
from trainyard.ports.objects import ObjectInfo, ObjectStore

LARGEST_MANIFEST = 256 << 20  # bytes: a ManifestFile is one JSON value, and is read whole
LONGEST_LINE = 16 << 20  # bytes of a line of an augmented manifest
ASKED_AT_ONCE = 32  # objects that a manifest names, each of which has to be asked for


@dataclass(frozen=True, slots=True)
class Item:
    """What is dealt and shuffled as one: an object, or a line of an augmented manifest.

    path : its file below the channel's folder; "" for what is no file.
    parts: objects, and texts that are data themselves.
    """

    path: str
    parts: tuple[ObjectInfo | str, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(len(encoded(part)) if isinstance(part, str) else part.size for part in self.parts)


def encoded(text: str) -> bytes:
    """The bytes that a text of a manifest is read as."""
    return text.encode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True)
class Source:
    """A channel's items in the order of their keys or of the manifest; prefix: what all keys begin with."""

    prefix: str
    items: AsyncIterator[Item]


async def open_source(store: ObjectStore, order: ChannelOrder) -> Source:
    """The source that an order names. Raises ValidationRefused, here or on the way, for what cannot be data."""
    uri = uris.plain(order.uri)
    if order.kind == "ManifestFile":
        manifest = manifests.parse(await _small(store, uri), uri)
        return Source(uris.key_of(uris.plain(manifest.prefix)), _named(store, manifest, uri))
    if order.kind == "AugmentedManifestFile":
        return Source(uris.key_of(uri), _lines(store, order, uri))
    return Source(uris.key_of(uri), _under(store, uri))


async def _under(store: ObjectStore, uri: str) -> AsyncIterator[Item]:
    """What lies under a prefix: in it where it is a folder, as the SDKs spell folders, else beside its last slash."""
    base, folder = uris.folder_of(uri), uri.removesuffix("/") + "/"
    is_folder = folder != base and await _holds_any(store, folder)
    async for info in store.list(uri):
        if info.uri.startswith(folder):
            yield Item(info.uri[len(folder) :], (info,))
            continue
        path = info.uri[len(base) :]
        if is_folder and await store.head(folder + path) is not None:
            raise ValidationRefused(f"The objects {info.uri!r} and {folder + path!r} would be the same file.")
        yield Item(path, (info,))


async def _holds_any(store: ObjectStore, folder: str) -> bool:
    async for _ in store.list(folder):
        return True
    return False


async def _named(store: ObjectStore, manifest: Manifest, uri: str) -> AsyncIterator[Item]:
    async def asked() -> AsyncIterator[Coroutine[Any, Any, Item]]:
        for number, (path, name) in enumerate(_paths(manifest, uri), start=2):
            where = f"The manifest {uri}, entry {number}"
            yield _item(store, path, (Reference("it", manifest.prefix + name),), where)

    async for item in in_order(asked(), ASKED_AT_ONCE):
        yield item


def _paths(manifest: Manifest, uri: str) -> Iterator[tuple[str, str]]:
    """The file of each name. A slash that begins a name ends a prefix that has none."""
    known: dict[str, str] = {}
    for name in manifest.names:
        path = name if manifest.prefix.endswith("/") else name.removeprefix("/")
        if known.setdefault(path, name) != name:
            raise ValidationRefused(f"The manifest {uri}: {name!r} and {known[path]!r} would be the same file.")
        yield path, name


async def _lines(store: ObjectStore, order: ChannelOrder, uri: str) -> AsyncIterator[Item]:
    copy = Path(f"{order.listing}.manifest")
    await _fetch(store, uri, copy)

    async def asked() -> AsyncIterator[Coroutine[Any, Any, Item]]:
        with copy.open("rb") as file:
            for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE + 1), b""), start=1):
                where = f"The augmented manifest {uri}, line {number}"
                if len(line) > LONGEST_LINE:
                    raise ValidationRefused(f"{where}: it is longer than {LONGEST_LINE} bytes.")
                if line.strip():
                    yield _item(store, "", manifests.parse_line(line, order.attributes, where), where)

    try:
        async for item in in_order(asked(), ASKED_AT_ONCE):
            yield item
    finally:
        copy.unlink(missing_ok=True)


async def _item(store: ObjectStore, path: str, parts: tuple[Reference | str, ...], where: str) -> Item:
    return Item(path, tuple(await asyncio.gather(*(_part(store, part, where) for part in parts))))


async def _part(store: ObjectStore, part: Reference | str, where: str) -> ObjectInfo | str:
    if isinstance(part, str):
        return part
    info = await store.head(uris.plain(part.uri))
    if info is None:
        raise ValidationRefused(f"{where}: {part.attribute} names {part.uri!r}, and there is no such object.")
    return info


async def _small(store: ObjectStore, uri: str) -> bytes:
    info = await _manifest(store, uri)
    if info.size > LARGEST_MANIFEST:
        raise ValidationRefused(f"The manifest {uri} has {info.size} bytes; {LARGEST_MANIFEST} are the most.")
    return await store.get(uri)


async def _fetch(store: ObjectStore, uri: str, target: Path) -> None:
    await store.download(await _manifest(store, uri), target)


async def _manifest(store: ObjectStore, uri: str) -> ObjectInfo:
    info = await store.head(uri)
    if info is None:
        raise ValidationRefused(f'No S3 objects found under S3 URL "{uri}" given in input data source: no manifest.')
    return info
