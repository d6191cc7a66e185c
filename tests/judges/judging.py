"""Stock clients, unmodified and in environments of their own, led to a server by what `trainyard env` prints alone."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.test_aws_serve import Served
from tests.tools import TOOLS

HERE = Path(__file__).parent


class JudgeRefused(Exception):  # noqa: N818 - a judge may well be meant to refuse
    """What a judge raised: its kind and its words."""

    def __init__(self, kind: str, text: str, printed: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind, self.text, self.printed = kind, text, printed


@dataclass(frozen=True)
class Told:
    """What a call gave, and what it printed meanwhile."""

    value: Any
    printed: str


@dataclass(frozen=True)
class Judge:
    """A process that stays, in a judge's own interpreter."""

    process: subprocess.Popen[str]
    log: Path

    def __call__(self, name: str, /, **arguments: Any) -> Told:
        """Call a function of the judge's programs; raises JudgeRefused with what it raised."""
        sent, answers = self.process.stdin, self.process.stdout
        assert sent is not None
        assert answers is not None
        sent.write(json.dumps({"name": name, "arguments": arguments}) + "\n")
        sent.flush()
        line = answers.readline()
        assert line, self.log.read_text()[-4000:]
        told = json.loads(line)
        if "failure" in told:
            raise JudgeRefused(told["failure"], told["text"], told["printed"])
        return Told(told["value"], told["printed"])


def interpreter(judge: str) -> Path:
    """The Python of a judge; skips where there is none, with what to do."""
    python = TOOLS / judge / "bin" / "python"
    if not (TOOLS / judge / ".judge").exists():
        pytest.skip(f"{judge} is not here: make sdks")
    return python


@contextmanager
def judged_by(judge: str, served: Served, folder: Path) -> Iterator[Judge]:
    """A judge with a home of its own, whose only way to anything of AWS is what the server's environment says."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
    env = {**kept, **served.variables(), "HOME": str(folder), "SAGEMAKER_SUPPRESS_V2_WARNING": "1"}
    log = folder / f"{judge}.log"
    argv = [str(interpreter(judge)), str(HERE / "desk.py"), str(HERE / f"{judge}_programs.py")]
    with log.open("wb") as sink, subprocess.Popen(
        argv, env=env, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sink, text=True
    ) as process:  # fmt: skip
        try:
            yield Judge(process, log)
        finally:
            process.kill()
