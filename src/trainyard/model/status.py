"""The API's words for how a job stands. The rules that move them are in ``lifecycle``."""

from __future__ import annotations

from enum import StrEnum


class TrainingJobStatus(StrEnum):
    """DescribeTrainingJob.TrainingJobStatus."""

    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    DELETING = "Deleting"

    @property
    def is_final(self) -> bool:
        """Whether training is over for good; final statuses never change."""
        return self in _FINAL


_FINAL = frozenset({TrainingJobStatus.COMPLETED, TrainingJobStatus.FAILED, TrainingJobStatus.STOPPED})


class SecondaryStatus(StrEnum):
    """DescribeTrainingJob.SecondaryStatus, the ones that the service still uses."""

    STARTING = "Starting"
    PENDING = "Pending"
    DOWNLOADING = "Downloading"
    TRAINING = "Training"
    INTERRUPTED = "Interrupted"
    RESTARTING = "Restarting"
    UPDATING = "Updating"
    UPLOADING = "Uploading"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    MAX_RUNTIME_EXCEEDED = "MaxRuntimeExceeded"
    MAX_WAIT_TIME_EXCEEDED = "MaxWaitTimeExceeded"
    COMPLETED = "Completed"
    FAILED = "Failed"


class Fault(StrEnum):
    """Whose failure it was: the word before the colon of a FailureReason."""

    ALGORITHM = "AlgorithmError"
    CLIENT = "ClientError"
    INTERNAL = "InternalServerError"
    CAPACITY = "CapacityError"
