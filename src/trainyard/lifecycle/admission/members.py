"""Each member by itself: known, of the right type, within its length, pattern, enum and bounds."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from trainyard.lifecycle.admission import words
from trainyard.lifecycle.admission.patterns import matches
from trainyard.lifecycle.admission.words import Path
from trainyard.model.casing import ack_name, api_name
from trainyard.model.members import Shape, members_of
from trainyard.model.problems import Problem
from trainyard.model.shapes import Items, Mapped, Number, OneOf, Structure, Text

URI_PATTERN = r"(https|s3)://([^/]+)/?(.*)"
_A = {"string": "a string", "integer": "a whole number", "float": "a number", "boolean": "true or false"}
_A |= {"list": "a list", "map": "a map of strings", "structure": "a structure with members"}
_LONGEST_NAME = 64


def check_structure(
    value: Mapping[Any, Any], structure: type[Structure], path: Path, *, local: bool
) -> Iterator[Problem]:
    """Every problem of a structure's members; `local` admits local paths where the API wants a URI of an object."""
    members = members_of(structure)
    for key, given in value.items():
        if not isinstance(key, str) or key not in members:
            yield _unknown(key, value, structure, path)
        elif given is not None:
            yield from check(given, members[key].shape, (*path, key), local=local)
    for name, member in members.items():
        if member.required and value.get(name) is None:
            yield missing((*path, name))


def missing(path: Path) -> Problem:
    """The service's text for a required member that is absent."""
    return Problem(
        path=path, message=words.constraint_failure(path, None, "Member must not be null"), code="required"
    )  # fmt: skip


def check(value: Any, shape: Shape, path: Path, *, local: bool) -> Iterator[Problem]:
    """Every problem of one value and of what is below it."""
    if not _has_type(value, shape.kind):
        yield _wrong_type(value, shape.kind, path)
        return
    yield from _failures(value, shape, path, local=local)
    if shape.structure is not None:
        yield from check_structure(value, shape.structure, path, local=local)
    elif shape.item is not None:
        # A list that is far too long is reported once, not once for each of its items.
        limit = 2 * (shape.constraint.max or 0) if isinstance(shape.constraint, Items) else len(value)
        for index, item in enumerate(value[: limit or len(value)]):
            yield from check(item, shape.item, (*path, index), local=local)


def _failures(value: Any, shape: Shape, path: Path, *, local: bool) -> Iterator[Problem]:
    constraint = shape.constraint
    if isinstance(constraint, Text):
        yield from _text(value, constraint, path, local=local)
    elif isinstance(constraint, Number):
        yield from _bounds(value, constraint, path)
    elif isinstance(constraint, Items):
        yield from _length(value, constraint.min, constraint.max, path)
    elif isinstance(constraint, OneOf) and value not in constraint.values:
        near = difflib.get_close_matches(value[:_LONGEST_NAME], constraint.values, 1)
        yield _failure(path, value, words.enum(constraint.values), "enum", near[0] if near else None)
    elif isinstance(constraint, Mapped):
        yield from _map(value, constraint, path)


def _text(value: str, text: Text, path: Path, *, local: bool) -> Iterator[Problem]:
    yield from _length(value, text.min, text.max, path)
    if text.pattern is None or (local and text.pattern == URI_PATTERN and is_local_path(value)):
        return
    if not matches(text.pattern, value):
        yield _failure(path, value, words.pattern(text.pattern), "pattern")


def is_local_path(value: str) -> bool:
    """Whether a text names a place on this machine: a `file://` URI, or a path without any scheme."""
    if not value.strip() or any(ord(letter) < 32 for letter in value[:2048]):
        return False
    return value.startswith("file://") or "://" not in value


def _length(value: Any, least: int, most: int | None, path: Path) -> Iterator[Problem]:
    if most is not None and len(value) > most:
        yield _failure(path, value, words.longest(most), "length")
    if len(value) < least:
        yield _failure(path, value, words.shortest(least), "length")


