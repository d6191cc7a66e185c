"""Where records live: compare-and-swap, a change feed, and a ledger that is only appended to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from typing import NamedTuple, Protocol

from trainyard.lifecycle.paging import Order, Place
from trainyard.model.job import JobSummary, ListQuery
from trainyard.model.keys import JobKey, Scope
from trainyard.model.ledger import Change, JobEvent, Page, Point
from trainyard.model.record import JobRecord


class Stamp(NamedTuple):
    """Which writing of which job a store holds under a name."""

    key: JobKey
    uid: str
    version: int


class JobStore(Protocol):
    """Records of jobs. Every method that writes returns only when the write is durable."""

    async def create(self, record: JobRecord, *, events: Sequence[JobEvent] = ()) -> JobRecord:
        """Store a new record with version 1, and in the same transaction what is to be told of it.

        Raises ResourceInUse, in the service's words, if the name is taken.
        """
        ...

    async def get(self, key: JobKey) -> JobRecord | None:
        """The record, or None."""
        ...

    async def put(self, record: JobRecord, *, expect: int, events: Sequence[JobEvent] = ()) -> JobRecord:
        """Replace the record if its stored version is `expect`, and append `events` in the same transaction.

        Returns the record with its new version.

        Raises StaleRecord when it is another, or the record is gone, or its uid is another job's.
        """
        ...

    async def delete(self, key: JobKey, *, expect: int) -> None:
        """Remove a record and its ledger. Raises StaleRecord as `put` does."""
        ...

    async def list(self, scope: Scope, query: ListQuery) -> Page[JobSummary]:
        """One page by keyset, never by offset; stable while jobs are added. Does not parse specs."""
        ...

    async def records(self, scope: Scope | None = None, *, unfinished: bool = False) -> Sequence[JobRecord]:
        """Whole records: with `unfinished`, those not final or final but not yet released or finalised."""
        ...

    async def walk(self, scope: Scope, order: Order, *, after: Place | None, limit: int) -> Sequence[JobRecord]:
        """The next whole records of an order behind a place (None: from the start); fewer only at the end."""
        ...

    async def some(self, keys: Collection[JobKey]) -> Sequence[JobRecord]:
        """Those of these records that there are, in no order."""
        ...

    def unfinished(self) -> AsyncIterator[Sequence[Stamp]]:
        """Which jobs something is still to be done for, in pieces, none of them empty: far cheaper than their records.

        What becomes unfinished meanwhile may be told or not.
        """
        ...

    async def revision(self) -> int:
        """The revision of the newest change; 0 in an empty store."""
        ...

    async def news(self, since: int) -> Sequence[Change]:
        """Changes after revision `since`, at most a thousand; none where nothing happened yet."""
        ...

    async def stirred(self, hint: asyncio.Event | None = None) -> None:
        """Return when it is time to look for news again, which may be for nothing; at once when `hint` is set.

        What another process wrote is to be seen by a look that follows within a second of the write, mostly far less.
        """
        ...

    def changes(self, since: int) -> AsyncIterator[Change]:
        """Changes after revision `since`, for ever, also those made by other processes."""
        ...


class Ledger(Protocol):
    """What is appended beside the records. Keyed on the job's uid, so a reused name never inherits history."""

    async def events(self, job_uid: str, *, limit: int = 1000, token: str | None = None) -> Page[JobEvent]:
        """What the records' writes told, oldest first."""
        ...

    async def append_points(
        self, job_uid: str, stream: str, points: Sequence[Point], *, since: int, offset: int
    ) -> None:
        """Add metric points scanned from `stream` between two offsets and, in the same transaction, the second.

        Raises StaleRecord if the stream is not scanned up to `since`: someone else reads it too.
        """
        ...

    async def scanned(self, job_uid: str) -> dict[str, int]:
        """For every stream, how far it was scanned."""
        ...

    async def points(
        self, job_uid: str, *, name: str | None = None, since: float | None = None, limit: int = 100_000
    ) -> Sequence[Point]:
        """Points in order of time."""
        ...

    async def last_points(self, job_uid: str) -> Sequence[Point]:
        """The newest point of every series of the algorithm (host "")."""
        ...
