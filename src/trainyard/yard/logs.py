"""A job's output as log events: lines with times and stable positions, over all attempts."""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

from trainyard.lifecycle import naming
from trainyard.model.errors import ValidationRefused
from trainyard.model.keys import RunKey
from trainyard.model.ledger import Chunk, LogEvent, Mark, Page
from trainyard.model.record import JobRecord
from trainyard.ports.runtime import Runtime, Stream

PIECE = 1 << 20  # bytes; so much is read at once, and a page ends after as much
LARGEST_PAGE = 10_000  # lines
LARGEST_TAIL, LARGEST_TAIL_BYTES = 100_000, 32 << 20  # kept while the end of a log is looked for
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
        """Up to `limit` lines from the token on; the page's token is where they end.

        However much is asked for, a page is bounded in lines and bytes: a short one is no sign of the end.
        """
        attempt, offset = _position(token)
        page = _Gathered(limit, tail, since)
        for name, run in await self._runs(record):
            if run.attempt < attempt or (stream is not None and stream != name):
                continue
            offset = offset if run.attempt == attempt else 0
            attempt = run.attempt
            offset = await self._gather(run, name, offset, page)
            if not page.has_room():
                break
        return Page(tuple(page.events), f"{attempt}.{offset}")

    async def _runs(self, record: JobRecord) -> list[tuple[str, RunKey]]:
        found = []
        for attempt in range(1, record.attempt + 1):
            run = replace(record.run, attempt=attempt)
            if _LOG in await self._runtime.streams(run):
                marks = await self._runtime.marks(run, _LOG)
                began = marks[0].at if marks else record.training_started_at or record.created_at
                found.append((naming.log_stream(record.key.name, "algo-1", began), run))
        return found

    async def _gather(self, run: RunKey, name: str, offset: int, page: _Gathered) -> int:
        """Add a run's lines from `offset` on until there is no other or the page is full; returns where they end."""
        marks = await self._runtime.marks(run, _LOG)
        offsets = [mark.offset for mark in marks]
        while page.has_room():
            chunk = await self._runtime.read(run, _LOG, offset, PIECE)
            taken = 0
            for event, end in _events(chunk, name, marks, offsets):
                if not page.has_room():
                    break
                page.add(event)
                taken = end
            if not taken:
                break
            offset = chunk.offset + taken
        return offset


class _Gathered:
    """The lines of a page as they come: the first so many, or the last, but never more than a page may hold."""

    def __init__(self, limit: int, tail: int | None, since: float | None) -> None:
        self.events: deque[LogEvent] = deque(maxlen=None if tail is None else min(tail, LARGEST_TAIL))
        self._limit = min(limit, LARGEST_PAGE) if tail is None else None
        self._since, self._bytes = since, 0

    def has_room(self) -> bool:
        """Whether the page takes a further line; the end of a log is looked for to the end."""
        return self._limit is None or (len(self.events) < self._limit and self._bytes < PIECE)

    def add(self, event: LogEvent) -> None:
        """Take a line, if it is one that was asked for."""
        if self._since is not None and event.at < self._since:
            return
        if self.events and len(self.events) == self.events.maxlen:
            self._bytes -= len(self.events[0].message)
        self.events.append(event)
        self._bytes += len(event.message)
        while self._limit is None and self._bytes > LARGEST_TAIL_BYTES and self.events:
            self._bytes -= len(self.events.popleft().message)


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
