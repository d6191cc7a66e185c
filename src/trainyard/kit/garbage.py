"""When Python looks for garbage that refers to itself, in a process that answers many and holds much: while it rests.

Most garbage goes as soon as nothing refers to it. The collector that finds the rest looks at every object that is new,
and at those that it has seen before once ten thousand jobs are in memory for a tenth of a second, in which nobody is
answered. So only new objects are looked at, few at a time, and all there are once nothing much has been made for a
while: what refers to itself and outlives the one look waits for the other. What is free then is given back.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

REST = 20.0  # seconds without a look at new objects
WORTH, MOST = 10, 2_000  # looks at new objects after which all are looked at: in a rest, and in any case
_NEW, _NEVER = 5_000, 1_000_000_000  # new objects for a look at them; such looks for one further back


@asynccontextmanager
async def collected_at_rest(rest: float = REST) -> AsyncIterator[None]:
    """As long as the block lasts."""
    before = gc.get_threshold()
    gc.set_threshold(_NEW, _NEVER)
    collecting = asyncio.create_task(_collect_at_rest(rest))
    try:
        yield
    finally:
        collecting.cancel()
        with suppress(asyncio.CancelledError):
            await collecting
        gc.set_threshold(*before)


async def _collect_at_rest(rest: float) -> None:
    looks, worth = _looks(), 0  # what a start leaves is given back whatever it is
    while True:
        await asyncio.sleep(rest)
        before, looks = looks, _looks()
        if looks >= (worth if looks == before else MOST):
            gc.collect()
            _give_back()
            looks, worth = _looks(), WORTH


def _give_back() -> None:
    """Have the C library hand what it holds free to the system, where it can (glibc)."""
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _looks() -> int:
    """How often new objects were looked at since all were."""
    return gc.get_count()[1]
