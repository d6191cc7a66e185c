"""One request, judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trainyard.lifecycle.admission.members import check_structure
from trainyard.lifecycle.admission.rules import broken_rules
from trainyard.model.problems import Problem, Severity
from trainyard.model.spec import TrainingJobSpec


@dataclass(frozen=True, slots=True)
class Admission:
    """The verdict: the spec where no error refuses it, and every error and notice, members first, then rules."""

    spec: TrainingJobSpec | None
    problems: tuple[Problem, ...]


def objections(spec: TrainingJobSpec, *, place: str = "yard") -> tuple[Problem, ...]:
    """Every error and notice of a request that was built without being judged, as `admit` tells them."""
    wire, local = spec.to_wire(), place != "sagemaker"
    return (*check_structure(wire, TrainingJobSpec, (), local=local), *broken_rules(wire, local=local))


def admit(wire: Mapping[str, Any], *, place: str = "yard", nameless: bool = False) -> Admission:
    """Judge a request in the API's spelling; never raises, whatever the mapping holds.

    place    : "yard" admits `file://` URIs and paths for a channel's data and for outputs; "sagemaker" does not.
    nameless : a request without TrainingJobName is taken; its spec has the name "" until the caller gives it one.
    """
    local = place != "sagemaker"
    given = {"TrainingJobName": "", **wire} if nameless else wire
    unnamed = nameless and not given.get("TrainingJobName")
    problems = [
        problem
        for problem in check_structure(given, TrainingJobSpec, (), local=local)
        if not (unnamed and problem.path == ("TrainingJobName",))
    ]
    problems += broken_rules(wire, local=local)
    if any(problem.severity is Severity.ERROR for problem in problems):
        return Admission(None, tuple(problems))
    named = {**given, "TrainingJobName": ""} if unnamed else given
    return Admission(TrainingJobSpec.from_wire(named), tuple(problems))
