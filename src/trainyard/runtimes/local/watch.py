"""What a supervisor keeps an eye on while the program runs: log growth and its cap, the volume, the host's use.

Standard library only; every look is cheap.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from trainyard.kit import atomic
from trainyard.kit.clock import SystemClock
from trainyard.runtimes.local import gap, namespaces, nvidia
from trainyard.runtimes.local.attempt import Attempt

_BLOCK = 1 << 16
MOST_MARKS = 8192  # lines; of more, the older half is thinned
VOLUME_EVERY, WALK_EVERY = 5.0, 30.0  # seconds between looks at the volume, and walks through it at most
LEAST_ROOM = 1 << 20  # bytes that a log leaves free on the disk, so that the job's end can be written down
_TICKS = os.sysconf("SC_CLK_TCK")


class LogWatch:
    """Marks when the log had which length, and keeps it below its cap by freeing its middle."""

    def __init__(self, attempt: Attempt, cap: int) -> None:
        self._log, self._marks, self._cap = attempt.log, attempt.marks, cap
        self._lines: int | None = None
        self._size = -1
        self._clock = SystemClock()

    def look(self) -> bool:
        """Mark growth; free the middle once the log is larger than its cap, or than the disk bears. Whether it grew."""
        with suppress(FileNotFoundError):
            size = self._log.stat().st_size
            if size == self._size:
                return False
            self._size = size
            freed = gap.noted(self._log)
            kept = size - (freed[1] - freed[0])
            cap = self._cap if _room(self._log) >= LEAST_ROOM else min(self._cap, kept // 2)
            if kept > cap:
                self._free_middle(size, cap, freed)
            self._mark(size)
            return True
        return False

    def _free_middle(self, size: int, cap: int, freed: tuple[int, int]) -> None:
        """Keep half the cap at the head and at least half at the tail; offsets stay what they were."""
        start, end = cap // 2 // _BLOCK * _BLOCK, (size - cap // 2) // _BLOCK * _BLOCK
        if freed != gap.NONE:
            start, end = min(start, freed[0]), max(end, freed[1])
        if end <= start:
            return
        with suppress(OSError):  # where the note has no room, what is freed gives it
            gap.note(self._log, (start, end))
        with self._log.open("r+b") as file:
            is_freed = namespaces.punch_hole(file.fileno(), start, end - start)
        gap.note(self._log, (start, end) if is_freed else freed)

    def _mark(self, size: int) -> None:
        """Note the length. What is older is told less finely: its lines are as many after a month as after an hour."""
        if self._lines is None:
            self._lines = len(_lines_of(self._marks))
        if self._lines >= MOST_MARKS:
            lines = _lines_of(self._marks)
            half = len(lines) // 2
            lines = lines[:1] + lines[2:half:2] + lines[half:]  # the first one names the stream
            atomic.write_bytes(self._marks, "".join(lines).encode(), durable=False)
            self._lines = len(lines)
        with self._marks.open("a") as marks:
            marks.write(f"{size} {self._clock.now():.3f}\n")
        self._lines += 1


class UsageWatch:
    """Samples what the host's processes use: CPU, memory, disk, GPUs in percent."""

    def __init__(self, attempt: Attempt, interval: float) -> None:
        self._attempt, self._interval = attempt, interval
        self._clock = SystemClock()
        self._next = self._clock.boottime() + min(1.0, interval)
        self._spent: tuple[float, float] | None = None
        self._memory = _total_memory()

    def look(self, first: int | None) -> None:
        """Take a sample when it is time; `first` is the host's first process, None where it is not known."""
        moment = self._clock.boottime()
        if moment < self._next or first is None:
            return
        self._next = moment + self._interval
        ticks, pages = _use_of_tree(first)
        cpu = ticks / _TICKS
        sample: dict[str, Any] = {
            "at": self._clock.now(),
            "memory": round(100.0 * pages * os.sysconf("SC_PAGE_SIZE") / self._memory, 2),
            "disk": _disk(self._attempt.folder),
            **nvidia.sample(),
        }
        if self._spent is not None and moment > self._spent[0]:
            sample["cpu"] = round(100.0 * max(0.0, cpu - self._spent[1]) / (moment - self._spent[0]), 2)
        self._spent = (moment, cpu)
        with self._attempt.usage.open("a") as file:
            file.write(json.dumps(sample) + "\n")


class VolumeWatch:
    """Tells when a folder takes more of the disk than it may, `limit` bytes; 0 is no limit.

    To walk through the folder is what costs. Between two walks the disk's own room is looked at: while it did not fall
    by half of what the folder may still take, the folder is not walked through, unless the last walk is long ago:
    others may have given the disk what the folder took.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder, self._limit = folder, limit
        self._clock = SystemClock()
        self._next, self._walk = self._clock.boottime() + VOLUME_EVERY, 0.0
        self._left = self._room = 0

    def is_overfull(self) -> bool:
        """Whether it takes too much, as far as is known now."""
        moment = self._clock.boottime()
        if not self._limit or moment < self._next:
            return False
        self._next = moment + VOLUME_EVERY
        try:
            room = _room(self._folder)
        except OSError:  # what is not there takes no room
            return False
        if moment < self._walk and self._room - room < self._left // 2:
            return False
        self._walk, self._room = moment + WALK_EVERY, room
        self._left = self._limit - folder_bytes(self._folder)
        return self._left < 0


def _lines_of(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines(keepends=True)
    except FileNotFoundError:
        return []


def folder_bytes(folder: Path) -> int:
    """Bytes on the disk below a folder; links are not followed."""
    total = 0
    stack = [str(folder)]
    while stack:
        with suppress(OSError), os.scandir(stack.pop()) as entries:
            for entry in entries:
                total += entry.stat(follow_symlinks=False).st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    stack.append(entry.path)
    return total


def _use_of_tree(root: int) -> tuple[int, int]:
    """CPU ticks and resident pages of a process and all below it."""
    ticks = pages = 0
    stack = [root]
    while stack:
        pid = stack.pop()
        with suppress(OSError, ValueError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(int(field) for field in fields[11:15])
            pages += int(fields[21])
            stack += [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return ticks, pages


def _total_memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _room(path: Path) -> int:
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize


def _disk(folder: Path) -> float:
    status = os.statvfs(folder)
    return round(100.0 * (1 - status.f_bavail / max(1, status.f_blocks)), 2)
