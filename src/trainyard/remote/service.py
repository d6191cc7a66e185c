"""ports.service.TrainingService over another Trainyard's own JSON API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import cast

from trainyard.model.job import Job, JobSummary, ListQuery, Plan, SearchQuery, Series
from trainyard.model.keys import Scope
from trainyard.model.ledger import Change, JobEvent, LogEvent, Page, Point
from trainyard.model.spec import TrainingJobSpec
from trainyard.model.update import TrainingJobUpdate
from trainyard.remote.connection import Connection


class RemoteService:
    """Jobs of one scope there. `create` may have happened although it raised Transient: look before you repeat it."""

    def __init__(self, scope: Scope, connection: Connection) -> None:
        self._scope, self._connection = scope, connection

    @property
    def scope(self) -> Scope:
        """The account and region that names are unique in."""
        return self._scope

    async def create(self, spec: TrainingJobSpec) -> Job:
        """Accept a job, durably, there."""
        return cast("Job", await self._connection.call(self._scope, "create", spec=spec))

    async def describe(self, name: str) -> Job:
        """One job."""
        return cast("Job", await self._connection.call(self._scope, "describe", name=name))

    async def list(self, query: ListQuery) -> Page[JobSummary]:
        """One page of jobs."""
        return cast("Page[JobSummary]", await self._connection.call(self._scope, "list", query=query))

    async def search(self, query: SearchQuery) -> Page[Job]:
        """Jobs by any member, tag, hyperparameter or metric."""
        return cast("Page[Job]", await self._connection.call(self._scope, "search", query=query))

    async def update(self, update: TrainingJobUpdate) -> Job:
        """Change what may change on a job."""
        return cast("Job", await self._connection.call(self._scope, "update", update=update))

    async def stop(self, name: str) -> None:
        """Ask a job to end gracefully."""
        await self._connection.call(self._scope, "stop", name=name)

    async def delete(self, name: str) -> None:
        """Forget a final job."""
        await self._connection.call(self._scope, "delete", name=name)

    async def add_tags(self, name: str, tags: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        """Add or replace tags."""
        answer = await self._connection.call(self._scope, "add_tags", name=name, tags=tags)
        return cast("tuple[tuple[str, str], ...]", answer)

    async def delete_tags(self, name: str, keys: Sequence[str]) -> None:
        """Remove tags."""
        await self._connection.call(self._scope, "delete_tags", name=name, keys=keys)

    async def log_streams(self, name: str) -> Sequence[str]:
        """Names of the job's log streams."""
        return cast("Sequence[str]", await self._connection.call(self._scope, "log_streams", name=name))

    async def logs(
        self,
        name: str,
        *,
        stream: str | None = None,
        since: float | None = None,
        token: str | None = None,
        tail: int | None = None,
        before: str | None = None,
        limit: int = 10_000,
    ) -> Page[LogEvent]:
        """Lines of one stream, or of all in order of attempts."""
        answer = await self._connection.call(
            self._scope,
            "logs",
            name=name,
            stream=stream,
            since=since,
            token=token,
            tail=tail,
            before=before,
            limit=limit,
        )
        return cast("Page[LogEvent]", answer)

    async def metrics(self, name: str, *, metric: str | None = None, since: float | None = None) -> Sequence[Series]:
        """Series of the algorithm's metrics and of the hosts' use."""
        answer = await self._connection.call(self._scope, "metrics", name=name, metric=metric, since=since)
        return cast("Sequence[Series]", answer)

    async def newest(self, name: str) -> Sequence[Point]:
        """The newest point of each of the algorithm's metrics."""
        return cast("Sequence[Point]", await self._connection.call(self._scope, "newest", name=name))

    async def events(self, name: str, *, token: str | None = None) -> Page[JobEvent]:
        """What happened, oldest first."""
        return cast("Page[JobEvent]", await self._connection.call(self._scope, "events", name=name, token=token))

    def changes(self, since: int) -> AsyncIterator[Change]:
        """Jobs that moved after revision `since`. Raises Transient when the stream breaks; ask again from the last."""
        return self._connection.follow(self._scope, "changes", since=since)

    async def revision(self) -> int:
        """Where `changes` stands now."""
        return cast("int", await self._connection.call(self._scope, "revision"))

    async def interrupt(self, name: str) -> None:
        """Interrupt a running managed-spot job, where the service there can."""
        await self._connection.call(self._scope, "interrupt", name=name)

    async def record_metrics(self, name: str, points: Sequence[Point]) -> None:
        """Add points to a job's series, where the service there can."""
        await self._connection.call(self._scope, "record_metrics", name=name, points=points)

    async def plan(self, spec: TrainingJobSpec) -> Plan:
        """What would happen there."""
        return cast("Plan", await self._connection.call(self._scope, "plan", spec=spec))
