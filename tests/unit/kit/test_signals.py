"""A signal wakes all who wait, once; a wait ends with it or with its time."""

from __future__ import annotations

import asyncio

from trainyard.kit.signals import Signal, set_within


async def test_a_signal_wakes_all_who_wait_and_nobody_who_comes_later() -> None:
    signal = Signal()
    waiting = [asyncio.create_task(set_within(signal.next, 60.0)) for _ in range(3)]
    await asyncio.sleep(0)
    signal.give()
    assert await asyncio.gather(*waiting) == [True] * 3
    assert not await set_within(signal.next, 0.0)


async def test_what_was_taken_before_the_signal_is_set_by_it() -> None:
    signal = Signal()
    taken = signal.next
    signal.give()
    assert await set_within(taken, 0.0)
