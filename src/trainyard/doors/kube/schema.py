"""Structural schemas: is an object what its kind's schema says, what does the schema not know, what are its defaults.

Pure, on JSON values. Texts, reasons and field paths are the API server's own, for clients show them to people. Patterns
run on RE2: no schema and no object can make a match slow.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import re2

from trainyard.doors.kube.errors import Cause, required
from trainyard.doors.kube.formats import has_format
from trainyard.doors.kube.patches import same

Schema = Mapping[str, Any]

MISSING: Any = object()
_ROOT = frozenset({"apiVersion", "kind", "metadata"})  # the server's own members of an object: no schema says them
PRESERVE = "x-kubernetes-preserve-unknown-fields"
_EMBEDDED = "x-kubernetes-embedded-resource"
INT_OR_STRING = "x-kubernetes-int-or-string"
_MOST_CAUSES = 100  # of one object; the rest would drown them


def pruned(body: Mapping[str, Any], schema: Schema) -> tuple[dict[str, Any], list[str]]:
    """The object without what its schema does not know, and the paths of what went."""
    gone: list[str] = []
    return _prune(body, schema, "", gone, embedded=True), gone


def defaulted(body: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """The object with its schema's defaults for what is absent, and for nulls where null is no value."""
    whole: dict[str, Any] = _default(body, schema)
    return whole


def causes_of(body: Mapping[str, Any], schema: Schema, old: Mapping[str, Any] | None = None) -> list[Cause]:
    """What about the object its schema does not allow. What an update leaves as it was in `old` is not judged anew."""
    before = MISSING if old is None else old
    found = _checked(_without_root(body), schema, "", before if old is None else _without_root(before))
    return [cause for _, cause in zip(range(_MOST_CAUSES), found, strict=False)]


def _without_root(body: Any) -> Any:
    return {name: part for name, part in body.items() if name not in _ROOT} if isinstance(body, Mapping) else body


def member_path(path: str, name: str) -> str:
    """A member's path as the API server writes it."""
    return f"{path}.{name}" if path else name


# Pruning


def _prune(value: Any, schema: Schema, path: str, gone: list[str], *, embedded: bool = False) -> Any:
    if isinstance(value, list):
        items = schema.get("items")
        known: Schema = items if isinstance(items, Mapping) else {PRESERVE: True}
        return [_prune(item, known, f"{path}[{at}]", gone) for at, item in enumerate(value)]
    if not isinstance(value, Mapping):
        return value
    kept = {}
    for name, part in value.items():
        where = member_path(path, name)
        below = _below(schema, name)
        if embedded and name in _ROOT:
            kept[name] = part
        elif below is not None:
            kept[name] = _prune(part, below, where, gone, embedded=below.get(_EMBEDDED) is True)
        elif schema.get(PRESERVE) is True:
            kept[name] = part
        else:
            gone.append(where)
    return kept


def _below(schema: Schema, name: str) -> Schema | None:
    """The schema of a member, None where the schema does not know it."""
    properties = schema.get("properties", {})
    if name in properties:
        return properties[name] if isinstance(properties[name], Mapping) else {}
    more = schema.get("additionalProperties", False)
    if more is True:
        return {PRESERVE: True}
    return more if isinstance(more, Mapping) else None


# Defaults


def _default(value: Any, schema: Schema) -> Any:
    if isinstance(value, list):
        items = schema.get("items")
        return [_default(item, items) for item in value] if isinstance(items, Mapping) else value
    if not isinstance(value, Mapping):
        return value
    whole = {}
    for name, part in value.items():
        below = _below(schema, name) or {}
        null = part is None and "default" in below and below.get("nullable") is not True
        whole[name] = part if null else _default(part, below)
    for name, below in schema.get("properties", {}).items():
        absent = whole.get(name) is None and (name not in whole or below.get("nullable") is not True)
        if absent and "default" in below:
            whole[name] = _default(copy.deepcopy(below["default"]), below)
    return whole


# Validation


def _checked(value: Any, schema: Schema, path: str, old: Any) -> Iterator[Cause]:
    if old is not MISSING and same(value, old):
        return
    if value is None and schema.get("nullable") is True:
        return
    wrong = _wrong_type(value, schema, path)
    if wrong is not None:
        yield wrong
        return
    yield from _values(value, schema, path)
    if isinstance(value, Mapping):
        yield from _members(value, schema, path, old)
    elif isinstance(value, list):
        yield from _items(value, schema, path, old)


