"""A round looks at what may have moved and at nothing else; nothing that moved is overlooked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.fakes.records import a_record
from tests.fakes.yard import TestYard, a_yard

from trainyard.model.keys import JobKey, RunKey
from trainyard.model.observation import Ending, Milestone, Observation
from trainyard.model.record import JobRecord

DEADLINE = 30.0


class Counting:
    """Counts the looks at runs."""

    def __init__(self, yard: TestYard, monkeypatch: pytest.MonkeyPatch) -> None:
        self.looks = 0
        observe: Callable[[RunKey], Awaitable[Observation]] = yard.runtime.observe

        async def counted(key: RunKey) -> Observation:
            self.looks += 1
            return await observe(key)

        monkeypatch.setattr(yard.runtime, "observe", counted)


async def launched(yard: TestYard) -> JobRecord:
    await yard.service.create(a_record("job").spec)
    await yard.engine._place()
    return (await yard.engine.unfinished())[0]


async def settled(yard: TestYard) -> None:
    """Rounds and their passes, until a round finds nothing to look at."""
    async with asyncio.timeout(DEADLINE):
        while True:
            await yard.engine._round()
            if yard.engine._queue.empty():
                return
            while not yard.engine._queue.empty():
                key: JobKey = yard.engine._queue.get_nowait()
                yard.engine._queued.discard(key)
                await yard.engine._look_at(key)


@pytest.fixture
def yard() -> TestYard:
    return a_yard()


async def test_a_run_that_does_not_move_is_not_looked_at_again(yard: TestYard, monkeypatch: pytest.MonkeyPatch) -> None:
    await launched(yard)
    await settled(yard)
    counting = Counting(yard, monkeypatch)
    for _ in range(3):
        await settled(yard)
    assert counting.looks == 0


async def test_a_milestone_without_a_hint_is_found(yard: TestYard) -> None:
    record = await launched(yard)
    await settled(yard)
    yard.runtime.reach(record.run, Milestone.TRAINING)
    await settled(yard)
    assert (await yard.record(record.key.name)).secondary == "Training"


async def test_an_end_without_a_hint_is_found(yard: TestYard) -> None:
    record = await launched(yard)
    await settled(yard)
    yard.runtime.end(record.run, Ending.COMPLETED)
    await settled(yard)
    assert (await yard.record(record.key.name)).status == "Completed"


async def test_output_without_a_hint_is_read(yard: TestYard) -> None:
    record = await launched(yard)
    await settled(yard)
    yard.runtime.output[record.run] = b"hello\n"
    await settled(yard)
    assert await yard.yard.ledger.scanned(record.uid) != {}


async def test_a_wish_to_stop_that_another_process_wrote_is_found(yard: TestYard) -> None:
    record = await launched(yard)
    await settled(yard)
    await yard.service.stop(record.key.name)
    await settled(yard)
    assert (await yard.record(record.key.name)).status == "Stopped"


async def test_a_run_that_cannot_be_seen_is_looked_at_in_every_round(
    yard: TestYard, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = await launched(yard)
    await settled(yard)
    yard.runtime.blind = True
    counting = Counting(yard, monkeypatch)
    for _ in range(3):
        await yard.engine._round()
        await yard.engine._look_at(record.key)
        yard.engine._queued.clear()
    assert counting.looks == 3
    assert (await yard.record(record.key.name)).unobserved is not None


async def test_a_rest_ends_by_itself(yard: TestYard, monkeypatch: pytest.MonkeyPatch) -> None:
    await launched(yard)
    await settled(yard)
    clock: Any = yard.yard.clock
    later = clock.now() + 3600.0
    monkeypatch.setattr(clock, "now", lambda: later)
    counting = Counting(yard, monkeypatch)
    await settled(yard)
    assert counting.looks == 1


async def test_nothing_is_remembered_of_a_job_that_is_over(yard: TestYard) -> None:
    record = await launched(yard)
    await settled(yard)
    yard.runtime.end(record.run, Ending.COMPLETED)
    await settled(yard)
    assert len(yard.engine._rests) == 0
