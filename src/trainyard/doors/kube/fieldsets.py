"""Objects as sets of fields: what a value has, how two values differ, how they merge, by the kinds' schemas.

A field is a path of elements as FieldsV1 writes them: `f:NAME` a member, `k:{"KEY":…}` an item of a list that is a map,
`v:VALUE` an item of a list that is a set. Lists and maps that the schema does not make granular are single fields; what
the schema does not know is taken as it looks: objects by member, lists whole. The rules are those of Kubernetes'
structured merge.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from trainyard.doors.kube.patches import same

Path = tuple[str, ...]
Fields = frozenset[Path]
Schema = Mapping[str, Any]

MISSING: Any = object()


class Ungroupable(Exception):  # noqa: N818 - an answer to the sender of such a list
    """A list that should be a map or a set, and has an item without its key or the same item twice."""


def is_granular(value: Any, schema: Schema) -> bool:
    """Whether a value's parts are fields of their own."""
    if isinstance(value, Mapping):
        return schema.get("x-kubernetes-map-type") != "atomic"
    return isinstance(value, list) and schema.get("x-kubernetes-list-type") in ("map", "set")


def member_schema(schema: Schema, name: str) -> Schema:
    """The schema of an object's member; empty where it is not known."""
    known = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
    return known if isinstance(known, Mapping) else {}


def step_schema(schema: Schema, element: str) -> Schema:
    """The schema one element of a path further down."""
    if element.startswith("f:"):
        return member_schema(schema, element[2:])
    items = schema.get("items")
    return items if isinstance(items, Mapping) else {}


def parts_of(value: Any, schema: Schema) -> dict[str, Any]:
    """A granular value's parts by their elements. Raises Ungroupable."""
    if isinstance(value, Mapping):
        return {f"f:{name}": part for name, part in value.items()}
    parts: dict[str, Any] = {}
    for item in value:
        element = _element(item, schema)
        if element in parts:
            raise Ungroupable(f"duplicate entries for key {shown((element,))}")
        parts[element] = item
    return parts


def _element(item: Any, schema: Schema) -> str:
    if schema.get("x-kubernetes-list-type") == "set":
        return f"v:{_compact(item)}"
    keys: dict[str, Any] = {}
    items = step_schema(schema, "v:")
    for key in schema.get("x-kubernetes-list-map-keys", ()):
        default = member_schema(items, key).get("default")
        keys[key] = item.get(key, default) if isinstance(item, Mapping) else None
        if keys[key] is None:
            raise Ungroupable(f"associative list with keys has an element that omits key field {key!r}")
    return f"k:{_compact(keys)}"


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def fields_of(value: Any, schema: Schema) -> Fields:
    """The fields of an applied configuration. Raises Ungroupable."""
    found: set[Path] = set()
    _collect(value, schema, (), found)
    found.discard(())
    return frozenset(found)


def _collect(value: Any, schema: Schema, path: Path, found: set[Path]) -> None:
    if not is_granular(value, schema):
        found.add(path)
        return
    for element, part in parts_of(value, schema).items():
        below = (*path, element)
        _collect(part, step_schema(schema, element), below, found)
        if isinstance(value, list) or part is None or part == {} or not _is_named(schema, element):
            found.add(below)


def empty_parts(value: Any, schema: Schema, path: Path = ()) -> Iterator[Path]:
    """Where a value says that there is an object or a list with nothing in it, which is no field of its own."""
    if is_granular(value, schema):
        if not value:
            yield path
        for element, part in parts_of(value, schema).items():
            yield from empty_parts(part, step_schema(schema, element), (*path, element))


def _is_named(schema: Schema, element: str) -> bool:
    return element.startswith("f:") and element[2:] in schema.get("properties", {})


def with_named(fields: Iterable[Path], schema: Schema) -> set[Path]:
    """The fields, and the members of fixed structures that they lie in."""
    whole: set[Path] = set()
    below: dict[Path, Schema] = {(): schema}
    for path in fields:
        whole.add(path)
        for end in range(1, len(path)):
            prefix = path[:end]
            above = below[path[: end - 1]]
            if prefix not in below:
                below[prefix] = step_schema(above, prefix[-1])
            if _is_named(above, prefix[-1]):
                whole.add(prefix)
    return whole


@dataclass(slots=True)
class Difference:
    """The fields by which a second value differs from a first."""

    added: set[Path] = field(default_factory=set)
    modified: set[Path] = field(default_factory=set)
    removed: set[Path] = field(default_factory=set)

    @property
    def written(self) -> set[Path]:
        """What the second value says anew."""
        return self.added | self.modified


def difference(old: Any, new: Any, schema: Schema) -> Difference:
    """How `new` differs from `old`. Lists that cannot be grouped are compared whole."""
    found = Difference()
    _compare(old, new, schema, (), found)
    for paths in (found.added, found.modified, found.removed):
        paths.discard(())
    return found


