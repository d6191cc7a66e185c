"""ports.store.JobStore in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import replace

from trainyard.kit.signals import first_set
from trainyard.lifecycle.describing import summary_of
from trainyard.lifecycle.paging import Order, Place, place_in, place_of, token_of
from trainyard.lifecycle.refusals import name_taken, written_meanwhile
from trainyard.model.keys import JobKey, Scope
from trainyard.model.ledger import Change, JobEvent, Page
from trainyard.model.listing import JobSummary, ListQuery
from trainyard.model.record import JobRecord
from trainyard.ports.store import Stamp
from trainyard.stores.memory.shelf import Shelf


class MemoryJobStore:
    """Records with compare-and-swap and a change feed, for as long as the process lives."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def create(self, record: JobRecord, *, events: Sequence[JobEvent] = ()) -> JobRecord:
        """Store a new record with version 1."""
        if record.key in self._shelf.records:
            raise name_taken(record.key)
        return self._write(replace(record, version=1), events)

    async def get(self, key: JobKey) -> JobRecord | None:
        """The record, or None."""
        return self._shelf.records.get(key)

    async def put(self, record: JobRecord, *, expect: int, events: Sequence[JobEvent] = ()) -> JobRecord:
        """Replace the record if it is still the one that was read."""
        kept = self._kept(record.key, expect)
        if kept.uid != record.uid:
            raise written_meanwhile(record.key)
        return self._write(replace(record, version=expect + 1), events)

    async def delete(self, key: JobKey, *, expect: int) -> None:
        """Remove a record and its ledger."""
        uid = self._kept(key, expect).uid
        del self._shelf.records[key]
        for ledger in (self._shelf.events, self._shelf.points, self._shelf.scanned):
            ledger.pop(uid, None)
        self._shelf.note(key)

    async def list(self, scope: Scope, query: ListQuery) -> Page[JobSummary]:
        """One page by keyset."""
        order = Order(query.sort_by, query.descending)
        after = place_in(query.token, order)
        found = [record for record in self._of(scope) if _matches(summary_of(record), query)]
        rest = [summary_of(record) for record in _in_order(found, order, after)]
        shown = rest[: query.limit]
        token = token_of(order, place_of(shown[-1], order.by)) if len(rest) > query.limit else None
        return Page(tuple(shown), token)

    async def walk(self, scope: Scope, order: Order, *, after: Place | None, limit: int) -> Sequence[JobRecord]:
        """The next records of an order."""
        return _in_order(self._of(scope), order, after)[:limit]

    def _of(self, scope: Scope) -> Iterable[JobRecord]:
        return (record for record in self._shelf.records.values() if record.key.scope == scope)

    async def records(self, scope: Scope | None = None, *, unfinished: bool = False) -> Sequence[JobRecord]:
        """Whole records, oldest first."""
        found = [
            record
            for record in self._shelf.records.values()
            if (scope is None or record.key.scope == scope) and (record.is_unfinished or not unfinished)
        ]
        return sorted(found, key=lambda record: record.created_at)

    async def some(self, keys: Collection[JobKey]) -> Sequence[JobRecord]:
        """Those of these records that there are."""
        return [self._shelf.records[key] for key in keys if key in self._shelf.records]

    async def unfinished(self) -> AsyncIterator[Sequence[Stamp]]:
        """Which jobs something is still to be done for."""
        found = [record for record in self._shelf.records.values() if record.is_unfinished]
        if found:
            yield [Stamp(record.key, record.uid, record.version) for record in found]

    async def revision(self) -> int:
        """The newest change's revision."""
        return self._shelf.revision

    async def news(self, since: int) -> Sequence[Change]:
        """Changes after a revision, as far as there are any."""
        return [change for change in self._shelf.feed if change.revision > since]

    async def stirred(self, hint: asyncio.Event | None = None) -> None:
        """Return when there may be news."""
        await first_set(*filter(None, (self._shelf.moved.next, hint)))

    async def changes(self, since: int) -> AsyncIterator[Change]:
        """Follow the feed."""
        position = since
        while True:
            for change in await self.news(position):
                position = change.revision
                yield change
            if self._shelf.revision <= position:
                await self.stirred()

    def _kept(self, key: JobKey, expect: int) -> JobRecord:
        kept = self._shelf.records.get(key)
        if kept is None or kept.version != expect:
            raise written_meanwhile(key)
        return kept

    def _write(self, record: JobRecord, events: Sequence[JobEvent]) -> JobRecord:
        self._shelf.records[record.key] = record
        self._shelf.events[record.uid] += events
        self._shelf.note(record.key)
        return record


def _in_order(found: Iterable[JobRecord], order: Order, after: Place | None) -> list[JobRecord]:
    """Those behind a place, in order."""
    placed = [(place_of(summary_of(record), order.by), record) for record in found]
    rest = [one for one in placed if after is None or (one[0] < after if order.descending else one[0] > after)]
    return [record for _, record in sorted(rest, key=lambda one: one[0], reverse=order.descending)]


def _matches(one: JobSummary, query: ListQuery) -> bool:
    bounds = (
        (query.created_after, one.created_at),
        (one.created_at, query.created_before),
        (query.modified_after, one.modified_at),
        (one.modified_at, query.modified_before),
    )
    named = query.name_contains is None or query.name_contains.lower() in one.name.lower()
    standing = query.status is None or query.status == one.status
    return named and standing and all(low is None or high is None or low < high for low, high in bounds)
