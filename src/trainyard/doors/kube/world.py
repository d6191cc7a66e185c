"""What the door stands on: a store, the kinds, time and names, and the hooks that may object."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from trainyard.doors.kube.errors import Cause
from trainyard.doors.kube.kinds import Kind
from trainyard.doors.kube.registry import Registry
from trainyard.ports.resources import Body, ResourceStore


class Operation(StrEnum):
    """What is about to be done to an object."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a hook says: warnings reach the client as `Warning` headers; causes refuse the request."""

    warnings: tuple[str, ...] = ()
    causes: tuple[Cause, ...] = ()


Hook = Callable[[Operation, Kind, Body, Body | None], Awaitable[Verdict]]
"""Asked before every write that would change an object, dry runs included: (operation, kind, object, object before)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything that a request needs.

    now   : seconds since the epoch.
    uid   : a new unique id for each call.
    suffix: five new random characters for each call, for generateName.
    """

    store: ResourceStore
    registry: Registry
    now: Callable[[], float]
    uid: Callable[[], str]
    suffix: Callable[[], str]
    hooks: Sequence[Hook] = field(default_factory=tuple)
