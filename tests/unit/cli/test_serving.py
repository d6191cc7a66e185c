"""Two servers on one home, and a command beside one."""

from __future__ import annotations

import subprocess
import time

from tests.fakes.shell import PATIENCE, Shell, fetch


def test_a_second_server_is_refused_and_a_run_uses_the_first(
    shell: Shell, processes: list[subprocess.Popen[str]]
) -> None:
    first = shell.start("serve")
    processes.append(first)
    deadline = time.monotonic() + PATIENCE
    while '"status":"ok"' not in fetch(shell.home / "control.sock", "/healthz"):
        assert time.monotonic() < deadline
        assert first.poll() is None
    told = shell("serve", want=2).stderr
    assert f"(process {first.pid})" in told
    assert "name another home" in told
    assert '"status":"ok"' in fetch(shell.home / "control.sock", "/healthz")
    assert "trainyard_engine_leading 1.0" in fetch(shell.home / "control.sock", "/metrics")
    assert "Completed" in shell("run", shell.job("beside", "true")).stdout
    first.terminate()
    first.communicate(timeout=PATIENCE)
    assert first.returncode == 0
