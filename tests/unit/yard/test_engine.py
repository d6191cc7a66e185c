"""The engine, dying between its write and its deed, against a runtime that goes as far as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.runtime import FakeRuntime, ManualClock

from trainyard.lifecycle.decide import request_stop
from trainyard.lifecycle.transitions import enter
from trainyard.model.errors import StaleRecord, Transient
from trainyard.model.keys import JobKey
from trainyard.model.observation import Ending, Milestone, StopCause
from trainyard.model.record import JobRecord, Placement
from trainyard.model.resources import Resources
from trainyard.model.spec import TrainingJobSpec
from trainyard.model.status import SecondaryStatus
from trainyard.ports.runtime import RunOrder
from trainyard.yard.engine import Engine, Yard
from trainyard.yard.scanning import Scanning

KEY = JobKey("1", "r", "job")


class Dying(FakeRuntime):
    """Where `dies` is set, the engine dies after its write and before its deed."""

    dies = False
    store: Store

    async def launch(self, order: RunOrder) -> None:
        kept = self.store.record
        assert kept.placed
        assert kept.run == order.key, "launched before the intent was durable"
        if self.dies:
            raise Transient("died")
        await super().launch(order)


class Store:
    """One record with compare-and-swap, and a ledger that keeps nothing."""

    def __init__(self, record: JobRecord) -> None:
        self.record = record

    async def get(self, _key: JobKey) -> JobRecord:
        return self.record

    async def put(self, record: JobRecord, *, expect: int) -> JobRecord:
        if expect != self.record.version:
            raise StaleRecord("stale")
        self.record = replace(record, version=expect + 1)
        return self.record

    async def records(self, *, unfinished: bool) -> Sequence[JobRecord]:
        return [] if unfinished and self.record.released else [self.record]

    async def append_events(self, _uid: str, _events: object) -> None: ...

    async def scanned(self, _uid: str) -> dict[str, int]:
        return {}

    async def last_points(self, _uid: str) -> Sequence[Any]:
        return []


def a_record(*, spot: bool) -> JobRecord:
    spec = TrainingJobSpec.from_wire(
        {
            "TrainingJobName": "job",
            "RoleArn": "arn:aws:iam::123456789012:role/role",
            "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
            "StoppingCondition": {},
            "EnableManagedSpotTraining": spot,
        }
    )
    placement = Placement(launcher="fake", image="", needs=Resources(cpus=1))
    record = JobRecord(key=KEY, uid="u", spec=spec, placement=placement, created_at=1, modified_at=1, version=1)
    return enter(record, SecondaryStatus.STARTING, 1)


async def live(steps: list[str], *, spot: bool) -> Store:
    clock = ManualClock()
    runtime, store = Dying(clock), Store(a_record(spot=spot))
    runtime.store = store
    yard: Any = Yard(jobs=store, ledger=store, runtime=runtime, clock=clock)  # type: ignore[arg-type]
    for step in [*steps, "heal", "look", "place", "look", "complete", "look", "look", "look"]:
        clock.at += 1
        before = store.record
        run = before.run
        engine = Engine(yard, Scanning(yard.ledger, runtime, None, clock))  # type: ignore[arg-type]  # a fresh process
        runtime.dies = step.startswith("dying")
        going = run in runtime.runs and runtime.runs[run].outcome is None
        with suppress(StaleRecord, Transient):
            match step.removeprefix("dying-"):
                case "place":
                    await engine._place()
                case "look":
                    await engine._pass(KEY)
                case "stop":
                    await store.put(request_stop(before, StopCause.REQUESTED, clock.at), expect=before.version)
                case "blind" | "heal":
                    runtime.blind = step == "blind"
                case "train" if going:
                    runtime.reach(run, Milestone.TRAINING)
                case "interrupt" if going and spot:
                    runtime.end(run, Ending.INTERRUPTED)
                case "complete" if going:
                    runtime.end(run, Ending.COMPLETED)
        assert runtime.live("u") <= 1
        assert len(set(runtime.launches)) == len(runtime.launches)
        assert not before.status.is_final or store.record.status == before.status
    return store


STEPS = ("place", "look", "stop", "blind", "heal", "train", "interrupt", "complete", "dying-place", "dying-look")


@given(st.lists(st.sampled_from(STEPS), max_size=25), st.booleans())
def test_whatever_dies_a_job_ends_and_never_runs_twice_at_once(steps: list[str], spot: bool) -> None:
    store = asyncio.run(live(steps, spot=spot))
    assert store.record.status.is_final
    assert store.record.released
