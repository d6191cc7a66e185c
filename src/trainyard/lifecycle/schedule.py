"""Who gets a place on the machine, who waits and why. Pure: what is taken derives from the running jobs alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trainyard.model.instances import GIB
from trainyard.model.keys import JobKey
from trainyard.model.record import JobRecord
from trainyard.model.resources import Resources


@dataclass(frozen=True, slots=True)
class Schedule:
    """placements: jobs to launch now; victims: managed-spot jobs to interrupt; reasons: why each other one waits."""

    placements: tuple[JobKey, ...]
    victims: tuple[JobKey, ...]
    reasons: dict[JobKey, str]


def schedule(waiting: Sequence[JobRecord], running: Sequence[JobRecord], capacity: Resources) -> Schedule:
    """First come, first served, on-demand before managed spot.

    Once a job has to wait, nothing behind it of its own class starts: a stream of small jobs cannot starve a large one.
    """
    free = capacity.minus(sum((job.placement.needs for job in running), Resources()))
    placements: list[JobKey] = []
    reasons: dict[JobKey, str] = {}
    victims: list[JobKey] = []
    blocker: JobRecord | None = None
    for job in sorted(waiting, key=_order):
        needs = job.placement.needs
        if blocker is None and needs.fits(free):
            placements.append(job.key)
            free = free.minus(needs)
            continue
        if blocker is None:
            blocker = job
            victims = _victims(job, running, free)
        reasons[job.key] = _reason(job, blocker, free, capacity)
    return Schedule(tuple(placements), tuple(victims), reasons)


def _order(job: JobRecord) -> tuple[bool, float, str]:
    return bool(job.spec.enable_managed_spot_training), job.created_at, job.uid


def _victims(job: JobRecord, running: Sequence[JobRecord], free: Resources) -> list[JobKey]:
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
    return [other.key for other in chosen]


def _reason(job: JobRecord, blocker: JobRecord, free: Resources, capacity: Resources) -> str:
    needs = job.placement.needs
    if needs.fits(free):
        return f"waiting for its turn behind {blocker.key.name}"
    if needs.gpus > free.gpus:
        return f"waiting for {needs.gpus} GPU, {free.gpus} of {capacity.gpus} free"
    if needs.cpus > free.cpus:
        return f"waiting for {needs.cpus:g} vCPU, {free.cpus:g} of {capacity.cpus:g} free"
    wanted, left, whole = (amount.memory / GIB for amount in (needs, free, capacity))
    return f"waiting for {wanted:.1f} GiB of memory, {left:.1f} of {whole:.1f} free"
