"""What each field of a request does on each place of running: honoured, honoured with a notice, or refused out loud.

The rows are data (``support_rows``), one for every path of the request. A field that has no row fails the build, so
nothing is ever ignored in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trainyard.lifecycle.support_amazon import SAGEMAKER_ROWS
from trainyard.lifecycle.support_rows import HONOURED, PLACES, REFUSED, ROWS, Row
from trainyard.model.problems import Problem
from trainyard.model.spec import TrainingJobSpec

PLAINLY = "as the service does"  # the remark of a field of which nothing else is to be said
_NOT_BUILT = {
    "container": "running in a container engine is not built yet",
    "kubernetes": "running on a Kubernetes cluster is not built yet",
}

Path = tuple[str | int, ...]


def verdicts(spec: TrainingJobSpec, place: str) -> list[tuple[str, str, str]]:
    """(path, honoured | notice | refused, remark) for every field that the spec gives, in the request's order.

    Raises KeyError for a place that does not exist.
    """
    return [(written(path), verdict, remark) for path, verdict, remark in _judged(spec, place)]


def refusals(spec: TrainingJobSpec, place: str) -> list[Problem]:
    """An error for every field that this place refuses; empty where the job can run."""
    return [
        Problem(
            path=path,
            message=f"{written(path)} is refused on {place}: {remark}",
            code="unsupported",
        )
        for path, verdict, remark in _judged(spec, place)
        if verdict == REFUSED
    ]


def is_built(place: str) -> bool:
    """Whether jobs can run there today."""
    return place not in _NOT_BUILT


def cell(path: str, place: str) -> tuple[str, str]:
    """What the matrix shows for a path: the verdict and remark, with the values that have another one."""
    if place in _NOT_BUILT:
        return REFUSED, _NOT_BUILT[place]
    row = _rows(place)[path]
    special = [f"{case.verdict} where {case.told}: {case.remark}" for case in row.cases]
    return row.verdict, "; ".join(part for part in (row.remark, *special) if part)


def as_markdown() -> str:
    """The whole matrix as a page's tables."""
    lines = [f"| field | {' | '.join(PLACES)} | on process | proof |", "|" + "---|" * (len(PLACES) + 3)]
    for path, row in ROWS.items():
        cells = [cell(path, place)[0] for place in PLACES]
        lines.append(f"| `{path}` | {' | '.join(cells)} | {cell(path, 'process')[1]} | {row.proof.split('::')[-1]} |")
    return "\n".join(lines) + "\n"


def written(path: Path) -> str:
    """A path for people: `InputDataConfig[0].ChannelName`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _judged(spec: TrainingJobSpec, place: str) -> Iterator[tuple[Path, str, str]]:
    if place not in PLACES:
        raise KeyError(place)
    wire = spec.to_wire()
    refused: tuple[Path, ...] = ()
    for path, value in _given(wire, ()):
        verdict, remark = _verdict(path, value, wire, place)
        if any(path[: len(above)] == above for above in refused):
            continue  # what stands above it was refused whole
        if verdict == REFUSED:
            refused += (path,)
        yield path, verdict, remark


def _verdict(path: Path, value: Any, wire: Mapping[str, Any], place: str) -> tuple[str, str]:
    if place in _NOT_BUILT:
        return REFUSED, _NOT_BUILT[place]
    row = _rows(place)[_generic(path)]
    for case in row.cases:
        if case.when(value, wire):
            return case.verdict, case.remark
    return row.verdict, row.remark or ("" if row.verdict != HONOURED else PLAINLY)


def _rows(place: str) -> Mapping[str, Row]:
    return SAGEMAKER_ROWS if place == "sagemaker" else ROWS


def _generic(path: Path) -> str:
    text = ""
    for step in path:
        text += "[]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _given(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if path:
        yield path, value
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _given(item, (*path, index))
    elif isinstance(value, dict) and (not path or _generic(path) + "." in _STRUCTURES):
        for name, member in value.items():
            yield from _given(member, (*path, name))


_STRUCTURES = frozenset(path[: end + 1] for path in ROWS for end, letter in enumerate(path) if letter == ".")
