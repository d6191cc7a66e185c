"""An engine that dies does not keep the home's lead while nothing runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from trainyard.wiring import leadership, session
from trainyard.wiring.home import Home

DEADLINE = 30.0


async def test_an_engine_that_died_gives_the_lead_up_and_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(session, "LEAD_AGAIN", 0.01)
    real, calls, again = leadership.hints, 0, asyncio.Event()

    def hints(home: Home) -> AsyncIterator[str]:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise OSError(28, "No space left on device")
        again.set()
        return real(home)

    monkeypatch.setattr(leadership, "hints", hints)
    async with session.open_session(str(tmp_path / "home"), lead=True) as opened:
        await asyncio.wait_for(again.wait(), DEADLINE)
        assert opened.leadership.held
    assert "the engine ended and is started again" in caplog.text
