"""kill -9 at random times: the program never notices, and what is told afterwards is true."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest
from tests.acceptance.test_unbreakable import (
    _alive,
    _processes,
    assert_one_writer_counted_to,
    command,
    leaders,
    status,
    training,
    until,
    witness,
)

pytestmark = pytest.mark.chaos
COUNT = 300  # numbers that the program writes, three seconds' worth


@pytest.mark.parametrize("seed", range(20))
def test_supervisors_launchers_and_leaders_die_at_random_and_the_sequence_is_whole(tmp_path: Path, seed: int) -> None:
    home, dice = tmp_path / "home", random.Random(seed)
    command(home, "run", "--detach", witness(tmp_path, "survivor", COUNT))
    training(home)
    for _ in range(dice.randint(2, 6)):
        time.sleep(dice.uniform(0.05, 0.5))  # the moment of the kill is what is random here
        _kill_one(home, dice)
    until(lambda: status(home, "survivor") == "Completed")
    assert_one_writer_counted_to(home, COUNT)
    assert not _processes(str(tmp_path / "witness.py"))


def _kill_one(home: Path, dice: random.Random) -> None:
    supervisor = _alive(home, "supervisor.json")
    leading, launched = leaders(home), set(_processes("launcher.py")) & set(_processes(str(home)))
    launchers = [pid for pid in launched if _parent(pid) in leading]  # their forks have their words: supervisor, shim
    victims = [*leading, *launchers, *([int(str(supervisor["pid"]))] if supervisor else [])]
    if victims:
        with suppress(ProcessLookupError):
            os.kill(dice.choice(victims), signal.SIGKILL)


def _parent(pid: int) -> int | None:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return None
