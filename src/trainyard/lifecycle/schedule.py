"""Who gets a place on the machine, who waits and why. Pure: what is taken derives from the running jobs alone.

First come, first served, on-demand before managed spot. The first job that does not fit is the head: it is promised its
place at the time when, by the limits that are known, enough of the running jobs have ended. A job behind it may start
before it only where that promise holds all the same (EASY backfill, Lifka 1995):

    it has ended by then, by its own limit, or
    it fits beside the head then, with what is left.

A limit is MaxRuntimeInSeconds, less what earlier attempts used, and the grace of a stop. Staging and uploading have
none; a job that outlives its limit by them is counted as ending now, which promises the head its place at once, so that
nothing is started any more that needs time. Thus the head waits for jobs that were there before it and for no others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from trainyard.lifecycle.stopping import GRACE, latest_end
from trainyard.model.instances import GIB
from trainyard.model.keys import JobKey
from trainyard.model.record import JobRecord
from trainyard.model.resources import Resources


@dataclass(frozen=True, slots=True)
class Schedule:
    """placements: jobs to launch now; victims: managed-spot jobs to interrupt; reasons: why each other one waits.

    promised: when the first of those that wait gets its place at the latest, by what is known; None where nobody waits
    or no end of running jobs is enough.
    """

    placements: tuple[JobKey, ...]
    victims: tuple[JobKey, ...]
    reasons: dict[JobKey, str]
    promised: float | None = None


@dataclass(frozen=True, slots=True)
class _Promise:
    """When the head starts at the latest, and what is left beside it from then on."""

    at: float
    beside: Resources

    def holds_with(self, job: JobRecord, now: float) -> bool:
        """Whether the head still starts then, if this job starts now."""
        return latest_end(job, now) <= self.at or job.placement.needs.fits(self.beside)

    def with_job(self, job: JobRecord, now: float) -> _Promise:
        """What is left once this job has started."""
        is_gone = latest_end(job, now) <= self.at
        return self if is_gone else _Promise(self.at, self.beside.minus(job.placement.needs))


def schedule(waiting: Sequence[JobRecord], running: Sequence[JobRecord], capacity: Resources, now: float) -> Schedule:
    """Places, victims and reasons. Never places more than there is; the first of those that wait is never overtaken."""
    free = capacity.minus(_needs_of(running))
    ordered = sorted(waiting, key=_order)
    queue = [job for job in ordered if job.placement.needs.fits(capacity)]
    hopeless = [job for job in ordered if not job.placement.needs.fits(capacity)]  # the machine shrank: nobody's head
    placed: list[JobRecord] = []
    while queue and queue[0].placement.needs.fits(free):
        placed.append(queue.pop(0))
        free = free.minus(placed[-1].placement.needs)
    if not queue:
        reasons = {job.key: _lack(job.placement.needs, free, capacity) for job in hopeless}
        return Schedule(tuple(job.key for job in placed), (), reasons)
    head, *behind = queue
    victims = _victims(head, running, free)
    promise = _promise(head, [*running, *placed], victims, free, now)
    waiters = [head]
    for job in behind:
        needs = job.placement.needs
        if promise is not None and needs.fits(free) and promise.holds_with(job, now):
            placed.append(job)
            free, promise = free.minus(needs), promise.with_job(job, now)
        else:
            waiters.append(job)
    return Schedule(
        tuple(job.key for job in placed),
        tuple(job.key for job in victims),
        {job.key: _reason(job, head, free, capacity) for job in (*waiters, *hopeless)},
        promise.at if promise else None,
    )


def _order(job: JobRecord) -> tuple[bool, float, str]:
    return bool(job.spec.enable_managed_spot_training), job.created_at, job.uid


def _needs_of(jobs: Iterable[JobRecord]) -> Resources:
    return sum((job.placement.needs for job in jobs), Resources())


def _promise(
    head: JobRecord, running: Sequence[JobRecord], victims: Sequence[JobRecord], free: Resources, now: float
) -> _Promise | None:
    """The head's place, as running jobs end by their limits one after the other."""
    needs = head.placement.needs
    interrupted = {job.key for job in victims}
    by_end = sorted(running, key=lambda job: (_end_of(job, interrupted, now), job.uid))
    for job in by_end:
        free = free + job.placement.needs
        if needs.fits(free):
            return _Promise(_end_of(job, interrupted, now), free.minus(needs))
    return None


def _end_of(job: JobRecord, interrupted: Collection[JobKey], now: float) -> float:
    end = latest_end(job, now)
    return min(end, now + GRACE) if job.key in interrupted else end


def _victims(job: JobRecord, running: Sequence[JobRecord], free: Resources) -> list[JobRecord]:
    """The newest managed-spot jobs whose places together are enough, without any that frees nothing needed."""
    if job.spec.enable_managed_spot_training:
        return []
    chosen: list[JobRecord] = []
    room = free
    for other in sorted(running, key=lambda one: one.created_at, reverse=True):
        if job.placement.needs.fits(room):
            break
        if other.spec.enable_managed_spot_training and other.stop is None:
            chosen.append(other)
            room = room + other.placement.needs
    if not job.placement.needs.fits(room):
        return []
    for other in reversed(chosen.copy()):
        if job.placement.needs.fits(room.minus(other.placement.needs)):
            chosen.remove(other)
            room = room.minus(other.placement.needs)
    return chosen


def _reason(job: JobRecord, head: JobRecord, free: Resources, capacity: Resources) -> str:
    needs = job.placement.needs
    return f"waiting for its turn behind {head.key.name}" if needs.fits(free) else _lack(needs, free, capacity)


def _lack(needs: Resources, free: Resources, capacity: Resources) -> str:
    if needs.gpus > free.gpus:
        return f"waiting for {needs.gpus} GPU, {free.gpus} of {capacity.gpus} free"
    if needs.cpus > free.cpus:
        return f"waiting for {needs.cpus:g} vCPU, {free.cpus:g} of {capacity.cpus:g} free"
    wanted, left, whole = (amount.memory / GIB for amount in (needs, free, capacity))
    return f"waiting for {wanted:.1f} GiB of memory, {left:.1f} of {whole:.1f} free"
