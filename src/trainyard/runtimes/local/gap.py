"""The freed middle of a log: from which offset to which nothing is kept.

It is noted before it is freed, in room that was taken before the program could fill the disk, so that no reader takes
freed bytes for written ones. Standard library only.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

ROOM = 64  # bytes of the note
NONE = (0, 0)


def reserve(log: Path) -> None:
    """Take the note's room. Harmless when repeated."""
    with suppress(FileExistsError), _path(log).open("xb") as note:
        note.write(_text(NONE))


def note(log: Path, gap: tuple[int, int]) -> None:
    """Tell of (start, end), all of which is free or about to be. Raises OSError where there is no room to say so."""
    descriptor = os.open(_path(log), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.pwrite(descriptor, _text(gap), 0)
    finally:
        os.close(descriptor)


def noted(log: Path) -> tuple[int, int]:
    """(start, end) as last told; NONE where nothing was."""
    with suppress(FileNotFoundError):
        while True:
            start, end, *again = (int(number) for number in _path(log).read_text().split() or NONE)
            if not again or again == [start, end]:  # else it was read while it was written
                return start, end
    return NONE


def _path(log: Path) -> Path:
    return log.with_suffix(".gap")


def _text(gap: tuple[int, int]) -> bytes:
    return f"{gap[0]} {gap[1]} {gap[0]} {gap[1]}".encode().ljust(ROOM)
