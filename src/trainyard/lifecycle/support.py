"""What each field of a request does on each place of running: honoured, honoured with a notice, or refused out loud.

The rows are data (``support_rows``), one for every path of the request. A field that has no row fails the build, so
nothing is ever ignored in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from trainyard.lifecycle.support_amazon import SAGEMAKER_ROWS
from trainyard.lifecycle.support_container import CONTAINER_ROWS
from trainyard.lifecycle.support_rows import HONOURED, PLACES, REFUSED, ROWS, Row
from trainyard.model.problems import Problem
from trainyard.model.spec import TrainingJobSpec

PLAINLY = "as the service does"  # the remark of a field of which nothing else is to be said
_NOT_BUILT = {
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
    lines = [
        f"| field | {' | '.join(PLACES)} | on process | in a container | proof |",
        "|" + "---|" * (len(PLACES) + 4),
    ]
    for path, row in ROWS.items():
        cells = [cell(path, place)[0] for place in PLACES]
        process, container = cell(path, "process")[1], cell(path, "container")[1]
        remarks = f"{process} | {'the same' if container == process and process else container}"
        lines.append(f"| `{path}` | {' | '.join(cells)} | {remarks} | {row.proof.split('::')[-1]} |")
    return "\n".join(lines) + "\n"


def written(path: Path) -> str:
    """A path for people: `InputDataConfig[0].ChannelName`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


@dataclass(frozen=True, slots=True)
class _Node:
    """The row of one path, and the nodes below it by the names of members; those of a list's items under "[]"."""

    row: Row
    below: dict[str, _Node] = field(default_factory=dict)


def _judged(spec: TrainingJobSpec, place: str) -> Iterator[tuple[Path, str, str]]:
    if place not in PLACES:
        raise KeyError(place)
    wire = spec.wire
    for name, value in wire.items():
        yield from _judged_value(value, _nodes(place)[name], (name,), wire, place)


def _judged_value(
    value: Any, node: _Node, path: Path, wire: Mapping[str, Any], place: str
) -> Iterator[tuple[Path, str, str]]:
    verdict, remark = _verdict(node.row, value, wire, place)
    yield path, verdict, remark
    if verdict == REFUSED or not node.below:
        return  # what is refused is refused whole
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _judged_value(item, node.below["[]"], (*path, index), wire, place)
    else:
        for name, member in value.items():
            yield from _judged_value(member, node.below[name], (*path, name), wire, place)


def _verdict(row: Row, value: Any, wire: Mapping[str, Any], place: str) -> tuple[str, str]:
    if place in _NOT_BUILT:
        return REFUSED, _NOT_BUILT[place]
    for case in row.cases:
        if case.when(value, wire):
            return case.verdict, case.remark
    return row.verdict, row.remark or ("" if row.verdict != HONOURED else PLAINLY)


def _rows(place: str) -> Mapping[str, Row]:
    return {"sagemaker": SAGEMAKER_ROWS, "container": CONTAINER_ROWS}.get(place, ROWS)


@cache
def _nodes(place: str) -> dict[str, _Node]:
    """The rows of a place as a tree, to be walked beside a request."""
    root: dict[str, _Node] = {}
    for path, row in sorted(_rows(place).items()):  # what is above comes before what is below
        *above, name = path.replace("[]", ".[]").split(".")
        nodes = root
        for step in above:
            nodes = nodes[step].below
        nodes[name] = _Node(row)
    return root
