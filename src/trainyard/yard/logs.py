"""A job's output as log events: lines with times and stable places, over all attempts, read onwards or backwards."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from trainyard.model.errors import ValidationRefused
from trainyard.model.ledger import LogEvent, Page
from trainyard.model.record import JobRecord
from trainyard.ports.runtime import Runtime
from trainyard.yard.attempts import LOG, Attempts, Written
from trainyard.yard.dating import Dating
from trainyard.yard.lines import Lines

PIECE = 1 << 20  # bytes; so much is read at once, and a page ends after as much
LARGEST_PAGE = 10_000  # lines
LARGEST_TAIL, LARGEST_TAIL_BYTES = 100_000, 32 << 20


class Place(NamedTuple):
    """A place in a job's output, between two lines: `attempt.offset` as a token."""

    attempt: int
    offset: int

    @classmethod
    def of(cls, token: str) -> Place:
        """The place of a token. Raises ValidationRefused."""
        attempt, dot, offset = token.partition(".")
        if not (dot and attempt.isdecimal() and offset.isdecimal() and len(token) <= 40):
            raise ValidationRefused("The log token is invalid.")
        return cls(int(attempt), int(offset))

    def __str__(self) -> str:
        """The token."""
        return f"{self.attempt}.{self.offset}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Which lines: of one stream or of all, not older than `since`, between two places given by their tokens."""

    stream: str | None = None
    since: float | None = None
    begin: str | None = None
    end: str | None = None

    def begins(self) -> Place:
        """Where it begins."""
        return Place(0, 0) if self.begin is None else Place.of(self.begin)

    def takes(self, event: LogEvent) -> bool:
        """Whether a line is young enough."""
        return self.since is None or event.at >= self.since


class JobLogs:
    """Reads the streams of a job's attempts, one after the other."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime, self._attempts = runtime, Attempts(runtime)

    async def streams(self, record: JobRecord) -> Sequence[str]:
        """`<job>/algo-1-<epoch>` for every attempt that wrote something, oldest first."""
        return [one.stream for one in await self._attempts.of(record)]

    async def read(self, record: JobRecord, span: Span, limit: int) -> Page[LogEvent]:
        """Up to `limit` lines from the span's begin on; the page's token is where they end.

        However much is asked for, a page is bounded in lines and bytes: a short one is no sign of the end.
        """
        begin = place = span.begins()
        events: list[LogEvent] = []
        first: Place | None = None
        room = _Room(min(limit, LARGEST_PAGE), PIECE)
        for written in await self._wanted(record, span):
            run = written.run
            if run.attempt < place.attempt:
                continue
            place = place if run.attempt == place.attempt else Place(run.attempt, 0)
            async for event, end in self._onwards(written, place.offset, span.since):
                if not room.is_left():
                    break
                place = Place(run.attempt, end)
                if span.takes(event):
                    first = first or Place(run.attempt, event.offset)
                    events.append(event)
                    room.take(event)
            if not room.is_left():
                break
        following = place if events or span.begin is None else begin  # at the end its own token comes back
        return Page(tuple(events), str(following), str(first or begin))

    async def read_back(self, record: JobRecord, span: Span, count: int) -> Page[LogEvent]:
        """The last `count` lines of a span, oldest first; bounded in lines and bytes as well.

        What is read is what is told, however long a log is. `before` is where the page begins.
        """
        begin, end = span.begins(), None if span.end is None else Place.of(span.end)
        last: Place | None = end
        events: deque[LogEvent] = deque()
        first: Place | None = None
        room = _Room(min(count, LARGEST_TAIL), LARGEST_TAIL_BYTES)
        for written in reversed(await self._wanted(record, span)):
            run = written.run
            if end is not None and run.attempt > end.attempt:
                continue
            stop = end.offset if end is not None and run.attempt == end.attempt else None
            floor = begin.offset if run.attempt == begin.attempt else 0
            if run.attempt < begin.attempt or not room.is_left():
                break
            async for event, after in self._backwards(written, floor, stop):
                last = last or Place(run.attempt, after)
                if not (room.fits(event) and span.takes(event)):
                    room.close()
                    break
                first = Place(run.attempt, event.offset)
                events.appendleft(event)
                room.take(event)
        last = last or (await self._ends(record, span) if not events else None) or begin
        return Page(tuple(events), str(last), str(first or last))

    async def _ends(self, record: JobRecord, span: Span) -> Place | None:
        """Where the last whole line ends."""
        runs = await self._wanted(record, span)
        if not runs:
            return None
        lines = await self._lines(runs[-1])
        return Place(runs[-1].run.attempt, await lines.end())

    async def _wanted(self, record: JobRecord, span: Span) -> list[Written]:
        return [one for one in await self._attempts.of(record) if span.stream in (None, one.stream)]

    async def _lines(self, written: Written) -> Lines:
        dating = Dating(await self._runtime.marks(written.run, LOG), over=written.over)
        return Lines(self._runtime, written.run, LOG, written.stream, dating)

    async def _onwards(self, written: Written, offset: int, since: float | None) -> AsyncIterator[tuple[LogEvent, int]]:
        lines = await self._lines(written)
        async for one in lines.onwards(offset if since is None else max(offset, await lines.since(since))):
            yield one

    async def _backwards(self, written: Written, floor: int, end: int | None) -> AsyncIterator[tuple[LogEvent, int]]:
        lines = await self._lines(written)
        async for one in lines.backwards(floor, await lines.end() if end is None else end):
            yield one


class _Room:
    """What a page still takes: so many lines, and a line more while so many bytes are not reached."""

    def __init__(self, lines: int, size: int) -> None:
        self._lines, self._bytes = lines, size

    def is_left(self) -> bool:
        return self._lines > 0 and self._bytes > 0

    def fits(self, event: LogEvent) -> bool:
        return self._lines > 0 and self._bytes >= len(event.message)

    def close(self) -> None:
        self._lines = 0

    def take(self, event: LogEvent) -> None:
        self._lines -= 1
        self._bytes -= len(event.message)
