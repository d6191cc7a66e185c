"""The job's history: contiguous entries, each ending where the next begins, as the service reports them."""

from __future__ import annotations

from dataclasses import replace

from trainyard.model.record import JobRecord, Transition
from trainyard.model.status import SecondaryStatus, TrainingJobStatus

# The service's own texts (recorded from real jobs); the last three are ours where none was ever seen.
MESSAGES = {
    SecondaryStatus.STARTING: "Starting the training job",
    SecondaryStatus.PENDING: "Training job waiting for capacity",
    SecondaryStatus.DOWNLOADING: "Downloading input data",
    SecondaryStatus.TRAINING: "Training image download completed. Training in progress.",
    SecondaryStatus.UPLOADING: "Uploading generated training model",
    SecondaryStatus.STOPPING: "Stopping the training job",
    SecondaryStatus.STOPPED: "Training job stopped",
    SecondaryStatus.COMPLETED: "Training job completed",
    SecondaryStatus.FAILED: "Training job failed",
    SecondaryStatus.INTERRUPTED: "Training job interrupted",
    SecondaryStatus.MAX_RUNTIME_EXCEEDED: "Training job runtime exceeded MaxRuntimeInSeconds provided",
    SecondaryStatus.MAX_WAIT_TIME_EXCEEDED: "Training job wait time exceeded MaxWaitTimeInSeconds provided",
}
PULLING_IMAGE = "Downloading the training image"  # told under Downloading, after the data

_STATUS_OF = {
    SecondaryStatus.STOPPING: TrainingJobStatus.STOPPING,
    SecondaryStatus.STOPPED: TrainingJobStatus.STOPPED,
    SecondaryStatus.MAX_RUNTIME_EXCEEDED: TrainingJobStatus.STOPPED,
    SecondaryStatus.MAX_WAIT_TIME_EXCEEDED: TrainingJobStatus.STOPPED,
    SecondaryStatus.COMPLETED: TrainingJobStatus.COMPLETED,
    SecondaryStatus.FAILED: TrainingJobStatus.FAILED,
}


def beginning(at: float) -> tuple[Transition, ...]:
    """The history of a job that is accepted at `at`: it is Starting from then on."""
    status = SecondaryStatus.STARTING
    return (Transition(status=status, start=at, end=None, message=MESSAGES[status]),)


def enter(record: JobRecord, status: SecondaryStatus, at: float, message: str | None = None) -> JobRecord:
    """The record in its next secondary status from `at` on; times never run backwards.

    Entering the status that lasts already only replaces its message, as the service does. A final entry ends at once.
    """
    text = message or MESSAGES[status]
    if record.transitions and record.secondary == status:
        last = replace(record.transitions[-1], message=text)
        return replace(record, transitions=(*record.transitions[:-1], last))
    start = max(at, record.transitions[-1].start) if record.transitions else at
    history = _closed(record.transitions, start)
    job_status = status_after(record.status, status)
    end = start if job_status.is_final else None
    entry = Transition(status=status, start=start, end=end, message=text)
    return replace(
        record,
        status=job_status,
        secondary=status,
        transitions=(*history, entry),
        modified_at=max(start, record.modified_at),
    )


def status_after(before: TrainingJobStatus, status: SecondaryStatus) -> TrainingJobStatus:
    """The primary status that goes with a secondary one; Uploading keeps Stopping if the job is stopping."""
    if status == SecondaryStatus.UPLOADING and before == TrainingJobStatus.STOPPING:
        return before
    return _STATUS_OF.get(status, TrainingJobStatus.IN_PROGRESS)


def _closed(history: tuple[Transition, ...], at: float) -> tuple[Transition, ...]:
    if not history or history[-1].end is not None:
        return history
    return (*history[:-1], replace(history[-1], end=at))
