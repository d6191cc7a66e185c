"""A container's output, from its engine into our log: every byte once, whatever is killed on the way.

The engine keeps the output in entries, each with the time at which it was read. Beside the log stands what of it has
arrived: its length, and for standard output and error the last entry's time and how many entries of that time came. A
supervisor that follows a killed one asks for what came since, passes over what it has, and goes on at that length.
Standard library only.
"""

from __future__ import annotations

import errno
import json
import os
import select
import struct
from itertools import takewhile
from pathlib import Path
from typing import Any

from trainyard.kit.clock import SystemClock
from trainyard.runtimes.local.containers.engine import Engine
from trainyard.runtimes.local.containers.wire import EngineUnreachable, Stream

ROOM = 256  # bytes of the note
LONGEST_ENTRY = 16 * 1024 * 1024  # bytes; engines cut lines far below it
AT_ONCE = 64 * 1024  # bytes that are held in memory
AT_A_TIME = 0.05  # seconds that carrying may take
GATHERS = 0.001  # seconds in which entries gather: an engine sends each by itself, and some 200 fit into its socket
PATIENCE = 10.0  # seconds without a byte of an output that has ended
SLACK = 10  # seconds by which an engine may keep standard output and error out of their order
_HEAD = struct.Struct(">B3xI")  # of an entry: which output, and the length of time and text
_FULL = (errno.ENOSPC, errno.EDQUOT)

Entry = tuple[int, bytes, bytes]  # 1 or 2 as a program numbers its outputs, the time as the engine writes it, the text
Last = dict[int, tuple[bytes, int]]  # of each output: the last entry's time, and how many entries of that time came


