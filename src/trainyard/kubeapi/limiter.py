"""A token bucket: so many requests a second, and a burst of them after a pause."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Limiter:
    """`await take()` before each request. `rate` 0 is no limit; `now` counts seconds and never runs backwards."""

    def __init__(self, rate: float, burst: int, now: Callable[[], float]) -> None:
        self._rate, self._burst, self._now = rate, float(max(1, burst)), now
        self._tokens, self._at = self._burst, now()

    async def take(self) -> None:
        """Take one token; where there is none, wait in line for it."""
        if not self._rate:
            return
        now = self._now()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate) - 1
        self._at = now
        if self._tokens < 0:
            await asyncio.sleep(-self._tokens / self._rate)

    def try_take(self) -> bool:
        """Take one token if there is one."""
        now = self._now()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
