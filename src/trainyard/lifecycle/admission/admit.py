"""One request, judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trainyard.lifecycle.admission import words
from trainyard.lifecycle.admission.findings import Findings
from trainyard.lifecycle.admission.members import URI_PATTERN, Inspection
from trainyard.lifecycle.admission.rules import broken_rules
from trainyard.lifecycle.admission.words import Path
from trainyard.model.problems import Problem
from trainyard.model.spec import TrainingJobSpec


@dataclass(frozen=True, slots=True)
class Admission:
    """The verdict: the spec where no error refuses it, and every error and notice, members first, then rules.

    Of more than a hundred errors the first hundred are told, and how many more there are.
    """

    spec: TrainingJobSpec | None
    problems: tuple[Problem, ...]


def objections(spec: TrainingJobSpec, *, place: str = "yard") -> tuple[Problem, ...]:
    """Every error and notice of a request as it reaches a service, as `admit` tells them.

    By then whoever read a manifest has made its paths URIs: a bare path means nothing to a service, on any place.
    """
    found = _findings(spec.wire, local=place != "sagemaker")
    if place != "sagemaker":
        found.take(_bare_paths(spec.wire))
    return found.problems()


def admit(wire: Mapping[str, Any], *, place: str = "yard", nameless: bool = False) -> Admission:
    """Judge a request in the API's spelling; never raises, whatever the mapping holds.

    place    : "yard" admits `file://` URIs and paths for a channel's data and for outputs; "sagemaker" does not.
    nameless : a request without TrainingJobName is taken; its spec has the name "" until the caller gives it one.
    """
    unnamed = nameless and not wire.get("TrainingJobName")
    found = _findings({**wire, "TrainingJobName": "nameless"} if unnamed else wire, local=place != "sagemaker")
    if found.is_refusal:
        return Admission(None, found.problems())
    return Admission(TrainingJobSpec.from_wire({**wire, "TrainingJobName": ""} if unnamed else wire), found.problems())


def _bare_paths(wire: Mapping[str, Any]) -> Iterator[Problem]:
    places: list[tuple[Path, Mapping[str, Any], str]] = [
        (
            ("InputDataConfig", index, "DataSource", "S3DataSource"),
            channel["DataSource"].get("S3DataSource") or {},
            "S3Uri",
        )
        for index, channel in enumerate(wire.get("InputDataConfig") or ())
    ]
    places.append((("OutputDataConfig",), wire.get("OutputDataConfig") or {}, "S3OutputPath"))
    for path, structure, member in places:
        if "://" not in structure.get(member, "://"):
            message = words.constraint_failure((*path, member), structure[member], words.pattern(URI_PATTERN))
            yield Problem(path=(*path, member), message=message, code="pattern", suggestion="s3://… or file:///…")


def _findings(wire: Mapping[str, Any], *, local: bool) -> Findings:
    found = Findings()
    Inspection(found, local=local).structure(wire, TrainingJobSpec, ())
    found.take(broken_rules(wire, local=local))
    return found
