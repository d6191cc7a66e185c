"""Which kinds there are: the built-in ones, and those that stored definitions name."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from trainyard.doors.kube.builtin import DEFINITIONS, KINDS
from trainyard.doors.kube.definitions import kinds_of
from trainyard.doors.kube.kinds import Kind
from trainyard.ports.resources import Collection, Entry, ResourceStore, RevisionExpired

_log = logging.getLogger(__name__)


class Registry:
    """Kinds by group, version and plural. `refresh` after a definition was written; `follow` sees others' writes."""

    def __init__(self, store: ResourceStore) -> None:
        self._store = store
        self._revisions: dict[str, int] = {}
        self._seen = 0
        self._customs: dict[str, tuple[Kind, ...]] = {}
        self._table: dict[tuple[str, str, str], Kind] = {}
        self.version = 0  # grows with every change, so that documents made from the kinds can be kept
        self._tabulate()

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        """The kind at a path."""
        return self._table.get((group, version, plural))

    def of_object(self, api_version: str, kind: str) -> Kind | None:
        """The kind that an object says it is."""
        return next((one for one in self.kinds() if one.api_version == api_version and one.kind == kind), None)

    def of_collection(self, collection: Collection) -> Kind | None:
        """A kind, in any version, whose objects are stored there."""
        return next((kind for kind in self.kinds() if kind.collection == collection and kind.form is None), None)

    def kinds(self) -> Sequence[Kind]:
        """All of them; built-in first, then by group and name."""
        return tuple(self._table.values())

    def defined_by(self, definition: str) -> Sequence[Kind]:
        """The kinds of one definition, by the definition's name."""
        return self._customs.get(definition, ())

    async def refresh(self) -> None:
        """Read the definitions anew."""
        listing = await self._store.list(DEFINITIONS)
        if listing.revision >= self._seen:  # of two that read at once, the older may come last
            self._seen = listing.revision
            self._adopt(listing.entries)

    async def follow(self) -> None:
        """Refresh whenever a definition is written, by whichever process, until cancelled."""
        while True:
            since = await self._store.revision()
            await self.refresh()
            try:
                async for advance in self._store.watch(DEFINITIONS, since=since):
                    if advance.occurrences:
                        await self.refresh()
            except RevisionExpired:
                _log.info("definitions are read anew: their log had moved on")

    def _adopt(self, entries: Sequence[Entry]) -> None:
        revisions = {entry.key.name: entry.revision for entry in entries}
        if revisions == self._revisions:
            return
        self._customs = {entry.key.name: tuple(kinds_of(entry.body)) for entry in entries}
        self._revisions = revisions
        self._tabulate()

    def _tabulate(self) -> None:
        kinds = [*KINDS, *(kind for name in sorted(self._customs) for kind in self._customs[name])]
        self._table = {(kind.group, kind.version, kind.plural): kind for kind in kinds}
        self.version += 1