def _compare(old: Any, new: Any, schema: Schema, path: Path, found: Difference) -> None:
    before, after = _grouped(old, new, schema), _grouped(new, old, schema)
    if before or after:
        for element in {**(before or {}), **(after or {})}:
            one = before.get(element, MISSING) if before else MISSING
            other = after.get(element, MISSING) if after else MISSING
            if one is not other:
                _compare(one, other, step_schema(schema, element), (*path, element), found)
    if old is MISSING:
        found.added.add(path)
    elif new is MISSING:
        found.removed.add(path)
    elif not (before or after) and not same(old, new):
        found.modified.add(path)


def _grouped(value: Any, beside: Any, schema: Schema) -> dict[str, Any] | None:
    """A value's parts, where it and the other one can be told apart by their parts."""
    for one, other in ((value, beside), (beside, value)):
        if one is not MISSING and one is not None and not is_granular(one, schema):
            return None
        if isinstance(one, list) and isinstance(other, Mapping):
            return None
    try:
        parts_of(beside if isinstance(beside, list) else [], schema)
        return parts_of(value, schema) if isinstance(value, Mapping | list) else None
    except Ungroupable:
        return None


def merged(old: Any, new: Any, schema: Schema) -> Any:
    """`old` with everything that `new` says. Raises Ungroupable."""
    if new is MISSING or (new is None and old and is_granular(old, schema)):
        return old
    if not is_granular(new, schema) or type(old) is not type(new):
        if isinstance(new, Mapping | list) and is_granular(new, schema):
            parts_of(new, schema)
        return new
    before, after = parts_of(old, schema), parts_of(new, schema)
    parts = {
        element: merged(before[element], after.get(element, MISSING), step_schema(schema, element))
        if element in before
        else after[element]
        for element in _order(before, after)
    }
    return _joined(parts, new)


def _order(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """The new value's order; what only the old one has keeps its place before what follows it there."""
    rest, given = deque(before), set[str]()
    for element in after:
        while rest and (rest[0] not in after or rest[0] in given):
            head = rest.popleft()
            if head not in after:
                yield head
        yield element
        given.add(element)
    yield from (element for element in rest if element not in after)


def _joined(parts: Mapping[str, Any], like: Any) -> Any:
    if isinstance(like, Mapping):
        return {element[2:]: part for element, part in parts.items()}
    return list(parts.values())


def without(value: Any, fields: set[Path], schema: Schema, path: Path = ()) -> Any:
    """A value without some fields; what they leave empty stays, empty."""
    if not fields or not is_granular(value, schema):
        return value
    kept = {
        element: without(part, fields, step_schema(schema, element), (*path, element))
        for element, part in parts_of(value, schema).items()
        if (*path, element) not in fields
    }
    return _joined(kept, value)


def abandoned(value: Any, last: Fields, owned: Iterable[Path], schema: Schema) -> Any:
    """A merged value without what was applied last time and nobody owns now."""
    if last <= (now := frozenset(owned)):
        return value
    mine, theirs = with_named(last, schema), with_named(now, schema)
    whole = _places(value, schema)
    kept = _places(without(value, mine, schema), schema)
    left = _places(without(value, whole - (kept | theirs), schema), schema)
    return without(value, (whole - left) & mine, schema)


def _places(value: Any, schema: Schema) -> set[Path]:
    return with_named({*fields_of(value, schema), *empty_parts(value, schema)}, schema)


def to_fields_v1(fields: Iterable[Path]) -> dict[str, Any]:
    """The fields as FieldsV1."""
    root: dict[str, Any] = {}
    members: set[int] = set()
    for path in sorted(fields):
        node = root
        for element in path:
            node = node.setdefault(element, {})
        members.add(id(node))
    _mark(root, members)
    return root


def _mark(node: dict[str, Any], members: set[int]) -> None:
    for child in node.values():
        _mark(child, members)
    if node and id(node) in members:
        children = dict(node)
        node.clear()
        node["."] = {}
        node.update(children)


def from_fields_v1(tree: Any) -> Fields:
    """The fields of a FieldsV1; what is none of it is passed over."""
    found: set[Path] = set()
    open_nodes: list[tuple[Path, Any]] = [((), tree)]
    while open_nodes:
        path, node = open_nodes.pop()
        if not isinstance(node, Mapping):
            continue
        if path and (not node or "." in node):
            found.add(path)
        open_nodes += [
            ((*path, element), child) for element, child in node.items() if element[:2] in ("f:", "k:", "v:", "i:")
        ]
    return frozenset(found)


def shown(path: Path) -> str:
    """A field as conflicts name it: `.spec.list[name="a"].x`."""
    return "".join(_shown(element) for element in path)


def _shown(element: str) -> str:
    text = element[2:]
    if element.startswith("f:"):
        return f".{text}"
    if element.startswith("v:"):
        return f"[={text}]"
    if element.startswith("k:"):
        return "[" + ",".join(f"{key}={_compact(value)}" for key, value in _keys(text).items()) + "]"
    return f"[{text}]"


def _keys(text: str) -> Mapping[str, Any]:
    try:
        keys = json.loads(text)
    except ValueError:
        return {"?": text}
    return keys if isinstance(keys, Mapping) else {"?": text}
