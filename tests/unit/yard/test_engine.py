"""The whole engine over a store in memory and a runtime that goes as far as it is told, dying at any step.

A machine in hypothesis' sense: it submits, stops, kills engines between any two of their deeds, lets two of them work
at once, blinds them, moves and ends and loses runs, and after every step asks whether a law is broken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.fakes.runtime import FakeRuntime, ManualClock

from trainyard.agent.metrics import Re2Scanners
from trainyard.model.errors import ServiceError, StaleRecord, Transient
from trainyard.model.keys import JobKey, RunKey, Scope
from trainyard.model.ledger import JobEvent, Point
from trainyard.model.observation import Ending, Lost, Milestone, StopCause
from trainyard.model.record import JobRecord, Transition
from trainyard.model.resources import Resources
from trainyard.model.spec import TrainingJobSpec
from trainyard.model.status import Fault
from trainyard.ports.runtime import RunOrder
from trainyard.stores.memory.ledger import MemoryLedger
from trainyard.stores.memory.shelf import Shelf
from trainyard.stores.memory.store import MemoryJobStore
from trainyard.yard.engine import Engine, Yard
from trainyard.yard.preflight import Preflight
from trainyard.yard.scanning import Scanning
from trainyard.yard.service import YardService

GIB = 1024**3
ROOM = Resources(cpus=4, memory=16 * GIB)
SCOPE = Scope("123456789012", "us-west-2")
TYPES = {"ml.m5.large": 2, "ml.m5.xlarge": 4}
FINAL = {"Completed", "Failed", "Stopped", "MaxRuntimeExceeded", "MaxWaitTimeExceeded"}
ENDINGS = ("completed", "failed", "max-runtime")
LINE = b"loss=0.5;\n"
PIECE = 25  # bytes that are read at once: a pass holds forty lines, and writing a hundred takes several passes


class DiedError(Exception):
    """The process is gone, in the midst of what it did."""


@dataclass
class Fuse:
    """How many more deeds a process does before it dies; None: it lives."""

    left: int | None = None

    async def deed(self) -> None:
        """Let others work in between, then die or go on."""
        await asyncio.sleep(0)
        if self.left is not None:
            if self.left == 0:
                raise DiedError
            self.left -= 1


@dataclass
class World:
    """What outlives every process: records, runs, time."""

    clock: ManualClock = field(default_factory=ManualClock)
    shelf: Shelf = field(default_factory=Shelf)

    def __post_init__(self) -> None:
        self.runtime = FakeRuntime(self.clock, room=ROOM)


class DyingStore(MemoryJobStore):
    """Records, as a process writes them that may die before or after any write."""

    def __init__(self, shelf: Shelf, fuse: Fuse) -> None:
        super().__init__(shelf)
        self._fuse = fuse

    async def create(self, record: JobRecord, *, events: Sequence[JobEvent] = ()) -> JobRecord:
        await self._fuse.deed()
        return await super().create(record, events=events)

    async def put(self, record: JobRecord, *, expect: int, events: Sequence[JobEvent] = ()) -> JobRecord:
        await self._fuse.deed()
        return await super().put(record, expect=expect, events=events)


class DyingLedger(MemoryLedger):
    def __init__(self, shelf: Shelf, fuse: Fuse) -> None:
        super().__init__(shelf)
        self._fuse = fuse

    async def append_points(
        self, job_uid: str, stream: str, points: Sequence[Point], *, since: int, offset: int
    ) -> None:
        await self._fuse.deed()
        await super().append_points(job_uid, stream, points, since=since, offset=offset)


class DyingRuntime(FakeRuntime):
    """The world's runs, as a process sees them that may die before or after any deed."""

    def __init__(self, world: World, fuse: Fuse) -> None:
        whole = world.runtime
        super().__init__(
            whole.clock, whole.room, whole.runs, whole.lost, whole.output, whole.launches, whole.released, whole.blind
        )
        self._world, self._fuse = world, fuse

    async def launch(self, order: RunOrder) -> None:
        await self._fuse.deed()
        kept = self._world.shelf.records[order.job]
        if kept.run == order.key:  # else a late launch of an attempt that moved on: harmless, for it was launched
            assert kept.placed or order.key in self.runs, "launched before the intent was durable"
        for attempt in range(1, order.key.attempt):
            assert RunKey(order.key.job_uid, order.key.kind, "train", attempt) in self.released
        await super().launch(order)

    async def stop(self, key: RunKey, cause: StopCause, *, grace: float) -> None:
        await self._fuse.deed()
        await super().stop(key, cause, grace=grace)

    async def release(self, key: RunKey) -> None:
        await self._fuse.deed()
        await super().release(key)


