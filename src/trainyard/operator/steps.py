"""What one decision may answer: the next thing to do for a resource, or the end of the pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trainyard.model.spec import TrainingJobSpec
from trainyard.model.update import TrainingJobUpdate
from trainyard.resource.tagging import Tags


@dataclass(frozen=True, slots=True)
class Patch:
    """Write metadata or spec (a JSON merge patch), then decide again. `why`: a word for logs."""

    body: Mapping[str, Any]
    why: str


@dataclass(frozen=True, slots=True)
class Create:
    """Create the job, then decide again."""

    spec: TrainingJobSpec


@dataclass(frozen=True, slots=True)
class Update:
    """Have the service change the job, then decide again."""

    update: TrainingJobUpdate


@dataclass(frozen=True, slots=True)
class Retag:
    """Put tags on the job and take others off, then decide again."""

    name: str
    add: Tags = ()
    remove: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stop:
    """Ask the job to end, then decide again."""

    name: str


@dataclass(frozen=True, slots=True)
class Release:
    """Take the finalizer off, so that the deletion of the resource can go on; `why` for the log."""

    why: str


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete the resource: its time is over, or what it mirrored is gone."""

    why: str


@dataclass(frozen=True, slots=True)
class Tale:
    """One Kubernetes Event. `reason` is one CamelCase word."""

    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """The pass is over.

    status : the patch of the status; empty where it stands as it should.
    after  : look again in so many seconds, whatever happens.
    again  : it failed for a cause that may pass by itself: look again, each time after a longer pause.
    tale   : what to tell, once the status is written.
    """

    status: Mapping[str, Any] = field(default_factory=dict)
    after: float | None = None
    again: bool = False
    tale: Tale | None = None


Step = Patch | Create | Update | Retag | Stop | Release | Remove | Settle
