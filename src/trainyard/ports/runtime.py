"""How a run runs: launch, observe, stop, release, read. Launch and stop are harmless when repeated."""

from __future__ import annotations

from collections.abc import AsyncIterator, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from trainyard.model.keys import JobKey, RunKey
from trainyard.model.ledger import Chunk, Mark
from trainyard.model.observation import Observation, StopCause
from trainyard.model.problems import Problem
from trainyard.model.record import Placement
from trainyard.model.resources import Resources
from trainyard.model.spec import TrainingJobSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrder:
    """All that a runtime needs to launch one attempt.

    runtime_left: seconds that the program may still run (MaxRuntimeInSeconds less what earlier attempts used).
    """

    key: RunKey
    job: JobKey
    spec: TrainingJobSpec
    placement: Placement
    runtime_left: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What a runtime makes of a spec before anything runs: a placement, or the problems that refuse it.

    `fields` lists (path, honoured | refused | notice, remark) for every field given, from the support matrix.
    """

    placement: Placement | None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Stream:
    """Something that a run writes. kind: "log" | "usage" | "metrics"; `name` as CloudWatch names a log stream."""

    kind: str
    name: str


class Runtime(Protocol):
    """One way to run. It answers with our Observation; its own states never leave it."""

    async def resolve(self, spec: TrainingJobSpec) -> Resolution:
        """Decide launcher, program and needs of a spec; refuse with problems what cannot run here."""
        ...

    async def launch(self, order: RunOrder) -> None:
        """Start the run, or do nothing if that key was launched before. Durable before it returns.

        Raises Transient where the world (not the job) prevents it now.
        """
        ...

    async def observe(self, key: RunKey) -> Observation:
        """All that the run has reached, with times. Never raises for a broken run: that is an observation."""
        ...

    async def traces(self, keys: Sequence[RunKey]) -> Mapping[RunKey, Hashable]:
        """For every run a value that is another one once `observe` or its streams would tell anything new.

        All of them in one look that costs little. A run whose news cannot be foretold like this is left out.
        """
        ...

    async def stop(self, key: RunKey, cause: StopCause, *, grace: float) -> None:
        """Ask the run to end: SIGTERM, SIGKILL after `grace` seconds, then upload. Harmless when repeated."""
        ...

    async def release(self, key: RunKey) -> None:
        """Leave no process and no input data of a finished run; logs stay readable. Harmless when repeated."""
        ...

    async def discard(self, job_uid: str) -> None:
        """Forget everything of a job, logs included."""
        ...

    async def streams(self, key: RunKey) -> Sequence[Stream]:
        """What the run has written so far."""
        ...

    async def read(self, key: RunKey, stream: Stream, offset: int, limit: int) -> Chunk:
        """Up to `limit` bytes of a stream from `offset`; fewer only where the stream ends at present."""
        ...

    async def marks(self, key: RunKey, stream: Stream) -> Sequence[Mark]:
        """When the stream had which length, oldest first; the first of them never goes."""
        ...

    async def capacity(self) -> Resources:
        """All that this place has, whether taken or free."""
        ...

    def wakeups(self) -> AsyncIterator[str]:
        """Job uids whose runs may have moved. A hint, never a promise: the engine also looks by itself."""
        ...
