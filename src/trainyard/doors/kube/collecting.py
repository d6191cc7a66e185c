"""What deletions leave behind: dependents of owners that went, the content of namespaces and of definitions.

Level-triggered: an occurrence only says which object to look at; what is done follows from what the store holds.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable

from trainyard.doors.kube.builtin import DEFINITION, DEFINITIONS, NAMESPACE, NAMESPACES
from trainyard.doors.kube.definitions import CLEANUP
from trainyard.doors.kube.errors import Refused
from trainyard.doors.kube.kinds import Kind
from trainyard.doors.kube.objects import is_dying
from trainyard.doors.kube.options import DeleteOptions, WriteOptions
from trainyard.doors.kube.world import World
from trainyard.doors.kube.writing import FOREGROUND, ORPHAN, Change, Writing
from trainyard.model.errors import TrainyardError
from trainyard.ports.resources import Body, Collection, Deed, Entry, Occurrence, ResourceKey, RevisionExpired

_PAGE = 100
_log = logging.getLogger(__name__)


class Collector:
    """Follows every write and finishes what deletions began."""

    def __init__(self, world: World, writing: Writing) -> None:
        self._world = world
        self._writing = writing
        self._namespaces: set[str] = set()  # those that there are
        self._dependents: defaultdict[str, set[ResourceKey]] = defaultdict(set)  # by the owner's uid
        self._waiting: dict[ResourceKey, None] = {}  # to be looked at, in order

    async def run(self) -> None:
        """Collect until cancelled."""
        while True:
            since = await self._scan()
            try:
                await self._settle()
                async for advance in self._world.store.watch(since=since):
                    for occurrence in advance.occurrences:
                        self._hear(occurrence)
                    await self._settle()
            except RevisionExpired:
                _log.info("everything is looked at anew: the log had moved on")

    async def _scan(self) -> int:
        """Look at all there is, once, and closer at what may have to go."""
        since = await self._world.store.revision()
        self._namespaces.clear()
        self._dependents.clear()
        for collection in (NAMESPACES, *await self._world.store.collections()):
            async for entry in self._all_of(collection):
                self._remember(entry)
        return since

    async def _all_of(self, collection: Collection, namespace: str | None = None) -> AsyncIterator[Entry]:
        after: tuple[str, str] | None = None
        while True:
            page = await self._world.store.list(collection, namespace=namespace, limit=_PAGE, after=after)
            for entry in page.entries:
                yield entry
            if (after := page.after) is None:
                return

    def _hear(self, occurrence: Occurrence) -> None:
        entry = occurrence.entry
        for owner in _owners(occurrence.before or {}):
            self._dependents[owner["uid"]].discard(entry.key)
        if occurrence.deed is Deed.DELETED:
            uid = entry.body["metadata"].get("uid", "")
            self._waiting |= dict.fromkeys(self._dependents.pop(uid, ()))
            self._waiting |= dict.fromkeys(self._waiters(entry))
            if entry.key.collection == NAMESPACES:
                self._namespaces.discard(entry.key.name)
                self._waiting[entry.key] = None
        else:
            self._remember(entry)

    def _remember(self, entry: Entry) -> None:
        if entry.key.collection == NAMESPACES:
            self._namespaces.add(entry.key.name)
        for owner in _owners(entry.body):
            self._dependents[owner["uid"]].add(entry.key)
        is_homeless = entry.key.namespace and entry.key.namespace not in self._namespaces
        if is_dying(entry.body) or is_homeless or _owners(entry.body):
            self._waiting[entry.key] = None

    def _waiters(self, gone: Entry) -> Iterable[ResourceKey]:
        """What may have waited for an object to go: its owners, its namespace, its definition."""
        owners = (self._key_of(owner, gone.key.namespace) for owner in _owners(gone.body))
        yield from (key for key in owners if key is not None)
        if gone.key.namespace:
            yield ResourceKey(NAMESPACES, "", gone.key.namespace)
        collection = gone.key.collection
        yield ResourceKey(DEFINITIONS, "", f"{collection.resource}.{collection.group}")

    async def _settle(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for key in waiting:
            try:
                await self._look(key)
            except Refused as refused:
                _log.info("%s is looked at again when it changes: %s", key, refused.message)
            except TrainyardError as error:
                _log.warning("%s is looked at again soon: %s", key, error)
                self._waiting[key] = None

    async def _look(self, key: ResourceKey) -> None:
        entry = await self._world.store.get(key)
        kind = self._world.registry.of_collection(key.collection)
        if entry is None and kind is NAMESPACE:
            await self._empty_of_all(key.name)
        if entry is None or kind is None:
            return
        if is_dying(entry.body):
            await self._help_to_die(kind, entry)
        elif key.namespace and await self._world.store.get(ResourceKey(NAMESPACES, "", key.namespace)) is None:
            await self._remove(kind, entry)
        elif _owners(entry.body):
            await self._check_owners(kind, entry)

    async def _help_to_die(self, kind: Kind, entry: Entry) -> None:
        finalizers = entry.body["metadata"].get("finalizers", [])
        if kind is NAMESPACE:
            await self._empty_namespace(entry)
        elif kind is DEFINITION and CLEANUP in finalizers:
            await self._empty_definition(entry)
        elif ORPHAN in finalizers:
            await self._orphan_dependents(kind, entry)
        elif FOREGROUND in finalizers:
            await self._remove_dependents(kind, entry)

    async def _empty_namespace(self, entry: Entry) -> None:
        if not await self._empty_of_all(entry.key.name):
            await self._change(NAMESPACE, entry.key, lambda body: {**body, "spec": {**body["spec"], "finalizers": []}})

    async def _empty_of_all(self, namespace: str) -> bool:
        """Delete what is there, of every kind; whether something is left."""
        left = False
        for collection in await self._world.store.collections():
            kind = self._world.registry.of_collection(collection)
            if kind is not None and kind.namespaced:
                left |= await self._empty(kind, namespace)
        return left

    async def _empty_definition(self, entry: Entry) -> None:
        kinds = self._world.registry.defined_by(entry.key.name)
        left = bool(kinds) and await self._empty(kinds[0], None)
        if not left:
            await self._let_go(DEFINITION, entry.key, CLEANUP)

    async def _empty(self, kind: Kind, namespace: str | None) -> bool:
        """Delete what is there; whether something is left."""
        async for entry in self._all_of(kind.collection, namespace):
            if not is_dying(entry.body):
                await self._remove(kind, entry)
        return bool((await self._world.store.list(kind.collection, namespace=namespace, limit=1)).entries)

    async def _orphan_dependents(self, kind: Kind, entry: Entry) -> None:
        uid = entry.body["metadata"]["uid"]
        for key in list(self._dependents.get(uid, ())):
            dependent = self._world.registry.of_collection(key.collection)
            if dependent is not None:
                await self._change(dependent, key, lambda body: _without_owners(body, {uid}))
        await self._let_go(kind, entry.key, ORPHAN)

    async def _remove_dependents(self, kind: Kind, entry: Entry) -> None:
        """Delete the dependents; the owner goes once none is left that blocks it."""
        uid = entry.body["metadata"]["uid"]
        blocked = False
        for key in list(self._dependents.get(uid, ())):
            dependent = self._world.registry.of_collection(key.collection)
            found = await self._world.store.get(key)
            if dependent is None or found is None:
                continue
            if not is_dying(found.body):
                await self._remove(dependent, found, "Foreground")
            still = await self._world.store.get(key)
            blocked |= still is not None and any(
                owner["uid"] == uid and owner.get("blockOwnerDeletion") is True for owner in _owners(still.body)
            )
        if not blocked:
            await self._let_go(kind, entry.key, FOREGROUND)

    async def _check_owners(self, kind: Kind, entry: Entry) -> None:
        """An object whose owners are all gone goes too; a reference to an owner that is gone is dropped."""
        owners = _owners(entry.body)
        gone = {owner["uid"] for owner in owners if not await self._is_there(owner, entry.key.namespace)}
        if len(gone) == len({owner["uid"] for owner in owners}):
            await self._remove(kind, entry)
        elif gone:
            await self._change(kind, entry.key, lambda body: _without_owners(body, gone))

    async def _is_there(self, owner: Body, namespace: str) -> bool:
        """Whether an owner lives; one of a kind that is not known here is left in peace."""
        key = self._key_of(owner, namespace)
        if key is None:
            return True
        found = await self._world.store.get(key)
        return found is not None and found.body["metadata"].get("uid") == owner["uid"]

    def _key_of(self, owner: Body, namespace: str) -> ResourceKey | None:
        """The object that a reference in this namespace means; None for one of a kind that is not known here."""
        kind = self._world.registry.of_object(str(owner.get("apiVersion")), str(owner.get("kind")))
        if kind is None:
            return None
        return ResourceKey(kind.collection, namespace if kind.namespaced else "", str(owner.get("name")))

    async def _remove(self, kind: Kind, entry: Entry, propagation: str = "Background") -> None:
        options = DeleteOptions(propagation=propagation, uid=entry.body["metadata"].get("uid"))
        await self._writing.delete(kind, entry.key.namespace, entry.key.name, options)

    async def _let_go(self, kind: Kind, key: ResourceKey, finalizer: str) -> None:
        def change(body: Body) -> Body:
            metadata = body["metadata"]
            rest = [name for name in metadata.get("finalizers", []) if name != finalizer]
            return {**body, "metadata": {**metadata, "finalizers": rest}}

        await self._change(kind, key, change)

    async def _change(self, kind: Kind, key: ResourceKey, change: Change) -> None:
        await self._writing.change(kind, key.namespace, key.name, change, WriteOptions(agent="trainyard"))


def _owners(body: Body) -> list[Body]:
    owners: list[Body] = (body.get("metadata") or {}).get("ownerReferences", [])
    return owners


def _without_owners(body: Body, uids: set[str]) -> Body:
    metadata = body["metadata"]
    rest = [owner for owner in metadata.get("ownerReferences", []) if owner["uid"] not in uids]
    return {**body, "metadata": {**metadata, "ownerReferences": rest}}
