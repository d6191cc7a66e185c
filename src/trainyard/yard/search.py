"""Searching: records are read a batch at a time, whatever a scope holds, and a page is kept of what matches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from trainyard.lifecycle import searching
from trainyard.lifecycle.describing import summary_of
from trainyard.lifecycle.paging import Order, Place, place_in, place_of, token_of
from trainyard.lifecycle.querying import check_search
from trainyard.lifecycle.searching import Ranked
from trainyard.model.job import SearchQuery
from trainyard.model.keys import Scope
from trainyard.model.record import JobRecord
from trainyard.ports.store import JobStore

BATCH = 100  # records read at once


class Search:
    """Over the jobs of one scope."""

    def __init__(self, jobs: JobStore, scope: Scope) -> None:
        self._jobs, self._scope = jobs, scope

    async def page(self, query: SearchQuery) -> tuple[Sequence[JobRecord], str | None]:
        """One page and the next one's token. Raises ValidationRefused."""
        check_search(query)
        if query.sort_by in searching.COLUMNS:
            return await self._in_the_stores_order(query, Order(searching.COLUMNS[query.sort_by], query.descending))
        return await self._in_any_order(query, Order(query.sort_by, query.descending))

    async def _in_the_stores_order(self, query: SearchQuery, order: Order) -> tuple[Sequence[JobRecord], str | None]:
        """Read on from where the last page ended until this one is full."""
        found: list[JobRecord] = []
        async for batch in self._batches(order, place_in(query.token, order)):
            found += [one for one in batch if searching.matches(searching.properties_of(one), query)]
            if len(found) > query.limit:
                last = found[query.limit - 1]
                return found[: query.limit], token_of(order, place_of(summary_of(last), order.by))
        return found, None

    async def _in_any_order(self, query: SearchQuery, order: Order) -> tuple[Sequence[JobRecord], str | None]:
        """Read everything and keep the first behind the last page: no more is held than a page and a batch."""
        after = searching.standing_in(query.token, order)
        kept: list[Ranked] = []
        async for batch in self._batches(Order("Name", descending=False), None):
            kept = searching.first([*kept, *_matching(batch, query, order, after)], order, query.limit + 1)
        shown = kept[: query.limit]
        return [record for _, record in shown], token_of(order, shown[-1][0]) if len(kept) > query.limit else None

    async def _batches(self, order: Order, after: Place | None) -> AsyncIterator[Sequence[JobRecord]]:
        while batch := await self._jobs.walk(self._scope, order, after=after, limit=BATCH):
            yield batch
            if len(batch) < BATCH:
                return
            after = place_of(summary_of(batch[-1]), order.by)


def _matching(
    batch: Sequence[JobRecord], query: SearchQuery, order: Order, after: searching.Standing | None
) -> list[Ranked]:
    found: list[Ranked] = []
    for record in batch:
        properties = searching.properties_of(record)
        standing = searching.standing_of(record, properties, order)
        if searching.is_behind(standing, after, order) and searching.matches(properties, query):
            found.append((standing, record))
    return found
