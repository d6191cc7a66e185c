"""Every constraint of botocore's CreateTrainingJob, one by one: just inside is taken, just outside is told in words.

The facts are botocore's, not ours: a path, a bound, a pattern or a value that the service's model gains fails here.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.conformance.botocore_requests import (
    ABSENT,
    PATTERNS,
    PLACES,
    REQUEST,
    ROOT,
    Path,
    Place,
    request_with,
    sample,
    shortest,
    text,
)

from trainyard.lifecycle.admission import admit
from trainyard.model.casing import ack_name, to_ack, to_api
from trainyard.model.problems import Problem
from trainyard.model.spec import TrainingJobSpec
from trainyard.resource.manifest import read_manifests, write_manifest

SHOWN_PATTERN = {r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}": r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"}
WRONG = {
    "string": (5, "a string"), "integer": ("many", "a whole number"), "long": (1.5, "a whole number"),
    "boolean": ("true", "true or false"), "list": ({}, "a list"), "map": ([], "a map of strings"),
    "structure": ("x", "a structure with members"),
}  # fmt: skip


def of_kind(*kinds: str, having: str | None = None) -> Any:
    found = [one for one in PLACES if one.shape.type_name in kinds and (having is None or having in one.shape.metadata)]
    return pytest.mark.parametrize("place", found, ids=str)


def told(place: Place, value: Any) -> list[str]:
    """What admission says of this value at this place, without the parts that only cross-field rules know."""
    admission = admit(request_with(place.path, value), place="sagemaker")
    start = f" at '{wire_path(place.path)}' failed to satisfy constraint: "
    messages = [problem.message for problem in admission.problems if problem.path[: len(place.path)] == place.path]
    return [message.partition(start)[2] for message in messages if start in message]


def wire_path(path: Path) -> str:
    return ".".join(f"{step + 1}.member" if isinstance(step, int) else step[0].lower() + step[1:] for step in path)


def longest_told(limit: int) -> str:
    return f"Member must have length less than or equal to {limit}"


def shortest_told(limit: int) -> str:
    return f"Member must have length greater than or equal to {limit}"


def test_every_pattern_of_the_model_is_known_here() -> None:
    shapes = [part for place in PLACES for part in (place.shape, *_map_parts(place.shape))]
    assert {shape.metadata["pattern"] for shape in shapes if "pattern" in shape.metadata} == set(PATTERNS)


def _map_parts(shape: Any) -> tuple[Any, ...]:
    return (shape.key, shape.value) if shape.type_name == "map" else ()


@of_kind("string", having="max")
def test_a_text_of_the_greatest_length(place: Place) -> None:
    limit = place.shape.metadata["max"]
    assert told(place, text(place.shape, limit)) == []
    assert longest_told(limit) in told(place, text(place.shape, limit + 1))


@of_kind("string")
def test_a_text_of_the_least_length(place: Place) -> None:
    if place.shape.enum:
        return
    least = place.shape.metadata.get("min", 0)
    assert told(place, shortest(place.shape)) == []
    if least:
        assert shortest_told(least) in told(place, text(place.shape, least - 1))


@of_kind("string", having="pattern")
def test_a_text_outside_its_pattern(place: Place) -> None:
    pattern = place.shape.metadata["pattern"]
    bad = PATTERNS[pattern][3]
    assert bad is not None
    expected = f"Member must satisfy regular expression pattern: {SHOWN_PATTERN.get(pattern, pattern)}"
    assert told(place, bad) == [expected]


@of_kind("string")
def test_a_value_of_an_enum_and_one_that_is_none(place: Place) -> None:
    values = place.shape.enum
    assert [value for value in values if told(place, value) != []] == []
    if values:
        for bad in ("nonsense", values[0].upper() + "x", ""):
            assert told(place, bad) == [f"Member must satisfy enum value set: [{', '.join(values)}]"]


@of_kind("integer", "long")
def test_a_number_at_its_bounds(place: Place) -> None:
    widest = 2**31 - 1 if place.shape.type_name == "integer" else None
    least, most = place.shape.metadata.get("min"), place.shape.metadata.get("max", widest)
    assert [value for value in (least, most, 5000) if value is not None and _within(value, least, most)
            and told(place, value) != []] == []  # fmt: skip
    if least is not None:
        assert told(place, least - 1) == [f"Member must have value greater than or equal to {least}"]
    if most is not None:
        assert told(place, most + 1) == [f"Member must have value less than or equal to {most}"]


def _within(value: int, least: int | None, most: int | None) -> bool:
    return (least is None or value >= least) and (most is None or value <= most)


@of_kind("list")
def test_a_list_at_its_bounds(place: Place) -> None:
    item = sample(place.shape.member)
    least, most = place.shape.metadata.get("min", 0), place.shape.metadata["max"]
    assert told(place, [item] * most) == []
    assert told(place, [item] * least) == []
    assert told(place, [item] * (most + 1)) == [longest_told(most)]
    if least:
        assert told(place, [item] * (least - 1)) == [shortest_told(least)]


@of_kind("map")
def test_a_map_at_its_bounds(place: Place) -> None:
    most = place.shape.metadata["max"]
    value = shortest(place.shape.value)
    keys = [f"k{number}" for number in range(most + 1)]
    assert told(place, dict.fromkeys(keys[:most], value)) == []
    assert told(place, {}) == []
    assert told(place, dict.fromkeys(keys, value)) == [longest_told(most)]


@of_kind("map")
@pytest.mark.parametrize("part", ["key", "value"])
def test_a_maps_keys_and_values(place: Place, part: str) -> None:
    key, value = place.shape.key, place.shape.value
    shape = key if part == "key" else value
    limit, least, pattern = (shape.metadata.get(name) for name in ("max", "min", "pattern"))

    def of(given: str) -> dict[str, str]:
        return {given: shortest(value)} if part == "key" else {shortest(key): given}

    constraints = [longest_told(limit), shortest_told(least or 0)]
    constraints += [f"Member must satisfy regular expression pattern: {pattern}"]
    expected = f"Map {part} must satisfy constraint: [{', '.join(constraints)}]"
    assert told(place, of(text(shape, limit))) == []
    assert told(place, of(text(shape, limit + 1))) == [expected]
    if PATTERNS[pattern][3] is not None:
        assert told(place, of(PATTERNS[pattern][3])) == [expected]
    if least:
        assert told(place, of(text(shape, least - 1))) == [expected]


@pytest.mark.parametrize("place", [place for place in PLACES if place.required], ids=str)
def test_a_required_member_that_is_absent_or_null(place: Place) -> None:
    for value in (ABSENT, None):
        assert told(place, value) == ["Member must not be null"]
    admission = admit(request_with(place.path, ABSENT), place="sagemaker")
    assert any(p.message.startswith(f"Value null at '{wire_path(place.path)}'") for p in admission.problems)


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_a_value_of_another_type(place: Place) -> None:
    value, name = WRONG[place.shape.type_name]
    assert told(place, value) == [f"Member must be {name}"]


STRUCTURES = [((), ROOT), *((place.path, place.shape) for place in PLACES if place.shape.type_name == "structure")]


@pytest.mark.parametrize("spell", [str, ack_name], ids=["api", "ack"])
@pytest.mark.parametrize(("path", "shape"), STRUCTURES, ids=[wire_path(path) or "request" for path, _ in STRUCTURES])
def test_a_misspelt_member_is_told_at_its_place_in_the_file_with_the_right_one(
    path: Path, shape: Any, spell: Any
) -> None:
    for name in shape.members:
        right = spell(name)
        wrong = right[:-1] + ("q" if right[-1] != "q" else "z") if len(right) < 6 else right[:-2] + right[-1]
        if to_api({wrong: 1}, TrainingJobSpec) != {wrong: 1} or wrong in shape.members:
            continue
        wire: Any = request_with((*path, wrong), sample(shape.members[name])) if path else {**REQUEST, wrong: 1}
        lines = json.dumps(to_ack(wire) if spell is ack_name else wire, indent=1).splitlines()
        (document,) = read_manifests("\n".join(lines), "job.json")
        problems = [one for one in _located(document) if one.code == "unknown-field"]
        assert [(one.path, one.suggestion) for one in problems] == [((*path, wrong), right)], wrong
        line = next(number for number, line in enumerate(lines, 1) if f'"{wrong}"' in line)
        column = lines[line - 1].index('"') + 1
        assert str(problems[0].position) == f"job.json:{line}:{column}"


def _located(document: Any) -> tuple[Problem, ...]:
    return tuple(document.locate(admit(document.wire).problems))


def test_all_faults_of_a_request_are_told_at_once() -> None:
    faults = {
        "TrainingJobName": "a_b", "RoleArn": "x", "Environment": {"1": ""}, "Tags": [{"Key": "k"}],
        "StoppingCondition": {"MaxRuntimeInSeconds": 0, "MaxPendingTimeInSeconds": 1}, "Nonsense": 1,
    }  # fmt: skip
    paths = {one.path for one in admit({**REQUEST, **faults}).problems}
    assert paths >= {
        ("TrainingJobName",), ("RoleArn",), ("Environment", "1"), ("Tags", 0, "Value"), ("Nonsense",),
        ("StoppingCondition", "MaxRuntimeInSeconds"), ("StoppingCondition", "MaxPendingTimeInSeconds"),
    }  # fmt: skip


def requests(shape: Any) -> st.SearchStrategy[Any]:
    """Values that the constraints take, with any choice of members that may be absent."""
    if shape.type_name == "structure":
        needed = {name: requests(shape.members[name]) for name in shape.required_members}
        others = {name: requests(member) for name, member in shape.members.items() if name not in needed}
        return st.fixed_dictionaries(needed, optional=others)
    if shape.type_name == "list":
        least = shape.metadata.get("min", 0)
        return st.lists(requests(shape.member), min_size=least, max_size=max(1, least))
    if shape.type_name == "string" and shape.enum:
        return st.sampled_from(shape.enum)
    if shape.type_name == "boolean":
        return st.booleans()
    return st.just(sample(shape))


WHOLE = requests(ROOT)


@given(WHOLE)
def test_both_spellings_keep_what_is_absent_absent(wire: dict[str, Any]) -> None:
    spec = TrainingJobSpec.from_wire(wire)
    assert spec.to_wire() == wire
    assert to_api(to_ack(wire)) == wire
    (document,) = read_manifests(write_manifest(spec, "name"), "f.yaml")
    assert document.problems == ()
    assert document.wire == wire


@given(WHOLE, st.sampled_from(["yard", "sagemaker"]))
def test_a_verdict_is_the_same_every_time_and_in_both_spellings(wire: dict[str, Any], where: str) -> None:
    before = json.dumps(wire)
    verdict = admit(wire, place=where)
    assert admit(wire, place=where) == verdict
    assert admit(to_api(to_ack(wire)), place=where) == verdict
    assert json.dumps(wire) == before
    assert not [one for one in verdict.problems if "failed to satisfy constraint" in one.message and one.path[0] not in
                ("AlgorithmSpecification", "ResourceConfig")]  # fmt: skip
    assert verdict.spec is None or verdict.spec.to_wire() == wire
