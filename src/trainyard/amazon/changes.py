"""What moved in an account: by listing what was modified lately, one call per look however many jobs there are.

SageMaker has no feed. Its LastModifiedTime moves with every change of a status, so it serves as the revision: epoch
milliseconds, the same for every process that follows. A look goes a little further back than the last one, because
lists lag behind, and tells no line twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

from trainyard.model.job import JobSummary, ListQuery
from trainyard.model.keys import Scope
from trainyard.model.ledger import Change, Page

OVERLAP = 60.0  # seconds that a list may lag behind
Lister = Callable[[ListQuery], Awaitable[Page[JobSummary]]]


class Changes:
    """The jobs that moved after a revision."""

    def __init__(self, scope: Scope, lister: Lister, since: int) -> None:
        self._scope, self._lister, self._reached = scope, lister, since
        self._told: dict[str, JobSummary] = {}

    async def look(self) -> list[Change]:
        """What moved since the last look, oldest first. Raises Transient; then nothing was forgotten."""
        begin = self._reached / 1000 - OVERLAP
        moved = [line for line in await self._modified_after(begin) if self._told.get(line.name) != line]
        moved.sort(key=lambda line: line.modified_at)
        changes = []
        for line in moved:
            self._told[line.name] = line
            self._reached = max(self._reached, int(line.modified_at * 1000))
            changes.append(Change(self._reached, self._scope.account, self._scope.region, line.name))
        self._forget(self._reached / 1000 - 2 * OVERLAP)
        return changes

    async def follow(self, interval: float) -> AsyncIterator[Change]:
        """All of them for ever, with a look every `interval` seconds."""
        while True:
            for change in await self.look():
                yield change
            await asyncio.sleep(interval)

    async def _modified_after(self, begin: float) -> list[JobSummary]:
        lines: list[JobSummary] = []
        query = ListQuery(modified_after=max(0.0, begin), descending=False)
        while True:
            page = await self._lister(query)
            lines += page.items
            if page.token is None:
                return lines
            query = replace(query, token=page.token)

    def _forget(self, before: float) -> None:
        self._told = {name: line for name, line in self._told.items() if line.modified_at >= before}
