"""Create, replace, patch and delete: the way of one write from a body to the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from trainyard.doors.kube import judging, objects, strategies
from trainyard.doors.kube.applying import with_books, with_configuration
from trainyard.doors.kube.builtin import AT_START, DEFINITION, NAMESPACE, NAMESPACES
from trainyard.doors.kube.definitions import CLEANUP
from trainyard.doors.kube.errors import (
    Cause,
    Refused,
    already_exists,
    bad_request,
    conflict,
    forbidden,
    invalid,
    invalid_value,
    method_not_allowed,
    not_found,
)
from trainyard.doors.kube.judging import understood
from trainyard.doors.kube.kinds import Kind
from trainyard.doors.kube.options import DeleteOptions, WriteOptions
from trainyard.doors.kube.world import Operation, World
from trainyard.ports.resources import Body, Entry, ResourceConflict, ResourceExists, ResourceKey

TRIES = 8  # of a write that others keep overtaking, and of names that turn out to be taken
FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"  # finalizers that the collector takes away
Change = Callable[[Body], Body]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to a write: the object, or the Status of a deletion."""

    body: Body
    code: int = 200
    warnings: tuple[str, ...] = ()


class Writing:
    """The writes of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def create(self, kind: Kind, namespace: str, given: Body, options: WriteOptions) -> Outcome:
        """Store a new object; one without a name of its own gets one that is free. Raises Refused."""
        if kind.closing:
            raise method_not_allowed(kind, "create not allowed while custom resource definition is terminating")
        known, unknown = understood(kind, _addressed(kind, given, namespace), options.field_validation)
        generates = known["metadata"].get("generateName") and not known["metadata"].get("name")
        tries = TRIES if generates else 1
        while True:
            tries -= 1
            try:
                made = await self._created(kind, namespace, self._named(known), options)
            except Refused as refused:
                if refused.reason != "AlreadyExists" or not tries:
                    raise
            else:
                return replace(made, warnings=(*unknown, *made.warnings))

    async def _created(self, kind: Kind, namespace: str, body: Body, options: WriteOptions) -> Outcome:
        name = body["metadata"].get("name", "")
        if kind.namespaced:
            await self._living_namespace(kind, namespace, name)
        born = objects.born(kind, body, uid=self._world.uid(), now=self._world.now())
        judged, warnings = await self._judged(Operation.CREATE, kind, born, None, options)
        entry = await self._stored(kind, ResourceKey(kind.collection, namespace, name), judged, options)
        return Outcome(kind.shown(entry) if entry.revision else judged, 201, warnings)

    async def replace(
        self, kind: Kind, namespace: str, name: str, given: Body, options: WriteOptions, *, subresource: str = ""
    ) -> Outcome:
        """A whole new body for an object. Raises Refused."""
        body = _addressed(kind, given, namespace, name)
        if not body["metadata"].get("resourceVersion") and not kind.free:
            cause = invalid_value("metadata.resourceVersion", "0x0", "must be specified for an update")
            unquoted = replace(cause, message=cause.message.replace('"0x0"', "0x0"))
            raise invalid(kind, name, [unquoted])
        return await self.change(kind, namespace, name, lambda _: body, options, subresource=subresource)

    async def change(
        self, kind: Kind, namespace: str, name: str, change: Change, options: WriteOptions, *, subresource: str = ""
    ) -> Outcome:
        """What `change` makes of the object, tried again while others overtake it. Raises Refused.

        A resourceVersion in what `change` returns must be the object's own: else it is a conflict.
        """
        key = ResourceKey(kind.collection, namespace, name)
        for _ in range(TRIES):
            entry = await self._world.store.get(key)
            if entry is None:
                raise not_found(kind, name)
            wanted = _addressed(kind, change(kind.shown(entry)), namespace, name)
            _expect(kind, entry, wanted)
            try:
                return await self._changed(kind, entry, wanted, options, subresource)
            except ResourceConflict:
                continue
        raise conflict(kind, name)

    async def apply(
        self, kind: Kind, namespace: str, name: str, config: Body, options: WriteOptions, *, subresource: str = ""
    ) -> Outcome:
        """The object with a configuration applied to it, made if there is none. Raises Refused."""
        applies = replace(options, applies=True)
        given = _addressed(kind, config, namespace, name)

        def change(body: Body) -> Body:
            return with_configuration(kind, body, given, options, subresource, self._world.now())

        for _ in range(TRIES):
            try:
                return await self.change(kind, namespace, name, change, applies, subresource=subresource)
            except Refused as refused:
                if refused.code != 404 or subresource:
                    raise
            made = with_configuration(kind, None, given, options, subresource, self._world.now())
            try:
                return await self.create(kind, namespace, made, applies)
            except Refused as refused:
                if refused.reason != "AlreadyExists":
                    raise
        raise conflict(kind, name)

    async def delete(self, kind: Kind, namespace: str, name: str, options: DeleteOptions) -> Outcome:
        """Remove an object, or mark it as dying while finalizers hold it. Raises Refused."""
        if kind is NAMESPACE and name in AT_START:
            raise forbidden(kind, name, "this namespace may not be deleted")
        key = ResourceKey(kind.collection, namespace, name)
        for _ in range(TRIES):
            entry = await self._world.store.get(key)
            if entry is None:
                raise not_found(kind, name)
            _require(kind, entry, options)
            try:
                return await self._deleted(kind, entry, options)
            except ResourceConflict:
                continue
        raise conflict(kind, name)

    async def _changed(
        self, kind: Kind, entry: Entry, wanted: Body, options: WriteOptions, subresource: str
    ) -> Outcome:
        old = kind.shown(entry)
        wanted, unknown = understood(kind, wanted, options.field_validation)
        new = objects.status_changed(old, wanted) if subresource == "status" else objects.changed(kind, old, wanted)
        judged, objections = await self._judged(Operation.UPDATE, kind, new, old, options, subresource)
        warnings = (*unknown, *objections)
        if options.dry_run:
            return Outcome(judged, 200, warnings)
        if objects.is_dying(judged) and not _held(kind, judged):
            return Outcome(kind.shown(await self._removed(kind, entry, judged)), 200, warnings)
        written = await self._world.store.put(entry.key, kind.kept(judged), expect=entry.revision)
        await self._wrote(kind)
        return Outcome(kind.shown(written), 200, warnings)

    async def _deleted(self, kind: Kind, entry: Entry, options: DeleteOptions) -> Outcome:
        old = kind.shown(entry)
        _, warnings = await self._asked(Operation.DELETE, kind, old, old)
        finalizers = _finalizers(kind, old, options.propagation)
        if not finalizers and not _held(kind, old):
            if not options.dry_run:
                await self._removed(kind, entry, old)
            return Outcome(_success(kind, old), 200, warnings)
        dying = strategies.completed(kind, objects.dying(kind, old, self._world.now(), finalizers), self._world.now())
        if options.dry_run:
            return Outcome(dying, 200, warnings)
        written = await self._world.store.put(entry.key, kind.kept(dying), expect=entry.revision)
        await self._wrote(kind)
        return Outcome(kind.shown(written), 200, warnings)

    async def _removed(self, kind: Kind, entry: Entry, last: Body) -> Entry:
        """Remove an object; what is shown and told to watchers is its last state."""
        kept = kind.kept(last)
        revision = entry.revision
        if kept != entry.body:
            revision = (await self._world.store.put(entry.key, kept, expect=revision)).revision
        gone = await self._world.store.delete(entry.key, expect=revision)
        await self._wrote(kind)
        return gone

    async def _stored(self, kind: Kind, key: ResourceKey, body: Body, options: WriteOptions) -> Entry:
        if options.dry_run:
            if await self._world.store.get(key) is not None:
                raise already_exists(kind, key.name)
            return Entry(key, 0, kind.kept(body))
        try:
            entry = await self._world.store.create(key, kind.kept(body))
        except ResourceExists as error:
            raise already_exists(kind, key.name) from error
        await self._wrote(kind)
        return entry

    async def _wrote(self, kind: Kind) -> None:
        if kind is DEFINITION:
            await self._world.registry.refresh()

    async def _judged(
        self,
        operation: Operation,
        kind: Kind,
        body: Body,
        old: Body | None,
        options: WriteOptions,
        subresource: str = "",
    ) -> tuple[Body, tuple[str, ...]]:
        """The completed object, once it breaks no rule and no hook objects."""
        now = self._world.now()
        whole = strategies.completed(kind, body, now)
        if not options.applies:
            whole = with_books(kind, old, whole, options, subresource, now)
        causes = [
            *objects.causes_of(kind, whole, old),
            *judging.causes_of(kind, whole, old),
            *strategies.causes_of(kind, whole, old),
        ]
        if causes:
            raise invalid(kind, whole["metadata"].get("name", ""), causes)
        return await self._asked(operation, kind, whole, old)

    async def _asked(
        self, operation: Operation, kind: Kind, body: Body, old: Body | None
    ) -> tuple[Body, tuple[str, ...]]:
        warnings: list[str] = []
        causes: list[Cause] = []
        for hook in self._world.hooks:
            verdict = await hook(operation, kind, body, old)
            warnings += verdict.warnings
            causes += verdict.causes
        if causes:
            raise invalid(kind, body["metadata"].get("name", ""), causes)
        return body, tuple(warnings)

    def _named(self, body: Body) -> Body:
        metadata = body["metadata"]
        base = metadata.get("generateName")
        if metadata.get("name") or not base:
            return body
        return {**body, "metadata": {**metadata, "name": base[: objects.LONGEST_BASE] + self._world.suffix()}}

    async def _living_namespace(self, kind: Kind, namespace: str, name: str) -> None:
        found = await self._world.store.get(ResourceKey(NAMESPACES, "", namespace))
        if found is None:
            raise not_found(NAMESPACE, namespace)
        if objects.is_dying(found.body):
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            cause = Cause("metadata.namespace", "NamespaceTerminating", f"namespace {namespace} is being terminated")
            raise forbidden(kind, name, why, [cause])


def _addressed(kind: Kind, given: Any, namespace: str, name: str = "") -> Body:
    """The body with checked metadata, once it is of the kind, name and namespace that the path names."""
    if not isinstance(given, dict):
        raise bad_request(f"the body must be a {kind.kind} object")
    _same_kind(kind, given)
    metadata = objects.read_metadata(given)
    if name and metadata.setdefault("name", name) != name:
        raise bad_request(f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})")
    if namespace and metadata.setdefault("namespace", namespace) != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    if not namespace and metadata.pop("namespace", None):
        raise bad_request("namespace may not be specified for a cluster-scoped object")
    return {**given, "apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}


def _same_kind(kind: Kind, given: Body) -> None:
    said = (given.get("apiVersion", kind.api_version), given.get("kind", kind.kind))
    if said != (kind.api_version, kind.kind):
        raise bad_request(
            f"the object provided is unrecognized (must be of type {kind.kind}): "
            f"it says apiVersion {str(said[0])[:100]!r}, kind {str(said[1])[:100]!r}"
        )


def _expect(kind: Kind, entry: Entry, wanted: Body) -> None:
    metadata = wanted["metadata"]
    uid, revision = metadata.get("uid"), metadata.get("resourceVersion")
    theirs = entry.body["metadata"].get("uid")
    if uid and uid != theirs:
        raise conflict(kind, entry.key.name, _other_uid(uid, theirs))
    if revision and revision != str(entry.revision):
        raise conflict(kind, entry.key.name)


def _require(kind: Kind, entry: Entry, options: DeleteOptions) -> None:
    theirs = entry.body["metadata"].get("uid")
    if options.uid is not None and options.uid != theirs:
        raise conflict(kind, entry.key.name, _other_uid(options.uid, theirs))
    if options.resource_version is not None and options.resource_version != str(entry.revision):
        why = (
            f"Precondition failed: ResourceVersion in precondition: {options.resource_version}, "
            f"ResourceVersion in object meta: {entry.revision}"
        )
        raise conflict(kind, entry.key.name, why)


def _other_uid(given: object, theirs: object) -> str:
    return f"Precondition failed: UID in precondition: {given}, UID in object meta: {theirs}"


def _finalizers(kind: Kind, old: Body, propagation: str) -> list[str]:
    """The finalizers that hold a deleted object: its own, and those that the fate of what hangs on it asks for."""
    own: list[str] = old["metadata"].get("finalizers", [])
    if kind is DEFINITION and not objects.is_dying(old):
        own = [*own, CLEANUP]
    if propagation == "":
        return own
    rest = [name for name in own if name not in (FOREGROUND, ORPHAN)]
    return rest + {"Foreground": [FOREGROUND], "Orphan": [ORPHAN]}.get(propagation, [])


def _held(kind: Kind, body: Body) -> bool:
    """Whether a deleted object must wait: for finalizers, or, a namespace, until it is empty."""
    return bool(body["metadata"].get("finalizers")) or (kind is NAMESPACE and bool(body["spec"].get("finalizers")))


def _success(kind: Kind, body: Body) -> Body:
    details = {
        "name": body["metadata"]["name"], "group": kind.group, "kind": kind.plural, "uid": body["metadata"].get("uid")
    }  # fmt: skip
    return {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }  # fmt: skip
