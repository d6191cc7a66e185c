"""Server-side apply: who manages which field of an object, and what an applied configuration makes of it.

Pure: bodies in, bodies out. `tracked` keeps the books for plain writes, `applied` merges a configuration. A body's
`metadata.managedFields` is written here alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from trainyard.doors.kube.fieldsets import (
    Fields,
    Path,
    Schema,
    Ungroupable,
    abandoned,
    difference,
    empty_parts,
    fields_of,
    from_fields_v1,
    merged,
    shown,
    to_fields_v1,
)

Body = dict[str, Any]

APPLY, UPDATE = "Apply", "Update"
MOST_UPDATERS = 10  # managers of plain writes; older ones are joined
ANCIENT, BEFORE_FIRST_APPLY = "ancient-changes", "before-first-apply"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
KUBECTL = "kubectl"

# Fields that nobody manages: they name the object, or are the server's.
_UNMANAGED: frozenset[Path] = frozenset(
    {("f:apiVersion",), ("f:kind",), ("f:metadata",)}
    | {
        ("f:metadata", f"f:{name}")
        for name in ("name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation")
    }
    | {("f:metadata", f"f:{name}") for name in ("managedFields", "resourceVersion")}
)
_MAP = {"type": "object", "additionalProperties": {"type": "string"}}
METADATA_SCHEMA: Schema = {
    "type": "object",
    "properties": {
        **{name: {"type": "string"} for name in ("name", "generateName", "namespace", "uid", "resourceVersion")},
        **{name: {"type": "string"} for name in ("creationTimestamp", "deletionTimestamp", "selfLink")},
        **{name: {"type": "integer"} for name in ("generation", "deletionGracePeriodSeconds")},
        "labels": _MAP,
        "annotations": _MAP,
        "finalizers": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        "ownerReferences": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["uid"],
            "items": {
                "type": "object",
                "x-kubernetes-map-type": "atomic",
                "properties": {"uid": {"type": "string"}},
            },
        },
        "managedFields": {"type": "array", "items": {"type": "object"}},
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Who writes: the field manager's name, in which version, through which subresource, at what time (RFC 3339)."""

    manager: str
    api_version: str
    now: str
    subresource: str = ""


@dataclass(frozen=True, slots=True)
class Manager:
    """A manager's identity: appliers are the same in every version."""

    name: str
    operation: str
    api_version: str = ""
    subresource: str = ""

    def told(self) -> str:
        """As conflicts name it."""
        text = json.dumps(self.name, ensure_ascii=False)
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        return f"{text} using {self.api_version}" if self.operation == UPDATE else text


@dataclass(frozen=True, slots=True)
class Held:
    """What one manager holds, in which version, and since when."""

    fields: Fields
    api_version: str
    time: str | None = None


