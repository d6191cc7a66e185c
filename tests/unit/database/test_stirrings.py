"""When a file that others write to is looked at again."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

import pytest

from trainyard.database import stirrings
from trainyard.database.stirrings import Stirrings

FOR_EVER = 3600.0


@pytest.fixture
def log(tmp_path: Path) -> Path:
    log = tmp_path / "store.db-wal"
    log.write_bytes(b"")
    return log


@pytest.fixture(autouse=True)
def _calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """At rest from the first moment, and then no look without a reason."""
    monkeypatch.setattr(stirrings, "CALM", 0.0)
    monkeypatch.setattr(stirrings, "SOON", 0.0)
    monkeypatch.setattr(stirrings, "LONGEST", FOR_EVER)


async def test_a_write_ends_the_rest_of_all_who_wait(log: Path) -> None:
    with closing(Stirrings(log)) as heard:
        await heard.again()  # from here on it is told
        waiting = [asyncio.create_task(heard.again()) for _ in range(3)]
        await asyncio.sleep(0)
        assert not any(task.done() for task in waiting)
        log.write_bytes(b"1")
        async with asyncio.timeout(20):
            await asyncio.gather(*waiting)


async def test_what_was_written_between_two_waits_is_no_rest(log: Path) -> None:
    with closing(Stirrings(log)) as heard:
        await heard.again()  # from here on it is told
        log.write_bytes(b"1")
        async with asyncio.timeout(20):
            await heard.again()


async def test_a_hint_ends_the_rest(log: Path) -> None:
    with closing(Stirrings(log)) as heard:
        await heard.again()  # from here on it is told
        hint = asyncio.Event()
        waiting = asyncio.create_task(heard.again(hint))
        await asyncio.sleep(0)
        assert not waiting.done()
        hint.set()
        async with asyncio.timeout(20):
            await waiting


async def test_soon_after_a_write_there_are_looks_without_another(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stirrings, "CALM", FOR_EVER)
    with closing(Stirrings(log)) as heard:
        await heard.again()
        log.write_bytes(b"1")
        async with asyncio.timeout(20):
            for _ in range(3):
                await heard.again()


async def test_whoever_is_told_nothing_looks_all_the_time(tmp_path: Path) -> None:
    with closing(Stirrings(tmp_path / "none")) as heard:
        async with asyncio.timeout(20):
            for _ in range(3):
                await heard.again()
