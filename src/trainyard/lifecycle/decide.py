"""The heart: given what is remembered and what is seen, what is true now and what is to be done.

`decide` is pure, total and idempotent. It is level-triggered: an observation holds all that was reached, so it does not
matter how many observations were missed. The caller writes the record with compare-and-swap first, then acts; every
action may be repeated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import assert_never

from trainyard.lifecycle import failure, retry, stopping
from trainyard.lifecycle.transitions import PULLING_IMAGE, enter
from trainyard.model.ledger import JobEvent
from trainyard.model.observation import (
    Absent,
    Ending,
    Lost,
    Milestone,
    Observation,
    Outcome,
    Seen,
    StopCause,
    Unknown,
    Unobserved,
)
from trainyard.model.record import JobRecord, StopRequest
from trainyard.model.status import SecondaryStatus, TrainingJobStatus


@dataclass(frozen=True, slots=True)
class Nothing:
    """Nothing to do; look again at `at` (epoch seconds) at the latest, where a deadline is known."""

    at: float | None = None


@dataclass(frozen=True, slots=True)
class Launch:
    """Launch the current attempt."""

    runtime_left: float


@dataclass(frozen=True, slots=True)
class Stop:
    """Ask the current attempt to end."""

    cause: StopCause
    grace: float = stopping.GRACE


@dataclass(frozen=True, slots=True)
class Release:
    """Read the last attempt's output to its end, then free its processes and data."""


Action = Nothing | Launch | Stop | Release


@dataclass(frozen=True, slots=True)
class Decision:
    """The record as it is now, what to do once it is durable, and what to tell."""

    record: JobRecord
    action: Action
    events: tuple[JobEvent, ...] = ()


def decide(record: JobRecord, seen: Observation, now: float) -> Decision:
    """Move the record by positive evidence alone, and say what is to be done."""
    if record.status.is_final:
        return Decision(record, Nothing() if record.released else Release())
    if not record.placed:
        return _unplaced(record, now)
    if isinstance(seen, Unknown):
        return _unobserved(record, seen.reason, now)
    if record.unobserved is not None:
        return _observed_again(record, record.unobserved, seen, now)
    match seen:
        case Absent():
            return _absent(record, now)
        case Lost():
            return _lost(record, seen, now)
        case Seen():
            return _seen(record, seen, now)
        case _:
            assert_never(seen)


def only_waits(record: JobRecord, now: float) -> bool:
    """Whether nothing is to be done for a job but to find its first place: nobody has to look at it before."""
    if record.attempt > 0 or record.stop is not None or record.status.is_final:
        return False
    ends = stopping.wait_deadline(record), stopping.pending_deadline(record)
    return all(end is None or now < end for end in ends)


def place(record: JobRecord, now: float) -> JobRecord:
    """The intent to launch the next attempt, to be made durable before the launch."""
    return replace(
        record,
        attempt=record.attempt + 1,
        placed=True,
        seen=False,
        released=False,
        waiting=None,
        attempt_started_at=None,
        modified_at=max(now, record.modified_at),
    )


def wait(record: JobRecord, reason: str, now: float) -> JobRecord:
    """The record while it has no place: Pending, with the reason."""
    if record.waiting == reason:
        return record
    waiting = replace(record, waiting=reason, modified_at=max(now, record.modified_at))
    return enter(waiting, SecondaryStatus.PENDING, now)


def hinder(record: JobRecord, reason: str, now: float) -> JobRecord:
    """The record while the world prevents its launch: it keeps its place and its status, and tells the reason."""
    if record.waiting == reason:
        return record
    return replace(record, waiting=reason, modified_at=max(now, record.modified_at))


def request_stop(record: JobRecord, cause: StopCause, now: float) -> JobRecord:
    """The record once somebody wants it to end. The first cause stands; a final record is left alone."""
    if record.status.is_final or record.stop is not None:
        return record
    asked = replace(record, stop=StopRequest(cause=cause, at=now))
    return enter(asked, SecondaryStatus.STOPPING, now)


