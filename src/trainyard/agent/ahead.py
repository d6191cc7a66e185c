"""Work begun before its turn: several things at once, their results in order, memory bounded by how many."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def in_order(works: AsyncIterable[Coroutine[Any, Any, T]], at_once: int) -> AsyncGenerator[T, None]:
    """The result of each work in the order given, `at_once` of them begun and not yet taken.

    The first that fails is raised in its turn; what else was begun is cancelled then, and whenever the iteration ends.
    """
    begun: deque[asyncio.Task[T]] = deque()
    try:
        async for work in works:
            begun.append(asyncio.create_task(work))
            if len(begun) >= at_once:
                yield await begun[0]
                begun.popleft()
        while begun:
            yield await begun[0]
            begun.popleft()
    finally:
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)
