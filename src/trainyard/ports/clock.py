"""Time, as the rules and the engine see it."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Wall time for what people read, boot time for deadlines."""

    def now(self) -> float:
        """Seconds since the epoch, rounded to milliseconds."""
        ...

    def boottime(self) -> float:
        """Seconds since boot, sleep included."""
        ...
