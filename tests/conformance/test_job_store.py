"""What every store of records keeps: names are unique, writers do not overwrite each other, nothing is told twice."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from contextlib import aclosing, closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.fakes.records import SCOPE, a_record, finished

from trainyard.model.errors import ResourceInUse, StaleRecord, ValidationRefused
from trainyard.model.job import ListQuery
from trainyard.model.keys import JobKey, Scope
from trainyard.model.ledger import JobEvent
from trainyard.model.observation import StopCause, Unobserved
from trainyard.model.record import Metric, StopRequest
from trainyard.model.status import SecondaryStatus, TrainingJobStatus
from trainyard.ports.store import JobStore, Ledger, Stamp
from trainyard.stores.memory.ledger import MemoryLedger
from trainyard.stores.memory.shelf import Shelf
from trainyard.stores.memory.store import MemoryJobStore
from trainyard.stores.sqlite.database import Database
from trainyard.stores.sqlite.ledger import SqliteLedger
from trainyard.stores.sqlite.store import SqliteJobStore


@dataclass(frozen=True)
class Stores:
    """One implementation: the store, the same store as another process opens it, and their ledger."""

    store: JobStore
    other: JobStore
    ledger: Ledger


@pytest.fixture(params=["sqlite", "memory"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    if request.param == "memory":
        shelf = Shelf()
        yield Stores(MemoryJobStore(shelf), MemoryJobStore(shelf), MemoryLedger(shelf))
        return
    path = tmp_path / "store.db"
    with closing(Database(path)) as one, closing(Database(path)) as two:
        yield Stores(SqliteJobStore(one), SqliteJobStore(two), SqliteLedger(two))


@pytest.fixture
def store(stores: Stores) -> JobStore:
    return stores.store


@pytest.fixture
def other(stores: Stores) -> JobStore:
    return stores.other


@pytest.fixture
def ledger(stores: Stores) -> Ledger:
    return stores.ledger


async def test_a_record_comes_back_as_it_was(store: JobStore) -> None:
    full = replace(
        finished(a_record("job")),
        tags=(("team", "a"), ("", "ü")),
        stop=StopRequest(cause=StopCause.MAX_WAIT, at=11.5),
        unobserved=Unobserved(since=11.0, reason="gone"),
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


async def test_a_taken_name_is_refused_in_the_services_words(store: JobStore) -> None:
    first = await store.create(a_record("Job"))
    with pytest.raises(ResourceInUse) as refused:
        await store.create(a_record("Job", uid="another"))
    assert str(refused.value) == (
        "Training job names must be unique within an AWS account and region, and a training job with this name "
        "already exists (arn:aws:sagemaker:us-west-2:123456789012:training-job/job)"
    )
    assert await store.get(first.key) == first


async def test_one_refusal_undoes_nobody_elses_write(store: JobStore) -> None:
    wanted = [a_record(f"j{index % 15}", uid=f"u{index}") for index in range(20)]
    answers = await asyncio.gather(*(store.create(one) for one in wanted), return_exceptions=True)
    assert [isinstance(answer, ResourceInUse) for answer in answers] == [False] * 15 + [True] * 5
    assert {one.uid for one in await store.records()} == {f"u{index}" for index in range(15)}


async def test_put_wins_only_over_what_was_read(store: JobStore, other: JobStore) -> None:
    first = await store.create(a_record("job"))
    second = await other.put(replace(first, attempt=1), expect=1)
    assert second.version == 2
    with pytest.raises(StaleRecord):
        await store.put(replace(first, attempt=9), expect=1)
    with pytest.raises(StaleRecord):
        await store.put(replace(second, uid="another"), expect=2)
    assert await store.get(first.key) == second


async def test_no_increment_is_lost_between_two_writers(store: JobStore, other: JobStore) -> None:
    key = (await store.create(a_record("job"))).key

    async def increment(via: JobStore) -> None:
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


async def test_delete_takes_the_version_that_was_read(store: JobStore) -> None:
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


async def names(store: JobStore, query: ListQuery) -> list[str]:
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
async def test_lists(store: JobStore, query: ListQuery, expected: list[str]) -> None:
    await store.create(finished(a_record("alpha", 10.0)))
    await store.create(a_record("Beta", 20.0))
    await store.create(a_record("c", 30.0))
    await store.create(finished(a_record("d", 40.0), SecondaryStatus.FAILED))
    elsewhere = a_record("elsewhere", 50.0)
    await store.create(replace(elsewhere, key=JobKey(SCOPE.account, "eu-west-1", "elsewhere")))
    assert await names(store, query) == expected


async def test_a_line_tells_since_when_a_run_is_not_observed_until_nothing_runs(store: JobStore) -> None:
    blind = Unobserved(since=11.0, reason="gone")
    first = await store.create(replace(a_record("job"), unobserved=blind))
    (line,) = (await store.list(SCOPE, ListQuery())).items
    assert line.unobserved_since == 11.0
    for moved in (replace(first, unobserved=None), replace(finished(first), unobserved=blind, released=True)):
        first = await store.put(moved, expect=first.version)
        (line,) = (await store.list(SCOPE, ListQuery())).items
        assert line.unobserved_since is None or first.is_unfinished


@pytest.mark.parametrize("sort_by", ["Name", "CreationTime", "Status"])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.case(80)
async def test_pages_show_each_job_once_while_others_come_and_go(
    store: JobStore, sort_by: str, descending: bool
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
async def test_a_forged_token_is_refused(store: JobStore, token: str, sort_by: str) -> None:
    await store.create(a_record("job"))
    with pytest.raises(ValidationRefused, match="token"):
        await store.list(SCOPE, ListQuery(token=token, sort_by=sort_by))


async def test_a_token_of_another_order_is_refused(store: JobStore) -> None:
    for name in ("a", "b"):
        await store.create(a_record(name))
    token = (await store.list(SCOPE, ListQuery(limit=1, sort_by="Name"))).token
    assert token is not None
    with pytest.raises(ValidationRefused):
        await store.list(SCOPE, ListQuery(token=token, sort_by="CreationTime"))


async def test_unfinished_is_what_still_needs_care(store: JobStore) -> None:
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


async def test_records_are_read_by_their_keys_as_far_as_there_are_any(store: JobStore, other: JobStore) -> None:
    made = [await store.create(a_record(f"j{number}", float(number))) for number in range(450)]
    nobody = JobKey(SCOPE.account, SCOPE.region, "nobody")
    found = await other.some([nobody, *(record.key for record in made)])
    assert sorted(found, key=lambda record: record.created_at) == made
    assert await other.some([]) == []


async def test_unfinished_jobs_are_told_by_key_uid_and_version(store: JobStore, other: JobStore) -> None:
    first = await store.create(a_record("running"))
    await store.create(replace(finished(a_record("done")), released=True, final_metrics=()))
    assert await stamps(other) == [(first.key, first.uid, 1)]
    await store.put(replace(first, attempt=1), expect=1)
    assert await stamps(other) == [(first.key, first.uid, 2)]


async def test_many_unfinished_jobs_are_told_once_each(store: JobStore, other: JobStore) -> None:
    assert await stamps(other) == []
    made = await asyncio.gather(*(store.create(a_record(f"j{number}", float(number))) for number in range(1100)))
    told = await stamps(other)
    assert sorted(stamp.uid for stamp in told) == sorted(record.uid for record in made)


async def stamps(store: JobStore) -> list[Stamp]:
    return [stamp async for piece in store.unfinished() for stamp in piece]


async def test_news_are_what_happened_so_far(store: JobStore, other: JobStore) -> None:
    assert await other.news(0) == []
    for name in ("one", "two", "three"):
        await store.create(a_record(name))
    assert [change.name for change in await other.news(1)] == ["two", "three"]
    assert await other.news(3) == []


async def test_changes_tell_what_another_process_wrote(store: JobStore, other: JobStore) -> None:
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


async def test_a_refused_write_is_no_change(store: JobStore) -> None:
    await store.create(a_record("job"))
    with pytest.raises(ResourceInUse):
        await store.create(a_record("job", uid="another"))
    assert await store.revision() == 1


async def test_cancelled_callers_never_stop_the_writer(store: JobStore) -> None:
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


def told(*reasons: str) -> list[JobEvent]:
    return [JobEvent(at=float(index), reason=reason, message="ü") for index, reason in enumerate(reasons)]


async def reasons(ledger: Ledger, uid: str) -> list[str]:
    return [event.reason for event in (await ledger.events(uid)).items]


async def test_what_is_told_stands_or_falls_with_its_write(store: JobStore, ledger: Ledger) -> None:
    first = await store.create(a_record("job"), events=told("Accepted", "Notice"))
    with pytest.raises(ResourceInUse):
        await store.create(a_record("job", uid="another"), events=told("Twice"))
    await store.put(first, expect=1, events=told("Waiting"))
    with pytest.raises(StaleRecord):
        await store.put(first, expect=1, events=told("Stale"))
    await store.put(first, expect=2)
    assert await reasons(ledger, first.uid) == ["Accepted", "Notice", "Waiting"]
    assert await reasons(ledger, "another") == []


async def test_many_writers_tell_as_often_as_they_wrote(store: JobStore, other: JobStore, ledger: Ledger) -> None:
    first = await store.create(a_record("job"))
    asked = [via.put(first, expect=1, events=told("Won")) for via in (store, other) for _ in range(5)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(not isinstance(answer, StaleRecord) for answer in answers) == 1
    assert await reasons(ledger, first.uid) == ["Won"]


async def test_what_another_process_writes_stirs_whoever_waits(store: JobStore, other: JobStore) -> None:
    async with asyncio.timeout(20):
        waiting = asyncio.create_task(other.stirred())
        await asyncio.sleep(0)
        await store.create(a_record("job"))
        await waiting
        while not await other.news(0):
            await other.stirred()


async def test_a_hint_stirs_whoever_waits(store: JobStore) -> None:
    hint = asyncio.Event()
    hint.set()
    async with asyncio.timeout(20):
        await store.stirred(hint)
