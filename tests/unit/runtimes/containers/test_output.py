"""A container's output reaches our log whole and once, wherever the carrier was killed before."""

from __future__ import annotations

import os
import random
import re
import select
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engines import TestEngine
from tests.unit.runtimes.containers.test_engine import ended, form

from trainyard.runtimes.local.containers.output import LONGEST_ENTRY, Output, after, reserve, seconds, since, split
from trainyard.runtimes.local.containers.wire import EngineUnreachable

NAME = f"trainyard-output-{os.getpid()}"
ENTRIES = st.lists(
    st.tuples(
        st.sampled_from([1, 2]), st.binary(max_size=40).filter(lambda text: b" " not in text), st.binary(max_size=99)
    )
)


def framed(kind: int, stamp: bytes, text: bytes) -> bytes:
    body = stamp + b" " + text
    return bytes([kind, 0, 0, 0]) + len(body).to_bytes(4, "big") + body


@given(ENTRIES, st.data())
def test_entries_are_what_was_framed_however_it_is_cut(
    entries: list[tuple[int, bytes, bytes]], data: st.DataObject
) -> None:
    told = b"".join(framed(*entry) for entry in entries)
    found, rest = [], b""
    while told:
        size = data.draw(st.integers(1, len(told)))
        more, rest = split(rest + told[:size])
        found, told = found + more, told[size:]
    assert (found, rest) == (entries, b"")


FEW_TIMES = st.lists(st.tuples(st.sampled_from([1, 2]), st.sampled_from([b"1", b"2", b"3"]), st.just(b"")))


@given(FEW_TIMES, st.lists(st.integers(0, 30)))
def test_what_came_last_is_counted_alike_however_it_comes(
    entries: list[tuple[int, bytes, bytes]], cuts: list[int]
) -> None:
    expected: dict[int, tuple[bytes, int]] = {}
    for kind, stamp, _ in entries:
        before, count = expected.get(kind, (b"", 0))
        expected[kind] = (stamp, count + 1 if stamp == before else 1)
    found: dict[int, tuple[bytes, int]] = {}
    places = [0, *sorted(cut for cut in cuts if cut < len(entries)), len(entries)]
    for begin, end in pairwise(places):
        found = after(found, entries[begin:end])
    assert found == expected


@pytest.mark.parametrize(
    "told", [b"HTTP/1.1 500 no", framed(7, b"", b""), b"\1\0\0\0" + (LONGEST_ENTRY + 1).to_bytes(4, "big")]
)
def test_what_is_not_in_entries_is_no_output(told: bytes) -> None:
    with pytest.raises(EngineUnreachable):
        split(told)


@given(st.integers(100_000, 32_000_000_000), st.integers(-14 * 4, 14 * 4))
def test_times_are_those_of_the_calendar(moment: int, quarters: int) -> None:
    whole = datetime.fromtimestamp(moment, timezone(timedelta(minutes=15 * quarters)))
    for text in (whole.isoformat(), whole.astimezone(UTC).isoformat().replace("+00:00", ".000000001Z")):
        assert seconds(text.encode()) == int(whole.timestamp())


def test_it_is_asked_for_what_came_shortly_before_the_last_entry() -> None:
    assert since({}) == "0"
    late, early = b"2026-11-25T02:21:05.866945939Z", b"2026-11-25T01:00:00Z"
    assert since({1: (early, 3), 2: (late, 1)}) == f"{seconds(late) - 11}.999999999"


@pytest.fixture
def running(engine: TestEngine) -> Iterator[TestEngine]:
    """A container that writes on both its outputs for a while, long lines and parts of lines among them."""
    text = (
        "i=0; while [ $i -lt 300 ]; do echo out $i; echo err $i >&2; printf 'half %s ' $i; i=$((i+1)); "
        "[ $((i % 50)) = 0 ] && head -c 40000 /dev/zero | tr '\\0' x && echo && sleep .1; done"
    )
    engine.engine.create(NAME, form(engine, "/bin/sh", "-c", text))
    engine.engine.start(NAME)
    yield engine
    engine.engine.remove(NAME)


def test_a_carrier_that_is_followed_by_others_leaves_no_gap_and_no_repeat(running: TestEngine, tmp_path: Path) -> None:
    """Each carrier is left without a word, some of them after bytes were put down and before it was noted."""
    engine, log = running.engine, tmp_path / "algo-1.log"
    reserve(log)
    chance = random.Random(7)
    for _ in range(12):
        before = log.with_suffix(".carried").read_bytes()
        carrier = Output(engine, NAME, log)
        carrier.follow()
        for _ in range(chance.randrange(6)):
            if carrier.source is not None:
                select.select([carrier.source], [], [], 1)
            carrier.carry()
        carrier.close()
        if chance.random() < 0.5:
            log.with_suffix(".carried").write_bytes(before)
    ended(engine, NAME)
    last = Output(engine, NAME, log)
    last.carry_rest()
    last.close()
    whole = tmp_path / "whole.log"
    reserve(whole)
    once = Output(engine, NAME, whole)
    once.carry_rest()
    once.close()
    assert log.read_bytes() == whole.read_bytes()
    text = whole.read_bytes()
    for kind in (b"out", b"err"):
        assert [int(n) for n in re.findall(kind + rb" (\d+)\n", text)] == list(range(300))
    assert text.count(b"x") == 6 * 40000
    assert [int(part.split()[0]) for part in text.split(b"half ")[1:]] == list(range(300))
