"""When to look again at a file that others write to as well: soon while it is written to, at rest not before it is.

The kernel tells of a write to the write-ahead log before its transaction can be seen, which is once all of it is on the
disk. So what is told is not taken for news: for a while from then on there are looks. A transaction that takes longer
than that to reach the disk is found by the looks that there are now and then.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainyard.kit import inotify
from trainyard.kit.signals import Signal, first_set, set_within

SOON = 0.03  # seconds between looks while the file is written to
CALM = 1.0  # seconds after a write until it counts as no more written to
LONGEST = 1.0  # seconds between looks at rest


class Stirrings:
    """What one event loop hears of a file. Where the system tells nothing, there are looks all the time."""

    def __init__(self, log: Path) -> None:
        self._watch = inotify.watching(log)
        self._written = Signal()
        self._waiting = 0
        self._calm_at = asyncio.get_running_loop().time() + CALM  # what was written before is still looked for

    async def again(self, hint: asyncio.Event | None = None) -> None:
        """Return when it is time for another look, or at once when a hint is set."""
        if self._watch is None or asyncio.get_running_loop().time() < self._calm_at:
            await set_within(asyncio.Event() if hint is None else hint, SOON)
            return
        with self._listening(self._watch):
            await first_set(*filter(None, (self._written.next, hint)), within=LONGEST)

    def close(self) -> None:
        """Hear nothing any more."""
        if self._watch is not None:
            os.close(self._watch)
            self._watch = None

    @contextmanager
    def _listening(self, watch: int) -> Iterator[None]:
        """The loop looks at the watch only while somebody waits at rest: writes in crowds are not heard one by one."""
        loop = asyncio.get_running_loop()
        self._waiting += 1
        if self._waiting == 1:
            loop.add_reader(watch, self._heard, watch)
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._waiting:
                loop.remove_reader(watch)

    def _heard(self, watch: int) -> None:
        inotify.drain(watch)
        self._calm_at = asyncio.get_running_loop().time() + CALM
        self._written.give()
