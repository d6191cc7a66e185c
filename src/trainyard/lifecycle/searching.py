"""Search over jobs: dotted paths into what Describe answers, with the Search API's operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trainyard.lifecycle.describing import description_of
from trainyard.model.errors import ValidationRefused
from trainyard.model.job import Condition, SearchQuery
from trainyard.model.record import JobRecord

OPERATORS = (
    "Equals", "NotEquals", "GreaterThan", "GreaterThanOrEqualTo", "LessThan", "LessThanOrEqualTo", "Contains",
    "Exists", "NotExists", "In",
)  # fmt: skip


def matches(record: JobRecord, conditions: Sequence[Condition]) -> bool:
    """Whether a job fulfils all conditions. Raises ValidationRefused for an operator that does not exist."""
    wire = _properties(record)
    return all(_holds(condition, _lookup(wire, condition.name)) for condition in conditions)


def page_of(records: Sequence[JobRecord], query: SearchQuery) -> tuple[list[JobRecord], str | None]:
    """One page in the order that was asked for, and the next token; jobs without the property come last."""
    if query.token is not None and not query.token.isdecimal():
        raise ValidationRefused("The pagination token is invalid.")
    keyed = [(_first(_lookup(_properties(record), query.sort_by)), record) for record in records]
    having = sorted((pair for pair in keyed if pair[0] is not None), key=_rank, reverse=query.descending)
    ordered = [record for _, record in [*having, *(pair for pair in keyed if pair[0] is None)]]
    start = int(query.token or 0)
    end = start + query.limit
    return ordered[start:end], str(end) if end < len(ordered) else None


def _properties(record: JobRecord) -> dict[str, Any]:
    wire = description_of(record).to_wire()
    wire["Tags"] = dict(record.tags)
    wire["Metrics"] = {metric.name: metric.value for metric in record.final_metrics or ()}
    return wire


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
    left, right = _number(value), _number(wanted)
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
            raise ValidationRefused(f"{operator!r} is no operator of Search; there are {', '.join(OPERATORS)}.")


def _equal(value: Any, wanted: str) -> bool:
    if isinstance(value, bool):
        return str(value).lower() == wanted.lower()
    left, right = _number(value), _number(wanted)
    return left == right if left is not None and right is not None else str(value) == wanted


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _first(found: list[Any]) -> Any:
    return found[0] if found else None


def _rank(pair: tuple[Any, JobRecord]) -> tuple[int, float, str]:
    number = _number(pair[0])
    return (0, number, "") if number is not None else (1, 0.0, str(pair[0]))
