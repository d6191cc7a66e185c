"""A job's output as log events: lines with times and stable positions, over all attempts."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import replace

from trainyard.lifecycle import naming
from trainyard.model.errors import ValidationRefused
from trainyard.model.keys import RunKey
from trainyard.model.ledger import Chunk, LogEvent, Mark, Page
from trainyard.model.record import JobRecord
from trainyard.ports.runtime import Runtime, Stream

PIECE = 1 << 20
LONGEST_EVENT = 256 * 1024  # bytes; CloudWatch splits there
_LOG = Stream("log", "algo-1")
_ESCAPES = {code: f"#{code:03o}" for code in (*range(9), *range(9, 32), 127) if code != 10}


class JobLogs:
    """Reads the streams of a job's attempts, one after the other."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def streams(self, record: JobRecord) -> Sequence[str]:
        """`<job>/algo-1-<epoch>` for every attempt that wrote something, oldest first."""
        return [name for name, _ in await self._runs(record)]

    async def read(
        self,
        record: JobRecord,
        *,
        stream: str | None,
        since: float | None,
        token: str | None,
        tail: int | None,
        limit: int,
    ) -> Page[LogEvent]:
        """Up to `limit` lines from the token on; the page's token is where they end."""
        attempt, offset = _position(token)
        events: list[LogEvent] = []
        for name, run in await self._runs(record):
            if run.attempt < attempt or (stream is not None and stream != name):
                continue
            offset = offset if run.attempt == attempt else 0
            attempt = run.attempt
            async_events, offset = await self._lines(run, name, offset, limit if tail is None else None, len(events))
            events.extend(event for event in async_events if since is None or event.at >= since)
            if tail is not None:
                events = events[-tail:] if tail else []
        return Page(tuple(events), f"{attempt}.{offset}")

    async def _runs(self, record: JobRecord) -> list[tuple[str, RunKey]]:
        found = []
        for attempt in range(1, record.attempt + 1):
            run = replace(record.run, attempt=attempt)
            if _LOG in await self._runtime.streams(run):
                marks = await self._runtime.marks(run, _LOG)
                began = marks[0].at if marks else record.training_started_at or record.created_at
                found.append((naming.log_stream(record.key.name, "algo-1", began), run))
        return found

    async def _lines(
        self, run: RunKey, name: str, offset: int, limit: int | None, have: int
    ) -> tuple[list[LogEvent], int]:
        events: list[LogEvent] = []
        marks = await self._runtime.marks(run, _LOG)
        offsets = [mark.offset for mark in marks]
        while limit is None or have + len(events) < limit:
            chunk = await self._runtime.read(run, _LOG, offset, PIECE)
            taken = 0
            for event, end in _events(chunk, name, marks, offsets):
                if limit is not None and have + len(events) >= limit:
                    break
                events.append(event)
                taken = end
            if not taken:
                break
            offset = chunk.offset + taken
            if limit is None:
                del events[:-LARGEST_TAIL]
        return events, offset


LARGEST_TAIL = 100_000  # lines kept while the end of a log is looked for


def _events(chunk: Chunk, name: str, marks: Sequence[Mark], offsets: list[int]) -> Iterator[tuple[LogEvent, int]]:
    data, start, gap = chunk.data, 0, chunk.gap
    while start < len(data):
        stop = data.find(b"\n", start)
        if stop < 0 and not chunk.complete and len(data) - start < LONGEST_EVENT:
            return  # the line is still being written
        end = len(data) if stop < 0 else stop
        end = min(end, start + LONGEST_EVENT)
        after = end + 1 if end == stop else end
        place = bisect.bisect_right(offsets, chunk.offset + start)
        at = marks[place].at if place < len(marks) else (marks[-1].at if marks else 0.0)
        text = data[start:end].decode("utf-8", "replace").translate(_ESCAPES)
        yield LogEvent(stream=name, offset=chunk.offset + start, at=at, message=text, gap=gap), after
        start, gap = after, 0


def _position(token: str | None) -> tuple[int, int]:
    if token is None:
        return 0, 0
    attempt, dot, offset = token.partition(".")
    if not (dot and attempt.isdecimal() and offset.isdecimal()):
        raise ValidationRefused("The log token is invalid.")
    return int(attempt), int(offset)