Managed = dict[Manager, Held]


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field that another manager holds with another value."""

    manager: Manager
    path: Path


class ApplyConflict(Exception):  # noqa: N818 - the answer to an apply that others' fields stand against
    """Others manage fields that the configuration would change (409). `causes` are (field, message)."""

    def __init__(self, conflicts: Sequence[Conflict]) -> None:
        self.conflicts = sorted(conflicts, key=lambda one: (one.manager.told(), one.path))
        super().__init__(_message(self.conflicts))

    @property
    def causes(self) -> list[dict[str, str]]:
        """As in the details of a Status."""
        return [
            {
                "reason": "FieldManagerConflict",
                "message": f"conflict with {one.manager.told()}",
                "field": shown(one.path),
            }
            for one in self.conflicts
        ]


class ApplyRefused(Exception):  # noqa: N818
    """A configuration that cannot be applied (400)."""


def tracked(live: Body | None, new: Body, writer: Writer, schema: Schema) -> Body:
    """A plain write's new body with its managed fields: the writer holds what it changed, others lose it.

    The managed fields that `new` brings, if any, are the ones to go on from; `[{}]` drops them all.
    """
    before = live or {}
    typed = _typed(schema)
    given = new.get("metadata", {}).get("managedFields")
    managed = {} if given == [{}] else (_managed(new) or _managed(before))
    changes = difference(before, new, typed)
    me = Manager(writer.manager, UPDATE, writer.api_version, writer.subresource)
    kept = _dispossessed(managed, me, changes.written, changes.removed)
    mine = managed[me].fields if me in managed else frozenset()
    kept[me] = Held(_own((mine | changes.written) - changes.removed), writer.api_version, writer.now)
    return _written(new, _capped(_dated(kept, managed)), before)


def applied(live: Body | None, config: Body, writer: Writer, schema: Schema, *, force: bool = False) -> Body:
    """The live object (None: there is none) with a configuration applied to it.

    What the writer applied before, leaves out now, and nobody else holds, is removed. Raises ApplyConflict unless
    `force`, and ApplyRefused.
    """
    if config.get("metadata", {}).get("managedFields"):
        raise ApplyRefused("metadata.managedFields must be nil")
    before = live or {}
    try:
        managed = _managed(before) or _untracked(live, writer, _typed(schema))
        new, managed = _applied(before, config, managed, writer, _Rules(_typed(schema), force=force))
    except Ungroupable as error:
        raise ApplyRefused(f"failed to create typed patch object: {error}") from error
    return _written(new, managed, before)


@dataclass(frozen=True, slots=True)
class _Rules:
    schema: Schema
    force: bool = field(kw_only=True)


def _applied(before: Body, config: Body, managed: Managed, writer: Writer, rules: _Rules) -> tuple[Body, Managed]:
    me = Manager(writer.manager, APPLY, "", writer.subresource)
    mine = Held(_own(fields_of(config, rules.schema)), writer.api_version, writer.now)
    last = managed[me].fields if me in managed else frozenset()
    holders = {**managed, me: mine}
    owned = frozenset(empty_parts(config, rules.schema)).union(*(held.fields for held in holders.values()))
    new: Body = abandoned(merged(before, config, rules.schema), last, owned, rules.schema)
    changes = difference(before, new, rules.schema)
    conflicts = [
        Conflict(manager, path)
        for manager, held in managed.items()
        if manager != me
        for path in held.fields & changes.written
    ]
    if conflicts and not rules.force:
        left = [one for one in conflicts if one.path not in _client_side(before, writer, rules.schema)]
        if left:
            raise ApplyConflict(left)
    kept = _dispossessed(managed, me, changes.written, changes.removed)
    kept[me] = mine
    return _annotated(new, config, before, writer), _dated(kept, managed)


def _client_side(before: Body, writer: Writer, schema: Schema) -> Fields:
    """What `kubectl apply` wrote before it applied on the server: kubectl itself may take that over."""
    text = _annotations(before).get(LAST_APPLIED) if writer.manager == KUBECTL else None
    try:
        return fields_of(json.loads(text), schema) if isinstance(text, str) else frozenset()
    except (ValueError, RecursionError, Ungroupable):
        return frozenset()


def _annotated(new: Body, config: Body, before: Body, writer: Writer) -> Body:
    """Kubectl's own note of what it applied, kept true for a later `kubectl apply` on the client's side."""
    if writer.manager != KUBECTL or writer.subresource or LAST_APPLIED not in _annotations(before):
        return new
    note = json.dumps(config, separators=(",", ":"), sort_keys=True, ensure_ascii=False) + "\n"
    metadata = new["metadata"]
    annotations = {**(metadata.get("annotations") or {}), LAST_APPLIED: note}
    return {**new, "metadata": {**metadata, "annotations": annotations}}


def _annotations(body: Body) -> Mapping[str, Any]:
    return (body.get("metadata") or {}).get("annotations") or {}


def _untracked(live: Body | None, writer: Writer, schema: Schema) -> Managed:
    """The holder of everything in an object that nobody has kept books of. Raises Ungroupable.

    An object that says nothing but empty lists has no fields, and nothing is unkept of it.
    """
    if live is None or not _own(fields_of(live, schema)):
        return {}
    try:
        found = _own(fields_of(live, schema))
    except Ungroupable:
        found = _own(difference({}, live, schema).added)
    manager = Manager(BEFORE_FIRST_APPLY, UPDATE, writer.api_version)
    return {manager: Held(found, writer.api_version, writer.now)}


def _dispossessed(managed: Managed, me: Manager, written: set[Path], removed: set[Path]) -> Managed:
    """All managers; the others without what was written or removed."""
    gone = written | removed
    return {
        manager: held if manager == me else replace(held, fields=held.fields - gone)
        for manager, held in managed.items()
    }


def _own(fields: Iterable[Path]) -> Fields:
    return frozenset(fields) - _UNMANAGED


def _dated(managed: Managed, before: Managed) -> Managed:
    """Without managers that hold nothing; who holds what it held keeps its time."""
    return {
        manager: before[manager] if manager in before and before[manager].fields == held.fields else held
        for manager, held in managed.items()
        if held.fields
    }


def _capped(managed: Managed) -> Managed:
    """At most so many managers of plain writes: the oldest are joined into one of their version."""
    updaters = sorted(
        (manager for manager in managed if manager.operation == UPDATE), key=lambda one: managed[one].time or ""
    )
    kept = dict(managed)
    for manager in updaters[: max(0, len(updaters) - MOST_UPDATERS + 1)] if len(updaters) > MOST_UPDATERS else ():
        held = kept.pop(manager)
        ancient = Manager(ANCIENT, UPDATE, manager.api_version)
        joined = kept.get(ancient)
        fields = held.fields | joined.fields if joined else held.fields
        kept[ancient] = replace(held, fields=fields)
    return kept


def _written(new: Body, managed: Managed, before: Body) -> Body:
    """The body with its managed fields. Where nothing has changed they stay as they were, to the letter."""
    metadata = {name: value for name, value in (new.get("metadata") or {}).items() if name != "managedFields"}
    if managed and managed == _managed(before):
        metadata["managedFields"] = before["metadata"]["managedFields"]
    elif managed:
        metadata["managedFields"] = [
            _entry(manager, managed[manager]) for manager in sorted(managed, key=_rank(managed))
        ]
    return {**new, "metadata": metadata}


def _rank(managed: Managed) -> Any:
    def rank(manager: Manager) -> tuple[str, ...]:
        held = managed[manager]
        return (manager.operation, held.time or "", manager.name, held.api_version, manager.subresource)

    return rank


def _entry(manager: Manager, held: Held) -> dict[str, Any]:
    entry = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": held.api_version,
        "time": held.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": to_fields_v1(held.fields),
        "subresource": manager.subresource or None,
    }
    return {name: value for name, value in entry.items() if value is not None}


def _managed(body: Body) -> Managed:
    """The books of a body; entries that cannot be read are passed over."""
    managed: Managed = {}
    entries = (body.get("metadata") or {}).get("managedFields")
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, Mapping) or entry.get("operation") not in (APPLY, UPDATE):
            continue
        texts = [entry.get(name, "") for name in ("manager", "apiVersion", "subresource")]
        fields = from_fields_v1(entry.get("fieldsV1"))
        if not fields or not all(isinstance(text, str) for text in texts):
            continue
        name, version, subresource = texts
        operation = entry["operation"]
        time = entry.get("time")
        manager = Manager(name, operation, version if operation == UPDATE else "", subresource)
        managed[manager] = Held(fields, version, time if isinstance(time, str) else None)
    return managed


def _typed(schema: Schema) -> Schema:
    """A kind's schema with the metadata that every kind has."""
    return {
        **schema,
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            **schema.get("properties", {}),
            "metadata": METADATA_SCHEMA,
        },
    }


def _message(conflicts: Sequence[Conflict]) -> str:
    if len(conflicts) == 1:
        return f"Apply failed with 1 conflict: conflict with {conflicts[0].manager.told()}: {shown(conflicts[0].path)}"
    lines: list[str] = []
    for manager in dict.fromkeys(one.manager for one in conflicts):
        lines.append(f"conflicts with {manager.told()}:")
        lines += [f"- {shown(one.path)}" for one in conflicts if one.manager == manager]
    return f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)
