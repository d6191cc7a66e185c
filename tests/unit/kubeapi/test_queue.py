"""The keyed queue."""

from __future__ import annotations

import asyncio
import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.kubeapi.queue import WorkQueue


async def test_what_is_added_while_it_is_handled_is_handed_out_again() -> None:
    queue = WorkQueue()
    queue.add("a")
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a")
    assert len(queue) == 0
    queue.done("a")
    assert await queue.get() == "a"
    queue.done("a")
    assert queue.idle


async def test_the_earliest_of_several_later_looks_counts() -> None:
    queue = WorkQueue()
    queue.add_after("a", 60)
    queue.add_after("a", 0.001)
    queue.add_after("a", 60)
    async with asyncio.timeout(5):
        assert await queue.get() == "a"


async def test_pauses_double_until_it_goes_well() -> None:
    queue = WorkQueue()
    loop = asyncio.get_running_loop()
    pauses = []
    for _ in range(6):
        queue.again("a")
        pauses.append(queue._later["a"].when() - loop.time())
        queue._later.pop("a").cancel()
    assert all(later > sooner * 1.5 for sooner, later in itertools.pairwise(pauses))
    queue.forget("a")
    queue.again("a")
    assert queue._later["a"].when() - loop.time() < 0.01
    queue.drop("a")
    assert not queue._later


async def test_a_getter_that_is_cancelled_loses_nothing() -> None:
    queue = WorkQueue()
    first, second = asyncio.create_task(queue.get()), asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    first.cancel()
    async with asyncio.timeout(5):
        assert await second == "a"
    with pytest.raises(asyncio.CancelledError):
        await first


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(1, 4))
def test_no_key_is_handled_twice_at_once_and_none_is_forgotten(keys: list[int], workers: int) -> None:
    async def run() -> None:
        queue, busy, last = WorkQueue(), set[str](), dict[str, int]()
        added: dict[str, int] = {}

        async def work() -> None:
            while True:
                key = await queue.get()
                assert key not in busy
                busy.add(key)
                last[key] = added[key]
                await asyncio.sleep(random.random() / 10_000)
                busy.discard(key)
                queue.done(key)

        tasks = [asyncio.create_task(work()) for _ in range(workers)]
        for number, key in enumerate(keys):
            added[str(key)] = number
            queue.add(str(key))
            if number % 3 == 0:
                await asyncio.sleep(0)
        async with asyncio.timeout(10):
            while not queue.idle:
                await asyncio.sleep(0.0001)
        assert last == added
        for task in tasks:
            task.cancel()
        assert not [
            one for one in await asyncio.gather(*tasks, return_exceptions=True) if isinstance(one, AssertionError)
        ]

    asyncio.run(run())
