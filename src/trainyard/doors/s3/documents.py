"""S3's XML: small documents written, and read from clients that may mean harm."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from xml.parsers import expat

from trainyard.doors.s3.errors import Refused

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_DEEPEST = 10  # elements in elements; S3's own requests have four
_ODD = re.compile(r"[&<>\"\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")

Element = tuple[str, "str | int | bool | Iterable[Element]"]
"""A name and its text, or what it holds."""


def render(root: str, holds: Iterable[Element], namespace: str = NAMESPACE) -> bytes:
    """A document."""
    attribute = f' xmlns="{namespace}"' if namespace else ""
    out = [f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}{attribute}>']
    _write(holds, out)
    out.append(f"</{root}>")
    return "".join(out).encode()


def _write(elements: Iterable[Element], out: list[str]) -> None:
    for name, holds in elements:
        if isinstance(holds, str):
            out.append(f"<{name}>{escaped(holds)}</{name}>")
        elif isinstance(holds, int):
            out.append(f"<{name}>{str(holds).lower()}</{name}>")
        else:
            out.append(f"<{name}>")
            _write(holds, out)
            out.append(f"</{name}>")


def escaped(text: str) -> str:
    """Text inside an element. Control characters become references, as S3 writes them; half characters cannot."""
    return _ODD.sub(_reference, text)


def _reference(found: re.Match[str]) -> str:
    code = ord(found[0])
    return "\ufffd" if code >= 0xD800 else _NAMED.get(found[0]) or f"&#x{code:x};"


_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}


@dataclass(slots=True)
class Node:
    """An element that was read; its name without namespace."""

    name: str
    text: str = ""
    nodes: list[Node] = field(default_factory=list)

    def all(self, name: str) -> list[Node]:
        """The elements of a name that it holds."""
        return [node for node in self.nodes if node.name == name]

    def find(self, name: str) -> Node | None:
        """The first of them."""
        return next(iter(self.all(name)), None)

    def get(self, name: str) -> str | None:
        """The text of the first of them; None where there is none, or it is empty."""
        node = self.find(name)
        return None if node is None else node.text or None


def parse(body: bytes, root: str) -> Node:
    """The document in a request's body. Raises Refused (MalformedXML)."""
    reader = _Reader()
    try:
        reader.parser.Parse(body, True)
    except expat.ExpatError as error:
        raise Refused("MalformedXML") from error
    if reader.root is None or reader.root.name != root:
        raise Refused("MalformedXML")
    return reader.root


class _Reader:
    def __init__(self) -> None:
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.buffer_text = True
        self.root: Node | None = None
        self._open: list[Node] = []

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        node = Node(name.rpartition(" ")[2])
        if self._open:
            self._open[-1].nodes.append(node)
        else:
            self.root = node
        self._open.append(node)
        if len(self._open) > _DEEPEST:
            raise Refused("MalformedXML")

    def _end(self, _name: str) -> None:
        self._open.pop()

    def _text(self, text: str) -> None:
        if self._open:
            self._open[-1].text += text

    def _refuse(self, *_declared: object) -> None:
        raise Refused("MalformedXML")
