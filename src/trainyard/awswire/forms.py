"""The members of a form of the query protocol: `Dimensions.member.1.Name` as what a structure of ours says it is.

What is not of the type that is wanted stays a text: whoever reads the members tells so, beside all other problems.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from trainyard.awswire.calls import Refusal
from trainyard.model.members import Shape, members_of
from trainyard.model.shapes import Structure

_DEEPEST = 16  # steps of one name
_ENVELOPE = ("Action", "Version")
_TRUTHS = {"true": True, "false": False}
Tree = dict[str, Any]


def members(form: Mapping[str, str], structure: type[Structure]) -> dict[str, Any]:
    """A request's members. Raises Refusal for names that contradict one another."""
    tree: Tree = {}
    for name, text in form.items():
        if name not in _ENVELOPE:
            _put(tree, name, text)
    return _structure(tree, structure)


def _put(tree: Tree, name: str, text: str) -> None:
    *way, last = name.split(".", _DEEPEST)
    for step in way:
        tree = tree.setdefault(step, {})
        if not isinstance(tree, dict):
            raise _malformed(name)
    if last in tree:
        raise _malformed(name)
    tree[last] = text


def _structure(tree: Tree, structure: type[Structure]) -> dict[str, Any]:
    known = members_of(structure)
    return {name: _value(given, known[name].shape) if name in known else given for name, given in tree.items()}


def _value(given: Any, shape: Shape) -> Any:
    if isinstance(given, dict):
        if shape.structure is not None and shape.kind == "structure":
            return _structure(given, shape.structure)
        return _list(given, shape.item) if shape.kind == "list" and shape.item is not None else given
    if shape.kind == "list":
        return [] if given == "" else given
    return _plain(given, shape.kind)


def _list(tree: Tree, item: Shape) -> Any:
    entries = tree.get("member")
    if len(tree) != 1 or not isinstance(entries, dict) or not all(_is_count(name) for name in entries):
        return tree
    return [_value(entries[name], item) for name in sorted(entries, key=int)]


def _is_count(name: str) -> bool:
    return name.isascii() and name.isdecimal() and len(name) <= 9


def _plain(text: str, kind: str) -> Any:
    try:
        if kind == "integer":
            return int(text) if len(text) <= 20 else text
        if kind == "float":
            return _number(text)
    except ValueError:
        return text
    return _TRUTHS.get(text, text) if kind == "boolean" else text


def _number(text: str) -> float:
    """A number, or a time as this protocol writes it."""
    if "T" not in text:
        return float(text)
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _malformed(name: str) -> Refusal:
    return Refusal("MalformedInput", f"The field {name[:64]} contradicts another one.")
