"""A job that nobody edited is as it was asked for, whatever was asked for and whatever was left out."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests.conformance.whole_requests import whole_requests
from tests.fakes.records import a_record

from trainyard.lifecycle.admission import admit
from trainyard.lifecycle.comparing import differences
from trainyard.lifecycle.describing import description_of

Path = tuple[str | int, ...]
REQUESTS = {request["TrainingJobName"]: request for request in whole_requests()}


def without_each(request: dict[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The request, and the request without each of its members in turn."""
    yield (), request
    for path in _paths(request, ()):
        smaller = copy.deepcopy(request)
        holder: Any = smaller
        for step in path[:-1]:
            holder = holder[step]
        del holder[path[-1]]
        yield path, smaller


def _paths(value: Any, path: Path) -> Iterator[Path]:
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, member in steps:
        yield (*path, step)
        yield from _paths(member, (*path, step))


@pytest.mark.parametrize("name", REQUESTS)
def test_a_job_is_as_it_was_asked_for(name: str) -> None:
    compared = 0
    for left_out, request in without_each(REQUESTS[name]):
        spec = admit(request).spec
        if spec is None or not spec.training_job_name:
            continue
        found = differences(request, description_of(replace(a_record("job"), spec=spec)).to_wire())
        assert found == (), left_out
        compared += 1
    assert compared > 4


def test_what_is_said_outright_is_compared() -> None:
    request = copy.deepcopy(REQUESTS["everyday"])
    spec = admit(request).spec
    assert spec is not None
    told = description_of(replace(a_record("job"), spec=spec)).to_wire()
    request["AlgorithmSpecification"]["EnableSageMakerMetricsTimeSeries"] = False
    assert [one.member for one in differences(request, told)] == [
        "AlgorithmSpecification.EnableSageMakerMetricsTimeSeries"
    ]