def _bounds(value: int, number: Number, path: Path) -> Iterator[Problem]:
    if number.max is not None and value > number.max:
        yield _failure(path, value, words.largest(number.max), "range")
    if number.min is not None and value < number.min:
        yield _failure(path, value, words.smallest(number.min), "range")


def _map(value: Mapping[Any, Any], mapped: Mapped, path: Path) -> Iterator[Problem]:
    yield from _length(value, 0, mapped.max, path)
    reported: set[str] = set()
    for key, entry in list(value.items())[: 2 * mapped.max]:
        if not isinstance(key, str) or not isinstance(entry, str):
            yield _wrong_entry(key, entry, path)
            continue
        for part, text, constraint in (("key", key, mapped.key), ("value", entry, mapped.value)):
            if part not in reported and not _satisfies(text, constraint):
                reported.add(part)  # the service tells a map's keys, and its values, once for the whole map
                failure = words.map_part(part, _constraints(constraint))
                message = words.constraint_failure(path, {key: entry}, failure)
                yield Problem(path=(*path, key), message=message, code=f"map-{part}")


def _satisfies(value: str, text: Text) -> bool:
    long_enough = len(value) >= text.min
    short_enough = text.max is None or len(value) <= text.max
    return long_enough and short_enough and (text.pattern is None or matches(text.pattern, value))


def _constraints(text: Text) -> list[str]:
    bounds = [] if text.max is None else [words.longest(text.max)]
    return [*bounds, words.shortest(text.min), *([] if text.pattern is None else [words.pattern(text.pattern)])]


def _has_type(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer":
        return isinstance(value, int)
    if kind == "float":
        return isinstance(value, int | float)
    if kind == "list":
        return isinstance(value, list | tuple)
    return isinstance(value, str if kind == "string" else Mapping) and kind != "boolean"


def _wrong_type(value: Any, kind: str, path: Path) -> Problem:
    suggestion = None
    if kind == "string" and isinstance(value, bool | int | float):
        suggestion = f'"{words.show(value)}"'
    elif kind == "integer" and isinstance(value, str) and value[:20].strip().isdecimal():
        suggestion = words.show(value.strip())
    elif kind == "boolean" and isinstance(value, str) and value.lower() in ("true", "false"):
        suggestion = value.lower()
    return _failure(path, value, f"Member must be {_A[kind]}", "type", suggestion)


def _wrong_entry(key: Any, entry: Any, path: Path) -> Problem:
    where = (*path, words.show(key))
    if not isinstance(key, str):
        return _failure(where, entry, "Map key must be a string", "type", f'"{words.show(key)}"')
    return _wrong_type(entry, "string", where)


def _unknown(key: Any, beside: Mapping[Any, Any], structure: type[Structure], path: Path) -> Problem:
    shown = words.show(key)
    where = (*path, shown)
    place = words.wire_path(path) or "the request"
    known = api_name(structure, key) if isinstance(key, str) else None
    if known is not None and known in beside:
        message = f"Field '{shown}' in {place} is the same as '{known}', which is given too"
        return Problem(path=where, message=message, code="given-twice")
    message = f"Unknown field '{shown}' in {place}"
    near = known or _nearest(shown, structure)
    suggestion = ack_name(near) if near is not None and shown[:1].islower() else near  # in the spelling of who wrote it
    return Problem(path=where, message=message, code="unknown-field", suggestion=suggestion)


def _nearest(name: str, structure: type[Structure]) -> str | None:
    lowered = {member.lower(): member for member in members_of(structure)}
    near = difflib.get_close_matches(name[:_LONGEST_NAME].lower(), lowered, 1)
    return lowered[near[0]] if near else None


def _failure(path: Path, value: Any, constraint: str, code: str, suggestion: str | None = None) -> Problem:
    return Problem(
        path=path, message=words.constraint_failure(path, value, constraint), code=code, suggestion=suggestion
    )  # fmt: skip
