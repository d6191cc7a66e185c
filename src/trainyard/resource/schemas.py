"""The model's structures as structural schemas of a custom resource.

`strict` writes what the service surely refuses; without it there are types alone, as in ACK's own resource. Patterns
become RE2's, which the API server uses: whole match, no look-around, no repetition above 1,000.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainyard.model.casing import ack_name
from trainyard.model.members import Shape, members_of
from trainyard.model.shapes import Items, Mapped, Number, OneOf, Structure, Text
from trainyard.resource.sentences import SENTENCES

Schema = dict[str, Any]

# Set by the service alone; they come back in a description and are no part of a request.
SERVICE_ONLY = frozenset({"ResourceConfig.SelectedInstanceType", "ResourceConfig.SelectedInstanceCount"})

_ANYTHING = frozenset({".*", ".+", r"[\S\s]*"})
_URI = r"(https|s3)://([^/]+)/?(.*)"
_ALGORITHM_NAME_END = r"([a-zA-Z0-9]([a-zA-Z0-9-]){0,62})(?<!-)"
_REWRITTEN = {
    _ALGORITHM_NAME_END: r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?",
    r"\p{Alnum}": "0-9A-Za-z",
    r"[\S]{1,2048}": r"\S+",
}
# New types come every few months, and the service takes them before any list of ours has them.
_LONGEST_ENUM = 20
_INSTANCE_TYPE = r"^ml\.[a-z0-9-]+\.[a-z0-9]+$"
_URI_RULE = {
    "rule": "!self.contains('://') || self.matches('^(s3|https|file)://')",
    "message": "must be an s3:// or https:// URI (or, where jobs run on this machine, a file:// URI or a path)",
}


def structure_schema(structure: type[Structure], *, strict: bool) -> Schema:
    """A structure with its members in alphabetical order, as ACK writes them."""
    members = {
        ack_name(name): member
        for name, member in members_of(structure).items()
        if f"{structure.__name__}.{name}" not in SERVICE_ONLY
    }
    schema: Schema = {"description": _doc(structure), "type": "object", "properties": {}}
    for name in sorted(members):
        member = members[name]
        told = SENTENCES.get(f"{structure.__name__}.{member.name}")
        schema["properties"][name] = _schema(member.shape, told, strict=strict)
    required = sorted(name for name, member in members.items() if member.required)
    if strict and required:
        schema["required"] = required
    return schema


def _schema(shape: Shape, told: str | None, *, strict: bool) -> Schema:
    if shape.structure is not None:
        schema = structure_schema(shape.structure, strict=strict)
    elif shape.item is not None:
        schema = {"type": "array", "items": _schema(shape.item, None, strict=strict)}
    elif shape.kind == "map":
        schema = {"type": "object", "additionalProperties": {"type": "string"}}
    elif shape.kind == "integer":
        schema = {"type": "integer", "format": "int64"}
    else:
        schema = {"type": "number" if shape.kind == "float" else shape.kind}
    if strict:
        _constrain(schema, shape.constraint)
    return {"description": told, **schema} if told else schema


def _constrain(schema: Schema, constraint: Any) -> None:
    if isinstance(constraint, Text):
        schema |= _text(constraint)
    elif isinstance(constraint, Number):
        schema |= _given(minimum=constraint.min, maximum=constraint.largest)
    elif isinstance(constraint, Items):
        schema |= _given(minItems=constraint.min or None, maxItems=constraint.max)
    elif isinstance(constraint, OneOf):
        many = len(constraint.values) > _LONGEST_ENUM
        schema |= {"pattern": _INSTANCE_TYPE, "maxLength": 64} if many else {"enum": list(constraint.values)}
    elif isinstance(constraint, Mapped):
        schema |= _map(constraint)


def _text(text: Text) -> Schema:
    limits = _given(minLength=text.min or None, maxLength=text.max)
    if text.pattern == _URI:
        return {**limits, "x-kubernetes-validations": [dict(_URI_RULE)]}
    return {**limits, **_given(pattern=re2_pattern(text.pattern))}


def _map(mapped: Mapped) -> Schema:
    schema: Schema = {
        "additionalProperties": {"type": "string", **_given(maxLength=mapped.value.max)},
        "maxProperties": mapped.max,
    }
    if mapped.key.max is not None:
        rule = f"self.all(key, size(key) <= {mapped.key.max})"
        schema["x-kubernetes-validations"] = [
            {"rule": rule, "message": f"keys may have at most {mapped.key.max} characters"}
        ]
    return schema


def re2_pattern(pattern: str | None) -> str | None:
    """The service's pattern (Java's dialect, whole match) in RE2's; None where it refuses nothing that matters."""
    if pattern is None or pattern in _ANYTHING:
        return None
    for written, rewritten in _REWRITTEN.items():
        pattern = pattern.replace(written, rewritten)
    return f"^(?:{pattern})$"


def _doc(structure: type[Structure]) -> str:
    return " ".join((structure.__doc__ or "").split())


def _given(**limits: Any) -> Mapping[str, Any]:
    return {name: limit for name, limit in limits.items() if limit is not None}
