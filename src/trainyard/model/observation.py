"""What a runtime says of one run. Exit codes, pod phases and container states never pass this border.

An observation is level, not edge: it holds everything reached so far with its time, so that a control plane that was
dead for an hour reconstructs the very same transitions.

    Observation = Seen | Absent | Lost | Unknown
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from trainyard.model.status import Fault


class Milestone(StrEnum):
    """The points that a run passes, in this order; STAGING, PULLING and UPLOADING may be left out."""

    PREPARING = "preparing"  # the run's supervisor has it in hand
    STAGING = "staging"  # input channels are being downloaded
    PULLING = "pulling"  # the training image is being downloaded
    TRAINING = "training"  # the user's program has been started
    STOPPING = "stopping"  # the user's program was told to end (SIGTERM sent)
    UPLOADING = "uploading"  # model and output are being uploaded


@dataclass(frozen=True, slots=True)
class Reached:
    """A milestone and when it was reached, seconds since the epoch."""

    milestone: Milestone
    at: float


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a transfer is. `total` is None until it is known; bytes."""

    what: str
    done: int
    total: int | None
    rate: float
    at: float


class Ending(StrEnum):
    """How a run ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"  # because it was asked to
    MAX_RUNTIME = "max-runtime"
    MAX_WAIT = "max-wait"
    INTERRUPTED = "interrupted"  # its place was taken: managed spot


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of a run.

    at        : seconds since the epoch.
    detail    : for FAILED: the failure file's text or our own sentence; becomes FailureReason.
    exit_code : of the user's program, where it ran: 0-255, signals as 128+n.
    model_uri : where the model was written; None where nothing was uploaded.
    """

    ending: Ending
    at: float
    fault: Fault | None = None
    detail: str = ""
    exit_code: int | None = None
    model_uri: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The run exists. `outcome` is None while it is under way."""

    milestones: tuple[Reached, ...]
    outcome: Outcome | None = None
    progress: Progress | None = None
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Absent:
    """The runtime has positively no such run: it was never launched here, or was released."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The run existed and is gone without an end: reboot, its shim killed. `reason` is a sentence."""

    reason: str
    at: float
    interrupted: bool = False  # the machine itself went (a new boot): for managed spot, an interruption


@dataclass(frozen=True, slots=True)
class Unknown:
    """The runtime cannot tell now. Never a reason to touch the job."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unobserved:
    """That a run cannot be observed: what is told of it is how it stood before `since`.

    since  : when a look first failed, seconds since the epoch; none has succeeded after it.
    reason : why that first look failed, as a sentence without its full stop.
    """

    since: float
    reason: str


Observation = Seen | Absent | Lost | Unknown


class StopCause(StrEnum):
    """Why a run is told to stop; it decides how the ending is named."""

    REQUESTED = "requested"  # StopTrainingJob
    MAX_WAIT = "max-wait"
    INTERRUPTED = "interrupted"  # a managed-spot place is taken back
    DELETED = "deleted"
