"""The lines of one stream: their places and times, whichever way they are read, a piece of the file at a time.

A line is told once its time is known for good, a moment after it was written: what has another time, or another place,
when it is asked for again, is told twice or never by who reads on by times.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from trainyard.model.keys import RunKey
from trainyard.model.ledger import Chunk, LogEvent
from trainyard.ports.runtime import Runtime, Stream
from trainyard.yard.dating import Dating

PIECE = 1 << 20  # bytes read at once
NEAR = 64 * 1024  # bytes; how far before a time, or a freed part, is looked first
LONGEST_EVENT = 256 * 1024  # bytes; CloudWatch splits there
_ESCAPES = {code: f"#{code:03o}" for code in (*range(9), *range(9, 32), 127) if code != 10}
Line = tuple[LogEvent, int]  # and where it ends


class Lines:
    """One stream of one run, and when its lines were written."""

    def __init__(self, runtime: Runtime, run: RunKey, stream: Stream, name: str, dating: Dating) -> None:
        self._runtime, self._run, self._stream = runtime, run, stream
        self._name, self._dating = name, dating

    async def onwards(self, offset: int, near: int = PIECE) -> AsyncIterator[Line]:
        """Every whole line from a place on; `near`: so much is looked at at once."""
        while True:
            chunk = await self._read(offset, near)
            end = offset
            for event, end in self._events(chunk):
                yield event, end
            if end == offset:
                return
            offset = end

    async def backwards(self, floor: int, end: int) -> AsyncIterator[Line]:
        """Every line between two places that begin lines, the last one first."""
        step = NEAR
        while end > floor:
            start = await self._line_before(floor, end, step)
            found = [one async for one in self._between(start, end)]
            for one in reversed(found):
                yield one
            end, step = start, min(2 * step, PIECE)

    async def end(self) -> int:
        """Where the last whole line ends. Read from shortly before the last mark on: the rest is older."""
        start = await self._line_before(0, self._dating.length, NEAR)
        ends = [after async for _, after in self.onwards(start)]
        return ends[-1] if ends else start

    async def since(self, moment: float) -> int:
        """A place where a line begins, and before which none is as young."""
        return await self._line_before(0, self._dating.first_since(moment), NEAR)

    async def _between(self, start: int, end: int) -> AsyncIterator[Line]:
        async for event, after in self.onwards(start, min(PIECE, max(end - start, LONGEST_EVENT) + 1)):
            if event.offset >= end:
                return
            yield event, after

    async def _line_before(self, floor: int, end: int, step: int = PIECE) -> int:
        """A place where a line begins, some way before `end`, which may itself be within a line; `floor` at least."""
        while (probe := end - step) > floor:
            chunk = await self._read(probe, min(step, PIECE))
            if chunk.data and chunk.offset > probe:
                return await self._before_gap(floor, probe)
            newline = chunk.data.find(b"\n", 0, max(0, end - 1 - chunk.offset))
            if newline >= 0:
                return chunk.offset + newline + 1
            step *= 2
        return floor

    async def _before_gap(self, floor: int, inside: int) -> int:
        """A place where a line begins, not far before the freed part that `inside` lies in."""
        outside = floor
        while inside - outside > PIECE:
            middle = (outside + inside) // 2
            if (await self._read(middle, NEAR)).offset > middle:
                inside = middle
            else:
                outside = middle
        return await self._line_before(floor, outside, NEAR)

    async def _read(self, offset: int, limit: int = PIECE) -> Chunk:
        return await self._runtime.read(self._run, self._stream, offset, limit)

    def _events(self, chunk: Chunk) -> Iterator[Line]:
        data, start, gap = chunk.data, 0, chunk.gap
        while start < len(data):
            stop = data.find(b"\n", start)
            if stop < 0 and not chunk.complete and len(data) - start <= LONGEST_EVENT:
                return  # the line is still being written, or goes on behind this piece
            end = len(data) if stop < 0 else stop
            end = min(end, start + LONGEST_EVENT)
            after = end + 1 if end == stop else end
            event = self._event(chunk, start, data[start:end], gap)
            if event is None:
                return
            yield event, chunk.offset + after
            start, gap = after, 0

    def _event(self, chunk: Chunk, start: int, line: bytes, gap: int) -> LogEvent | None:
        offset = chunk.offset + start
        at = self._dating.at(offset)
        if at is None:
            if not chunk.complete:
                return None
            at = self._dating.last
        text = line.decode("utf-8", "replace")
        text = text if text.isprintable() else text.translate(_ESCAPES)
        return LogEvent(stream=self._name, offset=offset, at=at, message=text, gap=gap)
