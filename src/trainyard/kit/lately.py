"""What the system said a moment ago is as good as what it says now.

Asking it takes a call of the kernel, during which another thread takes Python's lock: a busy process then waits far
longer to have it back than the question took.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import TypeVar

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
_MOST = 64  # answers kept by one function


def lately(seconds: float) -> Callable[[Callable[[K], T]], Callable[[K], T]]:
    """A function of one argument whose answers are good for so long. What it raises is not kept."""

    def decorate(ask: Callable[[K], T]) -> Callable[[K], T]:
        kept: dict[K, tuple[float, T]] = {}

        def asked(key: K) -> T:
            now = time.monotonic()
            found = kept.get(key)
            if found is None or not 0.0 <= now - found[0] < seconds:
                if len(kept) >= _MOST:
                    kept.clear()
                found = kept[key] = now, ask(key)
            return found[1]

        return asked

    return decorate
