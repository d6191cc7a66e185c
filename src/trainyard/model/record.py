"""What our engine remembers of a job: the one durable value that ``lifecycle.decide`` moves.

The spec is the user's and never changes but through UpdateTrainingJob; all else is ours. `attempt` rises before a
launch (intent before deed), so a crash in between repeats the same launch and nothing runs twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from trainyard.model.keys import JobKey, RunKey, RunKind
from trainyard.model.observation import StopCause, Unobserved
from trainyard.model.resources import Resources
from trainyard.model.spec import TrainingJobSpec
from trainyard.model.status import SecondaryStatus, TrainingJobStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One entry of SecondaryStatusTransitions; `end` is None while it lasts. Seconds since the epoch."""

    status: SecondaryStatus
    start: float
    end: float | None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One entry of FinalMetricDataList: the last value of a metric; `at` in whole seconds."""

    name: str
    value: float
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a job was decided to run, chosen once at create and kept.

    launcher : "process" | "container" | …; the runtime's own word.
    image    : what the image resolved to, for people ("built-in XGBoost 3.2.0", a digest).
    why      : what made it this launcher and no other, as a sentence without its full stop; empty where nothing did.
    program  : the runtime's private resolution, JSON-able; nobody else reads it.
    needs    : what it takes of the machine's capacity.
    notices  : what the user must know ("runs at the machine's size: 2 of 96 vCPU").
    """

    launcher: str
    image: str
    needs: Resources
    program: dict[str, object] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequest:
    """That somebody wants the job to end, and why."""

    cause: StopCause
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """The state of one job.

    version     : counts writes; the store's compare-and-swap checks it.
    placement   : decided by preflight at create.
    attempt     : 0 before the first placement; the attempt under way or last made after it.
    placed      : the current attempt holds its place on the machine (launch intended or running).
    seen        : the current attempt was observed at least once; from then on Absent means lost.
    retries     : RetryStrategy attempts used.
    unobserved  : that the newest look at the current attempt failed, since when and why; None when it did not.
    waiting     : why it waits, as a sentence; None when it does not.
    given_up    : metrics whose regex took too long on the job's log and is not looked for any more.
    training_seconds, billable_seconds: summed over finished attempts.
    released    : the last attempt's output was read to its end and the runtime was told to free its processes and
                  data. No further attempt is placed before that.
    """

    key: JobKey
    uid: str
    spec: TrainingJobSpec
    placement: Placement
    created_at: float
    modified_at: float
    status: TrainingJobStatus = TrainingJobStatus.IN_PROGRESS
    secondary: SecondaryStatus = SecondaryStatus.STARTING
    transitions: tuple[Transition, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    attempt: int = 0
    placed: bool = False
    seen: bool = False
    unobserved: Unobserved | None = None
    retries: int = 0
    waiting: str | None = None
    stop: StopRequest | None = None
    failure_reason: str | None = None
    exit_code: int | None = None
    training_started_at: float | None = None
    training_ended_at: float | None = None
    attempt_started_at: float | None = None
    training_seconds: float = 0.0
    billable_seconds: float = 0.0
    model_uri: str | None = None
    final_metrics: tuple[Metric, ...] | None = None
    given_up: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    released: bool = False
    version: int = 0

    @property
    def run(self) -> RunKey:
        """The key of the current attempt."""
        return RunKey(self.uid, RunKind.TRAIN, "train", self.attempt)

    @property
    def is_unfinished(self) -> bool:
        """Whether something is still to be done for the job: it is not final, or not released, or lacks its metrics."""
        return not (self.status.is_final and self.released and self.final_metrics is not None)

    @property
    def awaits_place(self) -> bool:
        """Whether the next attempt may be placed: someone wants it, and nothing is left of the last one."""
        wanted = not self.status.is_final and self.stop is None
        return wanted and not self.placed and (self.attempt == 0 or self.released)
