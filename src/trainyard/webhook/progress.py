"""How far the telling of state changes has come: what must survive a restart.

A job's steps are told in order and each at least once; a receiver knows a repeated one by its id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from trainyard.model.job import Job
from trainyard.model.status import TrainingJobStatus

REMEMBERED = 600.0  # seconds after its last step that a final job may still change (metrics, release, tags)


@dataclass(frozen=True, slots=True)
class Told:
    """Steps of one job that were told, and when the last of them began."""

    steps: int
    last: float
    final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """revision : the change feed was followed to here.

    since   : steps before this moment happened before anybody asked to be told. Seconds since the epoch.
    reached : when the newest told step began.
    jobs    : by uid, what was told of jobs that may still move.
    """

    revision: int
    since: float
    reached: float = 0.0
    jobs: Mapping[str, Told] = field(default_factory=dict)

    def untold(self, job: Job) -> range:
        """Numbers of the job's transitions that are still to be told."""
        history = job.description.secondary_status_transitions or ()
        known = self.jobs.get(job.uid)
        if known is not None:
            return range(known.steps, len(history))
        if history and history[-1].start_time < self.reached - REMEMBERED and _is_final(job):
            return range(0)  # an old job was touched, by its tags for example
        return range(sum(step.start_time < self.since for step in history), len(history))

    def with_told(self, job: Job, revision: int) -> Progress:
        """After all of a job's steps were told."""
        history = job.description.secondary_status_transitions or ()
        last = history[-1].start_time if history else self.reached
        reached = max(self.reached, last)
        told = {**self.jobs, job.uid: Told(len(history), last, _is_final(job))}
        kept = {uid: one for uid, one in told.items() if not (one.final and one.last < reached - REMEMBERED)}
        return replace(self, revision=revision, reached=reached, jobs=kept)

    def to_plain(self) -> dict[str, Any]:
        """For a JSON file."""
        jobs = {uid: [one.steps, one.last, one.final] for uid, one in self.jobs.items()}
        return {"version": 1, "revision": self.revision, "since": self.since, "reached": self.reached, "jobs": jobs}


def from_plain(plain: Any) -> Progress | None:
    """What `to_plain` wrote; None for anything else, which is as if nobody had asked before."""
    try:
        jobs = {uid: Told(int(steps), float(last), bool(final)) for uid, (steps, last, final) in plain["jobs"].items()}
        revision, since, reached = int(plain["revision"]), float(plain["since"]), float(plain["reached"])
    except (TypeError, KeyError, ValueError, AttributeError):
        return None
    return Progress(revision=revision, since=since, reached=reached, jobs=jobs)


def _is_final(job: Job) -> bool:
    return TrainingJobStatus(job.description.training_job_status).is_final
