"""What every ledger keeps: order, pages, and that points and the position they were read up to go together."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from trainyard.model.errors import ValidationRefused
from trainyard.model.keys import JobKey
from trainyard.model.ledger import JobEvent, Point
from trainyard.model.record import JobRecord, Placement
from trainyard.model.resources import Resources
from trainyard.model.spec import TrainingJobSpec
from trainyard.stores.sqlite.database import Database
from trainyard.stores.sqlite.ledger import SqliteLedger
from trainyard.stores.sqlite.store import SqliteJobStore

EVENTS = [JobEvent(at=10.0 - index, reason=f"Reason{index}", message="ü", warning=index == 2) for index in range(5)]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(tmp_path / "store.db")) as database:
        yield database


@pytest.fixture
def ledger(database: Database) -> SqliteLedger:
    return SqliteLedger(database)


def loss(value: float, at: float, host: str = "", name: str = "loss") -> Point:
    return Point(name=name, value=value, at=at, host=host)


async def test_events_come_in_the_order_of_their_writing(ledger: SqliteLedger) -> None:
    await ledger.append_events("uid", EVENTS[:2])
    await ledger.append_events("other", EVENTS[:1])
    await ledger.append_events("uid", [])
    await ledger.append_events("uid", EVENTS[2:])
    page = await ledger.events("uid")
    assert (list(page.items), page.token) == (EVENTS, None)


async def test_events_are_paged_while_more_are_added(ledger: SqliteLedger) -> None:
    await ledger.append_events("uid", EVENTS[:4])
    first = await ledger.events("uid", limit=2)
    await ledger.append_events("uid", EVENTS[4:])
    second = await ledger.events("uid", limit=2, token=first.token)
    third = await ledger.events("uid", limit=2, token=second.token)
    assert [*first.items, *second.items, *third.items] == EVENTS
    assert third.token is None
    full = await ledger.events("uid", limit=5)
    assert (len(full.items), full.token) == (5, None)


@pytest.mark.parametrize("token", ["", "x", "-1", "1.5", "9" * 30, "9" * 5000])
async def test_a_forged_token_is_refused(ledger: SqliteLedger, token: str) -> None:
    with pytest.raises(ValidationRefused, match="token"):
        await ledger.events("uid", token=token)


async def test_points_and_their_position_are_written_together(ledger: SqliteLedger) -> None:
    await ledger.append_points("uid", "algo-1", [loss(0.5, 2.0), loss(0.7, 1.0)], offset=100)
    await ledger.append_points("uid", "algo-2", [], offset=7)
    broken = [loss(0.4, 3.0, name="new"), loss(None, 4.0)]  # type: ignore[arg-type]
    with pytest.raises(sqlite3.IntegrityError):
        await ledger.append_points("uid", "algo-1", broken, offset=200)
    assert await ledger.scanned("uid") == {"algo-1": 100, "algo-2": 7}
    assert list(await ledger.points("uid")) == [loss(0.7, 1.0), loss(0.5, 2.0)]
    await ledger.append_points("uid", "algo-1", [loss(0.4, 3.0)], offset=200)
    assert (await ledger.scanned("uid"))["algo-1"] == 200
    assert len(await ledger.points("uid")) == 3
    assert await ledger.scanned("other") == {}


async def test_points_are_chosen_by_name_time_and_number(ledger: SqliteLedger) -> None:
    points = [loss(1, 1.0), loss(2, 2.0, name="auc"), loss(3, 3.0), loss(4, 3.0), loss(5, 4.0, "algo-1", "cpu")]
    await ledger.append_points("uid", "s", points, offset=1)
    assert list(await ledger.points("uid")) == points
    assert list(await ledger.points("uid", name="loss")) == [points[0], *points[2:4]]
    assert list(await ledger.points("uid", since=3.0)) == points[2:]
    assert list(await ledger.points("uid", limit=2)) == points[:2]
    assert list(await ledger.points("other")) == []


async def test_last_points_are_the_algorithms_newest(ledger: SqliteLedger) -> None:
    points = [loss(1, 5.0), loss(2, 2.0), loss(3, 5.0), loss(4, 1.0, name="auc"), loss(5, 9.0, "algo-1", "cpu")]
    await ledger.append_points("uid", "s", points, offset=1)
    assert list(await ledger.last_points("uid")) == [points[2], points[3]]


async def test_a_deleted_job_takes_its_ledger_with_it(database: Database, ledger: SqliteLedger) -> None:
    spec = TrainingJobSpec.from_wire(
        {
            "TrainingJobName": "job",
            "RoleArn": "arn:aws:iam::123456789012:role/role",
            "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
            "StoppingCondition": {},
        }
    )
    placement = Placement(launcher="process", image="", needs=Resources())
    record = JobRecord(
        key=JobKey("1", "r", "job"), uid="uid", spec=spec, placement=placement, created_at=1.0, modified_at=1.0
    )
    await SqliteJobStore(database).create(record)
    for uid in ("uid", "other"):
        await ledger.append_events(uid, EVENTS)
        await ledger.append_points(uid, "s", [loss(1, 1.0)], offset=9)
    await SqliteJobStore(database).delete(record.key, expect=1)
    assert (await ledger.events("uid")).items == ()
    assert (list(await ledger.points("uid")), await ledger.scanned("uid")) == ([], {})
    assert (len((await ledger.events("other")).items), await ledger.scanned("other")) == (5, {"s": 9})
