"""ports.resources.ResourceStore in memory: for tests, and for a door that need not outlive its process."""

from __future__ import annotations

import asyncio
import json
from bisect import bisect_left
from collections.abc import AsyncGenerator, Sequence

from trainyard.kit.signals import Signal, Silence
from trainyard.ports.resources import (
    LARGEST_ADVANCE,
    LOG_KEPT,
    PROGRESS,
    Advance,
    Body,
    Collection,
    Deed,
    Entry,
    Listing,
    Occurrence,
    ResourceConflict,
    ResourceExists,
    ResourceKey,
    RevisionExpired,
)


class MemoryResourceStore:
    """Dictionaries, one log, and an event that wakes whoever follows it. Belongs to one event loop."""

    def __init__(self, *, log_kept: int = LOG_KEPT, progress: float = PROGRESS) -> None:
        self._objects: dict[Collection, dict[tuple[str, str], Entry]] = {}
        self._sorted: dict[Collection, Sequence[tuple[str, str]]] = {}
        self._log: list[Occurrence] = []  # line i holds revision _first + i
        self._first = 1
        self._log_kept = log_kept
        self._progress = progress
        self._moved = Signal()

    async def revision(self) -> int:
        """The newest write's revision."""
        return self._newest()

    async def create(self, key: ResourceKey, body: Body) -> Entry:
        """Store a new object."""
        objects = self._objects.setdefault(key.collection, {})
        place = (key.namespace, key.name)
        if place in objects:
            raise ResourceExists(key.name)
        entry = objects[place] = Entry(key, self._newest() + 1, body)
        self._sorted.pop(key.collection, None)
        self._note(Occurrence(Deed.ADDED, entry))
        return entry

    async def get(self, key: ResourceKey) -> Entry | None:
        """The object, or None."""
        return self._objects.get(key.collection, {}).get((key.namespace, key.name))

    async def put(self, key: ResourceKey, body: Body, *, expect: int) -> Entry:
        """Replace the object if it is still the one that was read."""
        old = self._expected(key, expect)
        if _same(old.body, body):
            return old
        entry = self._objects[key.collection][key.namespace, key.name] = Entry(key, self._newest() + 1, body)
        self._note(Occurrence(Deed.MODIFIED, entry, old.body))
        return entry

    async def delete(self, key: ResourceKey, *, expect: int) -> Entry:
        """Remove the object if it is still the one that was read."""
        old = self._expected(key, expect)
        objects = self._objects[key.collection]
        del objects[key.namespace, key.name]
        self._sorted.pop(key.collection, None)
        if not objects:
            del self._objects[key.collection]
        entry = Entry(key, self._newest() + 1, old.body)
        self._note(Occurrence(Deed.DELETED, entry, old.body))
        return entry

    async def list(
        self,
        collection: Collection,
        *,
        namespace: str | None = None,
        limit: int | None = None,
        after: tuple[str, str] | None = None,
    ) -> Listing:
        """One page in order of (namespace, name)."""
        places = self._places(collection)
        start = 0 if namespace is None else bisect_left(places, (namespace, ""))
        end = len(places) if namespace is None else bisect_left(places, (namespace + "\0", ""))
        if after is not None:
            start = max(start, bisect_left(places, (after[0], after[1] + "\0")))
        stop = end if limit is None else min(end, start + limit)
        objects = self._objects.get(collection, {})
        return Listing(
            entries=tuple(objects[place] for place in places[start:stop]),
            revision=self._newest(),
            after=places[stop - 1] if start < stop < end else None,
            remaining=max(0, end - stop),
        )

    async def collections(self) -> Sequence[Collection]:
        """Every collection that has an object."""
        return sorted(self._objects)

    async def watch(
        self, collection: Collection | None = None, *, namespace: str | None = None, since: int
    ) -> AsyncGenerator[Advance]:
        """Follow the log from `since`."""
        if since > self._newest():
            raise RevisionExpired(f"revision {since} lies in the future")
        position, silence = since, Silence(self._progress)
        while True:
            seen, position = position, min(self._newest(), position + LARGEST_ADVANCE)
            found = tuple(line for line in self._lines(seen, position) if line.entry.key.is_in(collection, namespace))
            if found or silence.is_over:
                yield Advance(position, found)
                silence.broken()
            if position < self._newest():
                await asyncio.sleep(0)
            else:
                await silence.until(self._moved.next)

    def _lines(self, after: int, until: int) -> Sequence[Occurrence]:
        if after < self._first - 1:
            raise RevisionExpired(f"the log begins after revision {self._first - 1}")
        return self._log[after + 1 - self._first : until + 1 - self._first]

    def _newest(self) -> int:
        return self._first + len(self._log) - 1

    def _note(self, line: Occurrence) -> None:
        self._log.append(line)
        if len(self._log) > 2 * self._log_kept:
            self._first += self._log_kept
            del self._log[: self._log_kept]
        self._moved.give()

    def _expected(self, key: ResourceKey, expect: int) -> Entry:
        old = self._objects.get(key.collection, {}).get((key.namespace, key.name))
        if old is None or old.revision != expect:
            raise ResourceConflict(key.name)
        return old

    def _places(self, collection: Collection) -> Sequence[tuple[str, str]]:
        places = self._sorted.get(collection)
        if places is None:
            places = self._sorted[collection] = sorted(self._objects.get(collection, {}))
        return places


def _same(one: Body, other: Body) -> bool:
    """Equal as JSON: Python holds 1, 1.0 and True for equal, JSON does not."""
    return one == other and json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
