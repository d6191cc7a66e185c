"""ports.resources.ResourceStore over SQLite: durable, and its watches see other processes' writes."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import orjson

from trainyard.kit.signals import Signal, Silence
from trainyard.model.errors import TrainyardError
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
from trainyard.stores.sqlite.database import Database

LOG_BYTES = 128 * 1024 * 1024  # of bodies in the log, all together
TRIM_EVERY = 256  # writes between two looks at the log's size
LARGEST_READ = 8 * 1024 * 1024  # bytes of bodies read at once
_HERE = "collection = ? AND namespace = ? AND name = ?"
_Work = Callable[[sqlite3.Connection], int]


class SqliteResourceStore:
    """Objects, and a bounded log of their changes. Belongs to one event loop; the file may have many processes."""

    def __init__(self, database: Database, *, log_kept: int = LOG_KEPT, progress: float = PROGRESS) -> None:
        self._database = database
        self._log_kept = log_kept
        self._progress = progress
        self._moved = Signal()
        self._watchers = 0
        self._looking: asyncio.Task[None] | None = None

    async def revision(self) -> int:
        """The newest write's revision."""
        return await self._database.glance(_newest)

    async def create(self, key: ResourceKey, body: Body) -> Entry:
        """Store a new object."""
        data = orjson.dumps(body)

        def work(connection: sqlite3.Connection) -> int:
            if _row(connection, key) is not None:
                raise ResourceExists(key.name)
            revision = self._note(connection, key, Deed.ADDED, data, None)
            connection.execute("INSERT INTO resources VALUES (?, ?, ?, ?, ?)", (*_place(key), revision, data))
            return revision

        return await self._written(key, body, work)

    async def get(self, key: ResourceKey) -> Entry | None:
        """The object, or None."""
        row = await self._database.read(lambda connection: _row(connection, key))
        return None if row is None else Entry(key, row["revision"], orjson.loads(row["body"]))

    async def put(self, key: ResourceKey, body: Body, *, expect: int) -> Entry:
        """Replace the object if it is still the one that was read."""
        data = orjson.dumps(body)
        sorted_data = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)

        def work(connection: sqlite3.Connection) -> int:
            old = _expected(connection, key, expect)
            if orjson.dumps(orjson.loads(old), option=orjson.OPT_SORT_KEYS) == sorted_data:
                return expect
            revision = self._note(connection, key, Deed.MODIFIED, data, old)
            sql = f"UPDATE resources SET revision = ?, body = ? WHERE {_HERE}"  # noqa: S608 - our own words
            connection.execute(sql, (revision, data, *_place(key)))
            return revision

        return await self._written(key, body, work)

    async def delete(self, key: ResourceKey, *, expect: int) -> Entry:
        """Remove the object if it is still the one that was read."""
        last: list[bytes] = []

        def work(connection: sqlite3.Connection) -> int:
            old = _expected(connection, key, expect)
            last.append(old)
            connection.execute(f"DELETE FROM resources WHERE {_HERE}", _place(key))  # noqa: S608 - our own words
            return self._note(connection, key, Deed.DELETED, old, old)

        revision = await self._database.write(work)
        self._moved.give()
        return Entry(key, revision, orjson.loads(last[-1]))

    async def list(
        self,
        collection: Collection,
        *,
        namespace: str | None = None,
        limit: int | None = None,
        after: tuple[str, str] | None = None,
    ) -> Listing:
        """One page in order of (namespace, name)."""

        def work(connection: sqlite3.Connection) -> Listing:
            connection.execute("BEGIN")
            try:
                return _listing(connection, collection, namespace, limit, after)
            finally:
                connection.execute("COMMIT")

        return await self._database.read(work)

    async def collections(self) -> Sequence[Collection]:
        """Every collection that has an object."""
        sql = "SELECT DISTINCT collection FROM resources"
        rows = await self._database.read(lambda connection: connection.execute(sql).fetchall())
        return sorted(_collection(row["collection"]) for row in rows)

    async def watch(
        self, collection: Collection | None = None, *, namespace: str | None = None, since: int
    ) -> AsyncGenerator[Advance]:
        """Follow the log from `since`."""
        if since > await self.revision():
            raise RevisionExpired(f"revision {since} lies in the future")
        position, silence = since, Silence(self._progress)
        with self._following():
            while True:
                moved = self._moved.next
                advance = await self._database.read(
                    lambda connection, after=position: _advance(connection, collection, namespace, after)  # type: ignore[misc]
                )
                seen, position = position, advance.revision
                if advance.occurrences or silence.is_over:
                    yield advance
                    silence.broken()
                elif position == seen:
                    await silence.until(moved)

    @contextmanager
    def _following(self) -> Iterator[None]:
        """One task looks for all watchers of this process whether another process has written."""
        self._watchers += 1
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        try:
            yield
        finally:
            self._watchers -= 1
            if not self._watchers and self._looking is not None:
                self._looking.cancel()
                self._looking = None

    async def _look(self) -> None:
        seen = -1
        while True:
            with suppress(TrainyardError):  # a closed or locked file: the watchers' own reads will tell
                newest = await self.revision()
                if newest != seen:
                    seen = newest
                    self._moved.give()
            await self._database.again()

    async def _written(self, key: ResourceKey, body: Body, work: _Work) -> Entry:
        revision = await self._database.write(work)
        self._moved.give()
        return Entry(key, revision, body)

    def _note(
        self, connection: sqlite3.Connection, key: ResourceKey, deed: Deed, body: bytes, before: bytes | None
    ) -> int:
        size = len(body) + len(before or b"")
        revision = connection.execute(
            "INSERT INTO resource_log (collection, namespace, name, deed, body, before, size) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*_place(key), str(deed), body, before, size),
        ).lastrowid
        if revision is None:
            raise TrainyardError("SQLite gave a log line no number")
        if revision % min(TRIM_EVERY, self._log_kept) == 0:
            _trim(connection, revision, self._log_kept)
        return revision


