"""A YAML or JSON text as plain values that remember where each stood; hostile text costs little and ends as a problem.

The tree is built from the parser's events with a stack of our own, so neither depth nor aliases can run away: both
have a limit, and an alias counts as the whole of what it repeats. Scalars follow YAML 1.2's core schema; dates stay
text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    MappingStartEvent,
    SequenceStartEvent,
)

from trainyard.model.problems import Position, Problem

LARGEST_TEXT = 4 * 1024 * 1024
DEEPEST = 64
MOST_NODES = 200_000
_INTEGER = re.compile(r"[-+]?[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_A_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, Any] = {"": None, "~": None} | dict.fromkeys(("null", "Null", "NULL"))
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(("false", "False", "FALSE"), False)
_SURROGATES = re.compile("[\ud800-\udfff]")
_JSON_STRING_OR_TAB = re.compile(r'"(?:\\.|[^"\\])*"|\t', re.DOTALL)


@dataclass(slots=True)
class Node:
    """A value and where it stands; `keys` tells where each key of a mapping stands."""

    line: int
    column: int
    value: Any = None
    members: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    items: list[Node] = field(default_factory=list)
    weight: int = 1
    height: int = 0
    anchor: str | None = None

    def plain(self) -> Any:
        """The value without positions."""
        if isinstance(self.value, dict):
            return {name: member.plain() for name, member in self.members.items()}
        return [item.plain() for item in self.items] if isinstance(self.value, list) else self.value


@dataclass(slots=True)
class Tree:
    """One document: its root, and what is wrong with its text."""

    root: Node | None
    problems: list[Problem] = field(default_factory=list)


class _Unreadable(Exception):  # noqa: N818 - it never leaves this module
    def __init__(self, message: str, mark: Any, code: str = "syntax") -> None:
        super().__init__(message)
        self.mark = mark
        self.code = code


def read_trees(source: str | bytes, file: str) -> list[Tree]:
    """Every document of a text, in order; where the text breaks off, the last tree has no root and says why."""
    trees: list[Tree] = []
    try:
        text = _decoded(source)
        trees.extend(_Builder(file).build(events) for events in _documents(text))
    except _Unreadable as broken:
        trees.append(Tree(None, [_problem(file, broken.mark, str(broken), broken.code)]))
    except MarkedYAMLError as broken:
        mark = broken.problem_mark or broken.context_mark
        told = " ".join(part for part in (broken.context, broken.problem) if part)
        trees.append(Tree(None, [_problem(file, mark, f"This is not readable as YAML or JSON: {told}", "syntax")]))
    except (YAMLError, ValueError, RecursionError) as broken:
        told = str(broken).splitlines()[0][:200] if str(broken) else "nested too deeply"
        trees.append(Tree(None, [_problem(file, None, f"This is not readable as YAML or JSON: {told}", "syntax")]))
    return trees


def _decoded(source: str | bytes) -> str:
    if len(source) > LARGEST_TEXT:
        raise _Unreadable(f"A manifest may have at most {LARGEST_TEXT} bytes", None, "too-large")
    if isinstance(source, bytes):
        try:
            source = source.decode("utf-8")
        except UnicodeDecodeError as broken:
            raise _Unreadable(f"A manifest is UTF-8 text, and byte {broken.start} is not", None) from broken
    text = source.removeprefix("\ufeff")
    if text.lstrip()[:1] in ("{", "["):  # JSON may be indented with tabs, YAML may not
        text = _JSON_STRING_OR_TAB.sub(lambda token: " " if token[0] == "\t" else token[0], text)
    return text


def _documents(text: str) -> Iterator[Iterator[Any]]:
    events = iter(YAML(typ="safe", pure=True).parse(text))
    for event in events:
        if isinstance(event, DocumentStartEvent):
            yield events


class _Builder:
    """Builds one document; a stack of (container, key waiting for its value)."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._problems: list[Problem] = []
        self._anchors: dict[str, Node] = {}
        self._open: list[Node] = []
        self._keys: list[Node | None] = []

    def build(self, events: Iterator[Any]) -> Tree:
        """Read one document's events, up to the end of its root."""
        for event in events:
            if isinstance(event, MappingStartEvent | SequenceStartEvent):
                self._enter(event)
                continue
            node = self._close() if isinstance(event, CollectionEndEvent) else self._leaf(event)
            if not self._open:
                return Tree(node, self._problems)
            self._place(node, event.start_mark)
        return Tree(None, self._problems)

    def _enter(self, event: Any) -> None:
        if len(self._open) >= DEEPEST:
            raise _Unreadable(f"Nested deeper than {DEEPEST} levels", event.start_mark, "too-deep")
        node = self._node(event)
        node.value = {} if isinstance(event, MappingStartEvent) else []
        self._open.append(node)
        self._keys.append(None)
        if event.anchor:
            self._anchors.pop(event.anchor, None)

    def _close(self) -> Node:
        self._keys.pop()
        return self._open.pop()

    def _leaf(self, event: Any) -> Node:
        if isinstance(event, AliasEvent):
            if event.anchor not in self._anchors:
                raise _Unreadable(f"Alias *{event.anchor} stands for nothing that is complete", event.start_mark)
            return self._anchors[event.anchor]
        node = self._node(event)
        node.value = self._scalar(event)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _node(self, event: Any) -> Node:
        return Node(event.start_mark.line + 1, event.start_mark.column + 1, anchor=event.anchor)

    def _place(self, node: Node, mark: Any) -> None:
        if node.anchor:
            self._anchors[node.anchor] = node
        parent = self._open[-1]
        if len(self._open) + node.height > DEEPEST:  # an alias brings its own depth along
            raise _Unreadable(f"Nested deeper than {DEEPEST} levels", mark, "too-deep")
        parent.weight += node.weight
        parent.height = max(parent.height, node.height + 1)
        if parent.weight > MOST_NODES:
            raise _Unreadable(
                f"A document may have at most {MOST_NODES} values, aliases counted out", mark, "too-large"
            )
        if isinstance(parent.value, list):
            parent.items.append(node)
        elif self._keys[-1] is None:
            self._keys[-1] = node
        else:
            key, self._keys[-1] = self._keys[-1], None
            self._member(parent, key, node)

    def _member(self, parent: Node, key: Node, node: Node) -> None:
        name = key.value
        if not isinstance(name, str):
            shown = "a list or mapping" if isinstance(name, dict | list) else f"{str(name)[:40]!r}"
            self._say(key, f"A key must be a string, and {shown} is not: put it in quotes", "key-type")
            name = str(name)[:40]
        if name in parent.members:
            first = parent.keys[name]
            self._say(key, f"Key {name[:80]!r} is given twice; it stands at line {first[0]} already", "duplicate-key")
            return
        parent.members[name] = node
        parent.keys[name] = (key.line, key.column)

    def _scalar(self, event: Any) -> Any:
        text = str(event.value)
        if event.style in ("'", '"', "|", ">") or event.tag in ("tag:yaml.org,2002:str", "!"):
            return self._text(text, event)
        if text in _WORDS:
            return _WORDS[text]
        if _NOT_A_NUMBER.fullmatch(text):
            return self._bad(event, f"{text} is not a value of this API", "not-a-number", text)
        if _INTEGER.fullmatch(text):
            if len(text) > 40:
                return self._bad(event, f"A number of {len(text)} digits is too large", "huge-number", 0)
            return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
        if _FLOAT.fullmatch(text) and len(text) <= 400:
            value = float(text)
            return value if math.isfinite(value) else self._bad(event, "This number is too large", "huge-number", 0)
        return self._text(text, event)

    def _text(self, text: str, event: Any) -> str:
        if not _SURROGATES.search(text):
            return text
        try:  # JSON writes a letter beyond the basic plane as two escapes
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            bad = "This string has half of a surrogate pair"
            return str(self._bad(event, bad, "surrogate", _SURROGATES.sub("\ufffd", text)))

    def _bad(self, event: Any, message: str, code: str, value: Any) -> Any:
        self._problems.append(_problem(self._file, event.start_mark, message, code))
        return value

    def _say(self, node: Node, message: str, code: str) -> None:
        position = Position(self._file, node.line, node.column)
        self._problems.append(Problem(path=(), message=message, code=code, position=position))


def _problem(file: str, mark: Any, message: str, code: str) -> Problem:
    position = Position(file, mark.line + 1, mark.column + 1) if mark is not None else Position(file, 1, 1)
    return Problem(path=(), message=message, code=code, position=position)
