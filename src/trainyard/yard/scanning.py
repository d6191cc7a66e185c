"""Metrics out of what runs write: from saved positions, in bounded pieces, off the event loop."""

from __future__ import annotations

import asyncio
import bisect
from collections.abc import Callable, Sequence

from trainyard.model.keys import RunKey
from trainyard.model.ledger import Mark
from trainyard.model.record import JobRecord, Metric
from trainyard.ports.clock import Clock
from trainyard.ports.runtime import Runtime, Stream
from trainyard.ports.scanner import MetricScanner, Scanners
from trainyard.ports.store import Ledger

PIECE = 1 << 20  # bytes read at once
PIECES = 16  # pieces per pass, so that a chatty job cannot keep others waiting
LONGEST_FINAL_LIST = 40  # FinalMetricDataList's own limit


class Scanning:
    """Reads every stream of a run onwards from where the ledger says it was read to."""

    def __init__(self, ledger: Ledger, runtime: Runtime, scanners: Scanners, clock: Clock) -> None:
        self._ledger, self._runtime, self._scanners, self._clock = ledger, runtime, scanners, clock
        self._complete: set[RunKey] = set()

    async def scan(self, record: JobRecord, run: RunKey) -> None:
        """Scan what is new. Nothing to do for a job that never ran."""
        if run.attempt == 0 or record.released or run in self._complete:
            return
        positions = await self._ledger.scanned(record.uid)
        ends = [await self._scan_stream(record, run, stream, positions) for stream in await self._runtime.streams(run)]
        if record.attempt == run.attempt and all(ends) and record.status.is_final:
            self._complete.add(run)

    async def is_complete(self, record: JobRecord) -> bool:
        """Whether the current attempt's output was read to its end."""
        if record.run not in self._complete:
            await self.scan(record, record.run)
        return record.run in self._complete or not record.status.is_final

    async def final_metrics(self, record: JobRecord) -> tuple[Metric, ...]:
        """The last value of every metric, in the order of the definitions."""
        last = {point.name: point for point in await self._ledger.last_points(record.uid)}
        names = [name for name, _ in definitions_of(record) if name in last]
        names += [name for name in last if name not in names]
        return tuple(Metric(name=name, value=last[name].value, at=last[name].at) for name in names[:LONGEST_FINAL_LIST])

    async def _scan_stream(self, record: JobRecord, run: RunKey, stream: Stream, positions: dict[str, int]) -> bool:
        """Scan one stream onwards; True once it was read to its end."""
        name = f"{run.attempt}/{stream.kind}/{stream.name}"
        scanner = self._scanner(record, stream)
        offset = positions.get(name, 0)
        for _ in range(PIECES):
            chunk = await self._runtime.read(run, stream, offset, PIECE)
            if not chunk.data:
                return chunk.complete
            time_of = self._dating(chunk.offset, await self._runtime.marks(run, stream))
            whole = chunk.complete or len(chunk.data) == PIECE
            final = chunk.complete or (whole and b"\n" not in chunk.data)
            found = await asyncio.to_thread(scanner.scan, chunk.data, time_of=time_of, final=final)
            offset = chunk.offset + found.consumed
            if found.consumed:
                await self._ledger.append_points(record.uid, name, found.points, offset=offset)
            if chunk.complete or not found.consumed:
                return chunk.complete
        return False

    def _scanner(self, record: JobRecord, stream: Stream) -> MetricScanner:
        if stream.kind == "log":
            return self._scanners.for_log(definitions_of(record))
        return self._scanners.for_usage(stream.name) if stream.kind == "usage" else self._scanners.for_metrics()

    def _dating(self, base: int, marks: Sequence[Mark]) -> Callable[[int], float]:
        now = self._clock.now()
        offsets = [mark.offset for mark in marks]

        def time_of(offset: int) -> float:
            place = bisect.bisect_right(offsets, base + offset)
            return marks[place].at if place < len(marks) else now

        return time_of


def definitions_of(record: JobRecord) -> tuple[tuple[str, str], ...]:
    """(name, regex): the spec's, else those that the algorithm has built in."""
    algorithm = record.spec.algorithm_specification
    given = algorithm.metric_definitions if algorithm else None
    if given:
        return tuple((definition.name, definition.regex) for definition in given)
    built_in = record.placement.program.get("metrics", [])
    return tuple((str(name), str(regex)) for name, regex in built_in) if isinstance(built_in, list) else ()
