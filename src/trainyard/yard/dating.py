"""When the lines of a log were written, by the supervisor's marks of its length, and where lines of a time stand."""

from __future__ import annotations

import bisect
from collections.abc import Sequence

from trainyard.model.ledger import Mark


class Dating:
    """The times of one log. over: no mark follows, so what no mark is behind has the last one's time."""

    def __init__(self, marks: Sequence[Mark], *, over: bool) -> None:
        self._marks, self._over = marks, over
        self._offsets = [mark.offset for mark in marks]

    @property
    def length(self) -> int:
        """How long the log was at the last mark."""
        return self._offsets[-1] if self._offsets else 0

    @property
    def last(self) -> float:
        """When the last mark was made."""
        return self._marks[-1].at if self._marks else 0.0

    def at(self, place: int) -> float | None:
        """When a line that begins there was written; None while that is not known for good."""
        after = bisect.bisect_right(self._offsets, place)
        if after < len(self._marks):
            return self._marks[after].at
        return self.last if self._over else None

    def first_since(self, since: float) -> int:
        """A place before which no line is so young. Holds also where the clock went back."""
        found = next((place for place, mark in enumerate(self._marks) if mark.at >= since), None)
        if found is None:
            return self.length
        return self._offsets[found - 1] if found else 0
