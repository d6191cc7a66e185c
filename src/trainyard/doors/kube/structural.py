"""Whether a schema is structural: one by which the server can prune, default and judge objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from trainyard.doors.kube.errors import Cause, invalid_value, required
from trainyard.doors.kube.schema import INT_OR_STRING, PRESERVE, compiled, kind_of, unsupported

_FORBIDDEN = ("$ref", "definitions", "dependencies", "deprecated", "discriminator", "id", "patternProperties",
              "readOnly", "writeOnly", "xml", "uniqueItems", "additionalItems", "$schema")  # fmt: skip
_KINDS = ("object", "array", "string", "integer", "number", "boolean")
_DEEPEST = 60


def structural_causes(schema: Any, field: str) -> list[Cause]:
    """Why something is no structural schema, by the field that it stands in."""
    return list(_structural(schema, field))


def _structural(schema: Any, field: str, depth: int = 0) -> Iterator[Cause]:
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        yield Cause(field, "FieldValueInvalid", f"Invalid value: {kind_of(schema)}: must be a schema")
        return
    yield from _own_faults(schema, field)
    properties = schema.get("properties", {})
    for name, below in properties.items() if isinstance(properties, Mapping) else ():
        yield from _structural(below, f"{field}.properties[{name}]", depth + 1)
    for name in ("items", "additionalProperties"):
        if name in schema and not isinstance(schema[name], bool):
            yield from _structural(schema[name], f"{field}.{name}", depth + 1)


def _own_faults(schema: Mapping[str, Any], field: str) -> Iterator[Cause]:
    for name in _FORBIDDEN:
        if name in schema:
            yield Cause(f"{field}.{name}", "FieldValueForbidden", f"Forbidden: {name} is not supported")
    loose = schema.get(INT_OR_STRING) is True or schema.get(PRESERVE) is True
    if schema.get("type") is None and not loose:
        yield required(f"{field}.type", "must not be empty for specified object fields")
    elif schema.get("type") is not None and schema["type"] not in _KINDS:
        yield unsupported(f"{field}.type", schema["type"], sorted(_KINDS))
    if "properties" in schema and "additionalProperties" in schema:
        why = "additionalProperties and properties are mutual exclusive"
        yield Cause(f"{field}.additionalProperties", "FieldValueForbidden", f"Forbidden: {why}")
    if schema.get("type") == "array" and "items" not in schema:
        yield required(f"{field}.items", "must be specified")
    if isinstance(schema.get("pattern"), str) and compiled(schema["pattern"]) is None:
        yield invalid_value(f"{field}.pattern", schema["pattern"], "must be a valid regular expression")
    yield from _ill_typed(schema, field)


_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "properties": Mapping, "required": list, "enum": list, "pattern": str, "format": str,
    "allOf": list, "anyOf": list, "oneOf": list, "not": Mapping, "x-kubernetes-list-map-keys": list,
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), int),
    **dict.fromkeys(("minimum", "maximum", "multipleOf"), (int, float)),
}  # fmt: skip


def _ill_typed(schema: Mapping[str, Any], field: str) -> Iterator[Cause]:
    """Members of a schema that are not of their own type: nobody could judge by them."""
    for name, kind in _TYPES.items():
        given = schema.get(name)
        if given is not None and (not isinstance(given, kind) or isinstance(given, bool)):
            yield Cause(f"{field}.{name}", "FieldValueInvalid", f"Invalid value: {kind_of(given)}: wrong type")
    for name in ("allOf", "anyOf", "oneOf"):
        parts = schema.get(name)
        if isinstance(parts, list) and not all(isinstance(part, Mapping) for part in parts):
            yield Cause(f"{field}.{name}", "FieldValueInvalid", "Invalid value: must be schemas")
