"""Where time enters the house. Everything above takes a clock, or `now`, as an argument."""

from __future__ import annotations

import time


class SystemClock:
    """The machine's clocks: wall time for people, boot time for deadlines (laptops sleep)."""

    def now(self) -> float:
        """Seconds since the epoch, to the millisecond, as the SageMaker API reports times."""
        return round(time.time(), 3)

    def boottime(self) -> float:
        """Seconds since boot, sleep included; never steps backwards."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)
