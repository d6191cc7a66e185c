"""Pages of 100,000 jobs: by keyset beside OFFSET, ListTrainingJobs in the server, and `trainyard list` as a command."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import sys
import time
from pathlib import Path

from common import TRAINYARD, command, head, quantile, row, scratch, session, spec, timed
from trainyard.awswire.calls import Call
from trainyard.awswire.sigv4 import RawRequest
from trainyard.doors.sagemaker.door import sagemaker_door
from trainyard.model.job import ListQuery
from trainyard.model.keys import Scope
from trainyard.stores.sqlite.database import Database
from trainyard.stores.sqlite.store import SqliteJobStore

JOBS = 100_000
PAGE = 100
SCOPE = ("000000000000", "us-east-1")
COLUMNS = "name, account, region, status, secondary, created_at, modified_at, ended_at, failure_reason, instance, image"
BY_OFFSET = (
    f"SELECT {COLUMNS} FROM jobs WHERE account = ? AND region = ? "  # noqa: S608 - our own words only
    f"ORDER BY created_at DESC, name DESC LIMIT {PAGE} OFFSET ?"
)
SCRIPT = f"""
import sqlite3, sys
for line in sqlite3.connect(sys.argv[1]).execute({BY_OFFSET!r}, {(*SCOPE, 0)!r}):
    print(*line)
"""


async def filled(home: Path) -> None:
    """One job that ran, then as many copies of its row."""
    async with session(home, lead=True) as opened:
        await opened.service.create(spec("copied-0", "/bin/true"))
        while await opened.engine.has_unfinished():
            await asyncio.sleep(0.1)
    database = Database(home / "jobs.db")

    def copy(connection: sqlite3.Connection) -> None:
        found = dict(connection.execute("SELECT * FROM jobs").fetchone())
        del found["id"]  # each copy gets its own
        uid, text, begin = found["uid"], found["record"], found["created_at"]
        connection.execute("DELETE FROM jobs")
        insert = f"INSERT INTO jobs ({', '.join(found)}) VALUES ({', '.join(':' + name for name in found)})"  # noqa: S608 - our own words only
        connection.executemany(insert, (_copy(found, uid, text, begin, number) for number in range(JOBS)))

    await database.write(copy)
    database.close()


def _copy(found: dict[str, object], uid: str, text: str, begin: float, number: int) -> dict[str, object]:
    name, own = f"job-{number:06}", f"{number:032x}"
    return {
        **found,
        "created_at": begin + number * 0.001,
        "name": name,
        "uid": own,
        "record": text.replace("copied-0", name).replace(uid, own),
    }


async def walked(home: Path) -> tuple[list[float], list[float]]:
    """Seconds of the first page, asked for again and again, and of every page in turn."""
    database = Database(home / "jobs.db")
    store = SqliteJobStore(database)
    first, pages, names = [], [], set()
    token = None
    for _ in range(200):
        begin = time.perf_counter()
        await store.list(Scope(*SCOPE), ListQuery(limit=PAGE))
        first.append(time.perf_counter() - begin)
    while True:
        begin = time.perf_counter()
        page = await store.list(Scope(*SCOPE), ListQuery(limit=PAGE, token=token))
        pages.append(time.perf_counter() - begin)
        names.update(summary.name for summary in page.items)
        token = page.token
        if token is None:
            break
    assert len(names) == JOBS
    database.close()
    return first, pages


PAGES: dict[str, dict[str, object]] = {
    "newest first": {}, "by name": {"SortBy": "Name"}, "by status": {"SortBy": "Status"},
    "of a status that all have": {"StatusEquals": "Completed"},
    "of a status that none has": {"StatusEquals": "Failed"},
    "of a status that none has, by name": {"StatusEquals": "Failed", "SortBy": "Name"},
    "changed since, none": {"LastModifiedTimeAfter": 4e9},
    "names that hold 99999": {"NameContains": "99999"},
    "names that hold what none does": {"NameContains": "zzz"},
    "names that hold what one in 27 does": {"NameContains": "99"},
    "names that hold what the 10,000 oldest do": {"NameContains": "job-00"},
    "the same, by name, the last first": {"NameContains": "job-00", "SortBy": "Name", "SortOrder": "Descending"},
}  # fmt: skip


async def answered(home: Path) -> dict[str, list[float]]:
    """Seconds of ListTrainingJobs in the server, from the request's bytes to the answer's."""
    found: dict[str, list[float]] = {}
    async with session(home) as opened:
        door = sagemaker_door(opened.service_of, time.time)
        target = [(b"x-amz-target", b"SageMaker.ListTrainingJobs")]
        call = Call(
            service="sagemaker", scope=Scope(*SCOPE), request=RawRequest("POST", b"/", b"", target), request_id="r"
        )

        async def asked(**members: object) -> float:
            body = json.dumps({"MaxResults": PAGE, **members}).encode()
            begin = time.perf_counter()
            answer = await door.answer(call, body)
            assert answer.status == 200, answer.body
            return time.perf_counter() - begin

        for name, members in PAGES.items():
            found[name] = [await asked(**members) for _ in range(30)]
    return found


def main() -> None:
    with scratch() as folder:
        home = folder / "home"
        begin = time.perf_counter()
        asyncio.run(filled(home))
        print(f"{JOBS:,} jobs inserted in {time.perf_counter() - begin:.1f} s")
        first, pages = asyncio.run(walked(home))
        connection = sqlite3.connect(home / "jobs.db")
        shallow = timed(lambda: connection.execute(BY_OFFSET, (*SCOPE, 0)).fetchall(), 200)
        deep = timed(lambda: connection.execute(BY_OFFSET, (*SCOPE, JOBS - PAGE)).fetchall(), 20)
        connection.close()
        head("trainyard", "OFFSET")
        row("first page in the store, p50", quantile(first, 0.5) * 1e3, quantile(shallow, 0.5) * 1e3, "ms")
        row("first page in the store, p99", quantile(first, 0.99) * 1e3, quantile(shallow, 0.99) * 1e3, "ms")
        row("last of 1,000 pages, p50", quantile(pages[-20:], 0.5) * 1e3, quantile(deep, 0.5) * 1e3, "ms")
        print(f"ListTrainingJobs in the server, p50, load average {os.getloadavg()[0]:.1f}")
        for name, seconds in asyncio.run(answered(home)).items():
            print(f"  {name:<40} {quantile(seconds, 0.5) * 1e3:8.2f} ms")
        head("trainyard", "python script")
        ours = timed(lambda: command(home, TRAINYARD, "list"), 10)
        theirs = timed(lambda: command(home, sys.executable, "-c", SCRIPT, str(home / "jobs.db")), 10)
        row("`trainyard list` as a command, p50", quantile(ours, 0.5) * 1e3, quantile(theirs, 0.5) * 1e3, "ms")


if __name__ == "__main__":
    main()
