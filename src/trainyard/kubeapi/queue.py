"""Keys to be looked at: each once, never by two workers at a time, sooner or later.

What is added while it is being handled is handed out again afterwards, so nothing that happened meanwhile is missed.
"""

from __future__ import annotations

import asyncio
from collections import deque

from trainyard.kit.backoff import Backoff

FIRST, LONGEST = 0.005, 1000.0  # seconds between tries of a key that fails, as in controller-runtime


class WorkQueue:
    """A queue of keys for any number of workers."""

    def __init__(self) -> None:
        self._waiting: deque[str] = deque()
        self._dirty: set[str] = set()
        self._busy: set[str] = set()
        self._later: dict[str, asyncio.TimerHandle] = {}
        self._failures: dict[str, Backoff] = {}
        self._getters: deque[asyncio.Future[None]] = deque()
        self.added = 0
        self.retried = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is being handled."""
        return not self._waiting and not self._busy

    def add(self, key: str) -> None:
        """Hand the key out soon; asking twice is asking once."""
        if key in self._dirty:
            return
        self._dirty.add(key)
        self.added += 1
        if key not in self._busy:
            self._hand_out(key)

    def add_after(self, key: str, seconds: float) -> None:
        """Hand it out after so many seconds; the earliest of several wishes counts."""
        if seconds <= 0:
            self.add(key)
            return
        loop = asyncio.get_running_loop()
        at, known = loop.time() + seconds, self._later.get(key)
        if known is not None:
            if known.when() <= at:
                return
            known.cancel()
        self._later[key] = loop.call_at(at, self._due, key)

    def again(self, key: str) -> None:
        """Hand it out after a pause that doubles with every failure in a row."""
        self.retried += 1
        backoff = self._failures.setdefault(key, Backoff(FIRST, LONGEST, jitter=0.1))
        self.add_after(key, backoff.next())

    def forget(self, key: str) -> None:
        """It went well: its next failure is its first."""
        self._failures.pop(key, None)

    def drop(self, key: str) -> None:
        """Its object is gone: no later look at it is needed."""
        self.forget(key)
        later = self._later.pop(key, None)
        if later is not None:
            later.cancel()

    async def get(self) -> str:
        """The next key; `done` must follow."""
        while not self._waiting:
            getter = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
            try:
                await getter
            except BaseException:
                if getter in self._getters:
                    self._getters.remove(getter)
                elif self._waiting:
                    self._wake()
                raise
        key = self._waiting.popleft()
        self._dirty.discard(key)
        self._busy.add(key)
        return key

    def done(self, key: str) -> None:
        """The key was handled; if it was added meanwhile, it is handed out again."""
        self._busy.discard(key)
        if key in self._dirty:
            self._hand_out(key)

    def close(self) -> None:
        """Cancel every later look."""
        for later in self._later.values():
            later.cancel()
        self._later.clear()

    def _due(self, key: str) -> None:
        self._later.pop(key, None)
        self.add(key)

    def _hand_out(self, key: str) -> None:
        self._waiting.append(key)
        self._wake()

    def _wake(self) -> None:
        while self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                return
