"""Search over jobs: dotted paths into what Describe answers, with the Search API's operators, and in any order.

A job stands before another by the value of a property: numbers before texts, what lacks the property last, equals by
their names. A page ends at such a standing, and the next begins behind it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from trainyard.kit import times
from trainyard.lifecycle.describing import description_of
from trainyard.lifecycle.paging import Order, values_in
from trainyard.model.job import Condition, Expression, Nested, SearchQuery
from trainyard.model.record import JobRecord

# Properties that every job has and that a store can go through in order.
COLUMNS = {
    "TrainingJobName": "Name", "CreationTime": "CreationTime", "LastModifiedTime": "LastModifiedTime",
    "TrainingJobStatus": "Status",
}  # fmt: skip

_LONGEST_TEXT = 500  # characters of a value that are compared: a page's token holds them


class Standing(NamedTuple):
    """Where a job stands in an order by any property, so that plain comparison orders them whichever way.

    lacks: it has no such property, which comes last either way; turned round where the order is descending.
    """

    lacks: bool
    is_text: bool
    number: float
    text: str
    name: str


Ranked = tuple[Standing, JobRecord]


def properties_of(record: JobRecord) -> dict[str, Any]:
    """What a search may look at: the description, the tags and the final metrics by their names."""
    wire = description_of(record).to_wire()
    wire["Tags"] = dict(record.tags)
    wire["Metrics"] = {metric.name: metric.value for metric in record.final_metrics or ()}
    return wire


def matches(properties: dict[str, Any], query: SearchQuery) -> bool:
    """Whether a job is one that the query looks for."""
    asked = Expression(conditions=query.conditions, parts=() if query.expression is None else (query.expression,))
    return _fulfils(properties, asked)


def standing_of(record: JobRecord, properties: dict[str, Any], order: Order) -> Standing:
    """A job's standing in an order by any property."""
    value = next(iter(_lookup(properties, order.by)), None)
    lacks = (value is None) != order.descending
    number = _number(value)
    if value is None or (number is not None and not math.isnan(number)):
        return Standing(lacks, False, number or 0.0, "", record.key.name)
    return Standing(lacks, True, 0.0, str(value)[:_LONGEST_TEXT], record.key.name)


def first(ranked: Iterable[Ranked], order: Order, limit: int) -> list[Ranked]:
    """The first so many in order."""
    return sorted(ranked, key=itemgetter(0), reverse=order.descending)[:limit]


def is_behind(standing: Standing, after: Standing | None, order: Order) -> bool:
    """Whether a job comes on a later page than the one that ended there."""
    return after is None or (standing < after if order.descending else standing > after)


def standing_in(token: str | None, order: Order) -> Standing | None:
    """Where the last page ended; None for the first. Raises ValidationRefused."""
    return None if token is None else Standing(*values_in(token, order, bool, bool, float, str, str))


def _lookup(value: Any, path: str) -> list[Any]:
    """Every value that a dotted path leads to; lists are looked into. A map's key may itself hold dots."""
    if isinstance(value, list):
        return [found for item in value for found in _lookup(item, path)]
    if not isinstance(value, dict):
        return []
    if path in value:
        return [value[path]]
    head, dot, rest = path.partition(".")
    return _lookup(value.get(head), rest) if dot else []


def _fulfils(properties: dict[str, Any], asked: Expression) -> bool:
    verdicts = chain(
        (_holds(condition, _lookup(properties, condition.name)) for condition in asked.conditions),
        (_one_fulfils(properties, nested) for nested in asked.nested),
        (_fulfils(properties, part) for part in asked.parts),
    )
    return any(verdicts) if asked.any_of else all(verdicts)


def _one_fulfils(properties: dict[str, Any], nested: Nested) -> bool:
    """Whether one item of the list at the path fulfils all; names may be written from the root, or below the path."""
    lists = _lookup(properties, nested.path)
    items = [item for found in lists for item in (found if isinstance(found, list) else [found])]
    return any(
        all(_holds(one, _lookup(item, one.name.removeprefix(f"{nested.path}."))) for one in nested.conditions)
        for item in items
    )


def _holds(condition: Condition, found: list[Any]) -> bool:
    wanted = condition.value or ""
    match condition.operator:
        case "Exists":
            return bool(found)
        case "NotExists":
            return not found
        case "NotEquals":
            return all(not _equal(value, wanted) for value in found)
        case "Equals":
            return any(_equal(value, wanted) for value in found)
        case "Contains":
            return any(wanted in str(value) for value in found)
        case "In":
            return any(_equal(value, one.strip()) for value in found for one in wanted.split(","))
        case operator:
            return any(_compares(operator, value, wanted) for value in found)


def _compares(operator: str, value: Any, wanted: str) -> bool:
    left, right = _number(value), _number_or_time(wanted)
    if left is None or right is None:
        return False
    match operator:
        case "GreaterThan":
            return left > right
        case "GreaterThanOrEqualTo":
            return left >= right
        case "LessThan":
            return left < right
        case "LessThanOrEqualTo":
            return left <= right
        case _:
            raise AssertionError(operator)


def _equal(value: Any, wanted: str) -> bool:
    if isinstance(value, bool):
        return str(value).lower() == wanted.lower()
    left, right = _number(value), _number_or_time(wanted)
    return left == right if left is not None and right is not None else str(value) == wanted


def _number_or_time(wanted: str) -> float | None:
    """Times are asked for as `2026-01-31T23:59:59` and kept as seconds since the epoch."""
    number = _number(wanted)
    return times.epoch(wanted) if number is None and "T" in wanted else number


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None
