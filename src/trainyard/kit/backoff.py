"""Pauses between tries that grow, and differ from one process to the next."""

from __future__ import annotations

import random
from collections.abc import Callable


class Backoff:
    """Seconds to wait before the next try: doubling from `first` up to `longest`, spread by `jitter`."""

    def __init__(
        self, first: float, longest: float, *, jitter: float = 0.0, draw: Callable[[], float] = random.random
    ) -> None:
        self._first, self._longest, self._jitter, self._draw = first, longest, jitter, draw
        self._tries = 0

    def next(self) -> float:
        """The next pause: between 1 - jitter and 1 + jitter times the undisturbed one."""
        pause = min(self._longest, self._first * float(1 << min(self._tries, 60)))
        self._tries += 1
        return pause * (1 + self._jitter * (2 * self._draw() - 1))

    def reset(self) -> None:
        """It worked: begin anew."""
        self._tries = 0


def spread(low: float, high: float, draw: Callable[[], float] = random.random) -> float:
    """Some number between two, so that many processes do not act at one moment."""
    return low + (high - low) * draw()
