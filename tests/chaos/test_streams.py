"""kill -9 at random times beside a program that streams: what it read is true, or its attempt is no success."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from tests.acceptance.test_unbreakable import (
    _alive,
    _carrying,
    command,
    in_the_store,
    leaders,
    log_lines,
    manifest,
    until,
)

from trainyard.runtimes.local import fuse

pytestmark = pytest.mark.chaos
EPOCHS = 12
# Says what it read of each epoch of a pipe, and of a file that is fetched when it is read.
READER = """
import hashlib, os, sys, time
for epoch in range(int(sys.argv[1])):
    path = f"/opt/ml/input/data/piped_{epoch}"
    while not os.path.exists(path):
        time.sleep(0.01)
    seen = hashlib.sha256()
    with open(path, "rb") as pipe:
        while data := pipe.read(1 << 20):
            seen.update(data)
            time.sleep(0.005)
    with open(f"/opt/ml/input/data/fast/{epoch % 4}", "rb") as file:
        known = hashlib.sha256(file.read()).hexdigest()
    os.write(1, f"{epoch} {seen.hexdigest()} {known}\\n".encode())
"""


def _data(folder: Path) -> list[bytes]:
    (folder / "data").mkdir()
    contents = [os.urandom(6 << 20) for _ in range(4)]
    for number, content in enumerate(contents):
        (folder / "data" / str(number)).write_bytes(content)
    return contents


def _job(folder: Path) -> str:
    script = folder / "reader.py"
    script.write_text(READER)
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"{(folder / 'data').as_uri()}/"}}
    channels = [
        {"ChannelName": name, "DataSource": source, "InputMode": mode}
        for name, mode in (("piped", "Pipe"), ("fast", "FastFile"))
    ]
    return manifest(
        folder, "reader", sys.executable, str(script), str(EPOCHS), InputDataConfig=channels,
        Environment={"MARK": str(folder)},
    )  # fmt: skip


@pytest.mark.skipif(fuse.missing() is not None, reason=f"no FastFile here: {fuse.missing()}")
@pytest.mark.parametrize("seed", range(8))
def test_what_was_read_is_true_or_the_job_fails(tmp_path: Path, seed: int) -> None:
    dice, home = random.Random(seed), tmp_path / "home"
    contents = _data(tmp_path)
    whole = hashlib.sha256(b"".join(contents)).hexdigest()
    known = [hashlib.sha256(content).hexdigest() for content in contents]
    victims = ["supervisor.json", "leader", *(["pipes.json", "mounts.json"] if seed % 2 else [])]
    command(home, "run", "--detach", _job(tmp_path))
    until(lambda: _alive(home, "shim.json"))
    for _ in range(4):
        time.sleep(dice.uniform(0.0, 0.8))  # the moment of the kill is what is random here
        _kill(home, dice.choice(victims))
    until(lambda: _status(home) in ("Completed", "Failed"))
    lines = log_lines(home)
    if _status(home) == "Completed":
        assert lines == [[str(epoch), whole, known[epoch % 4]] for epoch in range(EPOCHS)]
    else:
        assert seed % 2
        reason = json.loads(command(home, "describe", "reader", "-o", "json").stdout)["FailureReason"]
        assert reason.startswith("InternalServerError: We encountered an internal error. Please try again. (the helper")
    until(lambda: not _carrying(str(tmp_path)))
    until(lambda: not [line for line in _commands() if str(tmp_path) in line and "wiring." in line])


def _kill(home: Path, name: str) -> None:
    living = _alive(home, name) if name != "leader" else None
    found = leaders(home) if name == "leader" else [int(str(living["pid"]))] if living else []
    for pid in found[:1]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _status(home: Path) -> str:
    command(home, "list")
    return next(iter(in_the_store(home)), "")


def _commands() -> list[str]:
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            lines.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return lines
