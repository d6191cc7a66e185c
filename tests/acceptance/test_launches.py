"""How a run comes to be started: what prevents it is told, and what starts it may die."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.acceptance.jobs import ended, home, request, shell, until

from trainyard.model.errors import Transient
from trainyard.wiring.session import open_session


async def test_what_prevents_a_launch_is_told_once(tmp_path: Path) -> None:
    """Something of the user's lies where attempts go: the job says so, and starts once it is away."""
    async with open_session(home(tmp_path), lead=True) as session:
        blocker = session.home.attempts
        blocker.rmdir()
        blocker.write_text("mine")
        await session.service.create(request(tmp_path, "job", shell("echo w > /opt/ml/model/w")))
        hindered = await until(session, "job", lambda job: job.waiting is not None)
        text = f"The attempt cannot be started in {blocker}/{hindered.uid}/train-train-1: Not a directory."
        assert hindered.waiting == f"waiting for a start that succeeds: {text}"
        (record,) = await session.engine.unfinished()
        with pytest.raises(Transient, match="Not a directory"):
            await session.engine._pass(record.key)  # one more try
        blocker.unlink()
        blocker.mkdir()
        ran = await ended(session, tmp_path)
        assert ran.file("w") == b"w\n"
        assert ran.job.waiting is None
        events = await session.service.events("job")
        assert [event.message for event in events.items if event.reason == "LaunchFailed"] == [text]
