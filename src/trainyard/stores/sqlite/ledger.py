"""ports.store.Ledger over SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from trainyard.lifecycle.refusals import count_in, read_meanwhile
from trainyard.model.ledger import JobEvent, Page, Point
from trainyard.stores.sqlite.database import Database
from trainyard.stores.sqlite.rows import insert


class SqliteLedger:
    """Events, metric points and scan positions, beside the records."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def events(self, job_uid: str, *, limit: int = 1000, token: str | None = None) -> Page[JobEvent]:
        """Events, oldest first; the token is the last one's id."""
        start = count_in(token)
        sql = "SELECT * FROM events WHERE uid = ? AND id > ? ORDER BY id LIMIT ?"
        rows = await self._database.read(
            lambda connection: connection.execute(sql, (job_uid, start, limit + 1)).fetchall()
        )
        shown = rows[:limit]
        items = tuple(
            JobEvent(at=row["at"], reason=row["reason"], message=row["message"], warning=bool(row["warning"]))
            for row in shown
        )
        return Page(items, str(shown[-1]["id"]) if len(rows) > limit else None)

    async def append_points(
        self, job_uid: str, stream: str, points: Sequence[Point], *, since: int, offset: int
    ) -> None:
        """Add points and the position that they were scanned up to, in one transaction."""

        def work(connection: sqlite3.Connection) -> None:
            _expect_position(connection, job_uid, stream, since)
            keys = dict.fromkeys((point.host, point.name) for point in points)  # in the order that they came
            ids = {key: _series_id(connection, job_uid, *key) for key in keys}
            connection.executemany(
                "INSERT INTO points (series, at, value, step) VALUES (?, ?, ?, ?)",
                [(ids[point.host, point.name], point.at, point.value, point.step) for point in points],
            )
            connection.execute("INSERT OR REPLACE INTO scanned VALUES (?, ?, ?)", (job_uid, stream, offset))

        await self._database.write(work)

    async def scanned(self, job_uid: str) -> dict[str, int]:
        """How far each stream was scanned."""
        sql = "SELECT stream, position FROM scanned WHERE uid = ?"
        rows = await self._database.read(lambda connection: connection.execute(sql, (job_uid,)).fetchall())
        return {row["stream"]: row["position"] for row in rows}

    async def points(
        self, job_uid: str, *, name: str | None = None, since: float | None = None, limit: int = 100_000
    ) -> Sequence[Point]:
        """Points in order of time."""
        sql = (
            "SELECT name, value, at, host, step FROM points JOIN series ON series.id = points.series WHERE uid = ?"
            " AND (? IS NULL OR name = ?) AND (? IS NULL OR at >= ?) ORDER BY at, points.id LIMIT ?"
        )
        values = (job_uid, name, name, since, since, limit)
        return await self._database.read(lambda connection: [_point(row) for row in connection.execute(sql, values)])

    async def last_points(self, job_uid: str) -> Sequence[Point]:
        """The newest point of each of the algorithm's series."""
        sql = (
            "SELECT name, value, at, host, step FROM series JOIN points ON points.id ="
            " (SELECT id FROM points WHERE series = series.id ORDER BY at DESC, id DESC LIMIT 1)"
            " WHERE uid = ? AND host = '' ORDER BY series.id"
        )
        return await self._database.read(
            lambda connection: [_point(row) for row in connection.execute(sql, (job_uid,))]
        )


def append_events(connection: sqlite3.Connection, events: Iterable[tuple[str, JobEvent]]) -> None:
    """Add events, each with its job's uid, in order, within the transaction of the records that they tell of."""
    rows = [(uid, event.at, event.reason, event.message, int(event.warning)) for uid, event in events]
    insert(connection, "events (uid, at, reason, message, warning)", rows)


def _expect_position(connection: sqlite3.Connection, uid: str, stream: str, since: int) -> None:
    found = connection.execute("SELECT position FROM scanned WHERE uid = ? AND stream = ?", (uid, stream)).fetchone()
    if (found["position"] if found else 0) != since:
        raise read_meanwhile(stream)


def _series_id(connection: sqlite3.Connection, uid: str, host: str, name: str) -> int:
    key = (uid, host, name)
    connection.execute("INSERT OR IGNORE INTO series (uid, host, name) VALUES (?, ?, ?)", key)
    (number,) = connection.execute("SELECT id FROM series WHERE uid = ? AND host = ? AND name = ?", key).fetchone()
    return int(number)


def _point(row: sqlite3.Row) -> Point:
    return Point(name=row["name"], value=row["value"], at=row["at"], host=row["host"], step=row["step"])
