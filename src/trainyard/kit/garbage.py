"""How often Python looks for garbage that refers to itself: rarely, where a process answers many and holds much.

Most garbage goes as soon as nothing refers to it. The collector that finds the rest looks at every object that is new,
and now and then at all there are: with ten thousand jobs in memory that is a tenth of a second in which nobody is
answered, and by Python's own measure a quarter of all time while jobs are created.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_YOUNG, _MIDDLE, _OLD = 20_000, 10, 100  # new objects for a look at them; such looks, twice, for one further back


@contextmanager
def collected_rarely() -> Iterator[None]:
    """As long as the block lasts."""
    before = gc.get_threshold()
    gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
    try:
        yield
    finally:
        gc.set_threshold(*before)
