"""Patterns that RE2 cannot hold (look-around, back-references): in a process that is killed when they take too long.

Such a pattern may take for ever on one line, and Python's own engine cannot be interrupted. So it has a budget of CPU
time for each piece of log, kept by the kernel; one that exceeds it is given up, and the others go on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EACH, ALL = 0.25, 0.5  # seconds of CPU for a piece of log: of one pattern, and of all together once they are known
WALL = 30.0  # seconds for a whole piece on a machine that has no CPU to give
MEMORY = 512 << 20  # bytes of address space of the worker
_WORKER = str(Path(__file__).with_name("regex_worker.py"))


@dataclass(frozen=True, slots=True)
class Found:
    """What the patterns gave: (pattern's place, offset in the piece, value's text), and the places given up."""

    matches: tuple[tuple[int, int, str], ...]
    given_up: tuple[int, ...]


def search(patterns: Sequence[str], data: bytes, longest: int) -> Found:
    """Look for all patterns in whole lines. Ends in a time that the number of patterns bounds, whatever they are."""
    left = list(range(len(patterns)))
    given_up: list[int] = []
    answers: list[dict[str, Any]] = []
    while left:
        answers = _asked([patterns[place] for place in left], data, longest)
        if len(answers) == len(left):
            break
        given_up.append(left.pop(len(answers)))  # the one that was under way
        answers = []
    told = list(zip(left, answers, strict=True))
    given_up += [place for place, answer in told if "failed" in answer]
    spent = {place: answer["spent"] for place, answer in told if "spent" in answer}
    if sum(spent.values()) > ALL:
        given_up.append(max(spent, key=lambda place: spent[place]))
    matches = [(place, offset, text) for place, answer in told for offset, text in answer.get("found", ())]
    return Found(tuple(matches), tuple(sorted(given_up)))


def groups_of(pattern: str) -> int:
    """How many groups a pattern has. Raises ValueError with the reason if it is none, or takes too long to read."""
    answers = _asked([pattern], b"", 1)
    if not answers:
        raise ValueError(f"it takes more than {EACH:g} s to read")
    if "failed" in answers[0]:
        raise ValueError(answers[0]["failed"])
    return int(answers[0]["groups"])


def _asked(patterns: Sequence[str], data: bytes, longest: int) -> list[dict[str, Any]]:
    """The worker's answers, in order; fewer than there are patterns where it was ended on the way."""
    order = {"patterns": list(patterns), "seconds": EACH, "memory": MEMORY, "longest": longest}
    argv = [os.path.realpath(sys.executable), "-I", "-S", _WORKER]
    try:
        said = subprocess.run(
            argv, input=json.dumps(order).encode() + b"\n" + data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            cwd="/", env={}, timeout=WALL, check=False,
        ).stdout  # fmt: skip
    except subprocess.TimeoutExpired as late:
        said = late.stdout or b""
    return [json.loads(line) for line in said.split(b"\n")[:-1]]
