"""Lists and searches page by page: one suite over both stores, in this process and reached by its own API."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.test_training_service import served
from tests.fakes.runtime import FakeRuntime, ManualClock
from tests.fakes.yard import SCOPE, Everything

from trainyard.lifecycle.transitions import enter
from trainyard.model.errors import ValidationRefused
from trainyard.model.job import Condition, ListQuery, SearchQuery
from trainyard.model.keys import JobKey
from trainyard.model.record import Metric
from trainyard.model.spec import TrainingJobSpec
from trainyard.model.status import SecondaryStatus
from trainyard.ports.service import TrainingService
from trainyard.ports.store import JobStore
from trainyard.stores.memory.ledger import MemoryLedger
from trainyard.stores.memory.shelf import Shelf
from trainyard.stores.memory.store import MemoryJobStore
from trainyard.stores.sqlite.database import Database
from trainyard.stores.sqlite.store import SqliteJobStore
from trainyard.yard.engine import Yard
from trainyard.yard.preflight import Preflight
from trainyard.yard.service import YardService


@dataclass
class Place:
    """A service to ask, and what is behind it."""

    service: TrainingService
    jobs: JobStore
    clock: ManualClock

    async def create(self, name: str, **members: Any) -> None:
        """A job, a second after the last one."""
        self.clock.at += 1
        await self.service.create(request(name, **members))

    async def end(self, name: str, **members: Any) -> None:
        """Let it be completed, whatever it did."""
        record = await self.jobs.get(JobKey(SCOPE.account, SCOPE.region, name))
        assert record is not None
        self.clock.at += 1
        final = replace(enter(record, SecondaryStatus.COMPLETED, self.clock.at), released=True, **members)
        await self.jobs.put(final, expect=record.version)

    async def names(self, query: SearchQuery) -> list[str]:
        """Of all pages together."""
        return [name async for name in self.searched(query)]

    async def searched(self, query: SearchQuery) -> AsyncIterator[str]:
        """Name by name, page by page."""
        while True:
            page = await self.service.search(query)
            assert len(page.items) <= query.limit
            for job in page.items:
                yield job.description.training_job_name
            if page.token is None:
                return
            query = replace(query, token=page.token)


def request(name: str, **members: Any) -> TrainingJobSpec:
    return TrainingJobSpec.from_wire(
        {
            "TrainingJobName": name,
            "RoleArn": "arn:aws:iam::123456789012:role/role",
            "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
            **members,
        }
    )


def a_service(jobs: JobStore, clock: ManualClock) -> YardService:
    runtime, anything, numbers = FakeRuntime(clock), Everything(), itertools.count(1)
    ledger: Any = MemoryLedger(Shelf())
    yard = Yard(jobs=jobs, ledger=ledger, runtime=runtime, clock=clock)
    objects: Any = lambda _spec: anything  # noqa: E731
    preflight = Preflight(objects=objects, runtime=runtime, scanners=anything, region=SCOPE.region)  # type: ignore[arg-type]
    return YardService(SCOPE, yard, preflight, new_uid=lambda: f"{next(numbers):032x}")


@pytest.fixture(params=itertools.product(["sqlite", "memory"], ["yard", "remote"]), ids="-".join)
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    store, way = request.param
    clock = ManualClock()
    async with AsyncExitStack() as stack:
        jobs: JobStore = MemoryJobStore(Shelf())
        if store == "sqlite":
            jobs = SqliteJobStore(stack.enter_context(closing(Database(tmp_path / "jobs.db"))))
        service: TrainingService = a_service(jobs, clock)
        if way == "remote":
            service = await stack.enter_async_context(served(service, tmp_path / "control.sock"))
        yield Place(service, jobs, clock)


ORDERS = ["LastModifiedTime", "CreationTime", "TrainingJobName", "TrainingJobStatus", "HyperParameters.lr", "Tags.team"]


@pytest.mark.parametrize("sort_by", ORDERS)
@pytest.mark.parametrize("descending", [False, True])
async def test_pages_neither_repeat_nor_skip_while_jobs_arrive(place: Place, sort_by: str, descending: bool) -> None:
    kept = [f"job-{number:02}" for number in range(13)]
    for number, name in enumerate(kept):  # equals, numbers, texts, and jobs that lack the property
        lacks: dict[str, Any] = {"HyperParameters": {"lr": ("0.1", "x", "12")[number % 3]}} if number % 4 else {}
        tags = [{"Key": "team", "Value": "red"}, *([{"Key": "odd", "Value": "1"}] if number % 2 else [])]
        await place.create(name, Tags=tags, **lacks)
    query = SearchQuery(
        conditions=(Condition(name="Tags.team", value="red"),), limit=3, sort_by=sort_by, descending=descending
    )
    shown = []
    async for name in place.searched(query):
        shown.append(name)
        if len(shown) <= len(kept):
            await place.create(f"new-{len(shown)}", Tags=[{"Key": "team", "Value": "red"}])
    assert sorted(name for name in shown if name in kept) == kept
    assert len(set(shown)) == len(shown)


@pytest.mark.parametrize(
    ("sort_by", "descending", "expected"),
    [
        ("LastModifiedTime", True, ["b", "d", "c", "a"]),
        ("CreationTime", False, ["a", "b", "c", "d"]),
        ("TrainingJobName", True, ["d", "c", "b", "a"]),
        ("TrainingJobStatus", False, ["b", "a", "c", "d"]),
        ("HyperParameters.lr", False, ["b", "a", "d", "c"]),  # 9 before 10, numbers before texts, what lacks it last
        ("HyperParameters.lr", True, ["d", "a", "b", "c"]),
        ("Metrics.loss", True, ["b", "d", "c", "a"]),
    ],
)
async def test_a_search_has_the_order_that_was_asked_for(
    place: Place, sort_by: str, descending: bool, expected: list[str]
) -> None:
    for name, lr in {"a": "10", "b": "9", "c": None, "d": "fast"}.items():
        await place.create(name, **({"HyperParameters": {"lr": lr}} if lr else {}))
    await place.end("b", final_metrics=(Metric(name="loss", value=0.5, at=1.0),))
    assert await place.names(SearchQuery(sort_by=sort_by, descending=descending, limit=1)) == expected


async def test_more_jobs_than_are_read_at_once_are_all_looked_at(place: Place) -> None:
    names = [f"job-{number:03}" for number in range(250)]
    for name in names:
        await place.create(name)
    await place.create("needle", Tags=[{"Key": "team", "Value": "red"}])
    red = (Condition(name="Tags.team", value="red"),)
    for sort_by in ("CreationTime", "Tags.team"):
        assert await place.names(SearchQuery(conditions=red, sort_by=sort_by, limit=5)) == ["needle"]
    assert await place.names(SearchQuery(sort_by="TrainingJobName", descending=False, limit=60)) == [*names, "needle"]


@pytest.mark.parametrize("token", ["0", "2", "x", "%%%", "W10=", "bnVsbA=="])
@pytest.mark.parametrize("sort_by", ["LastModifiedTime", "Tags.team"])
async def test_a_token_that_is_none_is_refused(place: Place, token: str, sort_by: str) -> None:
    with pytest.raises(ValidationRefused, match=r"^The pagination token is invalid\.$"):
        await place.service.search(SearchQuery(token=token, sort_by=sort_by))
    with pytest.raises(ValidationRefused, match=r"^The pagination token is invalid\.$"):
        await place.service.list(ListQuery(token=token))


async def test_a_token_is_good_for_its_own_order_alone(place: Place) -> None:
    for name in ("a", "b"):
        await place.create(name)
    token = (await place.service.search(SearchQuery(limit=1))).token
    listed = (await place.service.list(ListQuery(limit=1, sort_by="Name"))).token
    for wrong in (SearchQuery(sort_by="CreationTime"), SearchQuery(descending=False), SearchQuery(sort_by="Tags.a")):
        with pytest.raises(ValidationRefused, match="token"):
            await place.service.search(replace(wrong, token=token))
    for other in (ListQuery(sort_by="Status"), ListQuery(sort_by="Name", descending=False)):
        with pytest.raises(ValidationRefused, match="token"):
            await place.service.list(replace(other, token=listed))


LISTS = [
    (ListQuery(sort_by="Size"), ("1 validation error detected: Value 'Size' at 'sortBy' failed to satisfy constraint: "
     "Member must satisfy enum value set: [Name, CreationTime, Status]")),
    (ListQuery(limit=0), ("1 validation error detected: Value '0' at 'maxResults' failed to satisfy constraint: "
     "Member must have value greater than or equal to 1")),
    (ListQuery(limit=1001), "'maxResults' failed to satisfy constraint: Member must have value less than or equal to"),
    (ListQuery(name_contains="a_b"), ("Value 'a_b' at 'nameContains' failed to satisfy constraint: "
     "Member must satisfy regular expression pattern: [a-zA-Z0-9\\-]+")),
    (ListQuery(token="x" * 8193, limit=-1), "2 validation errors detected: Value 'xxx"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "words"), LISTS)
async def test_what_is_wrong_with_a_list_is_told_in_the_services_words(
    place: Place, query: ListQuery, words: str
) -> None:
    with pytest.raises(ValidationRefused) as refused:
        await place.service.list(query)
    assert words in str(refused.value)


SEARCHES = [
    (SearchQuery(conditions=(Condition(name="a", operator="Like", value="b"),)),
     ("Value 'Like' at 'searchExpression.filters.1.member.operator' failed to satisfy constraint: Member must satisfy "
     "enum value set: [Equals, NotEquals, ")),
    (SearchQuery(conditions=(Condition(name="", operator="Exists"),)), "filters.1.member.name' failed"),
    (SearchQuery(conditions=(Condition(name="a", value="v" * 1025),)), "less than or equal to 1024"),
    (SearchQuery(conditions=(Condition(name="a", value="v"),) * 21), "less than or equal to 20"),
    (SearchQuery(limit=0), "'maxResults' failed to satisfy constraint: Member must have value greater than or equal"),
    (SearchQuery(sort_by=""), "Value '' at 'sortBy' failed to satisfy constraint: Member must have length greater"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "words"), SEARCHES)
async def test_what_is_wrong_with_a_search_is_told_in_the_services_words(
    place: Place, query: SearchQuery, words: str
) -> None:
    with pytest.raises(ValidationRefused) as refused:
        await place.service.search(query)
    assert words in str(refused.value)
