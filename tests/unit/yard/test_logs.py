"""A job's output in pages: nothing twice, nothing left out, over all attempts, and never too much at once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.records import a_record
from tests.fakes.runtime import FakeRuntime, ManualClock

from trainyard.model.ledger import LogEvent, Mark, Page
from trainyard.model.record import JobRecord
from trainyard.yard.logs import LARGEST_PAGE, LARGEST_TAIL_BYTES, PIECE, JobLogs, Span


def a_job(*outputs: bytes) -> tuple[JobLogs, JobRecord]:
    runtime = FakeRuntime(ManualClock())
    record = replace(a_record("job"), attempt=len(outputs))
    for number, output in enumerate(outputs, 1):
        runtime.output[replace(record.run, attempt=number)] = output
    return JobLogs(runtime), record


async def pages(logs: JobLogs, record: JobRecord, limit: int, since: float | None = None) -> list[list[str]]:
    found: list[list[str]] = []
    token = None
    while True:
        page = await logs.read(record, Span(since=since, begin=token), limit)
        if not page.items:
            return found
        token = page.token
        found.append([event.message for event in page.items])


@given(attempts=st.lists(st.integers(0, 7), min_size=1, max_size=4), limit=st.integers(1, 5))
async def test_pages_of_any_size_hold_every_line_of_every_attempt_once(attempts: list[int], limit: int) -> None:
    lines = [[f"{attempt}-{number}" for number in range(count)] for attempt, count in enumerate(attempts)]
    logs, record = a_job(*("".join(f"{line}\n" for line in some).encode() for some in lines))
    read = await pages(logs, record, limit)
    assert [line for page in read for line in page] == [line for some in lines for line in some]
    assert all(len(page) <= limit for page in read)


async def test_a_page_is_bounded_whatever_is_asked_for() -> None:
    logs, record = a_job(b"x\n" * (LARGEST_PAGE + 5))
    assert [len(page) for page in await pages(logs, record, 10**9)] == [LARGEST_PAGE, 5]
    logs, record = a_job((b"y" * (PIECE // 4 - 1) + b"\n") * 10)
    sizes = [sum(len(line) for line in page) for page in await pages(logs, record, 10**9)]
    assert max(sizes) <= PIECE + PIECE // 4
    assert sum(sizes) == 10 * (PIECE // 4 - 1)


@pytest.mark.parametrize("tail", [0, 1, 3, 100])
async def test_the_tail_is_the_end_of_the_last_attempts(tail: int) -> None:
    logs, record = a_job(b"a\nb\n", b"c\nd\n")
    page = await logs.read_back(record, Span(), tail)
    assert [event.message for event in page.items] == (["a", "b", "c", "d"][-tail:] if tail else [])
    assert page.token == "2.4"


async def test_a_tail_of_huge_lines_keeps_to_its_bytes() -> None:
    line = b"z" * (200 * 1024 - 1) + b"\n"
    logs, record = a_job(line * (2 * LARGEST_TAIL_BYTES // len(line)))
    page = await logs.read_back(record, Span(), 100_000)
    assert 0 < sum(len(event.message) for event in page.items) <= LARGEST_TAIL_BYTES


async def test_lines_that_are_too_old_do_not_end_the_reading() -> None:
    logs, record = a_job(b"old\n" * LARGEST_PAGE, b"also old\n")
    assert await pages(logs, record, 10, since=0.0) != []
    assert await pages(logs, record, 10, since=2000.0) == []


async def backwards(logs: JobLogs, record: JobRecord, count: int) -> list[list[str]]:
    found: list[list[str]] = []
    before = None
    while True:
        page = await logs.read_back(record, Span(end=before), count)
        if not page.items:
            assert page.before == before or before is None
            return found[::-1]
        assert page.before != before
        before = page.before
        found.append([event.message for event in page.items])


@given(attempts=st.lists(st.integers(0, 7), min_size=1, max_size=4), count=st.integers(1, 5))
async def test_read_backwards_all_lines_are_the_same(attempts: list[int], count: int) -> None:
    lines = [[f"{attempt}-{number}" for number in range(some)] for attempt, some in enumerate(attempts)]
    logs, record = a_job(*("".join(f"{line}\n" for line in some).encode() for some in lines))
    read = await backwards(logs, record, count)
    assert [line for page in read for line in page] == [line for some in lines for line in some]
    assert all(len(page) <= count for page in read)


@given(sizes=st.lists(st.sampled_from([0, 1, 1000, PIECE // 5, PIECE // 4, PIECE, 2 * PIECE + 7]), max_size=6))
async def test_lines_of_any_size_are_split_alike_both_ways(sizes: list[int]) -> None:
    logs, record = a_job(b"".join(bytes([97 + number]) * size + b"\n" for number, size in enumerate(sizes)))
    onwards = [line for page in await pages(logs, record, 3) for line in page]
    assert [line for page in await backwards(logs, record, 3) for line in page] == onwards


async def test_a_page_can_be_read_on_from_both_its_ends() -> None:
    logs, record = a_job(b"a\nb\nc\nd\n", b"e\n")
    middle = await logs.read(record, Span(begin="1.2"), 2)
    assert [event.message for event in middle.items] == ["b", "c"]
    earlier = await logs.read_back(record, Span(end=middle.before), 10)
    assert [event.message for event in earlier.items] == ["a"]
    assert [event.message for event in (await logs.read(record, Span(begin=middle.token), 10)).items] == ["d", "e"]
    last = await logs.read_back(record, Span(begin=middle.token), 10)
    assert [event.message for event in last.items] == ["d", "e"]


async def test_the_end_of_a_long_log_is_read_without_the_rest() -> None:
    logs, record = a_job(b"x" * 99 + b"\n")
    runtime = logs._runtime
    runtime.output[record.run] *= 400_000  # type: ignore[attr-defined]
    asked = []
    read = runtime.read

    async def counted(*args: object) -> object:
        chunk = await read(*args)  # type: ignore[arg-type]
        asked.append(len(chunk.data))
        return chunk

    runtime.read = counted  # type: ignore[assignment,method-assign]
    page = await logs.read_back(record, Span(), 10)
    assert len(page.items) == 10
    assert sum(asked) < 12 * PIECE


def a_growing_job(*marks: Mark) -> tuple[FakeRuntime, JobRecord]:
    runtime = FakeRuntime(ManualClock())
    record = replace(a_record("job"), attempt=1, placed=True)
    runtime.output[record.run], runtime.marked[record.run] = b"", list(marks)
    runtime.is_live = lambda _key: True  # type: ignore[method-assign]
    return runtime, record


def texts(page: Page[LogEvent]) -> list[str]:
    return [event.message for event in page.items]


@given(writes=st.lists(st.lists(st.integers(0, 9), max_size=9), max_size=6), limit=st.integers(1, 5))
async def test_a_growing_log_is_read_whole_by_readers_that_know_a_token_alone(
    writes: list[list[int]], limit: int
) -> None:
    runtime, record = a_growing_job(Mark(0, 1000.0))
    written, read, token = list[str](), list[str](), None
    for number, sizes in enumerate(writes):
        lines = [f"{number}.{count}{'x' * size}" for count, size in enumerate(sizes)]
        written += lines
        runtime.output[record.run] += "".join(f"{line}\n" for line in lines).encode()
        runtime.marked[record.run].append(Mark(len(runtime.output[record.run]), 1001.0 + number))
        while True:
            page = await JobLogs(runtime).read(record, Span(begin=token), limit)  # as after a restart of the server
            if not page.items:
                assert token in (None, page.token)
                break
            read, token = read + texts(page), page.token
    assert read == written


async def test_a_line_is_told_once_its_time_is_known_for_good() -> None:
    runtime, record = a_growing_job(Mark(0, 1000.0), Mark(2, 1001.0))
    runtime.output[record.run] = b"a\nb\nhalf"
    logs = JobLogs(runtime)
    assert texts(await logs.read(record, Span(), 10)) == texts(await logs.read_back(record, Span(), 10)) == ["a"]
    runtime.marked[record.run].append(Mark(8, 1002.0))
    page = await logs.read(record, Span(begin="1.2"), 10)
    assert [(event.message, event.at) for event in page.items] == [("b", 1002.0)]
    assert texts(await logs.read(replace(record, placed=False), Span(begin="1.4"), 10)) == []  # it is still written
    runtime.is_live = lambda _key: False  # type: ignore[method-assign]
    assert texts(await logs.read(replace(record, placed=False), Span(begin="1.4"), 10)) == ["half"]


async def test_young_lines_of_a_long_log_are_read_without_the_rest() -> None:
    logs, record = a_job(b"old\n" * 3_000_000 + b"young\n")
    runtime: Any = logs._runtime
    runtime.marked[record.run] = [Mark(0, 1.0), Mark(12_000_000, 5.0), Mark(12_000_006, 9.0)]
    asked = []
    read = runtime.read

    async def counted(*args: object) -> object:
        chunk = await read(*args)
        asked.append(len(chunk.data))
        return chunk

    runtime.read = counted
    assert await pages(logs, record, 10, since=6.0) == [["young"]]
    assert sum(asked) < 3 * PIECE


@pytest.mark.parametrize("head", [1, 30, 3 * PIECE // 100])
@pytest.mark.parametrize("gap", [100, 5 * PIECE])
async def test_a_freed_middle_is_told_once_from_either_side(head: int, gap: int) -> None:
    logs, record = a_job(b"h" * 99 + b"\n")
    runtime: Any = logs._runtime
    before = (b"h" * 99 + b"\n") * head
    runtime.output[record.run] = before + b"\0" * gap + b"t\n" * 5
    runtime.gaps[record.run] = (len(before), len(before) + gap)
    onwards = (await logs.read(record, Span(), 10**6)).items
    back: list[LogEvent] = []
    token = None
    while (page := await logs.read_back(record, Span(end=token), 3)).items and len(back) < 12:
        back, token = [*page.items, *back], page.before
    assert [event.gap for event in onwards if event.gap] == ([gap] if head < 10_000 else [])
    assert [event.gap for event in back if event.gap] == [gap]
    assert "".join(event.message for event in back[-5:]) == "ttttt"


async def test_attempts_of_one_second_have_streams_of_their_own() -> None:
    logs, record = a_job(b"one\n", b"two\n")
    names = await logs.streams(record)
    assert names == ["job/algo-1-1000", "job/algo-1-1001"]
    assert texts(await logs.read(record, Span(stream=names[1]), 10)) == ["two"]
