"""What SQLite owes beyond the conformance suites: its file's age, damage, first opening, and kill -9."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.fakes.records import a_record

from trainyard.database.file import migrations_of
from trainyard.model.errors import ResourceInUse, StoreTooNew, TrainyardError
from trainyard.model.record import JobRecord
from trainyard.stores.sqlite.codec import encode
from trainyard.stores.sqlite.database import Database
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
