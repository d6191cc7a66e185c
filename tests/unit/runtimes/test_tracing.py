"""An attempt's trace moves with all that a look would tell, and is missing where only a look can tell."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from trainyard.kit import atomic
from trainyard.runtimes.local import identity
from trainyard.runtimes.local.attempt import Attempt
from trainyard.runtimes.local.tracing import METRICS, Tracing


@pytest.fixture
def attempt(tmp_path: Path) -> Attempt:
    one = Attempt(tmp_path / "job" / "train-train-1")
    (one.ml / METRICS).mkdir(parents=True)
    one.log.parent.mkdir()
    one.usage.parent.mkdir()
    one.log.touch()
    atomic.write_json(one.journal, {"outcome": None})
    atomic.write_json(one.supervisor, identity.identify(os.getpid()))
    return one


def append(path: Path) -> None:
    with path.open("a") as file:
        file.write("more\n")


CHANGES: dict[str, Callable[[Attempt], object]] = {
    "a journal that was replaced": lambda one: atomic.write_json(one.journal, {"outcome": None}),
    "a journal that can be read again": lambda one: one.journal.chmod(0o600),
    "log": lambda one: append(one.log),
    "the first use": lambda one: append(one.usage),
    "a metrics file": lambda one: append(one.ml / METRICS / "1.json"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_a_look_would_tell_moves_the_trace(attempt: Attempt, change: str) -> None:
    tracing = Tracing()
    before = tracing.traces({1: attempt})
    assert before == tracing.traces({1: attempt}) != {}
    CHANGES[change](attempt)
    assert tracing.traces({1: attempt})[1] != before[1]


@pytest.mark.parametrize("name", ["journal", "supervisor"])
def test_an_attempt_without_journal_or_supervisor_needs_a_look(attempt: Attempt, name: str) -> None:
    tracing = Tracing()
    assert tracing.traces({1: attempt})
    getattr(attempt, name).unlink()
    assert tracing.traces({1: attempt}) == {}


@pytest.mark.parametrize("change", [{"start": 1}, {"boot": "another"}])
def test_a_supervisor_that_is_another_process_or_of_another_boot_needs_a_look(
    attempt: Attempt, change: dict[str, object]
) -> None:
    tracing = Tracing()
    assert tracing.traces({1: attempt})
    atomic.write_json(attempt.supervisor, identity.identify(os.getpid()) | change)
    assert tracing.traces({1: attempt}) == {}


def test_a_hostile_metrics_folder_breaks_nothing_out(attempt: Attempt, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (attempt.ml / METRICS).rmdir()
    (attempt.ml / METRICS).symlink_to(elsewhere)
    before = Tracing().traces({1: attempt})
    append(elsewhere / "1.json")
    assert Tracing().traces({1: attempt}) == before != {}
