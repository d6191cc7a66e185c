"""Supervisors are started whatever becomes of the launcher, and never twice at once."""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.acceptance.test_unbreakable import _processes, until

from trainyard.kit import atomic
from trainyard.runtimes.local import identity, launcher
from trainyard.runtimes.local.attempt import Attempt
from trainyard.runtimes.local.starting import Starter


@pytest.fixture
def attempts(tmp_path: Path) -> Path:
    folder = tmp_path / "attempts"
    folder.mkdir()
    return folder


@pytest.fixture
def starter(attempts: Path) -> Iterator[Starter]:
    one = Starter(attempts)
    yield one
    one.close()
    until(lambda: not _launchers(attempts))


def ordered(attempts: Path, name: str, *argv: str) -> Attempt:
    """An attempt that stages for as long as its helper runs."""
    attempt = Attempt(attempts / name / "train-train-1")
    attempt.ml.mkdir(parents=True)
    order = {
        "poke_socket": str(attempts / "poke.sock"), "job_uid": name, "stage_argv": list(argv or ("/bin/sleep", "60")),
        "helper_env": {},
    }  # fmt: skip
    atomic.write_json(attempt.order, order)
    return attempt


def alive(attempt: Attempt) -> dict[str, int] | None:
    who = atomic.read_json(attempt.supervisor)
    return who if identity.is_alive(who) else None


def supervisor_of(attempt: Attempt) -> psutil.Process:
    until(lambda: alive(attempt))
    return psutil.Process(atomic.read_json(attempt.supervisor)["pid"])


def end(*attempts: Attempt) -> None:
    for attempt in attempts:
        supervisor_of(attempt).kill()  # its helper dies with it


def _launchers(attempts: Path) -> list[int]:
    return [pid for pid in _processes(launcher.__file__) if pid in _processes(str(attempts))]


def only_launcher(attempts: Path) -> int:
    """The launcher's pid; supervisors are forks of it, and sessions that others than we are the parents of."""
    until(lambda: ours(attempts))  # it has its words a moment after it was started
    (pid,) = ours(attempts)
    return pid


def ours(attempts: Path) -> list[int]:
    return [pid for pid in _launchers(attempts) if psutil.pid_exists(pid) and psutil.Process(pid).ppid() == os.getpid()]


def test_a_supervisor_is_a_session_of_its_own_that_outlives_its_launcher(starter: Starter, attempts: Path) -> None:
    attempt = ordered(attempts, "one")
    starter.start(attempt)
    supervisor = supervisor_of(attempt)
    launched_by = only_launcher(attempts)
    assert supervisor.ppid() == launched_by
    assert os.getsid(supervisor.pid) == supervisor.pid
    starter.close()
    until(lambda: supervisor.ppid() != launched_by)
    assert alive(attempt)
    end(attempt)


def test_asking_twice_starts_one_supervisor(starter: Starter, attempts: Path) -> None:
    attempt = ordered(attempts, "one")
    threads = [threading.Thread(target=starter.start, args=(attempt,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    supervisor_of(attempt)
    assert len(psutil.Process(only_launcher(attempts)).children()) == 1
    end(attempt)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_without_a_launcher_that_answers_supervisors_start_all_the_same(
    starter: Starter, attempts: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainyard.runtimes.local.starting.ANSWER_WITHIN", 1.0)
    first, second, third = (ordered(attempts, name) for name in ("one", "two", "three"))
    starter.start(first)
    supervisor_of(first)
    lost = only_launcher(attempts)
    os.kill(lost, number)
    starter.start(second)
    starter.start(third)
    assert supervisor_of(second).ppid() == os.getpid()  # directly
    until(lambda: alive(third))
    if number == signal.SIGSTOP:
        os.kill(lost, signal.SIGKILL)
    end(first, second, third)


def test_a_launcher_that_was_idle_for_long_is_replaced(starter: Starter, attempts: Path) -> None:
    starter.prepare()
    os.kill(only_launcher(attempts), signal.SIGTERM)  # as if its time were over
    until(lambda: not [pid for pid in _launchers(attempts) if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE])
    first, second = ordered(attempts, "one"), ordered(attempts, "two")
    starter.start(first)
    starter.start(second)
    assert supervisor_of(second).ppid() == only_launcher(attempts)
    end(first, second)


def test_what_prevents_a_start_is_told(starter: Starter, attempts: Path) -> None:
    with pytest.raises(OSError, match="No such file") as told:
        starter.start(Attempt(attempts / "nowhere" / "train-train-1"))
    assert told.value.errno == errno.ENOENT


def test_nothing_of_the_launcher_stays_open_in_a_supervisor(starter: Starter, attempts: Path) -> None:
    first, second = ordered(attempts, "one"), ordered(attempts, "two")
    starter.start(first)
    starter.start(second)
    supervisor = supervisor_of(second)
    opened = [os.readlink(f"/proc/{supervisor.pid}/fd/{name}") for name in os.listdir(f"/proc/{supervisor.pid}/fd")]
    assert not [name for name in opened if "socket" in name or str(first.folder) in name]
    assert opened.count(str(second.lock)) == 1
    end(first, second)


def test_a_supervisor_that_fails_says_why_in_its_log(starter: Starter, attempts: Path) -> None:
    attempt = ordered(attempts, "one")
    attempt.order.write_text("{}")
    starter.start(attempt)
    until(lambda: "KeyError" in attempt.supervisor_log.read_text())
