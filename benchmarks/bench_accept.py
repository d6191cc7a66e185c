"""Durably accepted jobs per second, beside sqlite3 with the same rows: one commit per job, and groups as ours."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import time
from pathlib import Path

from common import head, row, scratch, session, spec
from trainyard.stores.sqlite.database import Database, connect

CALLERS = 64
JOBS = 3000
TABLES = {"jobs": "created_at", "changes": "revision", "events": "id"}  # and their order


async def accepted(home: Path) -> float:
    """Jobs per second through the service, nobody leading."""
    requests = iter([spec(f"job-{number}", "/bin/true") for number in range(JOBS)])
    async with session(home) as opened:

        async def caller() -> None:
            for request in requests:
                await opened.service.create(request)

        begin = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(CALLERS)))
        return JOBS / (time.perf_counter() - begin)


def by_hand(source: Path, target: Path, group: int) -> float:
    """Jobs per second with the rows that the service wrote, `group` jobs in one transaction, on one connection."""
    given = sqlite3.connect(source)
    rows = {}
    for table, key in TABLES.items():
        rows[table] = given.execute(f"SELECT * FROM {table} ORDER BY {key}").fetchall()  # noqa: S608 - our own words only
    given.close()
    assert len(rows["jobs"]) == JOBS
    Database(target).close()  # makes the tables
    connection = connect(target)
    inserts = {t: f"INSERT INTO {t} VALUES ({', '.join('?' * len(rows[t][0]))})" for t in TABLES}  # noqa: S608 - our own words only
    begin = time.perf_counter()
    for first in range(0, JOBS, group):
        connection.execute("BEGIN IMMEDIATE")
        for number in range(first, min(first + group, JOBS)):
            for table in TABLES:
                connection.execute(inserts[table], rows[table][number])
        connection.execute("COMMIT")
    seconds = time.perf_counter() - begin
    connection.close()
    return JOBS / seconds


def main() -> None:
    with scratch() as folder:
        ours = asyncio.run(accepted(folder / "home"))
        single, grouped = (by_hand(folder / "home" / "jobs.db", folder / f"by-{n}.db", n) for n in (1, CALLERS))
        print(f"load average {os.getloadavg()[0]:.1f}")
        head("trainyard", "sqlite3")
        what = f"accepted durably, {CALLERS} callers"
        row(f"{what}; sqlite3: a commit each", ours, single, "jobs/s", more_is_better=True)
        row(f"{what}; sqlite3: {CALLERS} in a commit", ours, grouped, "jobs/s", more_is_better=True)


if __name__ == "__main__":
    main()
