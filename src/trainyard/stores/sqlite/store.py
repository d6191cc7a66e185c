"""ports.store.JobStore over SQLite."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from trainyard.lifecycle.describing import instance_of
from trainyard.lifecycle.paging import Order, Place
from trainyard.lifecycle.refusals import name_taken, written_meanwhile
from trainyard.model.errors import ResourceInUse
from trainyard.model.keys import JobKey, Scope
from trainyard.model.ledger import Change, JobEvent, Page
from trainyard.model.listing import JobSummary, ListQuery
from trainyard.model.record import JobRecord
from trainyard.ports.store import Stamp
from trainyard.stores.sqlite import listing
from trainyard.stores.sqlite.codec import Records, encode
from trainyard.stores.sqlite.database import Database
from trainyard.stores.sqlite.ledger import append_events
from trainyard.stores.sqlite.names import Names
from trainyard.stores.sqlite.rows import fetch, insert

_NAMES_AT_ONCE = 200  # in one statement, far below what SQLite takes
_FEED_DROPPED = 10_000  # changes between two droppings
_FEED_KEPT = 100_000  # changes kept; a reader that is further behind reads everything anyway


class SqliteJobStore:
    """Records with compare-and-swap and a change feed that sees other processes' writes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._records, self._names = Records(), Names()

    async def create(self, record: JobRecord, *, events: Sequence[JobEvent] = ()) -> JobRecord:
        """Store a new record with version 1."""
        first = record if record.version == 1 else replace(record, version=1)
        text = encode(first)
        await self._database.write_jointly(_create, _New(first.key, first.uid, _row(first, text), events))
        return self._records.keep(first, text)

    async def get(self, key: JobKey) -> JobRecord | None:
        """The record, or None."""
        row = await self._database.glance(lambda connection: _row_of(connection, key))
        return None if row is None else self._records.decode(*row)

    async def put(self, record: JobRecord, *, expect: int, events: Sequence[JobEvent] = ()) -> JobRecord:
        """Replace the record if it is still the one that was read."""
        written = replace(record, version=expect + 1)
        text = encode(written)
        row = {**_row(written, text), "expect": expect}

        def work(connection: sqlite3.Connection) -> None:
            if connection.execute(_UPDATE, row).rowcount == 0:
                raise written_meanwhile(record.key)
            append_events(connection, [(record.uid, event) for event in events])
            _note(connection, [record.key])

        await self._database.write(work)
        return self._records.keep(written, text)

    async def delete(self, key: JobKey, *, expect: int) -> None:
        """Remove a record and its ledger."""

        def work(connection: sqlite3.Connection) -> None:
            found = connection.execute(
                "DELETE FROM jobs WHERE account = ? AND region = ? AND name = ? AND version = ? RETURNING uid",
                (key.account, key.region, key.name, expect),
            ).fetchone()
            if found is None:
                raise written_meanwhile(key)
            uid = (found["uid"],)
            connection.execute("DELETE FROM points WHERE series IN (SELECT id FROM series WHERE uid = ?)", uid)
            for table in ("series", "events", "scanned"):
                connection.execute(f"DELETE FROM {table} WHERE uid = ?", uid)  # noqa: S608 - our own table names
            _note(connection, [key])

        await self._database.write(work)

    async def list(self, scope: Scope, query: ListQuery) -> Page[JobSummary]:
        """One page by keyset."""
        return await listing.page(self._database, scope, query, self._names)

    async def records(self, scope: Scope | None = None, *, unfinished: bool = False) -> Sequence[JobRecord]:
        """Whole records, oldest first."""
        conditions = ["unfinished = 1"] if unfinished else []
        values: tuple[str, ...] = ()
        if scope is not None:
            conditions.append("account = ? AND region = ?")
            values = (scope.account, scope.region)
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        sql = f"SELECT {_RECORD} FROM jobs {where} ORDER BY created_at"  # noqa: S608 - our own words only
        return await self._database.read(
            lambda connection: [self._records.decode(*row) for row in connection.execute(sql, values)]
        )

    async def walk(self, scope: Scope, order: Order, *, after: Place | None, limit: int) -> Sequence[JobRecord]:
        """The next records of an order."""
        sql, values = listing.ordered(_RECORD, scope, order, after)
        return await self._database.read(
            lambda connection: [self._records.decode(*row) for row in connection.execute(sql, (*values, limit))]
        )

    async def some(self, keys: Collection[JobKey]) -> Sequence[JobRecord]:
        """Those of these records that there are."""
        return await self._database.read(lambda connection: self._some(connection, tuple(keys)))

    def _some(self, connection: sqlite3.Connection, keys: Sequence[JobKey]) -> Sequence[JobRecord]:
        """Those that are not known as they are now are read whole."""
        found, unknown = [], []
        for *key, uid, version in _by_keys(connection, "account, region, name, uid, version", keys):
            known = self._records.get(uid, version)
            if known is None:
                unknown.append(JobKey(*key))
            else:
                found.append(known)
        return found + [self._records.decode(*row) for row in _by_keys(connection, _RECORD, unknown)]

    async def unfinished(self) -> AsyncIterator[Sequence[Stamp]]:
        """Which jobs something is still to be done for. While a piece is taken apart no other thread has Python."""
        last = 0
        while rows := await self._database.read(partial(_unfinished, after=last)):
            last = max(row[0] for row in rows)
            yield [Stamp(JobKey(*key), uid, version) for _, *key, uid, version in rows]

    async def revision(self) -> int:
        """The newest change's revision."""
        return await self._database.glance(_revision)

    async def news(self, since: int) -> Sequence[Change]:
        """Changes after a revision, as far as there are any."""
        if await self.revision() <= since:  # as most who ask are told: it costs them no hop
            return []
        return await self._database.read(lambda connection: _changes(connection, since))

    async def stirred(self, hint: asyncio.Event | None = None) -> None:
        """Return when there may be news."""
        await self._database.again(hint)

    async def changes(self, since: int) -> AsyncIterator[Change]:
        """Follow the feed."""
        position = since
        while True:
            found = await self.news(position)
            for change in found:
                position = change.revision
                yield change
            if not found:
                await self.stirred()


