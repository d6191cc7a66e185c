"""A log below its cap: what is kept, what is told of the rest, and that no reader takes a freed byte for a line."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from trainyard.runtimes.local import gap, logfile, watch
from trainyard.runtimes.local.attempt import Attempt
from trainyard.runtimes.local.watch import LogWatch

CAP = 1 << 20
BLOCK = 1 << 16


def _attempt(folder: Path) -> Attempt:
    attempt = Attempt(folder)
    attempt.log.parent.mkdir(parents=True)
    attempt.log.touch()
    gap.reserve(attempt.log)
    return attempt


def _write(log: Path, first: int, count: int, width: int) -> None:
    with log.open("ab") as file:
        file.write(b"".join(b"%0*d\n" % (width, number) for number in range(first, first + count)))


def _read_on(log: Path, offset: int, limit: int) -> tuple[list[int], int, int]:
    """The numbers from an offset on, where they end, and the bytes that were stepped over."""
    numbers: list[int] = []
    stepped = 0
    while (piece := logfile.read(log, offset, limit)).data:
        whole = piece.data[: piece.data.rfind(b"\n") + 1]
        numbers += [int(line) for line in whole.splitlines()]
        stepped += piece.offset - offset
        offset = piece.offset + len(whole)
        if not whole:
            break
    return numbers, offset, stepped


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    return _attempt(tmp_path / "attempt")


def test_below_the_cap_nothing_is_lost(attempt: Attempt) -> None:
    _write(attempt.log, 0, 10_000, 99)
    assert LogWatch(attempt, CAP).look()
    assert gap.noted(attempt.log) == gap.NONE
    assert _read_on(attempt.log, 0, 1 << 16)[0] == list(range(10_000))


def test_above_the_cap_the_disk_holds_the_beginning_and_the_end(attempt: Attempt) -> None:
    watching = LogWatch(attempt, CAP)
    for round_ in range(20):
        _write(attempt.log, round_ * 10_000, 10_000, 99)
        watching.look()
    assert attempt.log.stat().st_size == 20 * 10_000 * 100
    assert attempt.log.stat().st_blocks * 512 <= CAP + 2 * BLOCK
    numbers, end, stepped = _read_on(attempt.log, 0, 1 << 18)
    assert (numbers[0], numbers[-1]) == (0, 199_999)
    assert len(numbers) * 100 + stepped == end == 20_000_000
    assert numbers == sorted(set(numbers))


def test_a_log_on_a_full_disk_gives_half_of_what_it_keeps_back(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(attempt.log, 0, 100_000, 99)
    LogWatch(attempt, CAP).look()
    monkeypatch.setattr(watch, "_room", lambda _path: 0)
    _write(attempt.log, 100_000, 1, 99)
    LogWatch(attempt, CAP).look()
    assert attempt.log.stat().st_blocks * 512 <= CAP // 2 + 2 * BLOCK
    numbers, end, stepped = _read_on(attempt.log, 0, 1 << 18)
    assert (numbers[0], numbers[-1], len(numbers) * 100 + stepped) == (0, 100_000, end)


def test_where_the_disk_cannot_free_the_middle_all_of_it_is_read(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainyard.runtimes.local.namespaces.punch_hole", lambda *_: False)
    _write(attempt.log, 0, 100_000, 99)
    LogWatch(attempt, CAP).look()
    assert _read_on(attempt.log, 0, 1 << 18)[0] == list(range(100_000))


def test_a_line_longer_than_the_head_goes_with_the_gap(attempt: Attempt) -> None:
    attempt.log.write_bytes(b"0\n" + b"7" * 3 * CAP + b"\n1\n")
    LogWatch(attempt, CAP).look()
    assert _read_on(attempt.log, 0, CAP)[0] == [0, 1]


@settings(deadline=None, max_examples=40)
@given(
    steps=some.lists(some.tuples(some.integers(1, 20_000), some.booleans(), some.booleans()), max_size=8),
    limit=some.integers(1_000, 1 << 20), width=some.integers(6, 200),
)  # fmt: skip
def test_whoever_reads_and_whenever_finds_whole_lines_in_order_and_every_byte_accounted_for(
    steps: list[tuple[int, bool, bool]], limit: int, width: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        attempt = _attempt(Path(folder) / "attempt")
        watching, written, offset, found, stepped = LogWatch(attempt, CAP), 0, 0, list[int](), 0
        for count, looks, reads in [*steps, (1, True, True)]:
            _write(attempt.log, written, count, width)
            written += count
            if looks:
                watching.look()
            if reads:
                numbers, offset, more = _read_on(attempt.log, offset, limit)
                found, stepped = found + numbers, stepped + more
        assert found == sorted(set(found))
        assert len(found) * (width + 1) + stepped == offset == os.stat(attempt.log).st_size


def test_marks_are_bounded_and_the_newest_are_exact(attempt: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "MOST_MARKS", 16)
    watching = LogWatch(attempt, CAP)
    for number in range(200):
        _write(attempt.log, number, 1, 9)
        watching.look()
    sizes = [int(line.split()[0]) for line in attempt.marks.read_text().splitlines()]
    assert len(sizes) <= 16
    assert sizes == sorted(sizes)
    assert (sizes[0], sizes[-4:]) == (10, [1970, 1980, 1990, 2000])  # the first one names the stream


def test_the_note_is_read_whole_or_again(attempt: Attempt) -> None:
    assert gap.noted(attempt.log) == gap.NONE
    gap.note(attempt.log, (65_536, 1 << 40))
    gap.reserve(attempt.log)
    assert gap.noted(attempt.log) == (65_536, 1 << 40)
    attempt.log.with_suffix(".gap").write_text("4096 8192")  # as an earlier release told it
    assert gap.noted(attempt.log) == (4096, 8192)