def _place(key: ResourceKey) -> tuple[str, str, str]:
    return _path(key.collection), key.namespace, key.name


def _path(collection: Collection) -> str:
    return f"{collection.group}/{collection.resource}"


def _collection(path: str) -> Collection:
    return Collection(*path.split("/", 1))


def _row(connection: sqlite3.Connection, key: ResourceKey) -> sqlite3.Row | None:
    sql = f"SELECT revision, body FROM resources WHERE {_HERE}"  # noqa: S608 - our own words
    row: sqlite3.Row | None = connection.execute(sql, _place(key)).fetchone()
    return row


def _expected(connection: sqlite3.Connection, key: ResourceKey, expect: int) -> bytes:
    row = _row(connection, key)
    if row is None or row["revision"] != expect:
        raise ResourceConflict(key.name)
    return bytes(row["body"])


def _newest(connection: sqlite3.Connection) -> int:
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'resource_log'").fetchone()
    return int(row[0]) if row else 0


def _trim(connection: sqlite3.Connection, newest: int, kept: int) -> None:
    """Drop lines beyond the log's length, and beyond its size."""
    connection.execute("DELETE FROM resource_log WHERE revision <= ?", (newest - kept,))
    (size,) = connection.execute("SELECT coalesce(sum(size), 0) FROM resource_log").fetchone()
    if size > LOG_BYTES:
        half = (
            "SELECT revision FROM resource_log ORDER BY revision LIMIT 1 OFFSET (SELECT count(*) / 2 FROM resource_log)"
        )
        connection.execute(f"DELETE FROM resource_log WHERE revision < ({half})")  # noqa: S608 - our own words


def _listing(
    connection: sqlite3.Connection,
    collection: Collection,
    namespace: str | None,
    limit: int | None,
    after: tuple[str, str] | None,
) -> Listing:
    where, values = ["collection = ?"], [_path(collection)]
    if namespace is not None:
        where.append("namespace = ?")
        values.append(namespace)
    if after is not None:
        where.append("(namespace, name) > (?, ?)")
        values += after
    conditions = " AND ".join(where)
    rows = connection.execute(
        f"SELECT * FROM resources WHERE {conditions} ORDER BY namespace, name LIMIT ?",  # noqa: S608 - our own words
        (*values, -1 if limit is None else limit),
    ).fetchall()
    remaining = 0
    if limit is not None and len(rows) == limit:
        sql = f"SELECT count(*) FROM resources WHERE {conditions}"  # noqa: S608 - our own words
        remaining = connection.execute(sql, values).fetchone()[0] - len(rows)
    entries = tuple(
        Entry(ResourceKey(collection, row["namespace"], row["name"]), row["revision"], orjson.loads(row["body"]))
        for row in rows
    )
    last = (entries[-1].key.namespace, entries[-1].key.name) if remaining else None
    return Listing(entries, _newest(connection), last, remaining)


def _advance(
    connection: sqlite3.Connection, collection: Collection | None, namespace: str | None, after: int
) -> Advance:
    connection.execute("BEGIN")
    try:
        newest = _newest(connection)
        if newest > after and _forgotten(connection, after):
            raise RevisionExpired(f"the log no longer reaches back to revision {after}")
        return _read_log(connection, collection, namespace, after, newest)
    finally:
        connection.execute("COMMIT")


def _forgotten(connection: sqlite3.Connection, after: int) -> bool:
    return connection.execute("SELECT 1 FROM resource_log WHERE revision = ?", (after + 1,)).fetchone() is None


def _read_log(
    connection: sqlite3.Connection, collection: Collection | None, namespace: str | None, after: int, newest: int
) -> Advance:
    conditions: list[str] = ["revision > ?"]
    values: list[object] = [after]
    if collection is not None:
        conditions.append("collection = ?")
        values.append(_path(collection))
    if namespace is not None:
        conditions.append("namespace = ?")
        values.append(namespace)
    sql = f"SELECT * FROM resource_log WHERE {' AND '.join(conditions)} ORDER BY revision"  # noqa: S608 - our own words
    found: list[Occurrence] = []
    size = 0
    for row in connection.execute(sql, values):
        found.append(_occurrence(row))
        size += row["size"]
        if len(found) >= LARGEST_ADVANCE or size >= LARGEST_READ:
            return Advance(row["revision"], tuple(found))
    return Advance(newest, tuple(found))


def _occurrence(row: sqlite3.Row) -> Occurrence:
    key = ResourceKey(_collection(row["collection"]), row["namespace"], row["name"])
    before = None if row["before"] is None else orjson.loads(row["before"])
    return Occurrence(Deed(row["deed"]), Entry(key, row["revision"], orjson.loads(row["body"])), before)
