"""What every ledger keeps: order, pages, and that points and the position they were read up to go together."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from tests.fakes.records import a_record

from trainyard.model.errors import StaleRecord, ValidationRefused
from trainyard.model.ledger import JobEvent, Point
from trainyard.ports.store import JobStore, Ledger
from trainyard.stores.memory.ledger import MemoryLedger
from trainyard.stores.memory.shelf import Shelf
from trainyard.stores.memory.store import MemoryJobStore
from trainyard.stores.sqlite.database import Database
from trainyard.stores.sqlite.ledger import SqliteLedger
from trainyard.stores.sqlite.store import SqliteJobStore

EVENTS = [JobEvent(at=10.0 - index, reason=f"Reason{index}", message="ü", warning=index == 2) for index in range(5)]


@pytest.fixture(params=["sqlite", "memory"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[JobStore, Ledger]]:
    if request.param == "memory":
        shelf = Shelf()
        yield MemoryJobStore(shelf), MemoryLedger(shelf)
        return
    with closing(Database(tmp_path / "store.db")) as database:
        yield SqliteJobStore(database), SqliteLedger(database)


@pytest.fixture
def store(both: tuple[JobStore, Ledger]) -> JobStore:
    return both[0]


@pytest.fixture
def ledger(both: tuple[JobStore, Ledger]) -> Ledger:
    return both[1]


async def tell(store: JobStore, uid: str, events: Sequence[JobEvent]) -> None:
    """Tell events the only way there is: with a write of the job's record."""
    record = a_record(uid, uid=uid)
    kept = await store.get(record.key)
    if kept is None:
        await store.create(record, events=events)
    else:
        await store.put(kept, expect=kept.version, events=events)


def loss(value: float, at: float, host: str = "", name: str = "loss") -> Point:
    return Point(name=name, value=value, at=at, host=host)


async def test_events_come_in_the_order_of_their_writing(store: JobStore, ledger: Ledger) -> None:
    await tell(store, "uid", EVENTS[:2])
    await tell(store, "other", EVENTS[:1])
    await tell(store, "uid", [])
    await tell(store, "uid", EVENTS[2:])
    page = await ledger.events("uid")
    assert (list(page.items), page.token) == (EVENTS, None)


async def test_events_are_paged_while_more_are_added(store: JobStore, ledger: Ledger) -> None:
    await tell(store, "uid", EVENTS[:4])
    first = await ledger.events("uid", limit=2)
    await tell(store, "uid", EVENTS[4:])
    second = await ledger.events("uid", limit=2, token=first.token)
    third = await ledger.events("uid", limit=2, token=second.token)
    assert [*first.items, *second.items, *third.items] == EVENTS
    assert third.token is None
    full = await ledger.events("uid", limit=5)
    assert (len(full.items), full.token) == (5, None)


@pytest.mark.parametrize("token", ["", "x", "-1", "1.5", "9" * 30, "9" * 5000])
async def test_a_forged_token_is_refused(ledger: Ledger, token: str) -> None:
    with pytest.raises(ValidationRefused, match="token"):
        await ledger.events("uid", token=token)


async def test_points_and_their_position_are_written_together(ledger: Ledger) -> None:
    await ledger.append_points("uid", "algo-1", [loss(0.5, 2.0), loss(0.7, 1.0)], since=0, offset=100)
    await ledger.append_points("uid", "algo-2", [], since=0, offset=7)
    broken = [loss(0.4, 3.0, name="new"), loss(None, 4.0)]  # type: ignore[arg-type]
    with pytest.raises((sqlite3.IntegrityError, TypeError)):
        await ledger.append_points("uid", "algo-1", broken, since=100, offset=200)
    assert await ledger.scanned("uid") == {"algo-1": 100, "algo-2": 7}
    assert list(await ledger.points("uid")) == [loss(0.7, 1.0), loss(0.5, 2.0)]
    await ledger.append_points("uid", "algo-1", [loss(0.4, 3.0)], since=100, offset=200)
    assert (await ledger.scanned("uid"))["algo-1"] == 200
    assert len(await ledger.points("uid")) == 3
    assert await ledger.scanned("other") == {}


async def test_two_readers_of_one_stream_write_each_point_once(ledger: Ledger) -> None:
    await ledger.append_points("uid", "s", [loss(1, 1.0)], since=0, offset=10)
    with pytest.raises(StaleRecord):
        await ledger.append_points("uid", "s", [loss(1, 1.0)], since=0, offset=10)
    await ledger.append_points("uid", "s", [loss(2, 2.0)], since=10, offset=20)
    assert (len(await ledger.points("uid")), await ledger.scanned("uid")) == (2, {"s": 20})


async def test_points_are_chosen_by_name_time_and_number(ledger: Ledger) -> None:
    points = [loss(1, 1.0), loss(2, 2.0, name="auc"), loss(3, 3.0), loss(4, 3.0), loss(5, 4.0, "algo-1", "cpu")]
    await ledger.append_points("uid", "s", points, since=0, offset=1)
    assert list(await ledger.points("uid")) == points
    assert list(await ledger.points("uid", name="loss")) == [points[0], *points[2:4]]
    assert list(await ledger.points("uid", since=3.0)) == points[2:]
    assert list(await ledger.points("uid", limit=2)) == points[:2]
    assert list(await ledger.points("other")) == []


async def test_last_points_are_the_algorithms_newest(ledger: Ledger) -> None:
    points = [loss(1, 5.0), loss(2, 2.0), loss(3, 5.0), loss(4, 1.0, name="auc"), loss(5, 9.0, "algo-1", "cpu")]
    await ledger.append_points("uid", "s", points, since=0, offset=1)
    assert list(await ledger.last_points("uid")) == [points[2], points[3]]


async def test_a_deleted_job_takes_its_ledger_with_it(store: JobStore, ledger: Ledger) -> None:
    record = a_record("uid", uid="uid")
    for uid in ("uid", "other"):
        await tell(store, uid, EVENTS)
        await ledger.append_points(uid, "s", [loss(1, 1.0)], since=0, offset=9)
    await store.delete(record.key, expect=1)
    assert (await ledger.events("uid")).items == ()
    assert (list(await ledger.points("uid")), await ledger.scanned("uid")) == ([], {})
    assert (len((await ledger.events("other")).items), await ledger.scanned("other")) == (5, {"s": 9})
