"""A runtime without processes: runs go exactly as far as a test says, on a clock that it turns by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from trainyard.model.keys import RunKey
from trainyard.model.ledger import Chunk, Mark
from trainyard.model.observation import (
    Absent,
    Ending,
    Lost,
    Milestone,
    Observation,
    Outcome,
    Reached,
    Seen,
    StopCause,
    Unknown,
)
from trainyard.model.record import Placement
from trainyard.model.resources import Resources
from trainyard.model.spec import TrainingJobSpec
from trainyard.ports.runtime import Resolution, RunOrder, Stream

_ENDING_OF = {StopCause.INTERRUPTED: Ending.INTERRUPTED, StopCause.MAX_WAIT: Ending.MAX_WAIT}


@dataclass
class ManualClock:
    """Time that stands still until it is told."""

    at: float = 1000.0

    def now(self) -> float:
        """The epoch seconds that were set."""
        return self.at

    def boottime(self) -> float:
        """The same: nothing sleeps here."""
        return self.at


@dataclass
class FakeRuntime:
    """Implements ports.runtime. `runs` holds what every launched key has reached; `blind` answers Unknown.

    `lost` holds runs that are gone without an end.
    """

    clock: ManualClock
    room: Resources = field(default_factory=lambda: Resources(cpus=4))
    runs: dict[RunKey, Seen] = field(default_factory=dict)
    lost: dict[RunKey, Lost] = field(default_factory=dict)
    output: dict[RunKey, bytes] = field(default_factory=dict)
    launches: list[RunKey] = field(default_factory=list)
    released: set[RunKey] = field(default_factory=set)
    blind: bool = False
    marked: dict[RunKey, list[Mark]] = field(default_factory=dict)
    gaps: dict[RunKey, tuple[int, int]] = field(default_factory=dict)
    first_looks: dict[RunKey, float] = field(default_factory=dict)

    def live(self, job_uid: str) -> int:
        """How many of a job's attempts are under way."""
        return sum(key.job_uid == job_uid and self.is_live(key) for key in self.runs)

    def is_live(self, key: RunKey) -> bool:
        """Whether a run is under way."""
        return key in self.runs and self.runs[key].outcome is None and key not in self.lost

    def reach(self, key: RunKey, *milestones: Milestone) -> None:
        """Let a run pass milestones now."""
        seen = self.runs[key]
        more = tuple(Reached(milestone, self.clock.now()) for milestone in milestones)
        self.runs[key] = replace(seen, milestones=seen.milestones + more)

    def end(self, key: RunKey, ending: Ending, **members: object) -> None:
        """Let a run end now."""
        outcome = Outcome(ending=ending, at=self.clock.now(), **members)  # type: ignore[arg-type]
        self.runs[key] = replace(self.runs[key], outcome=outcome)

    async def resolve(self, spec: TrainingJobSpec) -> Resolution:
        """Everything runs here."""
        image = (spec.algorithm_specification.training_image if spec.algorithm_specification else None) or ""
        return Resolution(placement=Placement(launcher="fake", image=image, needs=Resources(cpus=1)))

    async def launch(self, order: RunOrder) -> None:
        """Start a run once."""
        if order.key not in self.runs:
            self.launches.append(order.key)
            self.runs[order.key] = Seen(milestones=(Reached(Milestone.PREPARING, self.clock.now()),))

    async def observe(self, key: RunKey) -> Observation:
        """What the test let it reach."""
        if self.blind:
            return Unknown("blind")
        return self.lost.get(key) or self.runs.get(key, Absent())

    async def traces(self, keys: Sequence[RunKey]) -> Mapping[RunKey, Hashable]:
        """All that can be seen of runs; nothing in the dark."""
        if self.blind:
            return {}
        return {key: (self.runs.get(key), self.lost.get(key), len(self.output.get(key, b""))) for key in keys}

    async def stop(self, key: RunKey, cause: StopCause, *, grace: float) -> None:
        """End a run at once."""
        if self.is_live(key):
            self.end(key, _ENDING_OF.get(cause, Ending.STOPPED))

    async def release(self, key: RunKey) -> None:
        """Remember it."""
        self.released.add(key)

    async def discard(self, job_uid: str) -> None:
        """Forget a job's runs."""
        self.runs = {key: seen for key, seen in self.runs.items() if key.job_uid != job_uid}

    async def streams(self, key: RunKey) -> Sequence[Stream]:
        """The log, where there is one."""
        return [Stream("log", "algo-1")] if key in self.output else []

    async def read(self, key: RunKey, stream: Stream, offset: int, limit: int) -> Chunk:
        """The output that the test gave."""
        start, end = self.gaps.get(key, (0, 0))
        if start <= offset < end:
            return replace(await self.read(key, stream, end, limit), gap=end - offset)
        data = self.output[key][offset : min(offset + limit, start) if offset < start else offset + limit]
        over = not self.is_live(key) and len(data) < limit
        return Chunk(offset=offset, data=data, next_offset=offset + len(data), complete=over)

    async def marks(self, key: RunKey, stream: Stream) -> Sequence[Mark]:
        """What the test says; else everything was written when somebody first looked."""
        if key in self.marked:
            return list(self.marked[key])
        return [Mark(len(self.output[key]), self.first_looks.setdefault(key, self.clock.now()))]

    async def capacity(self) -> Resources:
        """All the room."""
        return self.room

    async def wakeups(self) -> AsyncIterator[str]:
        """No hint ever comes: the engine has to look by itself."""
        await asyncio.Event().wait()
        yield ""
