"""The API's answers as our values. Members that a newer API has and our model does not know are left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from trainyard.model.description import TrainingJobDescription
from trainyard.model.errors import TrainyardError
from trainyard.model.job import Job, JobSummary
from trainyard.model.ledger import JobEvent
from trainyard.model.members import Shape, members_of
from trainyard.model.status import SecondaryStatus, TrainingJobStatus

_WAITS = frozenset({"Pending"})
_NO_CAPACITY = "Insufficient capacity"  # how the message of a job that still starts begins
_RESTARTS = frozenset({"Interrupted", "Restarting"})


def job_of(answer: Mapping[str, Any], tags: tuple[tuple[str, str], ...]) -> Job:
    """A DescribeTrainingJob answer, or Search's TrainingJob, as a job. Raises TrainyardError for what is neither."""
    told = description_of(answer)
    algorithm = told.algorithm_specification
    image = (algorithm.training_image or algorithm.algorithm_name or "") if algorithm else ""
    history = told.secondary_status_transitions or ()
    return Job(
        description=told,
        uid=f"{told.training_job_arn}@{told.creation_time:.3f}",
        tags=tags,
        attempt=1 + sum(one.status in _RESTARTS for one in history),
        waiting=_waiting(told),
        launcher="sagemaker",
        image=image,
    )


def description_of(answer: Mapping[str, Any]) -> TrainingJobDescription:
    """The part of an answer that our model knows. Raises TrainyardError."""
    known = _known(answer, Shape("structure", structure=TrainingJobDescription))
    try:
        return TrainingJobDescription.from_wire(known)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise TrainyardError(f"SageMaker's description of the job cannot be read: {first['msg']} at {place}") from error


def summary_of(line: Mapping[str, Any]) -> JobSummary:
    """One line of ListTrainingJobs; an older service leaves the secondary status out."""
    status = TrainingJobStatus(line["TrainingJobStatus"])
    return JobSummary(
        name=line["TrainingJobName"],
        arn=line["TrainingJobArn"],
        status=status,
        secondary=_secondary(line.get("SecondaryStatus"), status),
        created_at=epoch(line["CreationTime"]),
        modified_at=epoch(line.get("LastModifiedTime", line["CreationTime"])),
        ended_at=epoch(line["TrainingEndTime"]) if "TrainingEndTime" in line else None,
    )


def events_of(job: Job) -> tuple[JobEvent, ...]:
    """What happened to a job, as its history tells it."""
    history = job.description.secondary_status_transitions or ()
    return tuple(
        JobEvent(
            at=one.start_time,
            reason=one.status,
            message=_reason(one.status, one.status_message or "", job.description.failure_reason),
            warning=one.status in ("Failed", "MaxRuntimeExceeded", "MaxWaitTimeExceeded", "Interrupted"),
        )
        for one in history
    )


def tags_in(tags: Iterable[Mapping[str, str]]) -> tuple[tuple[str, str], ...]:
    """The API's tags as pairs."""
    return tuple((tag["Key"], tag["Value"]) for tag in tags)


def epoch(value: Any) -> float:
    """Seconds since the epoch, to the millisecond; botocore gives datetimes."""
    return round(value.timestamp() if isinstance(value, datetime) else float(value), 3)


def _known(value: Any, shape: Shape) -> Any:
    if isinstance(value, datetime):
        return epoch(value)
    if shape.item is not None and isinstance(value, list):
        return [_known(item, shape.item) for item in value]
    if shape.structure is None or not isinstance(value, Mapping):
        return value
    members = members_of(shape.structure)
    return {name: _known(member, members[name].shape) for name, member in value.items() if name in members}


def _waiting(told: TrainingJobDescription) -> str | None:
    last = (told.secondary_status_transitions or (None,))[-1]
    message = (last.status_message or "") if last else ""
    return message if told.secondary_status in _WAITS or message.startswith(_NO_CAPACITY) else None


def _secondary(told: str | None, status: TrainingJobStatus) -> SecondaryStatus:
    """A retired or newer word is told as the plain status's own: a list must not break over one line."""
    try:
        return SecondaryStatus(told or status)
    except ValueError:
        return SecondaryStatus.STARTING if status is TrainingJobStatus.IN_PROGRESS else SecondaryStatus.STOPPING


def _reason(status: str, message: str, failure: str | None) -> str:
    return f"{message}: {failure}" if status == "Failed" and failure else message