def _unplaced(record: JobRecord, now: float) -> Decision:
    if record.stop is not None:
        return _ended(record, _stopped_as(record.stop.cause), now)
    waited = stopping.wait_deadline(record)
    if waited is not None and now >= waited:
        stopped = request_stop(record, StopCause.MAX_WAIT, waited)
        return _ended(stopped, SecondaryStatus.MAX_WAIT_TIME_EXCEEDED, waited)
    pended = stopping.pending_deadline(record) if record.attempt == 0 else None
    if pended is not None and now >= pended:
        event = JobEvent(at=now, reason="PendingTooLong", warning=True, message=_pending_text(record))
        stopped = request_stop(replace(record, notices=(*record.notices, event.message)), StopCause.REQUESTED, pended)
        return _ended(stopped, SecondaryStatus.STOPPED, pended, (event,))
    if record.attempt > 0 and not record.released:
        return Decision(record, Release())
    return Decision(record, Nothing(min((at for at in (waited, pended) if at is not None), default=None)))


def _pending_text(record: JobRecord) -> str:
    return f"The job got no place within MaxPendingTimeInSeconds: {record.waiting or 'it never came to its turn'}."


def _unobserved(record: JobRecord, reason: str, now: float) -> Decision:
    """Left alone, and told so: from the first look that failed on, what is shown has an age and a reason."""
    if record.unobserved is not None:
        return Decision(record, Nothing())
    event = JobEvent(at=now, reason="NotObserved", message=f"The run cannot be observed: {reason}.", warning=True)
    return Decision(replace(record, unobserved=Unobserved(since=now, reason=reason)), Nothing(), (event,))


def _observed_again(record: JobRecord, unobserved: Unobserved, seen: Observation, now: float) -> Decision:
    decision = decide(replace(record, unobserved=None), seen, now)
    message = f"The run is observed again, after {max(0.0, now - unobserved.since):.0f} s."
    return replace(decision, events=(JobEvent(at=now, reason="ObservedAgain", message=message), *decision.events))


def _absent(record: JobRecord, now: float) -> Decision:
    if record.seen:
        return _lost(record, Lost("the run is gone without a trace", now), now)
    if record.stop is not None:
        return _ended(record, _stopped_as(record.stop.cause), now)
    return Decision(record, Launch(stopping.runtime_left(record)))


def _lost(record: JobRecord, lost: Lost, now: float) -> Decision:
    spent = _account(record, lost.at)
    event = JobEvent(at=now, reason="Lost", message=f"Attempt {record.attempt} was lost: {lost.reason}.", warning=True)
    if record.stop is not None:
        return _ended(spent, _stopped_as(record.stop.cause), lost.at, (event,))
    if retry.is_interruption(record, lost):
        return _again(enter(spent, SecondaryStatus.INTERRUPTED, lost.at), lost.at, event)
    if retry.retries_left(record):
        return _again(replace(spent, retries=record.retries + 1), lost.at, event)
    failed = replace(spent, failure_reason=failure.lost_reason(lost.reason))
    return _ended(failed, SecondaryStatus.FAILED, lost.at, (event,))


def _again(record: JobRecord, at: float, event: JobEvent) -> Decision:
    """Back to the queue for the next attempt, which gets no place before this one is released."""
    waiting = enter(replace(record, placed=False, seen=False, waiting=None), SecondaryStatus.STARTING, at)
    return Decision(waiting, Release(), (event,))


def _seen(record: JobRecord, seen: Seen, now: float) -> Decision:
    moved = replace(record, seen=True, waiting=None, notices=_merged(record.notices, seen.notices))
    for reached in seen.milestones:
        moved = _reach(moved, reached.milestone, reached.at)
    if seen.outcome is not None:
        return _finish(moved, seen.outcome, now)
    waited = stopping.wait_deadline(moved)
    if moved.stop is None and waited is not None and now >= waited:
        moved = request_stop(moved, StopCause.MAX_WAIT, now)
    if moved.stop is not None:
        return Decision(moved, Stop(moved.stop.cause))
    return Decision(moved, Nothing(waited))


