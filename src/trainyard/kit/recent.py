"""What was needed lately and is dear to make anew, within a bound of memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Values by key, those used last; all together no heavier than `most`. For any number of threads.

    What is heavier than a sixteenth of that is not kept: one giant must not drive out all others.
    """

    def __init__(self, most: int) -> None:
        self._most, self._weight = most, 0
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._turn = threading.Lock()

    def get(self, key: K) -> V | None:
        """The value, if it is still here."""
        with self._turn:
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
            return found[0]

    def keep(self, key: K, value: V, weight: int) -> None:
        """Take a value in; the longest unused make room."""
        if weight > self._most // 16:
            return
        with self._turn:
            self._drop(key)
            self._kept[key] = value, weight
            self._weight += weight
            while self._weight > self._most:
                self._drop(next(iter(self._kept)))

    def _drop(self, key: K) -> None:
        _, weight = self._kept.pop(key, (None, 0))
        self._weight -= weight
