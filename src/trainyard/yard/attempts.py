"""A job's attempts as log streams: `<job>/algo-1-<epoch seconds>`, one name for one attempt, for ever."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import NamedTuple

from trainyard.lifecycle import naming
from trainyard.model.keys import RunKey
from trainyard.model.record import JobRecord
from trainyard.ports.runtime import Runtime, Stream

LOG = Stream("log", "algo-1")
_KNOWN = 10_000  # runs whose beginning is remembered


class Written(NamedTuple):
    """An attempt that wrote a log. over: by positive evidence, nothing follows."""

    stream: str
    run: RunKey
    began: float
    over: bool


class Attempts:
    """Finds the attempts of a job that wrote something; when they began is read once."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._began: OrderedDict[RunKey, float] = OrderedDict()

    async def of(self, record: JobRecord) -> list[Written]:
        """The attempts, oldest first. Of two within one second the later is named by the next second."""
        found: list[Written] = []
        second = 0
        for attempt in range(1, record.attempt + 1):
            run = replace(record.run, attempt=attempt)
            over = attempt < record.attempt or not record.placed
            began = await self._beginning(record, run, over=over)
            if began is not None:
                second = max(int(began), second + 1)
                found.append(Written(naming.log_stream(record.key.name, "algo-1", second), run, float(second), over))
        return found

    async def _beginning(self, record: JobRecord, run: RunKey, *, over: bool) -> float | None:
        """When a run's log began; None where there is none, or not yet one whose beginning is written down."""
        if run in self._began:
            self._began.move_to_end(run)
            return self._began[run]
        if LOG not in await self._runtime.streams(run):
            return None
        marks = await self._runtime.marks(run, LOG)
        if not marks:
            return (record.training_started_at or record.created_at) if over else None
        self._began[run] = marks[0].at
        if len(self._began) > _KNOWN:
            self._began.popitem(last=False)
        return marks[0].at
