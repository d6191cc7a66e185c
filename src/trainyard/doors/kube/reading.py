"""Get and list."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

from trainyard.doors.kube.errors import bad_request, expired_token, not_found
from trainyard.doors.kube.kinds import Kind
from trainyard.doors.kube.options import ListOptions
from trainyard.doors.kube.selectors import Selector, selector_of
from trainyard.doors.kube.world import World
from trainyard.ports.resources import LOG_KEPT, Body, Entry, ResourceKey

LARGEST_READ = 1000  # objects read from the store at a time while a selector looks for its own


@dataclass(frozen=True, slots=True)
class Objects:
    """A page of a list, and the ListMeta that goes with it."""

    items: tuple[Body, ...]
    metadata: Body


class Reading:
    """The reads of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def get(self, kind: Kind, namespace: str, name: str) -> Body:
        """One object. Raises Refused."""
        entry = await self._world.store.get(ResourceKey(kind.collection, namespace, name))
        if entry is None:
            raise not_found(kind, name)
        return kind.shown(entry)

    async def list(self, kind: Kind, namespace: str, options: ListOptions) -> Objects:
        """One page of a collection, or all of it. Raises Refused."""
        selector = selector_of(kind, options.labels, options.fields)
        after, first_revision = await self._position(options.token) if options.token else (None, None)
        if selector.is_everything:
            page = await self._world.store.list(
                kind.collection, namespace=namespace or None, limit=options.limit or None, after=after
            )
            items = tuple(kind.shown(entry) for entry in page.entries)
            return Objects(items, _list_meta(first_revision or page.revision, page.after, page.remaining))
        revision = first_revision or await self._world.store.revision()
        items, after = await self._selected(kind, namespace, selector, options.limit, after)
        return Objects(items, _list_meta(revision, after))

    async def _position(self, token: str) -> tuple[tuple[str, str], int]:
        """Where a list goes on, and the revision that it began at.

        Later pages show objects as they are by then, and a watch from the first one's revision brings what changed
        meanwhile: a token that is older than the log of changes holds no more. Raises Refused (410).
        """
        after, began = _position(token)
        newest = await self._world.store.revision()
        if not newest - LOG_KEPT <= began <= newest:
            raise expired_token(_token(newest, after))
        return after, began

    async def _selected(
        self, kind: Kind, namespace: str, selector: Selector, limit: int, after: tuple[str, str] | None
    ) -> tuple[tuple[Body, ...], tuple[str, str] | None]:
        """The first `limit` objects in view (0: all), and where to go on if anything follows them."""
        found: list[Body] = []
        async for entry, follows in self._scan(kind, namespace, after):
            if selector.matches(kind.form.read(entry.body) if kind.form else entry.body):
                found.append(kind.shown(entry))
                if len(found) == limit:
                    return tuple(found), (entry.key.namespace, entry.key.name) if follows else None
        return tuple(found), None

    async def _scan(
        self, kind: Kind, namespace: str, after: tuple[str, str] | None
    ) -> AsyncIterator[tuple[Entry, bool]]:
        """Every object in order, each with whether another follows."""
        while True:
            page = await self._world.store.list(
                kind.collection, namespace=namespace or None, limit=LARGEST_READ, after=after
            )
            for entry in page.entries:
                yield entry, entry is not page.entries[-1] or page.after is not None
            if (after := page.after) is None:
                return


def _list_meta(revision: int, after: tuple[str, str] | None, remaining: int = 0) -> Body:
    metadata: Body = {"resourceVersion": str(revision)}
    if after is not None:
        metadata["continue"] = _token(revision, after)
        if remaining:
            metadata["remainingItemCount"] = remaining
    return metadata


def _token(revision: int, after: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps([revision, *after]).encode()).decode()


def _position(token: str) -> tuple[tuple[str, str], int]:
    try:
        revision, namespace, name = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, TypeError, RecursionError, binascii.Error) as error:
        raise bad_request("continue key is not valid: it is not one that this server gave") from error
    if not (isinstance(revision, int) and isinstance(namespace, str) and isinstance(name, str)):
        raise bad_request("continue key is not valid: it is not one that this server gave")
    return (namespace, name), revision