def _wrong_type(value: Any, schema: Schema, path: str) -> Cause | None:
    wanted = schema.get("type")
    if schema.get(INT_OR_STRING) is True:
        if isinstance(value, str) or _is(value, "integer"):
            return None
        return _typed(path, "integer,string", kind_of(value))
    if not isinstance(wanted, str) or _is(value, wanted):
        return None
    return _typed(path, wanted, kind_of(value))


def _typed(path: str, wanted: str, given: str) -> Cause:
    told = f'{path} in body must be of type {wanted}: "{given}"'
    return Cause(path, "FieldValueTypeInvalid", f'Invalid value: "{given}": {told}')


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if isinstance(value, int):
        return kind in ("integer", "number")
    if isinstance(value, float):
        return kind == "number" or (kind == "integer" and math.isfinite(value) and value.is_integer())
    if isinstance(value, str):
        return kind == "string"
    if isinstance(value, list):
        return kind == "array"
    return isinstance(value, Mapping) and kind == "object"


def kind_of(value: Any) -> str:
    """The value's type in the words of schemas; `null` for none."""
    kinds = ("boolean", "integer", "number", "string", "array", "object")
    return next((kind for kind in kinds if _is(value, kind)), "null")


def _values(value: Any, schema: Schema, path: str) -> Iterator[Cause]:
    """What a schema says of a value besides its type; also the parts of anyOf and the like."""
    if "enum" in schema and not any(same(value, one) for one in schema["enum"]):
        yield unsupported(path, value, schema["enum"])
    if isinstance(value, str):
        yield from _text(value, schema, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number(value, schema, path)
    elif isinstance(value, list):
        yield from _count(len(value), schema, ("minItems", "maxItems", "items"), path)
    elif isinstance(value, Mapping):
        yield from _count(len(value), schema, ("minProperties", "maxProperties", "properties"), path)
    yield from _logic(value, schema, path)


def _text(value: str, schema: Schema, path: str) -> Iterator[Cause]:
    least, most, pattern = (schema.get(name) for name in ("minLength", "maxLength", "pattern"))
    if most is not None and len(value) > most:
        yield Cause(path, "FieldValueTooLong", f"Too long: may not be more than {most} bytes")
    if least is not None and len(value) < least:
        yield _invalid(path, value, f"{path} in body should be at least {least} chars long")
    if isinstance(pattern, str) and not _matches(pattern, value):
        yield _invalid(path, value, f"{path} in body should match '{pattern}'")
    form = schema.get("format")
    if isinstance(form, str) and not has_format(value, form):
        yield Cause(
            path, "FieldValueTypeInvalid",
            f"Invalid value: {shown(value)}: {path} in body must be of type {form}: {shown(value)}",
        )  # fmt: skip


def _number(value: float, schema: Schema, path: str) -> Iterator[Cause]:
    least, most, step = (schema.get(name) for name in ("minimum", "maximum", "multipleOf"))
    if most is not None and (value >= most if schema.get("exclusiveMaximum") is True else value > most):
        words = "less than" if schema.get("exclusiveMaximum") is True else "less than or equal to"
        yield _invalid(path, value, f"{path} in body should be {words} {_plain(most)}")
    if least is not None and (value <= least if schema.get("exclusiveMinimum") is True else value < least):
        words = "greater than" if schema.get("exclusiveMinimum") is True else "greater than or equal to"
        yield _invalid(path, value, f"{path} in body should be {words} {_plain(least)}")
    if step and not _is(value / step, "integer"):
        yield _invalid(path, value, f"{path} in body should be a multiple of {_plain(step)}")


def _count(count: int, schema: Schema, names: tuple[str, str, str], path: str) -> Iterator[Cause]:
    least, most = schema.get(names[0]), schema.get(names[1])
    if most is not None and count > most:
        yield Cause(path, "FieldValueTooMany", f"Too many: {count}: must have at most {most} items")
    if least is not None and count < least:
        yield _invalid(path, count, f"{path} in body should have at least {least} {names[2]}")


def _logic(value: Any, schema: Schema, path: str) -> Iterator[Cause]:
    words = f"{path} in body must validate" if path else '"" must validate'
    for part in schema.get("allOf", ()):
        yield from _judged(value, part, path)
    holding = {name: sum(_holds(value, part, path) for part in schema.get(name, ())) for name in ("anyOf", "oneOf")}
    if schema.get("anyOf") and not holding["anyOf"]:
        yield _invalid(path, _short(value), f"{words} at least one schema (anyOf)")
    if schema.get("oneOf") and holding["oneOf"] != 1:
        yield _invalid(path, _short(value), f"{words} one and only one schema (oneOf)")
    if isinstance(schema.get("not"), Mapping) and _holds(value, schema["not"], path):
        yield _invalid(path, _short(value), f"{path} in body must not validate the schema (not)")


def _holds(value: Any, schema: Schema, path: str) -> bool:
    return next(_judged(value, schema, path), None) is None


def _judged(value: Any, schema: Schema, path: str) -> Iterator[Cause]:
    return _checked(value, schema, path, MISSING)


def _members(value: Mapping[str, Any], schema: Schema, path: str, old: Any) -> Iterator[Cause]:
    for name in schema.get("required", ()):
        if name not in value:
            yield required(member_path(path, name))
    before = old if isinstance(old, Mapping) else {}
    for name, part in value.items():
        below = _below(schema, name)
        if below is not None:
            yield from _checked(part, below, member_path(path, name), before.get(name, MISSING))
    if schema.get(_EMBEDDED) is True:
        for name in ("apiVersion", "kind"):
            if not isinstance(value.get(name), str) or not value[name]:
                yield required(member_path(path, name), "must not be empty")


def _items(value: list[Any], schema: Schema, path: str, old: Any) -> Iterator[Cause]:
    below = schema.get("items")
    kind, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys", ())
    before = {identity(item, keys): item for item in old} if kind == "map" and isinstance(old, list) else {}
    for index, item in enumerate(value):
        if isinstance(below, Mapping):
            yield from _checked(item, below, f"{path}[{index}]", before.get(identity(item, keys), MISSING))
    if kind in ("set", "map"):
        yield from _duplicates(value, keys if kind == "map" else None, path)


def _duplicates(value: list[Any], keys: Sequence[str] | None, path: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, item in enumerate(value):
        mine = identity(item, keys) if keys is not None else _json(item)
        if mine in seen:
            yield Cause(f"{path}[{index}]", "FieldValueDuplicate", f"Duplicate value: {_told(item, keys)}")
        seen.add(mine)


def _told(item: Any, keys: Sequence[str] | None) -> str:
    """What two items have in common: their keys, or all of them where they have none or are no objects at all."""
    if keys is None or not isinstance(item, Mapping):
        return shown(item)
    return _json({key: item[key] for key in keys if key in item})


def identity(item: Any, keys: Sequence[str]) -> str:
    """By which an item of a list that is a map is known again."""
    return _json([item.get(key) if isinstance(item, Mapping) else item for key in keys])


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def unsupported(path: str, value: Any, known: Sequence[Any]) -> Cause:
    """The value is none of those that there are."""
    listed = ", ".join(f'"{one}"' if isinstance(one, str) else f'"{_json(one)}"' for one in known)
    return Cause(
        path, "FieldValueNotSupported", f"Unsupported value: {shown(value)}: supported values: {listed}"
    )  # fmt: skip


def _invalid(path: str, value: Any, why: str) -> Cause:
    return Cause(path, "FieldValueInvalid", f"Invalid value: {shown(value)}: {why}")


def _short(value: Any) -> Any:
    return kind_of(value) if isinstance(value, Mapping | list) else value


def shown(value: Any) -> str:
    """A value as messages show it, cut where it is long."""
    if isinstance(value, str) and len(value) > 1024:
        value = f"{value[:1023]}…"
    return _json(value)


def _plain(number: float) -> str:
    return str(int(number)) if _is(number, "integer") else str(number)


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Any:
    """The pattern for RE2, None where RE2 cannot hold it."""
    try:
        return re2.compile(pattern, _OPTIONS)
    except re2.error:
        return None


_OPTIONS: Any = re2.Options()
_OPTIONS.log_errors = False


def _matches(pattern: str, value: str) -> bool:
    expression = compiled(pattern)
    return expression is None or expression.search(value) is not None
