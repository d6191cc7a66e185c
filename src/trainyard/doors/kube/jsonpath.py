"""The JSONPath of printer columns: members, indexes, wildcards and equality filters; bounded in length and in results.

What it does not read it refuses when the column is declared, so no column is silently empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

LONGEST_PATH = 1000  # characters
MOST_RESULTS = 1000  # values that one path may give
_STEP = re.compile(
    r"""\.(?P<member>[A-Za-z0-9_$-]+(?:\\\.[A-Za-z0-9_$-]+)*)
      | \.?\[(?P<index>-?[0-9]{1,9})\]
      | \.?\[(?P<wild>\*)\]
      | \.(?P<all>\*)
      | \.?\['(?P<quoted>[^']*)'\]
      | \.?\["(?P<double>[^"]*)"\]
      | \.?\[\?\(\s*@\.(?P<key>[A-Za-z0-9_.-]+)\s*(?P<operator>==|!=)\s*
          (?:"(?P<text>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>true|false|-?[0-9]+))\s*\)\]
    """,
    re.VERBOSE,
)
Step = Callable[[Any], Sequence[Any]]


class PathRefused(ValueError):  # noqa: N818 - the path was refused
    """A path that is not read here."""


def found(value: Any, path: str) -> list[Any]:
    """Every value that a path leads to. Raises PathRefused."""
    values = [value]
    for step in steps(path):
        values = [one for each in values for one in step(each)][:MOST_RESULTS]
    return values


@lru_cache(maxsize=1000)
def steps(path: str) -> tuple[Step, ...]:
    """A path as functions, each from a value to values. Raises PathRefused."""
    if len(path) > LONGEST_PATH:
        raise PathRefused(f"a path has {LONGEST_PATH} characters at most")
    read: list[Step] = []
    position = 0
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            raise PathRefused(f"{path[:100]!r} is not understood at {path[position : position + 20]!r}")
        read.append(_step(match))
        position = match.end()
    return tuple(read)


def _step(match: re.Match[str]) -> Step:
    parts = match.groupdict()
    if parts["index"] is not None:
        return _index(int(parts["index"]))
    if parts["wild"] or parts["all"]:
        return _children
    if parts["key"]:
        return _filter(parts["key"].split("."), _literal(parts), equal=parts["operator"] == "==")
    if parts["member"] is not None:
        return _member(parts["member"].replace("\\.", "."))
    return _member(parts["quoted"] if parts["quoted"] is not None else parts["double"])


def _literal(parts: dict[str, Any]) -> Any:
    bare = parts["bare"]
    if bare is None:
        return parts["text"] if parts["text"] is not None else parts["single"]
    return bare == "true" if bare in ("true", "false") else int(bare[:18])


def _member(name: str) -> Step:
    return lambda value: [value[name]] if isinstance(value, dict) and name in value else []


def _index(index: int) -> Step:
    return lambda value: [value[index]] if isinstance(value, list) and -len(value) <= index < len(value) else []


def _children(value: Any) -> Sequence[Any]:
    if isinstance(value, list):
        return value
    return list(value.values()) if isinstance(value, dict) else []


def _filter(keys: list[str], wanted: Any, *, equal: bool) -> Step:
    def matches(one: Any) -> bool:
        for key in keys:
            if not isinstance(one, dict) or key not in one:
                return False
            one = one[key]
        return (type(one) is type(wanted) and one == wanted) is equal

    return lambda value: [one for one in _children(value) if matches(one)]
