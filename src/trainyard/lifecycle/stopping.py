"""StoppingCondition: how long a job may run, wait and pend. Defaults are applied on reading, never written."""

from __future__ import annotations

from trainyard.model.record import JobRecord
from trainyard.model.spec import TrainingJobSpec
from trainyard.model.status import SecondaryStatus

DEFAULT_RUNTIME = 86_400.0  # one day, the service's default
GRACE = 120.0  # seconds from SIGTERM to SIGKILL


def max_runtime(spec: TrainingJobSpec) -> float:
    """MaxRuntimeInSeconds, of all attempts together."""
    condition = spec.stopping_condition
    given = condition.max_runtime_in_seconds if condition else None
    return float(given) if given is not None else DEFAULT_RUNTIME


def wait_deadline(record: JobRecord) -> float | None:
    """When a managed-spot job has waited and run for MaxWaitTimeInSeconds, epoch seconds."""
    condition = record.spec.stopping_condition
    if not record.spec.enable_managed_spot_training or condition is None:
        return None
    longest = condition.max_wait_time_in_seconds
    return None if longest is None else record.created_at + longest


def pending_deadline(record: JobRecord) -> float | None:
    """When a job that never got its place gives up, epoch seconds."""
    condition = record.spec.stopping_condition
    longest = condition.max_pending_time_in_seconds if condition else None
    return None if longest is None else record.created_at + longest


def runtime_left(record: JobRecord) -> float:
    """Seconds that the next attempt may run."""
    return max(0.0, max_runtime(record.spec) - record.training_seconds)


def latest_end(record: JobRecord, now: float) -> float:
    """When a job that runs, or that is started now, has ended by its limits: epoch seconds, never before `now`.

    The limit counts from the program's start; what is staged before and uploaded after it has none.
    """
    end = (_program_began(record) or now) + runtime_left(record) + GRACE
    asked = record.stop.at + GRACE if record.stop is not None else end
    return max(now, min(end, asked))


def _program_began(record: JobRecord) -> float | None:
    since = record.attempt_started_at
    began = [entry.start for entry in record.transitions if entry.status == SecondaryStatus.TRAINING]
    return began[-1] if began and since is not None and began[-1] >= since else None
