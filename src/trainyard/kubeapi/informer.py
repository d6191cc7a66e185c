"""What is in an API server, kept up to date here: list in pages, watch, and again from where it broke off.

The store keeps each object as its JSON without managedFields, packed: ten thousand that are alike take a few MB, and
one is packed and read in some ten microseconds. A watch that sends nothing, not even a bookmark, is dead and replaced.
After 410 everything is listed again, and what is no longer there is told as deleted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from trainyard.kit.backoff import Backoff, spread
from trainyard.kit.packing import Packed, Packing
from trainyard.kubeapi.client import EVERYTHING, Client, Object, Selection
from trainyard.kubeapi.errors import ApiError, Gone, TooManyRequests
from trainyard.kubeapi.kinds import Kind
from trainyard.model.errors import TrainyardError
from trainyard.ports.clock import Clock

PAGE = 500  # objects of one list page
SILENCE = 70.0  # seconds: servers send bookmarks every 60 or more often
_LASTING = (300.0, 600.0)  # seconds that one watch is asked to last
_FIRST, _LONGEST = 0.2, 30.0  # seconds between tries
_LOG = logging.getLogger(__name__)

# What happened to a key: the object as it is now, or None where it is gone; the second is its last state then.
Listener = Callable[[str, Object | None, Object | None], None]


@dataclass(frozen=True, slots=True)
class _Kept:
    revision: str
    content: Packed


class Informer:
    """The objects of one kind, of one namespace or of all."""

    def __init__(
        self,
        client: Client,
        kind: Kind,
        clock: Clock,
        listener: Listener,
        *,
        namespace: str | None = None,
        selected: Selection = EVERYTHING,
        silence: float = SILENCE,
    ) -> None:
        self._client, self._kind, self._clock, self._listener = client, kind, clock, listener
        self._namespace, self._silence = namespace, silence
        self._selected = selected._asdict()
        self._kept: dict[str, _Kept] = {}
        self._packing = Packing()
        self._revision: str | None = None
        self._heard = clock.boottime()
        self._backoff = Backoff(_FIRST, _LONGEST, jitter=0.5)
        self._followed = ""  # the newest revision that a list or a watch told
        self.synced = asyncio.Event()
        self.relists = 0

    def __len__(self) -> int:
        return len(self._kept)

    def all_keys(self) -> Iterator[str]:
        """Every key, `namespace/name`."""
        return iter(list(self._kept))

    def get(self, key: str) -> Object | None:
        """The object, a copy of its own."""
        kept = self._kept.get(key)
        return None if kept is None else _loaded(kept)

    def age(self) -> float:
        """Seconds since the server was last heard."""
        return self._clock.boottime() - self._heard

    def wrote(self, body: Object) -> bool:
        """Take in what a write of ours answered: its echo in the watch is then no news. False if it is old."""
        return self._keep(body)

    def lost(self, key: str) -> None:
        """Take in that the server has no such object any more."""
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._listener(key, None, _loaded(kept))

    async def run(self) -> None:
        """Follow the server for ever; it may be down, slow, restarting or forgetful."""
        while True:
            try:
                if self._revision is None:
                    await self._list()
                await self._watch()
            except Gone:
                self._revision = None
                self.relists += 1
            except (ApiError, TrainyardError) as error:
                await self._pause(error)

    async def _pause(self, error: TrainyardError) -> None:
        after = error.after if isinstance(error, TooManyRequests) and error.after else 0.0
        pause = max(after, self._backoff.next())
        _LOG.warning("%s cannot be watched, next try in %.1f s: %s", self._kind.plural, pause, error)
        await asyncio.sleep(pause)

    async def _list(self) -> None:
        token, revision, found = None, "", set[str]()
        while True:
            page = await self._client.list_page(self._kind, self._namespace, limit=PAGE, token=token, **self._selected)
            self._heard = self._clock.boottime()
            metadata = page.get("metadata") or {}
            if not revision:
                revision = str(metadata.get("resourceVersion") or "")
                self._forget_order_if_behind(revision)
            for item in page.get("items") or ():
                found.add(key_of(item))
                self._take(item)
            token = metadata.get("continue")
            if not token:
                break
        for key in [
            key for key, kept in self._kept.items() if key not in found and not _newer(kept.revision, revision)
        ]:
            self.lost(key)
        self._revision = self._followed = revision
        self._backoff.reset()
        self.synced.set()

    def _forget_order_if_behind(self, revision: str) -> None:
        """A server whose revisions went back (a backup, a new cluster) is believed, whatever we know as later."""
        if _newer(self._followed, revision):
            _LOG.warning("revisions of %s went back from %s to %s", self._kind.plural, self._followed, revision)
            self._kept = {key: _Kept("", kept.content) for key, kept in self._kept.items()}

    async def _watch(self) -> None:
        assert self._revision is not None  # noqa: S101 - `run` lists first
        async with self._client.watch(
            self._kind, self._namespace, since=self._revision, **self._selected,
            lasting=spread(*_LASTING), silence=self._silence,
        ) as events:  # fmt: skip
            self._heard = self._clock.boottime()
            self._backoff.reset()
            async for event in events:
                self._heard = self._clock.boottime()
                self._happened(str(event.get("type")), event.get("object") or {})
        await asyncio.sleep(0.01)  # a server that ends every watch at once is not asked in a tight loop

    def _happened(self, what: str, item: Object) -> None:
        self._revision = str((item.get("metadata") or {}).get("resourceVersion") or self._revision)
        self._followed = self._revision
        if what in ("ADDED", "MODIFIED"):
            self._take(item)
        elif what == "DELETED":
            self.lost(key_of(item))

    def _take(self, item: Object) -> None:
        key = key_of(item)
        before = self._kept.get(key)
        if self._keep(item):
            self._listener(key, item, _loaded(before) if before is not None else None)

    def _keep(self, item: Object) -> bool:
        """Whether the object was news; what is older than what we know is none."""
        metadata = item.get("metadata") or {}
        metadata.pop("managedFields", None)
        key, revision = key_of(item), str(metadata.get("resourceVersion") or "")
        known = self._kept.get(key)
        if known is not None and (known.revision == revision or _newer(known.revision, revision)):
            return False
        self._kept[key] = _Kept(revision, self._packing.pack(orjson.dumps(item)))
        return True


def key_of(item: Object) -> str:
    """`namespace/name`, or `name` for what has no namespace."""
    metadata = item.get("metadata") or {}
    namespace, name = metadata.get("namespace"), str(metadata.get("name") or "")
    return f"{namespace}/{name}" if namespace else name


def _newer(one: str, other: str) -> bool:
    """Whether a revision is later than another; those that are no numbers cannot be compared."""
    return one.isdecimal() and other.isdecimal() and int(one) > int(other)


def _loaded(kept: _Kept) -> Any:
    return orjson.loads(kept.content.unpacked())