_FIELDS = (
    "account",
    "region",
    "name",
    "uid",
    "version",
    "status",
    "secondary",
    "created_at",
    "modified_at",
    "ended_at",
    "failure_reason",
    "instance",
    "image",
    "unfinished",
    "record",
)
_JOBS = f"jobs ({', '.join(_FIELDS)})"
_RECORD = "uid, version, record"
_STAMP = "id, account, region, name, uid, version"
_NEXT_UNFINISHED = f"FROM (SELECT {_STAMP} FROM jobs WHERE unfinished = 1 AND id > ? ORDER BY id LIMIT 500)"  # noqa: S608
# Not `(account, region, name) IN (VALUES …)`, for which every job there is would be looked at.
_BY_KEYS = (
    "FROM (VALUES {}) AS wanted CROSS JOIN jobs "
    "ON account = wanted.column1 AND region = wanted.column2 AND name = wanted.column3"
)
_UPDATE = (
    f"UPDATE jobs SET {', '.join(f'{name} = :{name}' for name in _FIELDS[4:])} "  # noqa: S608 - our own columns
    "WHERE account = :account AND region = :region AND name = :name AND uid = :uid AND version = :expect"
)


def _row(record: JobRecord, text: str) -> dict[str, object]:
    return {
        "account": record.key.account, "region": record.key.region, "name": record.key.name, "uid": record.uid,
        "version": record.version, "status": str(record.status), "secondary": str(record.secondary),
        "created_at": record.created_at, "modified_at": record.modified_at, "ended_at": record.training_ended_at,
        "failure_reason": record.failure_reason, "instance": instance_of(record.spec), "image": record.placement.image,
        "unfinished": int(record.is_unfinished),
        "record": text,
    }  # fmt: skip


class _New(NamedTuple):
    """A record to be stored, with its row and what is to be told of it."""

    key: JobKey
    uid: str
    row: Mapping[str, object]
    events: Sequence[JobEvent]


def _create(connection: sqlite3.Connection, asked: Sequence[_New]) -> Sequence[ResourceInUse | None]:
    """Store those whose names are free; of two that want one name the first has it."""
    rows = [tuple(new.row[name] for name in _FIELDS) for new in asked]
    stored: Sequence[_New] = asked
    if insert(connection, _JOBS, rows, unless="(account, region, name) DO NOTHING").rows < len(asked):
        there = _uids(connection, [new.uid for new in asked])
        stored = [new for new in asked if new.uid in there]
    append_events(connection, ((new.uid, event) for new in stored for event in new.events))
    _note(connection, [new.key for new in stored])
    free = {new.uid for new in stored}
    return [None if new.uid in free else name_taken(new.key) for new in asked]


def _uids(connection: sqlite3.Connection, given: Sequence[str]) -> set[str]:
    """Those of these uids that records have."""
    places = ", ".join("?" * len(given))
    return {uid for (uid,) in connection.execute(f"SELECT uid FROM jobs WHERE uid IN ({places})", given)}  # noqa: S608 - marks only


def _note(connection: sqlite3.Connection, keys: Sequence[JobKey]) -> None:
    """Add to the feed; of what is too old for any reader some is dropped now and then."""
    if not keys:
        return
    rows = [(key.account, key.region, key.name) for key in keys]
    newest = insert(connection, "changes (account, region, name)", rows).last
    if newest // _FEED_DROPPED > (newest - len(keys)) // _FEED_DROPPED:
        connection.execute("DELETE FROM changes WHERE revision <= ?", (newest - _FEED_KEPT,))


def _row_of(connection: sqlite3.Connection, key: JobKey) -> tuple[str, int, str] | None:
    row = connection.execute(
        f"SELECT {_RECORD} FROM jobs WHERE account = ? AND region = ? AND name = ?",  # noqa: S608 - our own words only
        (key.account, key.region, key.name),
    ).fetchone()
    return None if row is None else tuple(row)


def _by_keys(connection: sqlite3.Connection, columns: str, keys: Sequence[JobKey]) -> Iterator[list[Any]]:
    for first in range(0, len(keys), _NAMES_AT_ONCE):
        part = keys[first : first + _NAMES_AT_ONCE]
        rest = _BY_KEYS.format(", ".join(["(?, ?, ?)"] * len(part)))
        values = [value for key in part for value in (key.account, key.region, key.name)]
        yield from fetch(connection, columns, rest, values)


def _unfinished(connection: sqlite3.Connection, after: int) -> list[list[Any]]:
    return fetch(connection, _STAMP, _NEXT_UNFINISHED, (after,))


def _revision(connection: sqlite3.Connection) -> int:
    (newest,) = connection.execute("SELECT coalesce(max(revision), 0) FROM changes").fetchone()
    return int(newest)


def _changes(connection: sqlite3.Connection, after: int) -> list[Change]:
    rest = "FROM (SELECT * FROM changes WHERE revision > ? ORDER BY revision LIMIT 1000)"
    return [Change(*row) for row in sorted(fetch(connection, "revision, account, region, name", rest, (after,)))]
