"""Answers held against botocore's own output shapes: every member known, typed, and within its bounds."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session

from trainyard.lifecycle.admission.patterns import matches

KINDS: dict[str, type | tuple[type, ...]] = {
    "string": str, "integer": int, "long": int, "boolean": bool, "float": (int, float), "double": (int, float),
    "timestamp": (int, float), "list": list, "map": dict, "structure": dict,
}  # fmt: skip


@cache
def output_of(service: str, operation: str) -> Any:
    """The output shape of an operation; None where it has none."""
    return botocore.session.get_session().get_service_model(service).operation_model(operation).output_shape


def faults(shape: Any, value: Any, path: str = "") -> Iterator[str]:
    """Everything in a value that the shape does not allow."""
    if not isinstance(value, KINDS[shape.type_name]) or (shape.type_name != "boolean" and isinstance(value, bool)):
        yield f"{path}: {value!r} is no {shape.type_name}"
        return
    yield from _bounds(shape, value, path)
    if shape.type_name == "structure":
        yield from _members(shape, value, path)
    elif shape.type_name == "list":
        for place, item in enumerate(value):
            yield from faults(shape.member, item, f"{path}[{place}]")
    elif shape.type_name == "map":
        for key, item in value.items():
            yield from faults(shape.key, key, f"{path}{{{key}}}")
            yield from faults(shape.value, item, f"{path}.{key}")


def _members(shape: Any, value: dict[str, Any], path: str) -> Iterator[str]:
    yield from (f"{path}.{name} is unknown" for name in value.keys() - shape.members.keys())
    yield from (f"{path}.{name} is missing" for name in shape.required_members if name not in value)
    for name in value.keys() & shape.members.keys():
        yield from faults(shape.members[name], value[name], f"{path}.{name}")


def _bounds(shape: Any, value: Any, path: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    size = len(value) if isinstance(value, str | list | dict) else value
    if least is not None and shape.type_name != "structure" and size < least:
        yield f"{path}: {value!r} is less than {least}"
    if most is not None and size > most:
        yield f"{path}: {value!r} is more than {most}"
    if shape.type_name == "string":
        if shape.enum and value not in shape.enum:
            yield f"{path}: {value!r} is none of {shape.enum}"
        pattern = shape.metadata.get("pattern")
        if pattern is not None and value and not matches(pattern, value):
            yield f"{path}: {value!r} does not match {pattern}"
