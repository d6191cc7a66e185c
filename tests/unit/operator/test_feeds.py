"""The feeds of several places: started and stopped as they are needed, and no reason to stand still when they break."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.unit.operator.world import CLOCK, until

from trainyard.model.errors import ServiceError
from trainyard.model.keys import Scope
from trainyard.model.ledger import Change
from trainyard.operator.feeds import Feeds
from trainyard.ports.places import Place

WEST, EAST = Place("123456789012", "us-west-2"), Place("123456789012", "us-east-1")


class Telling:
    """A service whose changes the test tells; `refuses` is raised instead."""

    def __init__(self, place: Place) -> None:
        self.scope: Scope = place.scope
        self.told: asyncio.Queue[str] = asyncio.Queue()
        self.refuses: Exception | None = None
        self.following = 0

    async def revision(self) -> int:
        """Where it stands."""
        if self.refuses is not None:
            raise self.refuses
        return 0

    async def changes(self, _since: int) -> AsyncIterator[Change]:
        """What the test tells."""
        self.following += 1
        try:
            while True:
                name = await self.told.get()
                yield Change(1, self.scope.account, self.scope.region, name)
        finally:
            self.following -= 1


class TwoPlaces:
    """Services by place."""

    home = WEST

    def __init__(self) -> None:
        self.services = {place: Telling(place) for place in (WEST, EAST)}

    async def service(self, place: Place) -> Any:
        """The one there."""
        return self.services[place]


class Heard:
    """What the feeds said."""

    def __init__(self) -> None:
        self.moved: list[tuple[Place, str]] = []
        self.woken: Counter[Place] = Counter()

    def on_moved(self, place: Place, name: str) -> None:
        """A job moved."""
        self.moved.append((place, name))

    def on_wake(self, place: Place) -> None:
        """Look at everything there."""
        self.woken[place] += 1


@asynccontextmanager
async def following(places: TwoPlaces, **more: Any) -> AsyncIterator[tuple[Feeds, Heard]]:
    heard = Heard()
    feeds = Feeds(places, CLOCK, moved=heard.on_moved, wake=heard.on_wake, **more)
    task = asyncio.create_task(feeds.run())
    try:
        yield feeds, heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_place_is_followed_from_its_first_resource_to_its_last() -> None:
    places = TwoPlaces()
    async with following(places) as (feeds, heard):
        feeds.need("default/a", WEST)
        feeds.need("default/b", WEST)
        await until(lambda: places.services[WEST].following == 1)
        assert feeds.followed() == {WEST}
        places.services[WEST].told.put_nowait("a")
        await until(lambda: heard.moved == [(WEST, "a")])
        feeds.leave("default/a")
        assert feeds.followed() == {WEST}
        feeds.leave("default/b")
        await until(lambda: places.services[WEST].following == 0)
        assert feeds.followed() == frozenset()


async def test_a_resource_whose_place_becomes_another_takes_its_feed_along() -> None:
    places = TwoPlaces()
    async with following(places) as (feeds, _heard):
        feeds.need("default/a", WEST)
        feeds.need("default/a", EAST)
        await until(lambda: [one.following for one in places.services.values()] == [0, 1])
        assert feeds.concerns("default/a", EAST)
        assert not feeds.concerns("default/a", WEST)
        assert feeds.concerns("default/unknown", WEST)


async def test_one_that_is_pinned_is_followed_whatever_comes_and_goes() -> None:
    places = TwoPlaces()
    async with following(places, pinned=[WEST]) as (feeds, _heard):
        await until(lambda: places.services[WEST].following == 1)
        feeds.need("default/a", WEST)
        feeds.leave("default/a")
        assert feeds.followed() == {WEST}


async def test_a_feed_that_may_not_be_read_has_everything_looked_at_again_and_again() -> None:
    places = TwoPlaces()
    places.services[WEST].refuses = ServiceError("not allowed to list", code="AccessDeniedException")
    async with following(places, blind=0.05) as (feeds, heard):
        feeds.need("default/a", WEST)
        feeds.need("default/b", EAST)
        await until(lambda: heard.woken[WEST] >= 3)
        assert feeds.broken_for() > 0
        assert heard.woken[EAST] == 0
        places.services[WEST].refuses = None
        await until(lambda: places.services[WEST].following == 1)
        assert feeds.broken_for() == 0
