"""Two commands at once on one home, a new one included: each does its part or says why not, and nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.acceptance.test_unbreakable import DEADLINE, command, manifest, status, until


def together(home: Path, *commands: tuple[str, ...]) -> list[subprocess.CompletedProcess[str]]:
    """Commands started at the same moment, awaited to their ends."""
    environment = {**os.environ, "TRAINYARD_HOME": str(home), "NO_COLOR": "1"}
    program = str(Path(sys.executable).with_name("trainyard"))
    started = [
        subprocess.Popen([program, *one], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for one in commands
    ]
    done = []
    for process in started:
        out, err = process.communicate(timeout=2 * DEADLINE)
        assert "Traceback" not in err, err
        done.append(subprocess.CompletedProcess(process.args, process.returncode, out, err))
    return done


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_many_first_openings_of_one_home_all_succeed(home: Path) -> None:
    assert [done.returncode for done in together(home, *[("list",)] * 6)] == [0] * 6


def test_of_two_runs_of_one_name_one_runs_and_the_other_is_refused(home: Path, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    file = manifest(tmp_path, "same", "/bin/sh", "-c", f"echo ran >> {mark}")
    codes = sorted(done.returncode for done in together(home, ("run", file), ("run", file)))
    assert codes == [0, 2]
    assert mark.read_text() == "ran\n"


def test_runs_of_different_names_all_complete(home: Path, tmp_path: Path) -> None:
    files = [manifest(tmp_path, f"job-{n}", "/bin/sh", "-c", "echo done") for n in range(3)]
    assert [done.returncode for done in together(home, *(("run", file) for file in files))] == [0, 0, 0]
    assert {status(home, f"job-{n}") for n in range(3)} == {"Completed"}


def test_stop_and_delete_at_once_stop_the_job_and_delete_it_only_when_it_is_final(home: Path, tmp_path: Path) -> None:
    command(home, "run", "--detach", manifest(tmp_path, "job", "/bin/sleep", "600"))
    until(lambda: list(home.glob("attempts/*/*/shim.json")))
    stopped, deleted = together(home, ("stop", "job"), ("delete", "job"))
    assert stopped.returncode == 0, stopped.stderr
    if deleted.returncode == 0:
        assert command(home, "list", "-o", "name").stdout.split() == []
    else:
        until(lambda: status(home, "job") == "Stopped")
