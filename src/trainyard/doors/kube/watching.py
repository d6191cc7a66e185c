"""Watches: a collection's changes as JSON lines.

Nothing is queued for a client: its connection reads the store's log at its own pace. One that falls behind the log is
told 410 and lists again; one that does not read at all is closed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import orjson

from trainyard.doors.kube.errors import bad_request, expired
from trainyard.doors.kube.kinds import Kind
from trainyard.doors.kube.options import ListOptions
from trainyard.doors.kube.selectors import Selector, selector_of
from trainyard.doors.kube.world import World
from trainyard.ports.resources import Advance, Body, Deed, Entry, Occurrence, RevisionExpired

BOOKMARK_EVERY = 10.0  # seconds between bookmarks while nothing else is sent
LARGEST_CHUNK = 256 * 1024  # bytes handed to the connection at once
Render = Callable[[Body], Body]


class Watching:
    """The watches of one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def lines(self, kind: Kind, namespace: str, options: ListOptions, render: Render) -> AsyncGenerator[bytes]:
        """Chunks of JSON lines, without end. Raises Refused, before there is any, for a request that is wrong."""
        selector = selector_of(kind, options.labels, options.fields)
        return self._lines(_View(kind, selector, render), namespace, options, _since(options))

    async def _lines(
        self, view: _View, namespace: str, options: ListOptions, since: int | None
    ) -> AsyncGenerator[bytes]:
        kind = view.kind
        if since is None and options.initial_events is False:
            since = await self._world.store.revision()
        elif since is None:
            present = await self._world.store.list(kind.collection, namespace=namespace or None)
            since = present.revision
            for chunk in view.initial(present.entries):
                yield chunk
            if options.initial_events:
                yield _bookmark(kind, since, initial_end=True)
        bookmarks = _Bookmarks(kind, self._world.now) if options.bookmarks else None
        try:
            async with aclosing(
                self._world.store.watch(kind.collection, namespace=namespace or None, since=since)
            ) as advances:
                async for advance in advances:
                    for chunk in view.changes(advance):
                        yield chunk
                    if bookmarks and (line := bookmarks.due(advance)):
                        yield line
        except RevisionExpired:
            newest = await self._world.store.revision()
            yield _line("ERROR", expired(f"too old resource version: {since} ({newest})").status())


class _View:
    """What a client sees of a collection: its kind's form, through its selector."""

    def __init__(self, kind: Kind, selector: Selector, render: Render) -> None:
        self.kind = kind
        self._selector = selector
        self._render = render

    def initial(self, entries: tuple[Entry, ...]) -> list[bytes]:
        """The present objects, as additions."""
        return _chunks([self._line(Deed.ADDED, entry) for entry in entries if self._sees(entry.body)])

    def changes(self, advance: Advance) -> list[bytes]:
        """An advance as chunks of lines."""
        return _chunks([line for occurrence in advance.occurrences if (line := self._change(occurrence))])

    def _change(self, occurrence: Occurrence) -> bytes | None:
        """An object that enters the view was added, one that leaves it was deleted, for this client."""
        now = occurrence.deed is not Deed.DELETED and self._sees(occurrence.entry.body)
        before = occurrence.before is not None and self._sees(occurrence.before)
        if now:
            return self._line(Deed.MODIFIED if before else Deed.ADDED, occurrence.entry)
        if before and occurrence.before is not None:
            last = occurrence.entry.body if occurrence.deed is Deed.DELETED else occurrence.before
            return self._line(Deed.DELETED, Entry(occurrence.entry.key, occurrence.entry.revision, last))
        return None

    def _sees(self, body: Body) -> bool:
        if self._selector.is_everything:
            return True
        return self._selector.matches(self.kind.form.read(body) if self.kind.form else body)

    def _line(self, deed: Deed, entry: Entry) -> bytes:
        return _line(deed.value, self._render(self.kind.shown(entry)))


class _Bookmarks:
    """When to tell a client how far it has come."""

    def __init__(self, kind: Kind, now: Callable[[], float]) -> None:
        self._kind = kind
        self._now = now
        self._last = now()

    def due(self, advance: Advance) -> bytes | None:
        """A bookmark, if it is time for one."""
        if abs(self._now() - self._last) < BOOKMARK_EVERY:
            return None
        self._last = self._now()
        return _bookmark(self._kind, advance.revision)


def _since(options: ListOptions) -> int | None:
    """The revision to go on from; None for the present state first."""
    given = options.resource_version
    if options.initial_events is not None and options.match != "NotOlderThan":
        raise bad_request("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
    if given in ("", "0") or options.initial_events:
        return None
    if not given.isascii() or not given.isdigit() or len(given) > 18:
        raise bad_request(f"invalid resource version {given[:50]!r}")
    return int(given)


def _chunks(lines: list[bytes]) -> list[bytes]:
    chunks, group, size = [], [], 0
    for line in lines:
        group.append(line)
        size += len(line)
        if size > LARGEST_CHUNK:
            chunks.append(b"".join(group))
            group, size = [], 0
    if group:
        chunks.append(b"".join(group))
    return chunks


def _line(deed: str, body: Body) -> bytes:
    return orjson.dumps({"type": deed, "object": body}) + b"\n"


def _bookmark(kind: Kind, revision: int, *, initial_end: bool = False) -> bytes:
    metadata: Body = {"resourceVersion": str(revision), "creationTimestamp": None}
    if initial_end:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    return _line("BOOKMARK", {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata})
