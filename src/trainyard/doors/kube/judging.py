"""An object against its kind's schema: what the schema does not know, what it defaults, what it does not allow."""

from __future__ import annotations

from typing import Any

from trainyard.doors.kube import schema
from trainyard.doors.kube.errors import Cause, bad_request
from trainyard.doors.kube.kinds import Kind
from trainyard.doors.kube.rules import broken_rules
from trainyard.ports.resources import Body

_MOST_TOLD = 50  # unknown fields of one object; more drown the rest


def understood(kind: Kind, body: Body, field_validation: str) -> tuple[Body, tuple[str, ...]]:
    """The object without unknown fields, with defaults; a warning for each unknown one, or, Strict, a refusal (400)."""
    whole = body if kind.custom else _without_nulls(body)
    known, unknown = schema.pruned(whole, kind.schema)
    told = [f'unknown field "{path}"' for path in unknown[:_MOST_TOLD]]
    if told and field_validation == "Strict":
        raise bad_request(
            f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: '
            f"strict decoding error: {', '.join(told)}"
        )
    return schema.defaulted(known, kind.schema), tuple(told) if field_validation == "Warn" else ()


def causes_of(kind: Kind, body: Body, old: Body | None) -> list[Cause]:
    """What the schema does not allow; its rules are asked once the types are right."""
    return schema.causes_of(body, kind.schema, old) or broken_rules(body, kind.schema, old)


def _without_nulls(value: Any) -> Any:
    """For built-in kinds a null is nothing said."""
    if isinstance(value, dict):
        return {name: _without_nulls(part) for name, part in value.items() if part is not None}
    return [_without_nulls(part) for part in value] if isinstance(value, list) else value
