"""Files that describe jobs: Kubernetes manifests of kind TrainingJob and bare requests, YAML or JSON, either spelling.

A file may hold several documents. Reading never raises: what is wrong with the text is a problem of its document, with
file, line and column.
"""

from __future__ import annotations

import difflib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ruamel.yaml import YAML

from trainyard.lifecycle.admission.findings import Findings
from trainyard.model.casing import to_ack, to_api
from trainyard.model.problems import Position, Problem
from trainyard.model.spec import TrainingJobSpec
from trainyard.resource.names import API_VERSION, KIND
from trainyard.resource.tree import Node, Tree, read_trees

_TOP = ("apiVersion", "kind", "metadata", "spec", "status")


@dataclass(frozen=True, slots=True)
class Metadata:
    """A manifest's metadata; all empty for a bare request."""

    name: str = ""
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """One job of a file.

    wire     : the request in the API's spelling, as far as it could be read.
    problems : what is wrong with the file itself, each with its position; constraints are admission's affair.
    """

    file: str
    wire: Mapping[str, Any] = field(default_factory=dict)
    metadata: Metadata = Metadata()
    problems: tuple[Problem, ...] = ()
    root: Node | None = None

    def position(self, path: tuple[str | int, ...]) -> Position:
        """Where a member stands; for one that is absent, where the nearest one above it stands."""
        node = self.root
        if node is None:
            return Position(self.file, 1, 1)
        found = (node.line, node.column)
        for step in path:
            found, node = _step(node, step, found)
            if node is None:
                break
        return Position(self.file, *found)

    def locate(self, problems: Iterable[Problem]) -> tuple[Problem, ...]:
        """The same problems, each with its position in this file."""
        return tuple(
            problem if problem.position else replace(problem, position=self.position(problem.path))
            for problem in problems
        )


def read_manifests(source: str | bytes, file: str) -> list[Document]:
    """Every job that a text describes, in order; empty documents are passed over."""
    documents = [
        _document(tree, file) for tree in read_trees(source, file) if tree.root is None or tree.root.value is not None
    ]
    if documents:
        return documents
    nothing = Problem(path=(), message="This file describes no job", code="empty", position=Position(file, 1, 1))
    return [Document(file, problems=(nothing,))]


def write_manifest(spec: TrainingJobSpec, name: str) -> str:
    """A Kubernetes manifest in ACK's spelling, with exactly the members that the spec gives."""
    manifest = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": to_ack(spec.to_wire())}
    return as_yaml(manifest)


def as_yaml(document: Any) -> str:
    """A document as block YAML, members in their own order, no line broken."""
    yaml: Any = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False
    yaml.allow_unicode = True
    yaml.width = 1_000_000
    text = io.StringIO()
    yaml.dump(document, text)
    return text.getvalue()


def _document(tree: Tree, file: str) -> Document:
    root = tree.root
    if root is None:
        return Document(file, problems=tuple(tree.problems))
    if not isinstance(root.value, dict):
        message = "A job is a mapping of members; this document is something else"
        return Document(file, problems=(*tree.problems, _problem(file, root, message, "not-a-mapping")), root=root)
    if "kind" not in root.members and "apiVersion" not in root.members:
        return Document(file, wire=to_api(root.plain()), problems=tuple(tree.problems), root=root)
    return _resource(root, file, tree.problems)


def _resource(root: Node, file: str, problems: list[Problem]) -> Document:
    found = Findings()
    found.take((*problems, *_identity(root, file)))
    for name, place in root.keys.items():
        if name not in _TOP:
            found.tell(_unknown, name, Position(file, *place))
    metadata = root.members.get("metadata")
    if metadata is not None and not isinstance(metadata.value, dict):
        found.tell(_problem, file, metadata, "metadata must be a mapping", "metadata")
    spec = root.members.get("spec")
    if spec is None or not isinstance(spec.value, dict):
        found.tell(_problem, file, spec or root, "A TrainingJob has a spec, which is a mapping", "no-spec")
        return Document(file, metadata=_metadata(metadata), problems=found.problems(), root=root)
    return Document(file, to_api(spec.plain()), _metadata(metadata), found.problems(), spec)


def _identity(root: Node, file: str) -> list[Problem]:
    found = []
    for member, wanted in (("apiVersion", API_VERSION), ("kind", KIND)):
        node = root.members.get(member)
        if node is None or node.value != wanted:
            shown = "nothing" if node is None else repr(str(node.value)[:80])
            problem = _problem(file, node or root, f"{member} must be {wanted}, and {shown} is given", "resource-kind")
            found.append(replace(problem, suggestion=wanted))
    return found


def _unknown(name: str, position: Position) -> Problem:
    near = difflib.get_close_matches(name[:64], _TOP, 1)
    message = f"Unknown field '{name[:80]}' in a TrainingJob resource"
    suggestion = near[0] if near else None
    return Problem(path=(name,), message=message, code="unknown-field", suggestion=suggestion, position=position)


def _metadata(node: Node | None) -> Metadata:
    given = node.plain() if node is not None and isinstance(node.value, dict) else {}
    return Metadata(
        name=_string(given.get("name")),
        namespace=_string(given.get("namespace")),
        labels=_strings(given.get("labels")),
        annotations=_strings(given.get("annotations")),
    )


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _strings(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {name: text for name, text in value.items() if isinstance(text, str)}


def _step(node: Node, step: str | int, found: tuple[int, int]) -> tuple[tuple[int, int], Node | None]:
    if isinstance(step, int):
        item = node.items[step] if step < len(node.items) else None
        return ((item.line, item.column) if item else found), item
    folded = step.lower()
    name = step if step in node.members else next((key for key in node.members if key.lower() == folded), None)
    return (found, None) if name is None else (node.keys[name], node.members[name])


def _problem(file: str, node: Node, message: str, code: str) -> Problem:
    return Problem(path=(), message=message, code=code, position=Position(file, node.line, node.column))
