"""What every store of records keeps: names are unique, writers do not overwrite each other, nothing durable is lost."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing
from dataclasses import replace
from pathlib import Path

import pytest

from trainyard.lifecycle.transitions import enter
from trainyard.model.errors import ResourceInUse, StaleRecord, StoreTooNew, TrainyardError, ValidationRefused
from trainyard.model.job import ListQuery
from trainyard.model.keys import JobKey, Scope
from trainyard.model.observation import StopCause
from trainyard.model.record import JobRecord, Metric, Placement, StopRequest
from trainyard.model.resources import Resources
from trainyard.model.spec import TrainingJobSpec
from trainyard.model.status import SecondaryStatus, TrainingJobStatus
from trainyard.stores.sqlite.database import Database
from trainyard.stores.sqlite.store import SqliteJobStore

SCOPE = Scope("123456789012", "us-west-2")


def a_record(name: str, at: float = 10.0, uid: str | None = None) -> JobRecord:
    spec = TrainingJobSpec.from_wire(
        {
            "TrainingJobName": name,
            "RoleArn": "arn:aws:iam::123456789012:role/role",
            "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        }
    )
    record = JobRecord(
        key=JobKey(SCOPE.account, SCOPE.region, name),
        uid=uid or f"uid-{name}",
        spec=spec,
        placement=Placement(launcher="process", image="image", needs=Resources(cpus=1), program={"argv": ["train"]}),
        created_at=at,
        modified_at=at,
    )
    return enter(record, SecondaryStatus.STARTING, at)


def finished(record: JobRecord, status: SecondaryStatus = SecondaryStatus.COMPLETED) -> JobRecord:
    return enter(record, status, record.created_at + 5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteJobStore]:
    with closing(Database(path)) as database:
        yield SqliteJobStore(database)


@pytest.fixture
def other(store: SqliteJobStore, path: Path) -> Iterator[SqliteJobStore]:
    """The same store, as another process opens it."""
    with closing(Database(path)) as database:
        yield SqliteJobStore(database)


async def test_a_record_comes_back_as_it_was(store: SqliteJobStore) -> None:
    full = replace(
        finished(a_record("job")),
        tags=(("team", "a"), ("", "ü")),
        stop=StopRequest(cause=StopCause.MAX_WAIT, at=11.5),
        final_metrics=(Metric(name="loss", value=0.1, at=12.0),),
        notices=("one", "two"),
        attempt=2,
        exit_code=1,
        failure_reason="AlgorithmError: \u2028 'quoted' \"text\"",
    )
    created = await store.create(full)
    assert created == replace(full, version=1)
    assert await store.get(full.key) == created
    assert await store.get(JobKey(SCOPE.account, SCOPE.region, "none")) is None


async def test_a_taken_name_is_refused_in_the_services_words(store: SqliteJobStore) -> None:
    first = await store.create(a_record("Job"))
    with pytest.raises(ResourceInUse) as refused:
        await store.create(a_record("Job", uid="another"))
    assert str(refused.value) == (
        "Training job names must be unique within an AWS account and region, and a training job with this name "
        "already exists (arn:aws:sagemaker:us-west-2:123456789012:training-job/job)"
    )
    assert await store.get(first.key) == first


async def test_one_refusal_undoes_nobody_elses_write(store: SqliteJobStore) -> None:
    wanted = [a_record(f"j{index % 15}", uid=f"u{index}") for index in range(20)]
    answers = await asyncio.gather(*(store.create(one) for one in wanted), return_exceptions=True)
    assert [isinstance(answer, ResourceInUse) for answer in answers] == [False] * 15 + [True] * 5
    assert {one.uid for one in await store.records()} == {f"u{index}" for index in range(15)}


async def test_put_wins_only_over_what_was_read(store: SqliteJobStore, other: SqliteJobStore) -> None:
    first = await store.create(a_record("job"))
    second = await other.put(replace(first, attempt=1), expect=1)
    assert second.version == 2
    with pytest.raises(StaleRecord):
        await store.put(replace(first, attempt=9), expect=1)
    with pytest.raises(StaleRecord):
        await store.put(replace(second, uid="another"), expect=2)
    assert await store.get(first.key) == second


async def test_no_increment_is_lost_between_two_writers(store: SqliteJobStore, other: SqliteJobStore) -> None:
    key = (await store.create(a_record("job"))).key

    async def increment(via: SqliteJobStore) -> None:
        while True:
            read = await via.get(key)
            assert read is not None
            try:
                await via.put(replace(read, attempt=read.attempt + 1), expect=read.version)
            except StaleRecord:
                continue
            return

    await asyncio.gather(*(increment(via) for via in (store, other) for _ in range(10)))
    last = await store.get(key)
    assert last is not None
    assert (last.attempt, last.version) == (20, 21)


async def test_delete_takes_the_version_that_was_read(store: SqliteJobStore) -> None:
    first = await store.create(a_record("job"))
    with pytest.raises(StaleRecord):
        await store.delete(first.key, expect=7)
    await store.delete(first.key, expect=1)
    assert await store.get(first.key) is None
    with pytest.raises(StaleRecord):
        await store.delete(first.key, expect=1)
    with pytest.raises(StaleRecord):
        await store.put(first, expect=1)
    await store.create(a_record("job", uid="second"))


async def names(store: SqliteJobStore, query: ListQuery) -> list[str]:
    return [item.name for item in (await store.list(SCOPE, query)).items]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (ListQuery(), ["d", "c", "Beta", "alpha"]),
        (ListQuery(descending=False), ["alpha", "Beta", "c", "d"]),
        (ListQuery(sort_by="Name", descending=False), ["Beta", "alpha", "c", "d"]),
        (ListQuery(sort_by="Status", descending=False), ["alpha", "d", "Beta", "c"]),
        (ListQuery(name_contains="ET"), ["Beta"]),
        (ListQuery(name_contains="%"), []),
        (ListQuery(status=TrainingJobStatus.IN_PROGRESS), ["c", "Beta"]),
        (ListQuery(created_after=20.0), ["d", "c"]),
        (ListQuery(created_before=20.0), ["alpha"]),
        (ListQuery(modified_after=30.0), ["d"]),
        (ListQuery(modified_before=20.0), ["alpha"]),
        (ListQuery(created_after=10.0, created_before=40.0, status=TrainingJobStatus.FAILED), []),
        (ListQuery(limit=2), ["d", "c"]),
    ],
)
async def test_lists(store: SqliteJobStore, query: ListQuery, expected: list[str]) -> None:
    await store.create(finished(a_record("alpha", 10.0)))
    await store.create(a_record("Beta", 20.0))
    await store.create(a_record("c", 30.0))
    await store.create(finished(a_record("d", 40.0), SecondaryStatus.FAILED))
    elsewhere = a_record("elsewhere", 50.0)
    await store.create(replace(elsewhere, key=JobKey(SCOPE.account, "eu-west-1", "elsewhere")))
    assert await names(store, query) == expected


@pytest.mark.parametrize("sort_by", ["Name", "CreationTime", "Status"])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.case(80)
async def test_pages_show_each_job_once_while_others_come_and_go(
    store: SqliteJobStore, sort_by: str, descending: bool
) -> None:
    kept = {f"j{index}" for index in range(10)}
    for name in sorted(kept):
        await store.create(a_record(name, 10.0 + int(name[1:]) // 4 / 3))  # ties, and times that are no whole numbers
    query, shown = ListQuery(limit=3, sort_by=sort_by, descending=descending), []
    for number in range(20):
        page = await store.list(SCOPE, query)
        shown += [item.name for item in page.items if item.name in kept]
        if page.token is None:
            break
        query = replace(query, token=page.token)
        await store.create(a_record(f"new{number}", 10.0 if descending else 99.0))
        gone = await store.create(a_record(f"gone{number}", 99.0 if descending else 1.0))
        await store.delete(gone.key, expect=1)
    assert sorted(shown) == sorted(kept)


def forged(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    "token",
    ["", "x", "%%%", "ü", forged(5), forged(None), forged([1]), forged([1, 2, 3]), forged([{}, "x"]), forged(["x", 1]),
     forged([10**30, "x"]), forged(["\ud800", "\ud800"]), forged(True)],
)  # fmt: skip
@pytest.mark.parametrize("sort_by", ["Name", "CreationTime"])
async def test_a_forged_token_is_refused(store: SqliteJobStore, token: str, sort_by: str) -> None:
    await store.create(a_record("job"))
    with pytest.raises(ValidationRefused, match="token"):
        await store.list(SCOPE, ListQuery(token=token, sort_by=sort_by))


async def test_a_token_of_another_order_is_refused(store: SqliteJobStore) -> None:
    for name in ("a", "b"):
        await store.create(a_record(name))
    token = (await store.list(SCOPE, ListQuery(limit=1, sort_by="Name"))).token
    assert token is not None
    with pytest.raises(ValidationRefused):
        await store.list(SCOPE, ListQuery(token=token, sort_by="CreationTime"))


async def test_unfinished_is_what_still_needs_care(store: SqliteJobStore) -> None:
    await store.create(a_record("running", 1.0))
    final = finished(a_record("final", 2.0))
    await store.create(final)
    released = await store.create(replace(finished(a_record("released", 3.0)), released=True))
    await store.create(replace(finished(a_record("done", 4.0)), released=True, final_metrics=()))
    assert [one.key.name for one in await store.records(unfinished=True)] == ["running", "final", "released"]
    await store.put(replace(released, final_metrics=()), expect=1)
    assert [one.key.name for one in await store.records(SCOPE, unfinished=True)] == ["running", "final"]
    assert len(await store.records(SCOPE)) == 4
    assert await store.records(Scope("1", "nowhere")) == []


async def test_changes_tell_what_another_process_wrote(store: SqliteJobStore, other: SqliteJobStore) -> None:
    assert await store.revision() == 0
    await store.create(a_record("before"))
    since = await other.revision()
    seen = []
    async with asyncio.timeout(20), aclosing(other.changes(since)) as changes:
        record = await store.create(a_record("job"))
        seen.append(await anext(changes))
        await store.put(record, expect=1)
        await store.delete(record.key, expect=2)
        seen += [await anext(changes), await anext(changes)]
    assert [change.name for change in seen] == ["job"] * 3
    assert [change.revision for change in seen] == [since + 1, since + 2, since + 3]
    assert await store.revision() == since + 3


async def test_a_refused_write_is_no_change(store: SqliteJobStore) -> None:
    await store.create(a_record("job"))
    with pytest.raises(ResourceInUse):
        await store.create(a_record("job", uid="another"))
    assert await store.revision() == 1


async def test_cancelled_callers_never_stop_the_writer(store: SqliteJobStore) -> None:
    async with asyncio.timeout(60):
        for index in range(100):
            task = asyncio.create_task(store.create(a_record(f"j{index}", float(index))))
            await asyncio.sleep(index % 5 / 1000)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await store.create(a_record("last", 1000.0))
        written = await store.records()
    assert written[-1].key.name == "last"
    assert len(written) == await store.revision()  # each happened whole or not at all


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


def kill_a_writer(path: Path, run: int, enough: int) -> list[str]:
    """What a writing process acknowledged until it was killed, some time after `enough` lines."""
    command = [sys.executable, __file__, str(path), str(run)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
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
