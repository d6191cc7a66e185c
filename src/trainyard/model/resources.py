"""What a run needs and what a machine has."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """An amount of a machine: virtual CPUs, bytes of memory, whole GPUs."""

    cpus: float = 0.0
    memory: int = 0
    gpus: int = 0

    def __add__(self, other: Resources) -> Resources:
        return Resources(cpus=self.cpus + other.cpus, memory=self.memory + other.memory, gpus=self.gpus + other.gpus)

    def fits(self, room: Resources) -> bool:
        """Whether this amount fits into `room`."""
        return self.cpus <= room.cpus + 1e-9 and self.memory <= room.memory and self.gpus <= room.gpus

    def at_most(self, limit: Resources) -> Resources:
        """This amount, cut down to `limit` member by member."""
        return Resources(
            cpus=min(self.cpus, limit.cpus),
            memory=min(self.memory, limit.memory),
            gpus=min(self.gpus, limit.gpus),
        )

    def minus(self, taken: Resources) -> Resources:
        """What is left, never below zero."""
        return Resources(
            cpus=max(0.0, self.cpus - taken.cpus),
            memory=max(0, self.memory - taken.memory),
            gpus=max(0, self.gpus - taken.gpus),
        )
