"""The lines of one stream: their places and times, whichever way they are read, a piece of the file at a time."""

from __future__ import annotations

import bisect
from collections.abc import AsyncIterator, Iterator, Sequence

from trainyard.model.keys import RunKey
from trainyard.model.ledger import Chunk, LogEvent, Mark
from trainyard.ports.runtime import Runtime, Stream

PIECE = 1 << 20  # bytes read at once
LONGEST_EVENT = 256 * 1024  # bytes; CloudWatch splits there
_ESCAPES = {code: f"#{code:03o}" for code in (*range(9), *range(9, 32), 127) if code != 10}
Line = tuple[LogEvent, int]  # and where it ends


class Lines:
    """One stream of one run. `marks` tell when it had which length."""

    def __init__(self, runtime: Runtime, run: RunKey, stream: Stream, name: str, marks: Sequence[Mark]) -> None:
        self._runtime, self._run, self._stream = runtime, run, stream
        self._name, self._marks = name, marks
        self._offsets = [mark.offset for mark in marks]

    async def onwards(self, offset: int) -> AsyncIterator[Line]:
        """Every whole line from a place on."""
        while True:
            chunk = await self._read(offset)
            end = offset
            for event, end in self._events(chunk):
                yield event, end
            if end == offset:
                return
            offset = end

    async def backwards(self, floor: int, end: int) -> AsyncIterator[Line]:
        """Every line between two places that begin lines, the last one first."""
        while end > floor:
            start = await self._line_before(floor, end)
            found = [one async for one in self._between(start, end)]
            for one in reversed(found):
                yield one
            end = start

    async def end(self) -> int:
        """Where the last whole line ends. Read from the last mark on: the rest is older."""
        offset = max(0, (self._offsets[-1] if self._offsets else 0) - 2 * PIECE)
        start = await self._line_before(0, offset) if offset else 0
        ends = [after async for _, after in self.onwards(start)]
        return ends[-1] if ends else start

    async def _between(self, start: int, end: int) -> AsyncIterator[Line]:
        async for event, after in self.onwards(start):
            if event.offset >= end:
                return
            yield event, after

    async def _line_before(self, floor: int, end: int) -> int:
        """A place where a line begins, some way before `end`, which may itself be within a line; `floor` at least."""
        step = PIECE
        while (probe := end - step) > floor:
            chunk = await self._read(probe)
            if chunk.data and chunk.offset < end:
                newline = chunk.data.find(b"\n", 0, max(0, end - 1 - chunk.offset))
                if chunk.offset > probe:
                    return chunk.offset  # behind a part that was freed begins a line
                if newline >= 0:
                    return chunk.offset + newline + 1
            step *= 2
        return floor

    async def _read(self, offset: int) -> Chunk:
        return await self._runtime.read(self._run, self._stream, offset, PIECE)

    def _events(self, chunk: Chunk) -> Iterator[Line]:
        data, start, gap = chunk.data, 0, chunk.gap
        while start < len(data):
            stop = data.find(b"\n", start)
            if stop < 0 and not chunk.complete and len(data) - start <= LONGEST_EVENT:
                return  # the line is still being written, or goes on behind this piece
            end = len(data) if stop < 0 else stop
            end = min(end, start + LONGEST_EVENT)
            after = end + 1 if end == stop else end
            yield self._event(chunk.offset + start, data[start:end], gap), chunk.offset + after
            start, gap = after, 0

    def _event(self, offset: int, line: bytes, gap: int) -> LogEvent:
        place = bisect.bisect_right(self._offsets, offset)
        marks = self._marks
        at = marks[place].at if place < len(marks) else (marks[-1].at if marks else 0.0)
        text = line.decode("utf-8", "replace").translate(_ESCAPES)
        return LogEvent(stream=self._name, offset=offset, at=at, message=text, gap=gap)
