from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from trainyard.kit import garbage
from trainyard.kit.garbage import collected_at_rest


class Knot:
    """An object that refers to itself."""

    def __init__(self) -> None:
        self.me = self


async def test_it_is_as_before_afterwards() -> None:
    before = gc.get_threshold()
    async with collected_at_rest():
        assert gc.get_threshold()[0] > before[0]
        assert gc.isenabled()
    assert gc.get_threshold() == before


async def test_what_outlived_a_look_at_new_objects_goes_in_a_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "WORTH", 1)
    gone = asyncio.Event()
    knot = Knot()
    weakref.finalize(knot, gone.set)
    async with collected_at_rest(0.001):
        gc.collect(0)
        del knot
        await asyncio.wait_for(gone.wait(), 10)


async def test_of_one_that_never_rests_all_is_looked_at_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "MOST", 3)
    gone = asyncio.Event()
    knot = Knot()
    weakref.finalize(knot, gone.set)

    async def busy() -> None:
        while not gone.is_set():
            gc.collect(0)
            await asyncio.sleep(0)

    async with collected_at_rest(0.001):
        gc.collect(0)
        del knot
        await asyncio.wait_for(busy(), 10)
