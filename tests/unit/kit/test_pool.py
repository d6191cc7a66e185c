"""Work in threads, whose answers wake their loop together."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from trainyard.kit.pool import Pool


@pytest.fixture
def pool() -> Iterator[Pool]:
    one = Pool(3, "work")
    yield one
    one.close()


async def test_every_caller_gets_its_own_answer(pool: Pool) -> None:
    answers = await asyncio.gather(*(pool.run(lambda number=number: number * 2) for number in range(200)))  # type: ignore[misc]
    assert answers == [number * 2 for number in range(200)]


async def test_an_error_goes_to_the_caller_and_to_no_other(pool: Pool) -> None:
    answers = await asyncio.gather(
        pool.run(lambda: 1 // 0), pool.run(lambda: 1), return_exceptions=True
    )  # fmt: skip
    assert isinstance(answers[0], ZeroDivisionError)
    assert answers[1] == 1


async def test_work_runs_side_by_side_in_no_more_threads_than_there_may_be(pool: Pool) -> None:
    barrier = threading.Barrier(3, timeout=30.0)
    names = await asyncio.gather(
        *(pool.run(lambda: (barrier.wait(), threading.current_thread().name)[1]) for _ in range(6))
    )
    assert len(set(names)) == 3


async def test_the_work_of_a_cancelled_caller_still_happens(pool: Pool) -> None:
    begun, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go_on.wait(30.0)
        done.set()

    task = asyncio.ensure_future(pool.run(work))
    await pool.run(begun.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()
    assert await pool.run(lambda: done.wait(30.0))


def test_a_loop_that_was_closed_meanwhile_is_no_trouble(pool: Pool) -> None:
    go_on, loop = threading.Event(), asyncio.new_event_loop()
    task = loop.create_task(pool.run(lambda: go_on.wait(30.0)))
    loop.run_until_complete(asyncio.sleep(0))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()
    go_on.set()
    assert asyncio.run(pool.run(lambda: "here")) == "here"


async def test_closed_it_finishes_what_was_asked_for_and_takes_no_more() -> None:
    pool, done = Pool(1, "work"), threading.Event()
    task = asyncio.ensure_future(pool.run(done.set))
    await asyncio.sleep(0)
    pool.close()
    assert done.is_set()
    await task
    with pytest.raises(RuntimeError, match="ended"):
        await pool.run(done.set)
