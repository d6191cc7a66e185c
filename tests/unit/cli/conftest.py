"""Homes to type commands in: an empty one, and one where jobs have run."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes.shell import PATIENCE, Shell


def shell_in(folder: Path) -> Iterator[Shell]:
    yield Shell(folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def shell() -> Iterator[Shell]:
    # Not tmp_path: a socket's path must be short.
    yield from shell_in(Path(tempfile.mkdtemp(prefix="trainyard-cli-")))


@pytest.fixture(scope="module")
def done() -> Iterator[Shell]:
    """A home with a job that completed and one that failed."""
    for shell in shell_in(Path(tempfile.mkdtemp(prefix="trainyard-cli-"))):
        good = "for i in 9 5 1; do echo loss=0.$i; done; echo weights > /opt/ml/model/weights"
        shell("run", shell.job("good", good))
        shell("run", shell.job("bad", "for i in $(seq 30); do echo line-$i; done; exit 7"), want=1)
        yield shell


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that a test started; none outlives it."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE)
        if process.stdout is not None:
            process.stdout.close()
