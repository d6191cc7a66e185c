"""The texts of validation, in the service's own words (collected from real answers)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from trainyard.model.casing import lower_camel
from trainyard.model.problems import Problem, Severity

_SHOWN = 256
_SHOWN_ITEMS = 16
# The service's text still shows the anchor that the model's pattern has lost.
_WRITTEN_PATTERNS = {r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}": r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"}

Path = tuple[str | int, ...]


def validation_message(problems: Iterable[Problem]) -> str:
    """One ValidationException's text for all errors: the service counts its constraint failures before listing them.

    Broken rules between members follow them; the service would tell those one at a time and only afterwards.
    """
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    failures = [problem.message for problem in errors if " failed to satisfy constraint: " in problem.message]
    others = [problem.message for problem in errors if " failed to satisfy constraint: " not in problem.message]
    if not failures:
        return "; ".join(others)
    noun = "error" if len(failures) == 1 else "errors"
    return "; ".join([f"{len(failures)} validation {noun} detected: {'; '.join(failures)}", *others])


def wire_path(path: Path) -> str:
    """A path as the service writes it: `inputDataConfig.1.member.channelName`, list places counted from one."""
    return ".".join(f"{step + 1}.member" if isinstance(step, int) else lower_camel(step) for step in path)


def constraint_failure(path: Path, value: Any, constraint: str) -> str:
    """`Value '…' at '…' failed to satisfy constraint: …`."""
    shown = "null" if value is None else f"'{show(value)}'"
    return f"Value {shown} at '{wire_path(path)}' failed to satisfy constraint: {constraint}"


def longest(limit: int) -> str:
    """The text for a string, list or map that is too long."""
    return f"Member must have length less than or equal to {limit}"


def shortest(limit: int) -> str:
    """The text for a string or list that is too short."""
    return f"Member must have length greater than or equal to {limit}"


def largest(limit: int) -> str:
    """The text for a number that is too large."""
    return f"Member must have value less than or equal to {limit}"


def smallest(limit: int) -> str:
    """The text for a number that is too small."""
    return f"Member must have value greater than or equal to {limit}"


def pattern(text: str) -> str:
    """The text for a string that does not match."""
    return f"Member must satisfy regular expression pattern: {_WRITTEN_PATTERNS.get(text, text)}"


def enum(values: Iterable[str]) -> str:
    """The text for a value outside an enum."""
    return f"Member must satisfy enum value set: [{', '.join(values)}]"


def map_part(part: str, constraints: Iterable[str]) -> str:
    """The text for a map with a bad key or value; the service lists all constraints of that part."""
    return f"Map {part} must satisfy constraint: [{', '.join(constraints)}]"


def show(value: Any) -> str:
    """A value as the service prints it, cut so that no text grows with what a user sends."""
    return _cut(_show(value, 0))


def _show(value: Any, depth: int) -> str:
    if isinstance(value, str):
        return value if len(value) <= _SHOWN else _cut(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if depth > 2 and isinstance(value, Mapping | list | tuple):
        return "…"
    if isinstance(value, Mapping):
        entries = [f"{_show(k, depth + 1)}={_show(v, depth + 1)}" for k, v in _first(value.items())]
        return "{" + ", ".join(entries + ["…"] * (len(value) > _SHOWN_ITEMS)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join([_show(i, depth + 1) for i in _first(value)] + ["…"] * (len(value) > _SHOWN_ITEMS)) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    try:
        return "null" if value is None else str(value)
    except ValueError:  # an integer of more digits than the interpreter prints
        return f"a number of {value.bit_length()} bits"


def _first(items: Iterable[Any]) -> list[Any]:
    return [item for _, item in zip(range(_SHOWN_ITEMS), items, strict=False)]


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]}… ({len(text)} characters)"
