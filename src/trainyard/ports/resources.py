"""Kubernetes-style objects: one global revision, compare-and-swap, and a watch log.

The store knows nothing of kinds: a body is a JSON object that it keeps whole. Whoever reads it puts the entry's
revision into `metadata.resourceVersion`; bodies are stored without one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

Body = dict[str, Any]
LOG_KEPT = 20_000  # occurrences in a watch log; who is further behind lists again
LARGEST_ADVANCE = 500  # of them looked at in one go
PROGRESS = 5.0  # seconds of silence after which a watcher is told how far the others' writes have come


@dataclass(frozen=True, slots=True, order=True)
class Collection:
    """All objects of one kind: API group ("" for core) and resource (lower-case plural)."""

    group: str
    resource: str


@dataclass(frozen=True, slots=True, order=True)
class ResourceKey:
    """One object. `namespace` is "" for a cluster-scoped kind."""

    collection: Collection
    namespace: str
    name: str

    def is_in(self, collection: Collection | None, namespace: str | None) -> bool:
        """Whether it belongs to what is looked at: a collection or all (None), a namespace or all (None)."""
        return collection in (None, self.collection) and namespace in (None, self.namespace)


@dataclass(frozen=True, slots=True)
class Entry:
    """An object as stored: `revision` is its last write's. The body belongs to the store: copy before changing."""

    key: ResourceKey
    revision: int
    body: Body


class Deed(StrEnum):
    """What a write did to an object, in the words of a Kubernetes watch."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One line of the watch log.

    entry : the object after the write; for DELETED its last body with the deletion's revision.
    before: the body before the write, None for ADDED; by it selectors tell that an object left their view.
    """

    deed: Deed
    entry: Entry
    before: Body | None = None


@dataclass(frozen=True, slots=True)
class Advance:
    """How far a watch has come: everything in its view up to `revision` has now been given, the last of it here.

    Without occurrences it tells of progress alone: others' writes moved the revision on.
    """

    revision: int
    occurrences: tuple[Occurrence, ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """One page in order of (namespace, name).

    revision  : the store's when this page was read. Who reads several pages watches from the first one's.
    after     : where the next page goes on; None when there is none.
    remaining : how many objects follow this page.
    """

    entries: tuple[Entry, ...]
    revision: int
    after: tuple[str, str] | None = None
    remaining: int = 0


class ResourceExists(Exception):  # noqa: N818 - named as the API's reasons are
    """There is an object of that key already."""


class ResourceConflict(Exception):  # noqa: N818
    """The object is not at the expected revision, or is gone."""


class RevisionExpired(Exception):  # noqa: N818
    """The watch log no longer reaches back to that revision: list again (410 Gone)."""


class ResourceStore(Protocol):
    """Every method that writes returns only when the write is durable; each write takes the next global revision."""

    async def revision(self) -> int:
        """The newest write's revision; 0 in an empty store."""
        ...

    async def create(self, key: ResourceKey, body: Body) -> Entry:
        """Store a new object; the body is the store's from now on. Raises ResourceExists."""
        ...

    async def get(self, key: ResourceKey) -> Entry | None:
        """The object, or None."""
        ...

    async def put(self, key: ResourceKey, body: Body, *, expect: int) -> Entry:
        """Replace the object if its revision is `expect`. Raises ResourceConflict.

        An equal body writes nothing and leaves the revision. Numbers and booleans are never equal, nor 1 and 1.0.
        """
        ...

    async def delete(self, key: ResourceKey, *, expect: int) -> Entry:
        """Remove the object if its revision is `expect`; returns its last body with the deletion's revision.

        Raises ResourceConflict.
        """
        ...

    async def list(
        self,
        collection: Collection,
        *,
        namespace: str | None = None,
        limit: int | None = None,
        after: tuple[str, str] | None = None,
    ) -> Listing:
        """One page of a collection, of one namespace or of all (None)."""
        ...

    async def collections(self) -> Sequence[Collection]:
        """Every collection that has an object."""
        ...

    def watch(
        self, collection: Collection | None = None, *, namespace: str | None = None, since: int
    ) -> AsyncGenerator[Advance]:
        """What happened after revision `since`, for ever, in order, also what other processes wrote.

        Of one collection, or of all (None). Nothing is buffered for a slow reader: it reads the log at its own pace.
        Raises RevisionExpired, at once or when the reader has fallen behind the log, and for a `since` that lies in
        the future (the store was made anew).
        """
        ...
