"""Tables and bare metadata: objects as `kubectl get` shows them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from trainyard.doors.kube import jsonpath
from trainyard.doors.kube.kinds import Column, Kind
from trainyard.ports.resources import Body

_NAME = {
    "name": "Name", "type": "string", "format": "name", "priority": 0,
    "description": "Name must be unique within a namespace.",
}  # fmt: skip
_KINDS: dict[str, tuple[type, ...]] = {
    "integer": (int,), "number": (int, float), "boolean": (bool,), "string": (str,), "date": (str,),
}  # fmt: skip


def table(
    kind: Kind, objects: Sequence[Body], metadata: Body, *, version: str, include: str, now: float, headed: bool = True
) -> Body:
    """A Table of meta.k8s.io. `include`: Metadata, Object or None, what each row carries of its object."""
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": metadata,
        "columnDefinitions": [_NAME, *map(_definition, kind.columns)] if headed else None,
        "rows": [_row(kind, one, version, include, now) for one in objects],
    }


def bare(one: Body, version: str) -> Body:
    """An object's metadata alone."""
    return {"kind": "PartialObjectMetadata", "apiVersion": f"meta.k8s.io/{version}", "metadata": one["metadata"]}


def bare_list(objects: Sequence[Body], metadata: Body, version: str) -> Body:
    """The metadata alone of many."""
    return {
        "kind": "PartialObjectMetadataList", "apiVersion": f"meta.k8s.io/{version}", "metadata": metadata,
        "items": [bare(one, version) for one in objects],
    }  # fmt: skip


def age(since: str, now: float) -> str:
    """How long ago, as kubectl writes it: 35s, 5m10s, 3h2m, 2d4h, 14d, 2y30d."""
    try:
        seconds = int(now - datetime.fromisoformat(since).timestamp())
    except (ValueError, OverflowError):
        return "<unknown>"
    return duration(max(0, seconds))


def duration(seconds: int) -> str:
    """As k8s.io/apimachinery's HumanDuration: two units while the larger is small, then one."""
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return _pair(minutes, "m", seconds % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _pair(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _pair(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    return _pair(days // 365, "y", days % 365, "d") if days < 2920 else f"{days // 365}y"


def _pair(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"


def _definition(column: Column) -> dict[str, Any]:
    described = column.description or (
        "CreationTimestamp is a timestamp representing the server time when this object was created."
        if column.path == ".metadata.creationTimestamp"
        else f"Custom resource definition column (in JSONPath format): {column.path}"
    )
    return {
        "name": column.name, "type": column.type, "format": column.format, "description": described,
        "priority": column.priority,
    }  # fmt: skip


def _row(kind: Kind, one: Body, version: str, include: str, now: float) -> Body:
    row: Body = {"cells": [one["metadata"].get("name", ""), *(_cell(column, one, now) for column in kind.columns)]}
    if include == "Object":
        row["object"] = one
    elif include != "None":
        row["object"] = bare(one, version)
    return row


def _cell(column: Column, one: Body, now: float) -> Any:
    if column.cell is not None:
        return column.cell(one)
    values = jsonpath.found(one, column.path)
    if not values or values[0] is None:
        return None
    if column.type == "date":
        return age(str(values[0]), now)
    return _shown(column.type, values)


def _shown(kind: str, values: list[Any]) -> Any:
    first = values[0]
    if kind == "string":
        return ",".join(_text(value) for value in values)
    if isinstance(first, bool) and kind != "boolean":
        return None
    if kind == "integer" and isinstance(first, float) and math.isfinite(first):
        return int(first)
    return first if isinstance(first, _KINDS.get(kind, ())) else None


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_text(part)}" for key, part in sorted(value.items())) + "]"
    if isinstance(value, list):
        return "[" + " ".join(_text(part) for part in value) + "]"
    return "" if value is None else str(value)
