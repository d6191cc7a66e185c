"""ports.service.TrainingService over our own engine.

It writes intents; the leading engine, wherever it is, acts on them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import groupby

from trainyard.lifecycle import decide, updating
from trainyard.lifecycle.admission import objections
from trainyard.lifecycle.describing import description_of
from trainyard.lifecycle.querying import check_list
from trainyard.lifecycle.stopping import GRACE
from trainyard.lifecycle.transitions import beginning
from trainyard.model.description import TrainingJobDescription
from trainyard.model.errors import (
    InvalidJob,
    ResourceInUse,
    ResourceLimitExceeded,
    ResourceNotFound,
    StaleRecord,
    ValidationRefused,
)
from trainyard.model.job import Job, JobSummary, ListQuery, Plan, SearchQuery, Series
from trainyard.model.keys import JobKey, Scope
from trainyard.model.ledger import Change, JobEvent, LogEvent, Page, Point
from trainyard.model.observation import Progress, Seen, StopCause
from trainyard.model.problems import Severity
from trainyard.model.record import JobRecord
from trainyard.model.spec import TrainingJobSpec
from trainyard.model.update import TrainingJobUpdate
from trainyard.yard.engine import Yard
from trainyard.yard.logs import JobLogs, Span
from trainyard.yard.planning import Planning
from trainyard.yard.preflight import Preflight
from trainyard.yard.search import Search
from trainyard.yard.telling import Descriptions

_TOLD = "told"  # the stream of the ledger whose positions count points that came from outside
MOST_TAGS = 50
TRIES = 50  # compare-and-swap rounds before giving up


class YardService:
    """Jobs of one scope."""

    def __init__(
        self,
        scope: Scope,
        yard: Yard,
        preflight: Preflight,
        *,
        new_uid: Callable[[], str],
        poke: Callable[[str], None] = lambda _uid: None,
        staleness: Callable[[], float | None] = lambda: None,
        descriptions: Descriptions | None = None,
    ) -> None:
        self._scope, self._yard, self._preflight = scope, yard, preflight
        self._new_uid, self._poke, self._staleness = new_uid, poke, staleness
        self._descriptions = descriptions or Descriptions()
        self._logs = JobLogs(yard.runtime)
        self._search = Search(yard.jobs, scope)
        self._planning = Planning(yard=yard, preflight=preflight)

    @property
    def scope(self) -> Scope:
        """The account and region that names are unique in."""
        return self._scope

    async def create(self, spec: TrainingJobSpec) -> Job:
        """Accept a job, durably."""
        stored = await self._accepted(spec)
        return _told(stored, description_of(stored))  # as it was written just now: nothing of it can be stale

    async def accept(self, spec: TrainingJobSpec) -> str:
        """The same, told by its ARN."""
        return (await self._accepted(spec)).key.arn

    async def _accepted(self, spec: TrainingJobSpec) -> JobRecord:
        """The record of a new job; whoever calls, the request is judged here."""
        problems = objections(spec)
        if any(problem.severity is Severity.ERROR for problem in problems):
            raise InvalidJob(problems)
        key = self._key(spec.training_job_name)
        placement = await self._preflight.place_of(spec)
        now = self._yard.clock.now()
        new = JobRecord(
            key=key, uid=self._new_uid(), spec=spec, placement=placement, created_at=now, modified_at=now,
            tags=tuple((tag.key, tag.value) for tag in spec.tags or ()), notices=placement.notices,
            transitions=beginning(now), version=1,
        )  # fmt: skip
        accepted = JobEvent(at=now, reason="Accepted", message=f"The job was accepted: {placement.image}.")
        notices = [JobEvent(at=now, reason="Notice", message=text, warning=True) for text in placement.notices]
        stored = await self._yard.jobs.create(new, events=[accepted, *notices])
        self._poke(stored.uid)
        return stored

    async def plan(self, spec: TrainingJobSpec) -> Plan:
        """What `create` would make of a job; changes nothing."""
        return await self._planning.plan(self._key(spec.training_job_name), spec)

    async def describe(self, name: str) -> Job:
        """One job."""
        return await self._job(await self._record(name))

    async def list(self, query: ListQuery) -> Page[JobSummary]:
        """One page of jobs."""
        check_list(query)
        return await self._yard.jobs.list(self._scope, query)

    async def search(self, query: SearchQuery) -> Page[Job]:
        """Jobs by any member, tag, hyperparameter or metric."""
        page, token = await self._search.page(query)
        return Page(tuple([await self._job(record) for record in page]), token)

    async def update(self, update: TrainingJobUpdate) -> Job:
        """Change what may change; what this place refuses in a new job is refused here too."""

        def changed(record: JobRecord) -> JobRecord:
            objection = updating.objection(record, update)
            if objection is not None:
                raise ValidationRefused(objection)
            moved = updating.updated(record, update, now)
            if moved is not record:
                self._preflight.check_fields(moved.spec, moved.placement.launcher)
            return moved

        now = self._yard.clock.now()
        message = "The job was updated; an attempt that runs already keeps the settings that it started with."
        event = JobEvent(at=now, reason="Updated", message=message)
        return await self._job(await self._change(update.training_job_name, changed, event))

    async def stop(self, name: str) -> None:
        """Ask a job to end gracefully."""

        def asked(record: JobRecord) -> JobRecord:
            if record.status.is_final:
                text = f"The request was rejected because the training job is in status {record.status}."
                raise ValidationRefused(text)
            return decide.request_stop(record, StopCause.REQUESTED, now)

        now = self._yard.clock.now()
        event = JobEvent(at=now, reason="StopRequested", message="The job was asked to stop.")
        await self._change(name, asked, event)

    async def delete(self, name: str) -> None:
        """Forget a final job."""
        for _ in range(TRIES):
            record = await self._record(name)
            if not record.status.is_final:
                raise ResourceInUse(
                    f"The training job {name} is in status {record.status}; stop it before deleting it."
                )
            await self._discard(record)
            try:
                await self._yard.jobs.delete(record.key, expect=record.version)
            except StaleRecord:
                continue
            return
        raise StaleRecord(f"{name} keeps changing; try again")

    async def add_tags(self, name: str, tags: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
        """Add or replace tags."""

        def tagged(record: JobRecord) -> JobRecord:
            both = {**dict(record.tags), **dict(tags)}
            if len(both) > MOST_TAGS:
                raise ResourceLimitExceeded(
                    f"{name} would have {len(both)} tags; {MOST_TAGS} are the most. Delete some first."
                )
            return replace(record, tags=tuple(both.items()))

        return (await self._change(name, tagged)).tags

    async def delete_tags(self, name: str, keys: Sequence[str]) -> None:
        """Remove tags."""
        await self._change(name, lambda one: replace(one, tags=tuple(tag for tag in one.tags if tag[0] not in keys)))

    async def log_streams(self, name: str) -> Sequence[str]:
        """Names of the job's log streams."""
        return await self._logs.streams(await self._record(name))

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
        record = await self._record(name)
        span = Span(stream=stream, since=since, begin=token, end=before)
        if tail is None:
            return await self._logs.read(record, span, limit)
        return await self._logs.read_back(record, span, tail)

    async def metrics(self, name: str, *, metric: str | None = None, since: float | None = None) -> Sequence[Series]:
        """Series of the algorithm's metrics and of the hosts' use."""
        record = await self._record(name)
        points = await self._yard.ledger.points(record.uid, name=metric, since=since)
        ordered = sorted(points, key=lambda point: (point.host, point.name))
        return [
            Series(name=name, host=host, points=tuple((point.at, point.value) for point in group))
            for (host, name), group in groupby(ordered, key=lambda point: (point.host, point.name))
        ]

    async def newest(self, name: str) -> Sequence[Point]:
        """The newest point of each of the algorithm's metrics."""
        record = await self._record(name)
        return await self._yard.ledger.last_points(record.uid)

    async def events(self, name: str, *, token: str | None = None) -> Page[JobEvent]:
        """What happened, oldest first."""
        record = await self._record(name)
        return await self._yard.ledger.events(record.uid, token=token)

    def changes(self, since: int) -> AsyncIterator[Change]:
        """Jobs that moved."""
        return self._yard.jobs.changes(since)

    async def revision(self) -> int:
        """Where `changes` stands now."""
        return await self._yard.jobs.revision()

    async def interrupt(self, name: str) -> None:
        """Take a managed-spot job's place away, as a rehearsal."""
        record = await self._record(name)
        if not record.spec.enable_managed_spot_training:
            raise ValidationRefused(
                f"{name} is no managed-spot job (EnableManagedSpotTraining): it is never interrupted."
            )
        if not record.placed:
            raise ValidationRefused(f"{name} is not running.")
        await self._yard.runtime.stop(record.run, StopCause.INTERRUPTED, grace=GRACE)

    async def record_metrics(self, name: str, points: Sequence[Point]) -> None:
        """Add points that were told from outside, as if a stream of the job's had held them."""
        for _ in range(TRIES):
            record = await self._record(name)
            if record.status.is_final:
                raise ValidationRefused(
                    f"The training job {name} is in status {record.status}: its metrics are settled."
                )
            since = (await self._yard.ledger.scanned(record.uid)).get(_TOLD, 0)
            with suppress(StaleRecord):
                await self._yard.ledger.append_points(
                    record.uid, _TOLD, points, since=since, offset=since + len(points)
                )
                return
        raise StaleRecord(f"{name} is told too much at once; try again")

    async def _discard(self, record: JobRecord) -> None:
        """Leave nothing of its runs; before the record goes, so that a crash in between leaves nobody's data behind."""
        if record.attempt > 0 and not record.released:
            await self._yard.runtime.release(record.run)
        await self._yard.runtime.discard(record.uid)

    def _key(self, name: str) -> JobKey:
        return JobKey(self._scope.account, self._scope.region, name)

    async def _record(self, name: str) -> JobRecord:
        record = await self._yard.jobs.get(self._key(name))
        if record is None:
            raise ResourceNotFound("Requested resource not found.")
        return record

    async def _change(self, name: str, move: Callable[[JobRecord], JobRecord], *events: JobEvent) -> JobRecord:
        """Move a record, telling `events` if it moved at all; whoever wrote first is read again."""
        for _ in range(TRIES):
            record = await self._record(name)
            moved = move(record)
            if moved is record:
                return record
            try:
                written = await self._yard.jobs.put(moved, expect=record.version, events=events)
            except StaleRecord:
                continue
            self._poke(written.uid)
            return written
        raise StaleRecord(f"{name} keeps changing; try again")

    async def _job(self, record: JobRecord) -> Job:
        progress = None
        if record.placed and not record.status.is_final:
            seen = await self._yard.runtime.observe(record.run) if record.seen else None
            progress = seen.progress if isinstance(seen, Seen) else None
        stale_for = None if record.status.is_final else self._staleness()
        return _told(record, self._descriptions.of(record), progress, stale_for)


def _told(
    record: JobRecord,
    description: TrainingJobDescription,
    progress: Progress | None = None,
    stale_for: float | None = None,
) -> Job:
    return Job(
        description=description, uid=record.uid, tags=record.tags, attempt=record.attempt, waiting=record.waiting,
        notices=record.notices, progress=progress, launcher=record.placement.launcher, unobserved=record.unobserved,
        image=record.placement.image, exit_code=record.exit_code, stale_for=stale_for,
        settled=not record.is_unfinished,
    )  # fmt: skip
