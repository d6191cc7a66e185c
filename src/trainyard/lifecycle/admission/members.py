"""Each member by itself: known, of the right type, within its length, pattern, enum and bounds."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import cache
from itertools import islice
from typing import Any

from trainyard.lifecycle.admission import words
from trainyard.lifecycle.admission.findings import Findings
from trainyard.lifecycle.admission.patterns import matches
from trainyard.lifecycle.admission.words import Path
from trainyard.model.casing import ack_name, api_name
from trainyard.model.members import Shape, members_of
from trainyard.model.problems import Problem
from trainyard.model.shapes import Constraint, Items, Mapped, Number, OneOf, Structure, Text

URI_PATTERN = r"(https|s3)://([^/]+)/?(.*)"
_A = {"string": "a string", "integer": "a whole number", "float": "a number", "boolean": "true or false"}
_A |= {"list": "a list", "map": "a map of strings", "structure": "a structure with members"}
_MAPPING = (dict, Mapping)  # a dict is told at once, any other mapping slowly
_TYPES: Mapping[str, Any] = {
    "string": str, "integer": int, "float": (int, float), "list": (list, tuple), "map": _MAPPING, "structure": _MAPPING,
}  # fmt: skip
_LONGEST_NAME = 64


class Inspection:
    """One request's members, one after the other. `local` admits local paths where the API wants a URI of an object."""

    def __init__(self, findings: Findings, *, local: bool) -> None:
        self._findings, self._local = findings, local

    def structure(self, value: Mapping[Any, Any], structure: type[Structure], path: Path) -> None:
        """Tell every problem of a structure's members."""
        members = members_of(structure)
        for key, given in value.items():
            member = members.get(key)
            if member is None:
                self._findings.tell(_unknown, key, value, structure, path)
            elif given is not None:
                self._value(given, member.shape, (*path, key))
        for name in _required(structure):
            if value.get(name) is None:
                self._findings.tell(missing, (*path, name))

    def _value(self, value: Any, shape: Shape, path: Path) -> None:
        if not _has_type(value, shape.kind):
            self._findings.tell(_wrong_type, value, shape.kind, path)
            return
        constraint = shape.constraint
        if constraint is not None:
            self._constrained(value, constraint, path)
        if shape.structure is not None:
            self.structure(value, shape.structure, path)
        elif shape.item is not None:
            # A list that is far too long is reported once, not once for each of its items.
            limit = 2 * (constraint.max or 0) if isinstance(constraint, Items) else 0
            for index, item in enumerate(value[: limit or len(value)]):
                self._value(item, shape.item, (*path, index))

    def _constrained(self, value: Any, constraint: Constraint, path: Path) -> None:
        match constraint:
            case Text():
                self._text(value, constraint, path)
            case Number():
                self._bounds(value, constraint, path)
            case Items():
                self._length(value, constraint.min, constraint.max, path)
            case OneOf():
                if value not in constraint.values:
                    self._findings.tell(_no_such_value, value, constraint, path)
            case Mapped():
                self._map(value, constraint, path)

    def _text(self, value: str, text: Text, path: Path) -> None:
        self._length(value, text.min, text.max, path)
        if text.pattern is None or (self._local and text.pattern == URI_PATTERN and is_local_path(value)):
            return
        if not matches(text.pattern, value):
            self._findings.tell(_failure, path, value, words.pattern(text.pattern), "pattern")

    def _length(self, value: Any, least: int, most: int | None, path: Path) -> None:
        if most is not None and len(value) > most:
            self._findings.tell(_failure, path, value, words.longest(most), "length")
        if len(value) < least:
            self._findings.tell(_failure, path, value, words.shortest(least), "length")

    def _bounds(self, value: int, number: Number, path: Path) -> None:
        if value > number.largest:
            self._findings.tell(_failure, path, value, words.largest(number.largest), "range")
        if number.min is not None and value < number.min:
            self._findings.tell(_failure, path, value, words.smallest(number.min), "range")

    def _map(self, value: Mapping[Any, Any], mapped: Mapped, path: Path) -> None:
        self._length(value, 0, mapped.max, path)
        reported: set[str] = set()
        for key, entry in islice(value.items(), 2 * mapped.max):
            if not isinstance(key, str) or not isinstance(entry, str):
                self._findings.tell(_wrong_entry, key, entry, path)
                continue
            for part, text, constraint in (("key", key, mapped.key), ("value", entry, mapped.value)):
                if part not in reported and not _satisfies(text, constraint):
                    reported.add(part)  # the service tells a map's keys, and its values, once for the whole map
                    self._findings.tell(_wrong_part, part, {key: entry}, constraint, (*path, key))


def missing(path: Path) -> Problem:
    """The service's text for a required member that is absent."""
    return _failure(path, None, "Member must not be null", "required")


def is_local_path(value: str) -> bool:
    """Whether a text names a place on this machine: a `file://` URI, or a path without any scheme."""
    if "://" in value and not value.startswith("file://"):
        return False
    return bool(value.strip()) and all(ord(letter) >= 32 for letter in value[:2048])


@cache
def _required(structure: type[Structure]) -> tuple[str, ...]:
    return tuple(name for name, member in members_of(structure).items() if member.required)


def _no_such_value(value: str, enum: OneOf, path: Path) -> Problem:
    near = difflib.get_close_matches(value[:_LONGEST_NAME], enum.values, 1)
    return _failure(path, value, words.enum(enum.values), "enum", near[0] if near else None)


def _wrong_part(part: str, entry: Mapping[str, str], text: Text, path: Path) -> Problem:
    message = words.constraint_failure(path[:-1], entry, words.map_part(part, _constraints(text)))
    return Problem(path=path, message=message, code=f"map-{part}")


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
    return kind != "boolean" and isinstance(value, _TYPES[kind])


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
