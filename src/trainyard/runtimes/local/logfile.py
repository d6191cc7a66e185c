"""Reading a log whose middle may be freed meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from trainyard.kit import beneath
from trainyard.runtimes.local import gap


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of a log from `offset` on; `is_last` where the file had no more."""

    offset: int
    data: bytes
    is_last: bool


def read(log: Path, offset: int, limit: int) -> Piece:
    """Up to `limit` bytes from `offset` on, or from after the gap that it lies in. Raises OSError.

    Of a line that lost a part to the gap nothing is read: half a number would be a wrong one.
    """
    with beneath.file(log.parent, log.name) as file:
        while True:
            freed = gap.noted(log)
            piece = _beside(file, freed, offset, limit)
            if gap.noted(log) == freed:  # else some of it may have been freed before it was read
                return piece


def _beside(file: BinaryIO, freed: tuple[int, int], offset: int, limit: int) -> Piece:
    start, end = freed
    if offset >= end:
        return _plain(file, offset, limit)
    if offset < start:
        piece = _plain(file, offset, min(limit, start - offset))
        whole = piece.data[: piece.data.rfind(b"\n") + 1]
        if offset + len(piece.data) < start:
            return Piece(offset, piece.data, is_last=False)
        if whole:
            return Piece(offset, whole, is_last=False)
    piece = _plain(file, end, limit)
    lost = piece.data.find(b"\n") + 1
    return Piece(end + lost, piece.data[lost:], piece.is_last)


def _plain(file: BinaryIO, offset: int, limit: int) -> Piece:
    file.seek(offset)
    data = file.read(limit)
    return Piece(offset, data, is_last=len(data) < limit)
