"""Log lines per second looked through for metrics, beside the definitions tried one by one with `re`."""

from __future__ import annotations

import re
import time

from common import head, row
from trainyard.agent.metrics import LogScanner

LINES = 200_000
EVERY = 100
NAMES = ("train:loss", "train:acc", "val:loss", "val:acc", "lr", "epoch", "grad_norm", "throughput", "f1", "auc")
NUMBER = r"([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]+)?)"
KINDS = {
    "start with a word": [(name, rf"{re.escape(name)}={NUMBER}") for name in NAMES],
    "start with .*, as AWS's XGBoost's do": [
        (name, rf".*\[[0-9]+\].*#011{re.escape(name)}={NUMBER}") for name in NAMES
    ],
}


def log() -> bytes:
    """One line in EVERY tells a metric; the others are what frameworks print."""
    told = "2026-01-01 00:00:00 INFO trainer.py:117 worker {n} read shard data-{n:06} in 0.{n} s, queue depth 12"
    lines = (
        f"[{n}]#011{NAMES[n // EVERY % len(NAMES)]}={n / LINES:.4f}" if n % EVERY == 0 else told.format(n=n)
        for n in range(LINES)
    )
    return "\n".join(lines).encode() + b"\n"


def one_by_one(definitions: list[tuple[str, str]], data: bytes) -> list[tuple[str, float]]:
    patterns = [(name, re.compile(regex)) for name, regex in definitions]
    found = []
    for raw in data.split(b"\n"):
        line = raw.decode("utf-8", "replace")
        for name, pattern in patterns:
            match = pattern.search(line)
            if match:
                found.append((name, float(match.group(1))))
    return found


def compare(kind: str, definitions: list[tuple[str, str]], data: bytes) -> None:
    begin = time.perf_counter()
    scan = LogScanner(definitions).scan(data, time_of=float, final=True)
    ours = time.perf_counter() - begin
    begin = time.perf_counter()
    expected = one_by_one(definitions, data)
    theirs = time.perf_counter() - begin
    assert [(point.name, point.value) for point in scan.points] == expected
    assert len(expected) == LINES // EVERY
    row(f"definitions that {kind}", LINES / ours, LINES / theirs, "lines/s", more_is_better=True)


def main() -> None:
    data = log()
    print(f"{len(NAMES)} definitions, 1 line in {EVERY} matching, {len(data) // LINES} bytes a line")
    head("trainyard", "re")
    for kind, definitions in KINDS.items():
        compare(kind, definitions, data)


if __name__ == "__main__":
    main()
