"""What a content is made of: ranges of files, which contents may share, and small bytes in the index itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from trainyard.model.buckets import PartRange


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """`size` bytes from `start` of the file `blob`, or of `body`. part: of the upload it came in, or 0.

    cipher: how they are encrypted; None for bytes as they are.
    """

    size: int
    start: int = 0
    blob: str | None = None
    body: bytes | None = None
    part: int = 0
    cipher: str | None = None


def add(connection: sqlite3.Connection, extents: Iterable[Extent]) -> int:
    """A new content of these; returns its identity."""
    content = int(connection.execute("INSERT INTO contents DEFAULT VALUES").lastrowid or 0)
    connection.executemany(
        "INSERT INTO extents (content, place, part, blob, body, start, size, cipher) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (content, place, extent.part, extent.blob, extent.body, extent.start, extent.size, extent.cipher)
            for place, extent in enumerate(extents)
        ),
    )
    return content


def of(connection: sqlite3.Connection, content: int, most: int = -1) -> list[Extent]:
    """Those of a content, the first `most` of them (-1: all); none where it has gone."""
    rows = connection.execute(
        "SELECT part, blob, body, start, size, cipher FROM extents WHERE content = ? ORDER BY place LIMIT ?",
        (content, most),
    )
    return [
        Extent(part=part, blob=blob, body=body, start=start, size=size, cipher=cipher)
        for part, blob, body, start, size, cipher in rows
    ]


def remove(connection: sqlite3.Connection, content: int) -> list[str]:
    """Forget a content; returns the files that no other one needs."""
    rows = connection.execute("SELECT DISTINCT blob FROM extents WHERE content = ? AND blob IS NOT NULL", (content,))
    blobs = [blob for (blob,) in rows]
    connection.execute("DELETE FROM extents WHERE content = ?", (content,))
    connection.execute("DELETE FROM contents WHERE id = ?", (content,))
    return [blob for blob in blobs if not is_named(connection, blob)]


def is_named(connection: sqlite3.Connection, blob: str) -> bool:
    """Whether any content needs a file."""
    return connection.execute("SELECT 1 FROM extents WHERE blob = ? LIMIT 1", (blob,)).fetchone() is not None


def sliced(extents: Iterable[Extent], start: int, stop: int) -> list[Extent]:
    """The extents of the bytes from `start` to before `stop` of a whole."""
    found: list[Extent] = []
    place = 0
    for extent in extents:
        low, high = max(start, place), min(stop, place + extent.size)
        if low < high:
            found.append(replace(extent, start=extent.start + low - place, size=high - low))
        place += extent.size
    return found


def renumbered(extents: Iterable[Extent], part: int) -> list[Extent]:
    """The same bytes as a part of something."""
    return [replace(extent, part=part) for extent in extents]


def parts_of(extents: Iterable[Extent]) -> Sequence[PartRange]:
    """Where each part of an upload lies."""
    found: list[PartRange] = []
    place = 0
    for extent in extents:
        if found and found[-1].number == extent.part:
            found[-1] = replace(found[-1], size=found[-1].size + extent.size)
        elif extent.part:
            found.append(PartRange(number=extent.part, start=place, size=extent.size))
        place += extent.size
    return found