class Output:
    """Carries the output of one container. Close it."""

    def __init__(self, engine: Engine, name: str, log: Path) -> None:
        self._engine, self._name = engine, name
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._note = os.open(log.with_suffix(".carried"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._length, self._last = _noted(self._note)
        self._owed: Last = {}
        self._stream: Stream | None = None
        self._rest = b""
        self._unwritten = b""
        self._clock = SystemClock()

    @property
    def source(self) -> Stream | None:
        """What is readable once something comes; None where nothing is followed, or there is no room for more."""
        return None if self._unwritten else self._stream

    @property
    def is_followed(self) -> bool:
        """Whether the engine tells what comes."""
        return self._stream is not None

    def follow(self) -> None:
        """Have the engine tell what comes. Raises EngineUnreachable, EngineRefused."""
        self._ask(follow=True)

    def carry(self) -> None:
        """Carry what has come, not longer than others can wait for. Raises EngineUnreachable, EngineRefused.

        What comes in small pieces is carried in larger ones: to put down each by itself would cost more than it.
        """
        end = self._clock.boottime() + AT_A_TIME
        while self._stream is not None and self._has_room():
            told, is_over = self._come(self._stream)
            self._take(told)  # the stream's end comes after all that it told, the beginning of an entry before it
            if is_over:
                self._forget_stream()
            if is_over or not told or self._clock.boottime() > end:
                break
            select.select([], [], [], GATHERS)
        self._has_room()

    def _come(self, stream: Stream) -> tuple[bytes, bool]:
        """What has come by now, up to a size that is kept in memory, and whether that was all."""
        pieces, size = list[bytes](), 0
        while size < AT_ONCE:
            piece = stream.read()
            if not piece:
                return b"".join(pieces), piece is not None
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces), False

    def carry_rest(self) -> None:
        """Carry all that an ended container has left. Raises EngineUnreachable, EngineRefused; OSError without room."""
        self._ask(follow=False)
        while self._stream is not None:
            self._write()
            piece = self._stream.wait(PATIENCE)
            if not piece:
                self._forget_stream()
            self._take(piece)
        self._write()

    def close(self) -> None:
        """Give log and stream up."""
        self._forget_stream()
        os.close(self._log)
        os.close(self._note)

    def _ask(self, *, follow: bool) -> None:
        self._forget_stream()
        self._owed = dict(self._last)
        self._stream = self._engine.output(self._name, since=since(self._last), follow=follow)

    def _forget_stream(self) -> None:
        if self._stream is not None:
            self._stream.close()
        self._stream, self._rest = None, b""

    def _take(self, piece: bytes) -> None:
        entries, self._rest = split(self._rest + piece)
        if self._owed:
            entries = [entry for entry in entries if self._is_news(entry)]
        self._last = after(self._last, entries)
        self._unwritten += b"".join([text for _, _, text in entries])

    def _is_news(self, entry: Entry) -> bool:
        """Whether an entry has not been taken before. Once one of an output has not, no later one of it has."""
        kind, stamp, _ = entry
        last, count = self._owed.get(kind, (b"", 0))
        if stamp == last and count > 0:
            self._owed[kind] = (last, count - 1)
        elif stamp >= last:
            self._owed.pop(kind, None)
            return True
        return False

    def _has_room(self) -> bool:
        """Put down what was taken; False where the disk has no room for it now."""
        try:
            self._write()
        except OSError as error:
            if error.errno not in _FULL:
                raise
            return False
        return True

    def _write(self) -> None:
        """First the bytes, then that they are there: what is written twice is written the same at the same place."""
        if not self._unwritten:
            return
        view, place = memoryview(self._unwritten), self._length
        while view:
            written = os.pwrite(self._log, view, place)
            view, place = view[written:], place + written
        os.pwrite(self._note, _note_of(place, self._last), 0)
        self._length, self._unwritten = place, b""


def reserve(log: Path) -> None:
    """Take the note's room before the program can fill the disk. Harmless when repeated."""
    path = log.with_suffix(".carried")
    if not path.exists():
        path.write_bytes(_note_of(0, {}))


def split(told: bytes) -> tuple[list[Entry], bytes]:
    """The whole entries of an engine's stream, and the beginning of the next. Raises EngineUnreachable for none."""
    entries: list[Entry] = []
    place, length = 0, len(told)
    while length - place >= _HEAD.size:
        kind, size = _HEAD.unpack_from(told, place)
        if kind > 2 or size > LONGEST_ENTRY:
            raise EngineUnreachable("the engine's output is not in entries")
        begin, place = place + _HEAD.size, place + _HEAD.size + size
        if place > length:
            return entries, told[begin - _HEAD.size :]
        stamp, _, text = told[begin:place].partition(b" ")
        entries.append((kind, stamp, text))
    return entries, told[place:]


def after(last: Last, entries: list[Entry]) -> Last:
    """What came last, once these came as well. Podman dates by whole seconds: a count may be of a million."""
    told = dict(last)
    for output in {output for output, _, _ in entries}:
        stamps = [stamp for of, stamp, _ in entries if of == output]
        latest = stamps[-1]
        count = sum(1 for _ in takewhile(latest.__eq__, reversed(stamps)))
        before, earlier = last.get(output, (b"", 0))
        told[output] = latest, count + earlier if count == len(stamps) and before == latest else count
    return told


def since(last: Last) -> str:
    """From when on to ask so that nothing is missed, in epoch seconds: entries of one time are all asked for, or none.

    Podman tells whole seconds, and leaves out what is exactly of the moment that it is asked for.
    """
    if not last:
        return "0"
    latest = max(stamp for stamp, _ in last.values())
    return f"{max(0, seconds(latest) - SLACK - 1)}.999999999"


def seconds(stamp: bytes) -> int:
    """Whole epoch seconds of a time such as 2026-11-25T02:21:05.866945939Z or …+01:00."""
    year, month, day, hour, minute, second = (int(stamp[a:b]) for a, b in _PARTS)
    offset = 0
    if stamp[-1:] != b"Z":
        sign = -1 if stamp[-6:-5] == b"-" else 1
        offset = sign * (int(stamp[-5:-3]) * 3600 + int(stamp[-2:]) * 60)
    return _days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset


_PARTS = ((0, 4), (5, 7), (8, 10), (11, 13), (14, 16), (17, 19))


def _days(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 in the Gregorian calendar, counted in years that begin in March."""
    year -= month <= 2
    of_year = (153 * (month + (9 if month <= 2 else -3)) + 2) // 5 + day - 1
    return year * 365 + year // 4 - year // 100 + year // 400 + of_year - 719468


def _note_of(length: int, last: Last) -> bytes:
    plain = {"length": length, **{str(kind): [stamp.decode(), count] for kind, (stamp, count) in last.items()}}
    return json.dumps(plain).encode().ljust(ROOM)


def _noted(note: int) -> tuple[int, Last]:
    text = os.pread(note, ROOM, 0).strip()
    plain: dict[str, Any] = json.loads(text) if text else {"length": 0}
    return plain["length"], {kind: (plain[str(kind)][0].encode(), plain[str(kind)][1]) for kind in (0, 1, 2)
                             if str(kind) in plain}  # fmt: skip
