"""The narrow waist: what every door, the operator and the CLI know of training."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol, runtime_checkable

from trainyard.model.job import Job, JobSummary, ListQuery, Plan, SearchQuery, Series
from trainyard.model.keys import Scope
from trainyard.model.ledger import Change, JobEvent, LogEvent, Page, Point
from trainyard.model.spec import TrainingJobSpec
from trainyard.model.update import TrainingJobUpdate


class TrainingService(Protocol):
    """Jobs of one scope, with SageMaker's meaning. Raises the tree of model.errors, nothing of a vendor."""

    @property
    def scope(self) -> Scope:
        """The account and region that names are unique in."""
        ...

    async def create(self, spec: TrainingJobSpec) -> Job:
        """Accept a job, durably. Raises InvalidJob, ResourceInUse, ValidationRefused, ResourceLimitExceeded."""
        ...

    async def describe(self, name: str) -> Job:
        """One job. Raises ResourceNotFound ("Requested resource not found.")."""
        ...

    async def list(self, query: ListQuery) -> Page[JobSummary]:
        """One page of jobs."""
        ...

    async def search(self, query: SearchQuery) -> Page[Job]:
        """Jobs by any member, tag, hyperparameter or metric."""
        ...

    async def update(self, update: TrainingJobUpdate) -> Job:
        """Change what may change on a job; repeating it is harmless. Raises ResourceNotFound, ValidationRefused."""
        ...

    async def stop(self, name: str) -> None:
        """Ask a job to end gracefully. Raises ValidationRefused if it is final."""
        ...

    async def delete(self, name: str) -> None:
        """Forget a final job; its name may be used again. Raises ResourceInUse while it is not final."""
        ...

    async def add_tags(self, name: str, tags: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        """Add or replace tags; returns all of them."""
        ...

    async def delete_tags(self, name: str, keys: Sequence[str]) -> None:
        """Remove tags; harmless for keys that are not there."""
        ...

    async def log_streams(self, name: str) -> Sequence[str]:
        """Names of the job's log streams, `<job>/algo-1-<epoch>`, oldest attempt first."""
        ...

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
        """Lines of one stream, or of all merged by time.

        The page's token is never None: it is where to read on, and the same token later gives what was written since.
        `tail`: only the last so many lines; with `before`, which a page gave, the last ones before that page.
        """
        ...

    async def metrics(self, name: str, *, metric: str | None = None, since: float | None = None) -> Sequence[Series]:
        """Series of the algorithm's metrics and of the hosts' use."""
        ...

    async def newest(self, name: str) -> Sequence[Point]:
        """The newest point of each of the algorithm's metrics: cheap, however long the series are."""
        ...

    async def events(self, name: str, *, token: str | None = None) -> Page[JobEvent]:
        """What happened, oldest first."""
        ...

    def changes(self, since: int) -> AsyncIterator[Change]:
        """Jobs that moved after revision `since`, for ever."""
        ...

    async def revision(self) -> int:
        """Where `changes` stands now."""
        ...


@runtime_checkable
class SupportsAccepting(Protocol):
    """A service that many jobs are sent to before any of them is looked at."""

    async def accept(self, spec: TrainingJobSpec) -> str:
        """As `create`, told by its ARN alone."""
        ...


@runtime_checkable
class SupportsInterrupt(Protocol):
    """The power to take a managed-spot job's place away, as a rehearsal."""

    async def interrupt(self, name: str) -> None:
        """Interrupt a running managed-spot job."""
        ...


@runtime_checkable
class SupportsRecording(Protocol):
    """The power to take in metrics that a program, or whoever watches it, tells from outside."""

    async def record_metrics(self, name: str, points: Sequence[Point]) -> None:
        """Add points to the series of a job that is not final. Raises ResourceNotFound, ValidationRefused."""
        ...


@runtime_checkable
class SupportsPlan(Protocol):
    """The power to say beforehand what would happen."""

    async def plan(self, spec: TrainingJobSpec) -> Plan:
        """What would be staged, run and written, what is honoured and what refused; changes nothing."""
        ...
