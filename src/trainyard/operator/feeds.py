"""The services' feeds of changes, one for each place that a resource looks to.

A place's feed starts with the first resource that needs it and stops with the last; one that is pinned is followed for
as long as the operator runs. Where a feed breaks, everything there that is not at rest is looked at, again and again as
ACK does it, until it is back: a role that may describe but not list makes nothing stand still.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from trainyard.kit.backoff import Backoff
from trainyard.model.errors import TrainyardError
from trainyard.operator.settling import POLL
from trainyard.ports.clock import Clock
from trainyard.ports.places import Place, Places

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class _Feed:
    """Where one place's changes stand."""

    revision: int | None = None
    broken_at: float | None = None
    woken_at: float | None = None
    whole_at: float = 0.0
    backoff: Backoff = field(default_factory=lambda: Backoff(0.2, 30.0, jitter=0.3))
    task: asyncio.Task[None] | None = None


class Feeds:
    """Follows the places that are needed.

    moved : is told that a job moved at a place. wake : that whatever is not at rest there must be looked at.
    """

    def __init__(
        self,
        places: Places,
        clock: Clock,
        *,
        moved: Callable[[Place, str], None],
        wake: Callable[[Place], None],
        pinned: Iterable[Place] = (),
        blind: float = POLL,
    ) -> None:
        """`blind`: seconds between looks at everything while a feed is broken."""
        self._places, self._clock, self._moved, self._wake = places, clock, moved, wake
        self._pinned, self._blind = frozenset(pinned), blind
        self._feeds: dict[Place, _Feed] = {place: _Feed() for place in self._pinned}
        self._places_of: dict[str, Place] = {}
        self._keys: dict[Place, set[str]] = defaultdict(set)
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Follow for ever what is needed and will be."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for place in self._feeds:
                self._start(place)
            await asyncio.get_running_loop().create_future()

    def need(self, key: str, place: Place) -> None:
        """A resource's job is at this place, and may move."""
        if self._places_of.get(key) == place:
            return
        self.leave(key)
        self._places_of[key] = place
        self._keys[place].add(key)
        if place not in self._feeds:
            self._feeds[place] = _Feed()
            self._start(place)

    def leave(self, key: str) -> None:
        """A resource is gone, or nothing of its job can change any more."""
        place = self._places_of.pop(key, None)
        if place is None:
            return
        self._keys[place].discard(key)
        if not self._keys[place]:
            del self._keys[place]
            self._stop(place)

    def concerns(self, key: str, place: Place) -> bool:
        """Whether what happens at a place may concern a resource: it is there, or nobody knows."""
        return self._places_of.get(key, place) == place

    def followed(self) -> frozenset[Place]:
        """The places that are followed now."""
        return frozenset(self._feeds)

    def broken_for(self) -> float:
        """Seconds since the feed that is broken longest told nothing more; 0 where all are whole."""
        since = [feed.broken_at for feed in self._feeds.values() if feed.broken_at is not None]
        return self._clock.boottime() - min(since) if since else 0.0

    def _start(self, place: Place) -> None:
        if self._group is not None:
            feed = self._feeds[place]
            feed.task = self._group.create_task(self._follow(place, feed))

    def _stop(self, place: Place) -> None:
        if place in self._pinned:
            return
        feed = self._feeds.pop(place, None)
        if feed is not None and feed.task is not None:
            feed.task.cancel()

    async def _follow(self, place: Place, feed: _Feed) -> None:
        while True:
            try:
                await self._changes(place, feed)
            except (TrainyardError, TimeoutError, OSError) as error:
                self._broke(place, feed)
                pause = min(feed.backoff.next(), self._blind)
                where = f"{place.account}/{place.region}"
                _LOG.warning("the changes of %s cannot be followed, next try in %.1f s: %s", where, pause, error)
                await asyncio.sleep(pause)

    def _broke(self, place: Place, feed: _Feed) -> None:
        now = self._clock.boottime()
        if feed.broken_at is None:
            feed.broken_at = now
            if now - feed.whole_at >= self._blind:  # one that breaks again and again is tried ever more rarely
                feed.backoff.reset()
        if feed.woken_at is None or now - feed.woken_at >= self._blind:
            feed.woken_at = now
            self._wake(place)

    async def _changes(self, place: Place, feed: _Feed) -> None:
        service = await self._places.service(place)
        revision = await service.revision()
        if feed.revision is None or feed.revision > revision:  # the first time, or another store
            feed.revision = revision
        if feed.broken_at is not None:
            feed.broken_at = feed.woken_at = None
            self._wake(place)
        feed.whole_at = self._clock.boottime()
        async for change in service.changes(feed.revision):
            feed.revision = change.revision
            if (change.account, change.region) == (place.account, place.region):
                self._moved(place, change.name)
