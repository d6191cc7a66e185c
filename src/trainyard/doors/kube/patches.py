"""The three kinds of patches: JSON patch (RFC 6902), JSON merge patch (RFC 7396), strategic merge patch.

Pure functions on JSON values. What they are given they leave alone; the result may share parts with it. Patches come
from clients: their number of operations and the size of what they copy are bounded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MOST_OPERATIONS = 10_000
DEEPEST = 200  # levels that a pointer may go down; an object that a patch builds is not much deeper
MOST_COPIED = 1_000_000  # values that all copies of one patch may make


class PatchRefused(Exception):  # noqa: N818 - a patch that cannot be applied is an answer to its sender
    """A patch that is malformed (400), too large (413) or does not fit the object (422)."""

    def __init__(self, message: str, code: int = 422) -> None:
        super().__init__(message)
        self.code = code


def merge_patch(value: Any, patch: Any) -> Any:
    """The value with a JSON merge patch applied: members of objects are merged, null removes, all else replaces."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(value) if isinstance(value, Mapping) else {}
    for name, change in patch.items():
        if change is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), change)
    return merged


def json_patch(document: Any, operations: Any) -> Any:
    """The document after every operation of a JSON patch, or none of them. Raises PatchRefused."""
    if not isinstance(operations, list) or not all(isinstance(one, Mapping) for one in operations):
        raise PatchRefused("a JSON patch is an array of operations", 400)
    if len(operations) > MOST_OPERATIONS:
        text = f"The allowed maximum operations in a JSON patch is {MOST_OPERATIONS}, got {len(operations)}"
        raise PatchRefused(text, 413)
    copied = 0
    for operation in operations:
        if operation.get("op") == "copy":
            copied += _weight(_at(document, _pointer(operation, "from")))
            if copied > MOST_COPIED:
                raise PatchRefused(f"a JSON patch may copy at most {MOST_COPIED} values", 413)
        document = _operated(document, operation)
    return document


def _operated(document: Any, operation: Mapping[str, Any]) -> Any:
    path = _pointer(operation, "path")
    match operation.get("op"):
        case "add":
            return _put(document, path, _value(operation), adding=True)
        case "replace":
            return _put(document, path, _value(operation), adding=False)
        case "remove":
            return _removed(document, path)
        case "move":
            source = _pointer(operation, "from")
            if path[: len(source)] == source and path != source:
                raise PatchRefused("a value cannot be moved into itself")
            return _put(_removed(document, source), path, _at(document, source), adding=True)
        case "copy":
            return _put(document, path, _at(document, _pointer(operation, "from")), adding=True)
        case "test":
            if not same(_at(document, path), _value(operation)):
                raise PatchRefused(f"testing value {operation['path']} failed: test failed")
            return document
    raise PatchRefused(f"unexpected kind of operation: {str(operation.get('op'))[:40]!r}", 400)


def _value(operation: Mapping[str, Any]) -> Any:
    if "value" not in operation:
        raise PatchRefused(f"the operation {operation['op']!r} needs a value", 400)
    return operation["value"]


def _pointer(operation: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The tokens of a JSON pointer (RFC 6901)."""
    text = operation.get(name)
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise PatchRefused(f"{name!r} must be a JSON pointer", 400)
    tokens = text.split("/")[1:]
    if len(tokens) > DEEPEST:
        raise PatchRefused(f"{name!r} is deeper than {DEEPEST} levels", 400)
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in tokens)


def _at(value: Any, path: Sequence[str]) -> Any:
    for token in path:
        value = _child(value, token)
    return value


def _child(value: Any, token: str) -> Any:
    if isinstance(value, Mapping) and token in value:
        return value[token]
    if isinstance(value, list):
        return value[_index(token, len(value) - 1)]
    raise PatchRefused(f"there is nothing at {token[:200]!r}")


def _index(token: str, last: int) -> int:
    if not token.isascii() or not token.isdigit() or len(token) > 9 or (len(token) > 1 and token[0] == "0"):
        raise PatchRefused(f"{token[:40]!r} is no index of an array")
    if int(token) > last:
        raise PatchRefused(f"index {token} lies beyond the array's end")
    return int(token)


def _put(value: Any, path: Sequence[str], new: Any, *, adding: bool) -> Any:
    """A copy along the path, with the new value at its end."""
    if not path:
        return new
    token, rest = path[0], path[1:]
    if rest:
        return _with(value, token, _put(_child(value, token), rest, new, adding=adding))
    if isinstance(value, list) and adding:
        place = len(value) if token == "-" else _index(token, len(value))  # noqa: S105 - a token of a pointer
        return [*value[:place], new, *value[place:]]
    if isinstance(value, Mapping) and adding:
        return {**value, token: new}
    _child(value, token)
    return _with(value, token, new)


def _with(value: Any, token: str, child: Any) -> Any:
    if isinstance(value, Mapping):
        return {**value, token: child}
    place = _index(token, len(value) - 1)
    return [*value[:place], child, *value[place + 1 :]]


def _removed(value: Any, path: Sequence[str]) -> Any:
    if not path:
        raise PatchRefused("the whole document cannot be removed")
    token, rest = path[0], path[1:]
    child = _child(value, token)
    if rest:
        return _with(value, token, _removed(child, rest))
    if isinstance(value, Mapping):
        return {name: member for name, member in value.items() if name != token}
    place = _index(token, len(value) - 1)
    return [*value[:place], *value[place + 1 :]]


def _weight(value: Any) -> int:
    """How many values there are in one, counted no further than matters."""
    count, open_values = 0, [value]
    while open_values and count <= MOST_COPIED:
        one = open_values.pop()
        count += 1 + (len(one) // 64 if isinstance(one, str) else 0)
        if isinstance(one, Mapping):
            open_values.extend(one.values())
        elif isinstance(one, list):
            open_values.extend(one)
    return count


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal: numbers by value, never a boolean for a number."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(*pair) for pair in zip(one, other, strict=True))
    return bool(one == other)
