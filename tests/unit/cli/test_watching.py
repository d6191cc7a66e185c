"""run and attach in front of a person: the status in place, Ctrl-C, a closed terminal; and plain lines elsewhere."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from tests.fakes.shell import COMMAND, PATIENCE, Shell, wait_for_line
from tests.fakes.terminal import Terminal

from trainyard.cli.reading import lines_of
from trainyard.cli.screen import LiveScreen
from trainyard.cli.watching import _in_time
from trainyard.model.ledger import LogEvent

Open = Callable[..., Terminal]


@pytest.fixture
def open_terminal(shell: Shell) -> Iterator[Open]:
    opened: list[Terminal] = []

    def start(*arguments: str, **changes: str) -> Terminal:
        env = {key: value for key, value in shell.environment.items() if key != "NO_COLOR"} | changes
        opened.append(Terminal([*COMMAND, *arguments], env, shell.folder))
        return opened[-1]

    yield start
    for terminal in opened:
        terminal.close()


def lasting(shell: Shell, name: str = "lasting") -> tuple[str, Callable[[], None]]:
    """A manifest of a job that measures, then lasts until it may go; and what lets it go."""
    go = shell.folder / "go"
    command = f"echo loss=0.5; echo ready; while [ ! -e {go} ]; do sleep 0.05; done; echo over"
    return str(shell.job(name, command)), go.touch


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline


def status_of(shell: Shell, name: str) -> str:
    return str(json.loads(shell("describe", name, "-o", "json").stdout)["TrainingJobStatus"])


def test_a_run_that_cannot_be_observed_is_told_with_its_age_and_reason(shell: Shell) -> None:
    path, let_go = lasting(shell)
    shell("run", "--detach", path)
    until(lambda: shell("logs", "lasting").stdout.endswith("ready\n"))
    (journal,) = shell.home.glob("attempts/*/*/journal.json")
    journal.write_text("torn")
    until(lambda: "not observed for" in shell("describe", "lasting").stdout)
    told = json.loads(shell("describe", "lasting", "-o", "json").stdout)
    assert told["TrainingJobStatus"] == "InProgress"
    assert "journal cannot be read" in told["trainyard"]["unobserved"]["reason"]
    assert "Training (not observed for " in shell("list").stdout
    assert "unobservedSince" in json.loads(shell("list", "-o", "json").stdout)[0]["trainyard"]
    assert shell("logs", "lasting").stdout.endswith("ready\n")  # what it wrote can be read all the same
    let_go()  # its supervisor writes the journal anew
    shell("wait", "lasting")
    reasons = shell("events", "lasting", "-o", "name").stdout.split()
    assert reasons[-3:] == ["NotObserved", "ObservedAgain", "Completed"]
    assert "not observed" not in shell("describe", "lasting").stdout


def test_a_terminal_shows_phase_and_newest_metric_in_place(shell: Shell, open_terminal: Open) -> None:
    path, let_go = lasting(shell)
    terminal = open_terminal("run", path)
    terminal.read_until("loss=0.5  (", PATIENCE)
    assert "lasting: Training for " in terminal.text
    assert "\x1b[J" in terminal.text  # what stood there was taken away
    let_go()
    assert terminal.end(PATIENCE) == 0
    after_last_erase = terminal.text.rpartition("\x1b[J")[2]
    assert "Training for" not in after_last_erase
    assert "Completed" in after_last_erase


@pytest.mark.parametrize("changes", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_a_terminal_that_only_prints_gets_plain_lines(
    shell: Shell, open_terminal: Open, changes: dict[str, str]
) -> None:
    terminal = open_terminal("run", str(shell.job("plain", "echo hello")), **changes)
    assert terminal.end(PATIENCE) == 0
    assert "hello" in terminal.text
    assert "\x1b" not in terminal.text


def test_ctrl_c_stops_gracefully(shell: Shell, open_terminal: Open) -> None:
    terminal = open_terminal("run", lasting(shell)[0])
    terminal.read_until("ready", PATIENCE)
    terminal.press_ctrl_c()
    terminal.read_until("Ctrl-C again leaves it running", PATIENCE)
    assert terminal.end(PATIENCE) == 3
    assert "Stopped" in terminal.text


def test_a_second_ctrl_c_leaves_it_running(shell: Shell, open_terminal: Open) -> None:
    path, let_go = lasting(shell)
    terminal = open_terminal("run", path)
    terminal.read_until("ready", PATIENCE)
    terminal.press_ctrl_c()
    terminal.read_until("Ctrl-C again leaves it running", PATIENCE)
    terminal.press_ctrl_c()
    assert terminal.end(PATIENCE) == 130
    assert "lasting is left running" in terminal.text
    assert status_of(shell, "lasting") == "InProgress"
    let_go()
    shell("wait", "lasting")
    assert shell("logs", "lasting", "--tail", "1").stdout == "over\n"


def test_without_a_terminal_ctrl_c_stops_at_once(shell: Shell, processes: list[subprocess.Popen[str]]) -> None:
    running = shell.start("run", lasting(shell)[0])
    processes.append(running)
    wait_for_line(running, "ready")
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=PATIENCE)
    assert running.returncode == 3


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_command_that_is_told_to_end_leaves_its_job_led(
    shell: Shell, processes: list[subprocess.Popen[str]], number: signal.Signals, status: int
) -> None:
    path, let_go = lasting(shell)
    running = shell.start("run", path)
    processes.append(running)
    wait_for_line(running, "ready")
    running.send_signal(number)
    running.communicate(timeout=PATIENCE)
    assert running.returncode == status
    let_go()
    shell("wait", "lasting")


def test_a_closed_terminal_leaves_its_job_running(shell: Shell, open_terminal: Open) -> None:
    path, let_go = lasting(shell)
    terminal = open_terminal("run", path)
    terminal.read_until("ready", PATIENCE)
    terminal.hang_up()
    terminal.process.wait(PATIENCE)
    assert status_of(shell, "lasting") == "InProgress"
    let_go()
    shell("wait", "lasting")


def test_jobs_after_one_that_was_left_are_not_started(shell: Shell, open_terminal: Open) -> None:
    first, let_go = lasting(shell)
    both = shell.folder / "both.yaml"
    second = shell.job("second", "true")
    both.write_text(f"{(shell.folder / first).read_text()}---\n{second.read_text()}")
    terminal = open_terminal("run", str(both))
    terminal.read_until("ready", PATIENCE)
    terminal.press_ctrl_c()
    terminal.read_until("Ctrl-C again leaves it running", PATIENCE)
    terminal.press_ctrl_c()
    assert terminal.end(PATIENCE) == 130
    assert shell("list", "-o", "name").stdout == "lasting\n"
    let_go()
    shell("wait", "lasting")


def test_lines_and_steps_stand_in_order_of_time() -> None:
    def event(at: float, text: str) -> LogEvent:
        return LogEvent(stream="s", offset=0, at=at, message=text)

    told = _in_time([(1.0, "Training"), (3.0, "Uploading")], [event(1.0, "a"), event(2.0, "b"), event(4.0, "c")])
    assert told == ["Training", "a", "b", "Uploading", "c"]


def test_the_live_block_is_cut_and_taken_away(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    live = LiveScreen()
    live.status(["x" * 50, "second"])
    live.lines(["a line"])
    live.close()
    shown = capsys.readouterr().out
    assert "x" * 18 + "…\n" in shown
    assert "x" * 19 not in shown
    assert "\r\x1b[1A\x1b[Ja line\n" in shown
    assert shown.endswith("\x1b[J")


def test_colours_of_a_job_are_shown_and_nothing_else_of_its_control(monkeypatch: pytest.MonkeyPatch) -> None:
    def seen(message: str) -> str:
        return lines_of(LogEvent(stream="s", offset=0, at=0.0, message=message))[0]

    monkeypatch.setattr("trainyard.cli.output.in_colour", lambda: True)
    assert seen("#033[1;31mred#033[0m") == "\x1b[1;31mred\x1b[0m\x1b[0m"
    assert seen("#033[2J#033]0;owned") == "#033[2J#033]0;owned"
    assert seen("#033[8mhidden") == "#033[8mhidden"
    assert seen("10%#01550%#015100%") == "100%"
    monkeypatch.setattr("trainyard.cli.output.in_colour", lambda: False)
    assert seen("#033[31m10%#015100%") == "#033[31m10%#015100%"
