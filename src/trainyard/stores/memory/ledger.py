"""ports.store.Ledger in memory."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from trainyard.lifecycle.refusals import count_in, read_meanwhile
from trainyard.model.ledger import JobEvent, Page, Point
from trainyard.stores.memory.shelf import Shelf


class MemoryLedger:
    """Events, metric points and scan positions, beside the records."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def events(self, job_uid: str, *, limit: int = 1000, token: str | None = None) -> Page[JobEvent]:
        """Events, oldest first; the token says how many came before."""
        start = count_in(token)
        kept = self._shelf.events.get(job_uid, [])
        end = start + limit
        return Page(tuple(kept[start:end]), str(end) if end < len(kept) else None)

    async def append_points(
        self, job_uid: str, stream: str, points: Sequence[Point], *, since: int, offset: int
    ) -> None:
        """Add points and the position that they were scanned up to, both or neither."""
        if self._shelf.scanned[job_uid].get(stream, 0) != since:
            raise read_meanwhile(stream)
        if any(not isinstance(point.value, int | float) for point in points):
            raise TypeError("a point's value is a number")
        self._shelf.points[job_uid] += points
        self._shelf.scanned[job_uid][stream] = offset

    async def scanned(self, job_uid: str) -> dict[str, int]:
        """How far each stream was scanned."""
        return dict(self._shelf.scanned.get(job_uid, {}))

    async def points(
        self, job_uid: str, *, name: str | None = None, since: float | None = None, limit: int = 100_000
    ) -> Sequence[Point]:
        """Points in order of time."""
        found = (
            point
            for point in sorted(self._shelf.points.get(job_uid, []), key=lambda point: point.at)
            if (name is None or point.name == name) and (since is None or point.at >= since)
        )
        return list(islice(found, limit))

    async def last_points(self, job_uid: str) -> Sequence[Point]:
        """The newest point of each of the algorithm's series."""
        newest: dict[str, Point] = {}
        for point in self._shelf.points.get(job_uid, []):
            if not point.host and (point.name not in newest or point.at >= newest[point.name].at):
                newest[point.name] = point
        return list(newest.values())
