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
    """What one event loop hears of a file. Where the system tells nothing, there are looks all the time.

    The kernel is asked to tell of one write, and asked again once it is calm: writes in crowds are not told one by one.
    """

    def __init__(self, log: Path) -> None:
        self._log, self._ear = log, inotify.opened()
        self._is_asked = False  # to tell of the next write
        self._written = Signal()
        self._waiting = 0
        self._calm_at = 0.0  # by the loop's clock

    async def again(self, hint: asyncio.Event | None = None) -> None:
        """Return when it is time for another look, or at once when a hint is set."""
        if self._ear is None or asyncio.get_running_loop().time() < self._calm_at:
            await set_within(asyncio.Event() if hint is None else hint, SOON)
            return
        if not self._is_asked:
            self._is_asked = inotify.listen(self._ear, self._log)
            self._calm_at = asyncio.get_running_loop().time() + SOON  # all look once more: it tells nothing of before
            return
        with self._listening(self._ear):
            await first_set(*filter(None, (self._written.next, hint)), within=LONGEST)

    def close(self) -> None:
        """Hear nothing any more."""
        if self._ear is not None:
            os.close(self._ear)
            self._ear = None

    @contextmanager
    def _listening(self, ear: int) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        self._waiting += 1
        if self._waiting == 1:
            loop.add_reader(ear, self._heard, ear)
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._waiting:
                loop.remove_reader(ear)

    def _heard(self, ear: int) -> None:
        inotify.drain(ear)
        self._is_asked = False
        self._calm_at = asyncio.get_running_loop().time() + CALM
        self._written.give()
