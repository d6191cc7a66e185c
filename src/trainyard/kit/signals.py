"""Waiting for what somebody else does, for a while."""

from __future__ import annotations

import asyncio
from contextlib import suppress


class Signal:
    """Wakes whoever waits at that moment; who takes `next` afterwards waits for the next time. One event loop's."""

    def __init__(self) -> None:
        self.next = asyncio.Event()

    def give(self) -> None:
        """Wake them."""
        self.next.set()
        self.next = asyncio.Event()


class Silence:
    """How long something has said nothing; over after so many seconds. One event loop's."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.broken()

    def broken(self) -> None:
        """Something was said: count anew."""
        self._ends = asyncio.get_running_loop().time() + self._seconds

    @property
    def is_over(self) -> bool:
        """Whether it has lasted long enough."""
        return asyncio.get_running_loop().time() >= self._ends

    async def until(self, event: asyncio.Event) -> None:
        """Wait for an event, and no longer than the silence lasts."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._ends):
                await event.wait()


async def set_within(event: asyncio.Event, seconds: float) -> bool:
    """Whether an event was set, at once or before so many seconds had passed."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
        return True
    return False


async def first_set(*events: asyncio.Event, within: float | None = None) -> None:
    """Wait until one of these is set, or so many seconds have passed."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
