"""A list of jobs without the engine: read often, so it loads neither runtime nor service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from trainyard.model.keys import Scope
from trainyard.model.ledger import Page
from trainyard.model.listing import JobSummary, ListQuery
from trainyard.stores.sqlite import listing
from trainyard.stores.sqlite.database import Database
from trainyard.wiring.home import Home
from trainyard.wiring.leadership import is_led
from trainyard.wiring.settings import load


async def current_page(
    query: ListQuery, home: str | None = None, *, region: str | None = None, account: str | None = None
) -> Page[JobSummary] | None:
    """A page of what is true now; None where nobody leads and running jobs must be looked at first."""
    place = Home.open(home)
    async with _opened(place) as database:
        if not is_led(place) and await listing.any_unfinished(database):
            return None
        return await listing.page(database, _scope(place, region, account), query)


async def page_as_stored(
    query: ListQuery, home: str | None = None, *, region: str | None = None, account: str | None = None
) -> Page[JobSummary]:
    """A page of what the store says, however old: enough to complete a name."""
    place = Home.open(home)
    async with _opened(place) as database:
        return await listing.page(database, _scope(place, region, account), query)


@asynccontextmanager
async def _opened(place: Home) -> AsyncIterator[Database]:
    database = Database(place.database)
    try:
        yield database
    finally:
        database.close()


def _scope(place: Home, region: str | None, account: str | None) -> Scope:
    settings = load(place.settings)
    return Scope(account or settings.account, region or settings.region)
