"""One stored Event, two APIs: core/v1 as it is stored, events.k8s.io/v1 by renaming. Each inverse to the other."""

from __future__ import annotations

from trainyard.ports.resources import Body

_TO_NEW = {
    "involvedObject": "regarding",
    "message": "note",
    "reportingComponent": "reportingController",
    "count": "deprecatedCount",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "source": "deprecatedSource",
}
_TO_CORE = {new: core for core, new in _TO_NEW.items()}


def to_new(core: Body) -> Body:
    """The stored Event as events.k8s.io/v1."""
    return _renamed(core, _TO_NEW)


def to_core(new: Body) -> Body:
    """An events.k8s.io/v1 Event as it is stored; core/v1 requires `involvedObject`."""
    return {"involvedObject": {}, **_renamed(new, _TO_CORE), "apiVersion": "v1"}


def _renamed(body: Body, names: dict[str, str]) -> Body:
    return {names.get(name, name): value for name, value in body.items()}
