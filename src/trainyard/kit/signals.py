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


async def set_within(event: asyncio.Event, seconds: float) -> bool:
    """Whether an event was set, at once or before so many seconds had passed."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
        return True
    return False
