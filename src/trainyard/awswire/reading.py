"""A request's members as one of our structures, every problem told at once in the service's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from trainyard.awswire.calls import Refusal
from trainyard.lifecycle.admission.findings import Findings
from trainyard.lifecycle.admission.members import Inspection
from trainyard.model.errors import InvalidJob
from trainyard.model.shapes import Structure

S = TypeVar("S", bound=Structure)
_LATEST = 1e12  # seconds since the epoch, beyond any calendar: what is later is as late


def read(structure: type[S], wire: Mapping[str, Any]) -> S:
    """The request. Raises InvalidJob with every problem."""
    found = Findings()
    try:
        Inspection(found, local=False).structure(wire, structure, ())
    except RecursionError:
        raise Refusal("SerializationException", "The request is nested too deep.") from None
    if found.is_refusal:
        raise InvalidJob(found.problems())
    return structure.from_wire(wire)


def moment(seconds: float | None) -> float | None:
    """A time that any store can compare."""
    return None if seconds is None else float(min(max(seconds, -_LATEST), _LATEST))
