"""What moved in an account: by listing what was modified lately, one call per look however many jobs there are.

SageMaker has no feed. Its LastModifiedTime moves with every change of a status, so it serves as the revision: epoch
milliseconds, the same for every process that follows. A look goes a little further back than the last one, because
lists lag behind, and tells no line twice. So that a line which a list brought too late is not missed for ever, all
unfinished jobs are listed now and then and compared with what was told. With N of them in the account, a look costs
N/50 + 2 calls at most.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import replace

from trainyard.model.job import JobSummary, ListQuery
from trainyard.model.keys import Scope
from trainyard.model.ledger import Change, Page
from trainyard.model.status import TrainingJobStatus

OVERLAP = 60.0  # seconds that a list may lag behind
SWEEP = 30  # looks between two that also list the unfinished jobs of one status; they take turns
_SWEPT = (TrainingJobStatus.IN_PROGRESS, TrainingJobStatus.STOPPING)
Lister = Callable[[ListQuery], Awaitable[Page[JobSummary]]]


class Changes:
    """The jobs that moved after a revision."""

    def __init__(self, scope: Scope, lister: Lister, since: int) -> None:
        self._scope, self._lister = scope, lister
        self._began = self._reached = since
        self._told: dict[str, JobSummary] = {}
        self._missed: list[str] = []  # by the last look's sweep
        self._looks = 0

    async def look(self) -> list[Change]:
        """What moved since the last look, oldest first. Raises Transient; then nothing was forgotten."""
        lines = await self._listed(ListQuery(modified_after=max(0.0, self._reached / 1000 - OVERLAP), descending=False))
        moved, listed = self._news(lines), {line.name for line in lines}
        gone = [name for name in self._missed if name not in listed and name in self._told]
        late, missed = await self._sweep(before=moved) if (self._looks + 1) % SWEEP == 0 else ([], [])
        self._looks, self._missed = self._looks + 1, missed
        changes = [self._tell(line) for line in sorted((*moved, *late), key=lambda line: line.modified_at)]
        changes += [self._change(self._told.pop(name).name) for name in gone]
        self._forget(self._reached / 1000 - 2 * OVERLAP)
        return changes

    async def follow(self, interval: float) -> AsyncIterator[Change]:
        """All of them for ever, with a look every `interval` seconds."""
        while True:
            for change in await self.look():
                yield change
            await asyncio.sleep(interval)

    async def _sweep(self, before: list[JobSummary]) -> tuple[list[JobSummary], list[str]]:
        """Unfinished jobs that the lists passed over, and the names that are not among them any more.

        These may have moved between the two lists of this look: the next one knows which are gone.
        """
        status = _SWEPT[self._looks // SWEEP % len(_SWEPT)]
        unfinished = await self._listed(ListQuery(status=status, descending=False))
        late = self._news(self._known_of(unfinished), before=before)
        return late, self._missing_from(unfinished, status, before=[*before, *late])

    def _news(self, lines: Iterable[JobSummary], before: Iterable[JobSummary] = ()) -> list[JobSummary]:
        already = {line.name for line in before}
        return [line for line in lines if line.name not in already and self._told.get(line.name) != line]

    def _known_of(self, unfinished: Iterable[JobSummary]) -> list[JobSummary]:
        """Of all unfinished jobs those that can be news; the ones from before we began are only remembered."""
        found = []
        for line in unfinished:
            if line.name not in self._told and line.modified_at * 1000 < self._began:
                self._told[line.name] = line
            found.append(line)
        return found

    def _missing_from(
        self, unfinished: Iterable[JobSummary], status: TrainingJobStatus, before: Iterable[JobSummary]
    ) -> list[str]:
        """Jobs that were told to have that status, and that no list with it holds any more."""
        there = {line.name for line in (*unfinished, *before)}
        return [name for name, line in self._told.items() if line.status is status and name not in there]

    def _tell(self, line: JobSummary) -> Change:
        self._told[line.name] = line
        self._reached = max(self._reached, int(line.modified_at * 1000))
        return self._change(line.name)

    def _change(self, name: str) -> Change:
        return Change(self._reached, self._scope.account, self._scope.region, name)

    async def _listed(self, query: ListQuery) -> list[JobSummary]:
        lines: list[JobSummary] = []
        while True:
            page = await self._lister(query)
            lines += page.items
            if page.token is None:
                return lines
            query = replace(query, token=page.token)

    def _forget(self, before: float) -> None:
        """What is over and long past is in no list any more; what is not over is held against the next sweep."""
        self._told = {
            name: line for name, line in self._told.items() if line.modified_at >= before or not line.status.is_final
        }
