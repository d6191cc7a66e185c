"""Durably accepted jobs per second and the processor time of each, beside sqlite3 with the same rows.

On a machine that others load, processor time is the honest figure: jobs per second fall with what is left of it.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from common import head, row, scratch, session, spec
from trainyard.stores.sqlite.database import Database, connect

CALLERS = 64
JOBS = 3000
TABLES = {"jobs": "created_at", "changes": "revision", "events": "id"}  # and their order


@dataclass
class Spent:
    """What the jobs took: seconds by the clock, and of processors (user and system)."""

    wall: float = 0.0
    processor: float = 0.0


@contextmanager
def measured() -> Iterator[Spent]:
    spent = Spent()
    wall, processor = time.perf_counter(), _processor()
    yield spent
    spent.wall, spent.processor = time.perf_counter() - wall, _processor() - processor


def _processor() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def accepted(home: Path, *, lead: bool) -> Spent:
    """What the service takes; with `lead` its own process leads too, with placement paused."""
    requests = iter([spec(f"job-{number}", "/bin/true") for number in range(JOBS - 1)])
    async with session(home, lead=lead) as opened:
        opened.engine.placing = False
        await opened.service.create(spec("first", "/bin/true"))  # what is built once and kept is no job's

        async def caller() -> None:
            for request in requests:
                await opened.service.create(request)

        with measured() as spent:
            await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return spent


def by_hand(source: Path, target: Path, group: int) -> Spent:
    """What it takes with the rows that the service wrote, `group` jobs in one transaction, on one connection."""
    given = sqlite3.connect(source)
    rows = {}
    for table, key in TABLES.items():
        rows[table] = given.execute(f"SELECT * FROM {table} ORDER BY {key}").fetchall()  # noqa: S608 - our own words only
    given.close()
    assert len(rows["jobs"]) == JOBS
    Database(target).close()  # makes the tables
    connection = connect(target)
    inserts = {t: f"INSERT INTO {t} VALUES ({', '.join('?' * len(rows[t][0]))})" for t in TABLES}  # noqa: S608 - our own words only
    with measured() as spent:
        for first in range(0, JOBS, group):
            connection.execute("BEGIN IMMEDIATE")
            for number in range(first, min(first + group, JOBS)):
                for table in TABLES:
                    connection.execute(inserts[table], rows[table][number])
            connection.execute("COMMIT")
    connection.close()
    return spent


def main() -> None:
    with scratch() as folder:
        alone = asyncio.run(accepted(folder / "home", lead=False))
        leading = asyncio.run(accepted(folder / "led", lead=True))
        single, grouped = (by_hand(folder / "home" / "jobs.db", folder / f"by-{n}.db", n) for n in (1, CALLERS))
        print(f"load average {os.getloadavg()[0]:.1f}")
        head("trainyard", "sqlite3")
        what = f"accepted durably, {CALLERS} callers"
        row(f"{what}; sqlite3: a commit each", JOBS / alone.wall, JOBS / single.wall, "jobs/s", more_is_better=True)
        row(
            f"{what}; sqlite3: {CALLERS} in a commit",
            JOBS / alone.wall,
            JOBS / grouped.wall,
            "jobs/s",
            more_is_better=True,
        )
        row(
            "the same, and leading, placement paused",
            JOBS / leading.wall,
            JOBS / grouped.wall,
            "jobs/s",
            more_is_better=True,
        )
        row("processor time of a job", *(one.processor / JOBS * 1e6 for one in (alone, grouped)), "us")
        row(
            "the same, and leading, placement paused", *(one.processor / JOBS * 1e6 for one in (leading, grouped)), "us"
        )


if __name__ == "__main__":
    main()
