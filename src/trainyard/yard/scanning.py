"""Metrics out of what runs write: from saved positions, in bounded pieces, off the event loop."""

from __future__ import annotations

import asyncio
import bisect
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import IntEnum

from trainyard.model.ledger import JobEvent, Mark
from trainyard.model.record import JobRecord, Metric
from trainyard.ports.clock import Clock
from trainyard.ports.runtime import Runtime, Stream
from trainyard.ports.scanner import MetricScanner, Scanners
from trainyard.ports.store import Ledger

PIECE = 1 << 20  # bytes read at once
PIECES = 16  # pieces per pass, so that a chatty job cannot keep others waiting
LONGEST_FINAL_LIST = 40  # FinalMetricDataList's own limit


class Reading(IntEnum):
    """How far a run's output was read.

    BEHIND: there is more to read. UP_TO_DATE: nothing more is there yet. ENDED: nothing more will come, or ever came.
    """

    BEHIND = 0
    UP_TO_DATE = 1
    ENDED = 2


class Scanning:
    """Reads every stream of a run onwards from where the ledger says it was read to, `piece` bytes at once."""

    def __init__(
        self, ledger: Ledger, runtime: Runtime, scanners: Scanners, clock: Clock, *, piece: int = PIECE
    ) -> None:
        self._ledger, self._runtime, self._scanners, self._clock = ledger, runtime, scanners, clock
        self._piece = piece
        self._given_up: dict[str, set[str]] = {}

    async def scan(self, record: JobRecord) -> Reading:
        """Scan a bounded piece of what the current attempt wrote since it was last looked at; how far that led."""
        if record.attempt == 0 or record.released:
            return Reading.ENDED
        positions = await self._ledger.scanned(record.uid)
        streams = await self._runtime.streams(record.run)
        readings = [await self._scan_stream(record, stream, positions) for stream in streams]
        return min(readings, default=Reading.ENDED)

    def telling(self, record: JobRecord, now: float) -> tuple[JobRecord, Sequence[JobEvent]]:
        """The record with the metrics that were given up since, and what is to be told of them."""
        news = sorted(self._given_up.get(record.uid, set()) - set(record.given_up))
        if not news:
            self._given_up.pop(record.uid, None)  # the record knows
            return record, ()
        told = tuple(f"The regex of metric {name!r} took too long on the job's log: it was given up." for name in news)
        events = [JobEvent(at=now, reason="MetricGivenUp", message=text, warning=True) for text in told]
        return replace(record, given_up=(*record.given_up, *news), notices=(*record.notices, *told)), events

    async def final_metrics(self, record: JobRecord) -> tuple[Metric, ...]:
        """The last value of every metric, in the order of the definitions."""
        last = {point.name: point for point in await self._ledger.last_points(record.uid)}
        names = [name for name, _ in definitions_of(record) if name in last]
        names += [name for name in last if name not in names]
        return tuple(Metric(name=name, value=last[name].value, at=last[name].at) for name in names[:LONGEST_FINAL_LIST])

    async def _scan_stream(self, record: JobRecord, stream: Stream, positions: dict[str, int]) -> Reading:
        """Scan one stream onwards.

        The runtime tells the end, or the record does: nothing follows in an attempt that is over by positive evidence,
        whatever is left of it.
        """
        run = record.run
        name = f"{run.attempt}/{stream.kind}/{stream.name}"
        offset = positions.get(name, 0)
        scanner: MetricScanner | None = None  # made for those that have something to scan: most have not
        marks: Sequence[Mark] | None = None  # read once: what is written from now on is dated now
        for _ in range(PIECES):
            chunk = await self._runtime.read(run, stream, offset, self._piece)
            ended = chunk.complete or (not record.placed and len(chunk.data) < self._piece)
            reading = Reading.ENDED if ended else Reading.UP_TO_DATE
            if not chunk.data:
                return reading
            marks = await self._runtime.marks(run, stream) if marks is None else marks
            time_of = self._dating(chunk.offset, marks)
            scanner = scanner or self._scanner(record, stream)
            final = ended or (len(chunk.data) == self._piece and b"\n" not in chunk.data)
            found = await asyncio.to_thread(scanner.scan, chunk.data, time_of=time_of, final=final)
            if found.given_up:
                self._given_up.setdefault(record.uid, set()).update(found.given_up)
                scanner = None
            if found.consumed:
                since, offset = offset, chunk.offset + found.consumed
                await self._ledger.append_points(record.uid, name, found.points, since=since, offset=offset)
            if ended or not found.consumed:
                return reading
        return Reading.BEHIND

    def _scanner(self, record: JobRecord, stream: Stream) -> MetricScanner:
        if stream.kind == "log":
            given_up = {*record.given_up, *self._given_up.get(record.uid, ())}
            return self._scanners.for_log([one for one in definitions_of(record) if one[0] not in given_up])
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
