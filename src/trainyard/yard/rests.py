"""Which unfinished jobs need no look: the last one left nothing to do, and nothing moved since."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from trainyard.lifecycle import decide
from trainyard.model.keys import JobKey
from trainyard.model.record import JobRecord
from trainyard.ports.clock import Clock
from trainyard.ports.runtime import Runtime

LONGEST_REST = 60.0  # seconds until a job is looked at although nothing moved


@dataclass(frozen=True, slots=True)
class Rest:
    """What a look left: nothing to do while the record's version and the run's trace stay, until `until`."""

    version: int
    trace: Hashable
    until: float

    def holds(self, version: int, trace: Hashable, now: float) -> bool:
        """Whether a look would find the same again."""
        return (self.version, self.trace) == (version, trace) and now < self.until


class Rests:
    """Rests by job, and the traces of runs that they are judged by."""

    def __init__(self, runtime: Runtime, clock: Clock) -> None:
        self._runtime, self._clock = runtime, clock
        self._traces: dict[JobKey, Hashable] = {}
        self._rests: dict[JobKey, Rest] = {}

    def __len__(self) -> int:
        """How many jobs something is kept of."""
        return len(self._traces.keys() | self._rests.keys())

    async def disturbed(self, records: Sequence[JobRecord]) -> Sequence[JobRecord]:
        """Those that a look is due for."""
        traces = await self._runtime.traces([record.run for record in records if record.placed])
        due = [record for record in records if not self._holds(record, traces.get(record.run))]
        self._traces.update((record.key, traces.get(record.run)) for record in due)
        return due

    def end(self, key: JobKey) -> Hashable:
        """A look begins: no rest from here on. Gives the trace of before it, None where none is known."""
        self._rests.pop(key, None)
        return self._traces.get(key)

    def begin(self, record: JobRecord, trace: Hashable, action: decide.Action) -> None:
        """After a look that left nothing more than `action`: no look without a reason, for LONGEST_REST at most."""
        if trace is None and record.placed:
            return
        longest = self._clock.now() + LONGEST_REST
        match action:
            case decide.Nothing(at):
                self._rests[record.key] = Rest(record.version, trace, longest if at is None else min(at, longest))
            case decide.Stop():
                self._rests[record.key] = Rest(record.version, trace, longest)
            case _:
                pass

    def forget(self) -> None:
        """Nobody leads here any more: whoever leads next knows better."""
        self._rests.clear()

    def forget_all_but(self, keys: AbstractSet[JobKey]) -> None:
        """Keep nothing of jobs that are no longer unfinished."""
        for gone in self._traces.keys() - keys:
            del self._traces[gone]
            self._rests.pop(gone, None)

    def _holds(self, record: JobRecord, trace: Hashable) -> bool:
        rest = self._rests.get(record.key)
        return rest is not None and rest.holds(record.version, trace, self._clock.now())