def _reach(record: JobRecord, milestone: Milestone, at: float) -> JobRecord:
    """Fold one milestone in, if it is news. Milestones are ordered, so the newest transition tells what was folded."""
    started = record.attempt_started_at
    if started is None:
        if milestone not in (Milestone.PREPARING, Milestone.STAGING):
            return record
        first = record.training_started_at if record.training_started_at is not None else at
        begun = replace(record, attempt_started_at=at, training_started_at=first)
        if record.stop is not None:
            return begun
        prepared = enter(begun, record.secondary, at, "Preparing the instances for training")
        return enter(prepared, SecondaryStatus.DOWNLOADING, at)
    if milestone == Milestone.PULLING:
        downloads = record.secondary == SecondaryStatus.DOWNLOADING
        return enter(record, SecondaryStatus.DOWNLOADING, at, PULLING_IMAGE) if downloads else record
    wanted = _SECONDARY_OF.get(milestone)
    if wanted is None or _passed(record, wanted, started):
        return record
    if record.status == TrainingJobStatus.STOPPING and wanted != SecondaryStatus.UPLOADING:
        return record  # asked to stop before the attempt began, it may not go back from Uploading to Stopping
    return enter(record, wanted, at)


_SECONDARY_OF = {
    Milestone.TRAINING: SecondaryStatus.TRAINING,
    Milestone.STOPPING: SecondaryStatus.STOPPING,
    Milestone.UPLOADING: SecondaryStatus.UPLOADING,
}


def _passed(record: JobRecord, status: SecondaryStatus, since: float) -> bool:
    return any(entry.status == status and entry.start >= since for entry in record.transitions)


def _finish(record: JobRecord, outcome: Outcome, now: float) -> Decision:
    spent = replace(_account(record, outcome.at), exit_code=outcome.exit_code, model_uri=outcome.model_uri)
    match outcome.ending:
        case Ending.COMPLETED:
            if record.stop is not None:
                return _ended(spent, _stopped_as(record.stop.cause), outcome.at)
            return _ended(spent, SecondaryStatus.COMPLETED, outcome.at)
        case Ending.STOPPED:
            cause = record.stop.cause if record.stop else StopCause.REQUESTED
            return _ended(spent, _stopped_as(cause), outcome.at)
        case Ending.MAX_RUNTIME:
            return _ended(spent, SecondaryStatus.MAX_RUNTIME_EXCEEDED, outcome.at)
        case Ending.MAX_WAIT:
            return _ended(spent, SecondaryStatus.MAX_WAIT_TIME_EXCEEDED, outcome.at)
        case Ending.INTERRUPTED:
            if record.stop is not None:  # somebody wanted the end: no other attempt, and no way back from Stopping
                return _ended(spent, _stopped_as(record.stop.cause), outcome.at)
            event = JobEvent(at=now, reason="Interrupted", message=f"Attempt {record.attempt} was interrupted.")
            return _again(enter(spent, SecondaryStatus.INTERRUPTED, outcome.at), outcome.at, event)
        case Ending.FAILED:
            return _failed(spent, outcome)
        case _:
            assert_never(outcome.ending)


def _failed(record: JobRecord, outcome: Outcome) -> Decision:
    if record.stop is not None:
        return _ended(record, _stopped_as(record.stop.cause), outcome.at)
    failed = replace(record, failure_reason=failure.failure_reason(outcome))
    return _ended(failed, SecondaryStatus.FAILED, outcome.at)


def _stopped_as(cause: StopCause) -> SecondaryStatus:
    return SecondaryStatus.MAX_WAIT_TIME_EXCEEDED if cause == StopCause.MAX_WAIT else SecondaryStatus.STOPPED


def _ended(record: JobRecord, status: SecondaryStatus, at: float, events: tuple[JobEvent, ...] = ()) -> Decision:
    final = enter(record, status, at)
    ended_at = final.transitions[-1].start
    closed = replace(final, training_ended_at=ended_at, placed=False, waiting=None)
    told = JobEvent(
        at=ended_at,
        reason=str(closed.secondary),
        warning=closed.status == TrainingJobStatus.FAILED,
        message=closed.failure_reason or closed.transitions[-1].message,
    )
    return Decision(closed, Nothing() if closed.released else Release(), (*events, told))


def _account(record: JobRecord, end: float) -> JobRecord:
    """Add the attempt's time to the job's; managed spot bills only what ran."""
    began = record.attempt_started_at
    spent = 0.0 if began is None else max(0.0, end - began)
    return replace(
        record,
        training_seconds=record.training_seconds + spent,
        billable_seconds=record.billable_seconds + spent,
        attempt_started_at=None,
    )


def _merged(notices: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    return (*notices, *(notice for notice in more if notice not in notices))
