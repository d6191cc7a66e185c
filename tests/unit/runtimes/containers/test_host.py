"""A container whose engine has gone away is looked at now and then, whatever its program does meanwhile."""

from __future__ import annotations

import select
import subprocess
from pathlib import Path
from typing import Any

import pytest

from trainyard.runtimes.local.attempt import Attempt
from trainyard.runtimes.local.containers.engine import Engine
from trainyard.runtimes.local.containers.host import LOOK, ContainerHost

TOKEN = {"ai.trainyard.token": "of this attempt"}


def test_an_end_that_no_engine_can_tell_of_keeps_nobody_awake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = Attempt(tmp_path)
    attempt.log.parent.mkdir(parents=True)
    attempt.log.touch()
    plain = {"name": "job", "socket": str(tmp_path / "nobody"), "form": {"Labels": TOKEN}}
    with subprocess.Popen(["sleep", "600"]) as program:
        state = {"Status": "running", "Pid": program.pid}
        found: dict[str, Any] = {"Id": "", "State": state, "Config": {"Labels": TOKEN}}
        with monkeypatch.context() as patch:
            patch.setattr(Engine, "inspect", lambda *_: found)
            host = ContainerHost(attempt, {"container": plain})
            assert host.attach()
        assert host.blind is not None
        assert host.pid == program.pid
        program.kill()
    for _ in range(10):
        assert not host.is_over(select.select(host.sources(), [], [], 0)[0])
        assert host.sources() == []
    assert host.rest == LOOK
    host.close()