def request(name: str, kind: str, *, spot: bool, retries: int) -> TrainingJobSpec:
    limits = {"MaxRuntimeInSeconds": 100, "MaxWaitTimeInSeconds": 400} if spot else {"MaxRuntimeInSeconds": 100}
    retry = {"RetryStrategy": {"MaximumRetryAttempts": retries}} if retries else {}
    return TrainingJobSpec.from_wire(
        {
            "TrainingJobName": name,
            "RoleArn": "arn:aws:iam::123456789012:role/role",
            "AlgorithmSpecification": {
                "TrainingImage": "image",
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "loss", "Regex": "loss=([0-9.]+);"}],
            },
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
            "ResourceConfig": {"InstanceType": kind, "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": limits,
            "EnableManagedSpotTraining": spot,
            **retry,
        }
    )


jobs = st.integers(0, 3)
deeds = st.one_of(st.none(), st.integers(0, 4))


class EngineMachine(RuleBasedStateMachine):
    """One home, its jobs, and the engines that come and go."""

    @initialize(spot=st.booleans(), retries=st.integers(0, 2))
    def begin(self, spot: bool, retries: int) -> None:
        self.loop = asyncio.new_event_loop()
        self.world = World()
        self.uids = (f"uid{number}" for number in range(1000))
        self.names: list[str] = []
        self.ended: dict[str, tuple[Transition, ...]] = {}
        self.submit("ml.m5.large", spot, retries, None)

    # What a process does, dying after so many deeds or not at all.

    def process(self, fuse: Fuse) -> tuple[YardService, Engine]:
        runtime: Any = DyingRuntime(self.world, fuse)
        shelf, clock = self.world.shelf, self.world.clock
        ledger = DyingLedger(shelf, fuse)
        yard = Yard(jobs=DyingStore(shelf, fuse), ledger=ledger, runtime=runtime, clock=clock)
        objects: Any = None
        scanners = Re2Scanners()
        preflight = Preflight(objects=objects, runtime=runtime, scanners=scanners, region=SCOPE.region)
        service = YardService(SCOPE, yard, preflight, new_uid=lambda: next(self.uids))
        return service, Engine(yard, Scanning(ledger, runtime, scanners, clock, piece=PIECE))

    def run(self, work: Coroutine[Any, Any, Any]) -> bool:
        """Whether the process lived through it."""

        async def whole() -> bool:
            try:
                await work
            except DiedError:
                return False
            except (StaleRecord, Transient, ServiceError):
                return True
            return True

        return self.loop.run_until_complete(whole())

    def submit(self, kind: str, spot: bool, retries: int, deeds: int | None) -> None:
        name = f"job-{len(self.names)}"
        service, _ = self.process(Fuse(deeds))
        if self.run(service.create(request(name, kind, spot=spot, retries=retries))):
            self.names.append(name)
        else:
            assert self.key(name) not in self.world.shelf.records  # it died before the answer and before the write

    @rule(kind=st.sampled_from(sorted(TYPES)), spot=st.booleans(), retries=st.integers(0, 2), deeds=deeds)
    @precondition(lambda self: len(self.names) < 4)
    def someone_submits(self, kind: str, spot: bool, retries: int, deeds: int | None) -> None:
        self.submit(kind, spot, retries, deeds)

    @rule(act=st.sampled_from([YardService.stop, YardService.interrupt, YardService.interrupt]), which=jobs)
    def someone_ends(self, act: Callable[[YardService, str], Coroutine[Any, Any, None]], which: int) -> None:
        self.run(act(self.process(Fuse())[0], self.chosen(which).name))

    @rule(deeds=deeds)
    def an_engine_goes_round(self, deeds: int | None) -> None:
        """As every second: a place for whoever fits, a look at everyone."""

        async def whole() -> None:
            _, engine = self.process(Fuse(deeds))
            await engine._place()
            for name in self.names:
                await engine._pass(self.key(name))

        self.run(whole())

    @rule(which=jobs, deeds=deeds)
    def an_engine_looks(self, which: int, deeds: int | None) -> None:
        self.run(self.process(Fuse(deeds))[1]._pass(self.chosen(which)))

    @rule(which=jobs)
    def two_engines_look_at_once(self, which: int) -> None:
        """A leader that does not know yet that another one leads."""

        async def both(key: JobKey) -> None:
            one, two = self.process(Fuse())[1], self.process(Fuse())[1]
            answers = await asyncio.gather(one._pass(key), two._pass(key), return_exceptions=True)
            faults = [answer for answer in answers if answer is not None and not isinstance(answer, StaleRecord)]
            assert not faults, faults

        self.run(both(self.chosen(which)))

    # What the world does.

    @rule(seconds=st.integers(1, 90), blind=st.sampled_from([False, False, True]))
    def time_passes_in_the_dark_or_not(self, seconds: int, blind: bool) -> None:
        self.world.clock.at += seconds
        self.world.runtime.blind = blind

    @rule(which=jobs, milestone=st.sampled_from(list(Milestone)[1:]), lines=st.sampled_from([0, 1, 3, 100]))
    def a_run_goes_on(self, which: int, milestone: Milestone, lines: int) -> None:
        run, runtime = self.chosen_run(which), self.world.runtime
        if run is not None:
            order = list(Milestone)
            if order.index(milestone) > order.index(runtime.runs[run].milestones[-1].milestone):
                runtime.reach(run, milestone)
            runtime.output[run] = runtime.output.get(run, b"") + LINE * lines

    @rule(which=jobs, end=st.sampled_from([*ENDINGS, "rebooted", "killed", "killed"]))
    def a_run_ends(self, which: int, end: str) -> None:
        run, runtime = self.chosen_run(which), self.world.runtime
        if run is not None and end in ENDINGS:
            runtime.end(run, Ending(end), fault=Fault.ALGORITHM if end == Ending.FAILED else None)
        elif run is not None:
            runtime.lost[run] = Lost("gone", self.world.clock.at, end == "rebooted")

    # What must hold, whatever happened.

    @invariant()
    def no_law_is_broken(self) -> None:
        if not hasattr(self, "world"):
            return
        records = self.world.shelf.records
        assert set(records) == {self.key(name) for name in self.names}, "an accepted job is lost"
        runtime = self.world.runtime
        assert len(set(runtime.launches)) == len(runtime.launches)
        placed = [record.placement.needs for record in records.values() if record.placed]
        assert sum(placed, Resources()).fits(ROOM), "more was placed than there is"
        for record in records.values():
            assert runtime.live(record.uid) <= 1, "a job runs twice at once"
            self.history_is_whole(record)
            self.told_once(record)

    def history_is_whole(self, record: JobRecord) -> None:
        assert all(one.end == two.start and one.start <= two.start for one, two in pairwise(record.transitions))
        assert (record.transitions[-1].end is not None) == record.status.is_final
        before = self.ended.get(record.uid)
        assert before is None or before == record.transitions, "a final status moved"
        if record.status.is_final:
            self.ended[record.uid] = record.transitions

    def told_once(self, record: JobRecord) -> None:
        reasons = [event.reason for event in self.world.shelf.events[record.uid]]
        assert reasons.count("Accepted") == 1
        assert sum(reason in FINAL for reason in reasons) == record.status.is_final
        assert reasons.count("StopRequested") <= 1
        blind = reasons.count("NotObserved") - reasons.count("ObservedAgain")
        assert blind == (record.unobserved is not None) <= record.placed
        over = record.attempt - record.placed
        ends = reasons.count("Interrupted") + reasons.count("Lost")
        assert over - record.status.is_final <= ends <= over

    def teardown(self) -> None:
        """Whatever happened, everything comes to its end, and nothing of it is left unread or unreleased."""
        if not hasattr(self, "world"):
            return
        runtime = self.world.runtime
        runtime.blind = False
        for _ in range(80):
            self.world.clock.at += 1
            self.run(self.process(Fuse())[1]._place())
            for name in self.names:
                self.run(self.process(Fuse())[1]._pass(self.key(name)))
            for run in [run for run in runtime.runs if runtime.is_live(run)]:
                runtime.end(run, Ending.COMPLETED)
            self.no_law_is_broken()
        for record in self.world.shelf.records.values():
            assert not record.is_unfinished, record
        assert runtime.released >= set(runtime.launches)
        for uid in {run.job_uid for run in runtime.output}:
            written = sum(output.count(b"\n") for run, output in runtime.output.items() if run.job_uid == uid)
            assert len(self.world.shelf.points[uid]) == written, "a line was not read, or read twice"
        self.loop.close()

    def key(self, name: str) -> JobKey:
        return JobKey(SCOPE.account, SCOPE.region, name)

    def chosen(self, which: int) -> JobKey:
        """One of the jobs."""
        return self.key(self.names[which % len(self.names)])

    def chosen_run(self, which: int) -> RunKey | None:
        """Its run, if one is under way."""
        run = self.world.shelf.records[self.chosen(which)].run
        return run if self.world.runtime.is_live(run) else None


EngineMachine.TestCase.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestEngine = EngineMachine.TestCase
