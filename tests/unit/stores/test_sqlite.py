"""What SQLite owes beyond the conformance suites: its file's age, damage, first opening, and kill -9."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.fakes.records import a_record

from trainyard.database import checkpoints, file, writer
from trainyard.database.file import connect, migrations_of
from trainyard.model.errors import ResourceInUse, StoreTooNew, TrainyardError
from trainyard.model.ledger import JobEvent
from trainyard.model.record import JobRecord
from trainyard.stores.sqlite.codec import encode
from trainyard.stores.sqlite.database import Database
from trainyard.stores.sqlite.ledger import SqliteLedger
from trainyard.stores.sqlite.store import SqliteJobStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def test_a_store_of_a_newer_release_is_left_alone(path: Path) -> None:
    Database(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 999")
    with pytest.raises(StoreTooNew, match="newer release"):
        Database(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (999,)


def test_a_file_that_is_no_store_is_said_to_be_none(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(TrainyardError, match=r"store\.db"):
        Database(path)
    assert path.read_bytes().startswith(b"not a database")


def test_many_may_open_a_new_store_at_once(path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        databases = list(pool.map(Database, [path] * 8))
    for database in databases:
        database.close()


async def test_a_store_of_an_older_release_keeps_its_jobs(path: Path) -> None:
    record = a_record("old")
    with closing(sqlite3.connect(path)) as connection:
        for statement in [one for step in migrations_of("trainyard.stores.sqlite")[:2] for one in step]:
            connection.execute(statement)
        connection.execute("PRAGMA user_version = 2")
        given = (record.uid, 1, "InProgress", "Starting", 10.0, 10.0, "ml.m5.large", "image", 1, encode(record))
        connection.execute(
            "INSERT INTO jobs (account, region, name, uid, version, status, secondary, created_at, modified_at,"
            " instance, image, unfinished, record) VALUES ('123456789012', 'us-west-2', 'old',"
            " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            given,
        )
        connection.commit()
    with closing(Database(path)) as database:
        store = SqliteJobStore(database)
        assert await store.records(unfinished=True) == [replace(record, version=1)]
        with pytest.raises(ResourceInUse):
            await store.create(replace(record, uid="another"))


async def test_half_a_surrogate_pair_is_kept(path: Path) -> None:
    with closing(Database(path)) as database:
        store = SqliteJobStore(database)
        stored = await store.create(replace(a_record("job"), waiting="a file named \udcff"))
        assert await store.get(stored.key) == stored


async def test_a_part_that_refuses_after_it_has_written_is_undone_alone(path: Path) -> None:
    def refusing(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO changes (account, region, name) VALUES ('1', 'r', 'undone')")
        raise ValueError("no")

    with closing(Database(path)) as database:
        store = SqliteJobStore(database)
        asked = [store.create(a_record("one")), database.write(refusing), store.create(a_record("two"))]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(answer) for answer in answers] == [JobRecord, ValueError, JobRecord]
        assert await store.revision() == 2


async def test_closing_waits_for_what_was_asked(path: Path) -> None:
    database = Database(path)
    asked = [asyncio.ensure_future(SqliteJobStore(database).create(a_record(f"j{n}"))) for n in range(5)]
    await asyncio.sleep(0)  # each has asked; nobody was woken yet
    database.close()
    assert [record.version for record in await asyncio.gather(*asked)] == [1] * 5


def kill_a_writer(path: Path, run: int, enough: int) -> list[str]:
    """What a writing process acknowledged until it was killed, some time after `enough` lines."""
    command = [sys.executable, __file__, str(path), str(run)]
    variables = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=variables) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(enough)]
        os.kill(child.pid, signal.SIGKILL)
        lines += [line for line in child.stdout if line.endswith("\n")]
    assert child.returncode == -signal.SIGKILL
    return lines


async def test_what_was_acknowledged_survives_kill_9(path: Path) -> None:
    acknowledged: list[str] = []
    for run, enough in enumerate((10, 40, 90)):
        acknowledged += await asyncio.to_thread(kill_a_writer, path, run, enough)
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with closing(Database(path)) as database:
        store = SqliteJobStore(database)
        versions = {record.key.name: record.version for record in await store.records()}
        changes = await store.revision()
    assert len(acknowledged) >= 140
    for line in acknowledged:
        name, version = line.split()
        assert versions[name] >= int(version)
    assert changes == sum(versions.values())  # no write without its change, no change without its write


async def create_for_ever(path: Path, run: str) -> None:
    store = SqliteJobStore(Database(path))

    async def create_in_turn(lane: int) -> None:
        for index in range(1_000_000):
            record = await store.create(a_record(f"run{run}-{lane}-{index}"))
            os.write(1, f"{record.key.name} 1\n".encode())
            await store.put(record, expect=1)
            os.write(1, f"{record.key.name} 2\n".encode())

    await asyncio.gather(*(create_in_turn(lane) for lane in range(8)))


if __name__ == "__main__":
    asyncio.run(create_for_ever(Path(sys.argv[1]), sys.argv[2]))


async def test_of_those_who_want_one_name_at_once_the_first_has_it_and_nothing_is_told_of_the_others(
    path: Path,
) -> None:
    with closing(Database(path)) as database:
        store, ledger = SqliteJobStore(database), SqliteLedger(database)
        names = ["a", "b", "a", "c", "b", *(f"d-{number}" for number in range(150))]
        records = [a_record(name, uid=f"uid-{place}") for place, name in enumerate(names)]
        event = JobEvent(at=1.0, reason="Accepted", message="")
        answers = await asyncio.gather(
            *(store.create(record, events=[event, event]) for record in records), return_exceptions=True
        )
        refused = [place for place, answer in enumerate(answers) if isinstance(answer, ResourceInUse)]
        assert refused == [2, 4]
        assert len(await store.news(0)) == len(names) - 2
        told = [len((await ledger.events(record.uid)).items) for record in records]
        assert told == [0 if place in refused else 2 for place in range(len(names))]
        assert {record.uid for record in await store.records()} == {
            record.uid for place, record in enumerate(records) if place not in refused
        }


async def ledger_is_empty(database: Database) -> bool:
    return await database.read(lambda connection: connection.execute("SELECT 1 FROM scanned").fetchone()) is None


async def test_a_part_that_breaks_breaks_its_own_kind_alone(path: Path) -> None:
    with closing(Database(path)) as database:
        store = SqliteJobStore(database)

        def broken(connection: sqlite3.Connection, items: Sequence[int]) -> Sequence[int]:
            connection.execute("INSERT INTO scanned VALUES ('u', 's', 1)")
            raise ValueError(items)

        first, *others, last = await asyncio.gather(
            store.create(a_record("a", uid="a")),
            *(database.write_jointly(broken, number) for number in range(3)),
            store.create(a_record("b", uid="b")),
            return_exceptions=True,
        )
        assert [type(other) for other in others] == [ValueError] * 3
        assert isinstance(first, JobRecord)
        assert isinstance(last, JobRecord)
        assert (
            await database.read(lambda connection: connection.execute("SELECT count(*) FROM scanned").fetchone()[0])
            == 0
        )


async def test_a_glance_waits_elsewhere_where_the_file_is_held(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Database(path)) as database:
        asked: list[str] = []

        def held(connection: sqlite3.Connection) -> str:
            asked.append(threading.current_thread().name)
            if len(asked) == 1:
                raise sqlite3.OperationalError("database is locked")
            return "seen"

        assert await database.glance(held) == "seen"
        assert asked[0] == threading.current_thread().name != asked[1]


async def test_a_glance_sees_what_another_wrote_just_now(path: Path) -> None:
    with closing(Database(path)) as ours, closing(Database(path)) as theirs:
        mine, other = SqliteJobStore(ours), SqliteJobStore(theirs)
        record = await mine.create(a_record("job"))
        assert await mine.get(record.key) == record
        moved = await other.put(replace(record, waiting="for you"), expect=record.version)
        assert await mine.get(record.key) == moved
        await other.delete(record.key, expect=moved.version)
        assert await mine.get(record.key) is None


async def test_what_is_asked_for_by_its_keys_is_not_looked_for_among_all(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def traced(path: Path, *, newest: int, timeout: float = 0.0) -> sqlite3.Connection:
        connection = connect(path, newest=newest, timeout=timeout)
        connection.set_trace_callback(asked.append)
        return connection

    monkeypatch.setattr(file, "connect", traced)
    with closing(Database(path)) as database:
        store = SqliteJobStore(database)
        made = [await store.create(a_record(f"j{number}")) for number in range(3)]
        asked.clear()
        assert len(await store.some([record.key for record in made])) == 3
        assert [piece async for piece in store.unfinished()]
        looks = [statement for statement in asked if statement.startswith("SELECT")]
        plans = await database.read(lambda one: [_plan(one, statement) for statement in looks])
    assert len(plans) == 3
    assert not [step for plan in plans for step in plan if step.startswith("SCAN jobs")]


def _plan(connection: sqlite3.Connection, statement: str) -> list[str]:
    return [row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]


async def test_under_writing_that_never_rests_the_log_begins_anew(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "COMMITS", 4)
    monkeypatch.setattr(file, "_LONGEST_LOG", 1_000_000_000)
    with closing(Database(path)) as database:
        store = SqliteJobStore(database)
        await store.create(a_record("first"))
        first, number = _log_number(path), 0
        async with asyncio.timeout(60):
            while _log_number(path) == first:
                number += 1
                await store.create(a_record(f"j{number}"))
        assert len(await store.records()) == number + 1


def _log_number(path: Path) -> bytes:
    """Counts how often the write-ahead log began anew (https://sqlite.org/fileformat2.html, the WAL header)."""
    return path.with_name(f"{path.name}-wal").read_bytes()[12:16]


async def test_after_a_crowd_a_few_wait_once_for_the_others(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(writer.time, "sleep", waits.append)
    with closing(Database(path)) as database:
        store = SqliteJobStore(database)
        await asyncio.gather(*(store.create(a_record(f"j{number}")) for number in range(writer.CROWD + 1)))
        assert waits == []
        await store.create(a_record("one"))
        assert waits == [writer.GATHER]
        await store.create(a_record("two"))
        assert waits == [writer.GATHER]
