"""What the system said a moment ago is as good as what it says now.

Asking it takes a call of the kernel, during which another thread takes Python's lock: a busy process then waits far
longer to have it back than the question took.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
_MOST = 64  # answers kept of one question


class Lately(Generic[K, T]):
    """Answers by what was asked, each good for `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._kept: dict[K, tuple[float, T]] = {}

    def get(self, key: K) -> T | None:
        """The answer, while it is good."""
        found = self._kept.get(key)
        if found is None or not 0.0 <= time.monotonic() - found[0] < self._seconds:
            return None
        return found[1]

    def keep(self, key: K, answer: T) -> T:
        """Take an answer in, and give it back."""
        if len(self._kept) >= _MOST:
            self._kept.clear()
        self._kept[key] = time.monotonic(), answer
        return answer


def lately(seconds: float) -> Callable[[Callable[[K], T]], Callable[[K], T]]:
    """A function of one argument whose answers, none of them None, are good for so long. What it raises is not kept."""

    def decorate(ask: Callable[[K], T]) -> Callable[[K], T]:
        answers: Lately[K, T] = Lately(seconds)

        def asked(key: K) -> T:
            found = answers.get(key)
            return answers.keep(key, ask(key)) if found is None else found

        return asked

    return decorate
