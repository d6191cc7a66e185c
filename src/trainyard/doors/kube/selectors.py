"""Label and field selectors: text to a predicate. Hostile text is refused, never evaluated."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from trainyard.doors.kube.errors import bad_request
from trainyard.doors.kube.kinds import Kind
from trainyard.ports.resources import Body

LONGEST_SELECTOR = 32 * 1024  # characters
_KEY = r"(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?"
_VALUE = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?"
_EQUALITY = re.compile(rf"\s*({_KEY})\s*(==|=|!=)\s*({_VALUE})\s*\Z")
_SET = re.compile(rf"\s*({_KEY})\s+(in|notin)\s*\(([^()]*)\)\s*\Z")
_EXISTS = re.compile(rf"\s*(!?)\s*({_KEY})\s*\Z")
_COMPARED = re.compile(rf"\s*({_KEY})\s*([<>])\s*(-?[0-9]{{1,18}})\s*\Z")
Test = Callable[[str | None], bool]


@dataclass(frozen=True, slots=True)
class Selector:
    """A conjunction of requirements on labels and on fields."""

    labels: tuple[tuple[str, Test], ...] = ()
    fields: tuple[tuple[str, Test], ...] = ()

    @property
    def is_everything(self) -> bool:
        """Nothing is asked for."""
        return not self.labels and not self.fields

    def matches(self, body: Body) -> bool:
        """Whether an object is in view."""
        if self.labels:
            labels = body["metadata"].get("labels") or {}
            if not all(test(labels.get(key)) for key, test in self.labels):
                return False
        return all(test(_field(body, path)) for path, test in self.fields)


def selector_of(kind: Kind, label_text: str, field_text: str) -> Selector:
    """Read both selectors. Raises Refused (400)."""
    if max(len(label_text), len(field_text)) > LONGEST_SELECTOR:
        raise bad_request(f"a selector may have {LONGEST_SELECTOR} characters at most")
    return Selector(
        labels=tuple(_requirement(part) for part in _parts(label_text)),
        fields=tuple(_field_requirement(kind, part) for part in _parts(field_text) if part),
    )


def _parts(text: str) -> Sequence[str]:
    """Split at commas that are not inside parentheses."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        if character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
        elif character == "," and depth == 0:
            parts.append(text[start:position])
            start = position + 1
    parts.append(text[start:])
    return [] if parts == [""] else parts


def _requirement(part: str) -> tuple[str, Test]:
    if match := _EQUALITY.match(part):
        key, operator, value = match.groups()
        return key, _differs(value) if operator == "!=" else _equals(value)
    if match := _SET.match(part):
        key, operator, listed = match.groups()
        values = frozenset(_value(value) for value in listed.split(","))
        return key, _among(values, wanted=operator == "in")
    if match := _EXISTS.match(part):
        absent, key = match.groups()
        return key, _is_absent if absent else _is_present
    if match := _COMPARED.match(part):
        key, operator, bound = match.groups()
        return key, _compares(int(bound), greater=operator == ">")
    raise bad_request(f"unable to parse requirement: found {part[:100]!r}, expected a requirement on a label")


def _value(text: str) -> str:
    bare = text.strip()
    if not re.fullmatch(_VALUE, bare):
        raise bad_request(f"unable to parse requirement: values: Invalid value: {bare[:100]!r}")
    return bare


def _field_requirement(kind: Kind, part: str) -> tuple[str, Test]:
    match = re.match(r"([^=!]+)(==|=|!=)(.*)\Z", part, re.DOTALL)
    if match is None:
        raise bad_request(f"invalid selector: {part[:100]!r}; can't understand {part[:100]!r}")
    path, operator, value = match.groups()
    if path not in ("metadata.name", "metadata.namespace", *kind.selectable):
        raise bad_request(f"field label not supported: {path[:100]}")
    plain = re.sub(r"\\([\\,=])", r"\1", value)
    return path, _differs(plain) if operator == "!=" else _equals(plain)


def _field(body: Body, path: str) -> str:
    value: Any = body
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return "" if value is None else str(value)


def _equals(wanted: str) -> Test:
    return lambda value: value == wanted


def _differs(unwanted: str) -> Test:
    return lambda value: value != unwanted


def _among(values: frozenset[str], *, wanted: bool) -> Test:
    return lambda value: (value in values) is wanted


def _is_absent(value: str | None) -> bool:
    return value is None


def _is_present(value: str | None) -> bool:
    return value is not None


def _compares(bound: int, *, greater: bool) -> Test:
    def test(value: str | None) -> bool:
        if value is None or not re.fullmatch(r"-?[0-9]{1,18}", value):
            return False
        return int(value) > bound if greater else int(value) < bound

    return test
