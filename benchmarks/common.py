"""What the benchmarks share: a home on a real disk, a request, and a table of figures."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from trainyard.model.spec import TrainingJobSpec
from trainyard.wiring.session import Session, open_session

DISK = os.environ.get("BENCH_DIR", "/var/tmp")  # not /tmp, which may be memory: commits have to reach a disk
TRAINYARD = str(Path(sys.executable).with_name("trainyard"))


class _EnoughError(Exception):
    """Leaves a session without handing its jobs to a caretaker."""


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder on the disk, gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="trainyard-bench-", dir=DISK))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def session(home: Path, *, lead: bool = False) -> AsyncIterator[Session]:
    """A session that leaves no process behind it."""
    with suppress(_EnoughError):
        async with open_session(str(home), lead=lead) as opened:
            yield opened
            raise _EnoughError


def wire(name: str, *argv: str) -> dict[str, object]:
    """A request that runs a command."""
    return {
        "TrainingJobName": name,
        "RoleArn": "arn:aws:iam::123456789012:role/trainer",
        "AlgorithmSpecification": {
            "TrainingImage": "local/python",
            "TrainingInputMode": "File",
            "ContainerEntrypoint": list(argv),
        },
        "OutputDataConfig": {"S3OutputPath": "s3://out/models"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    }


def spec(name: str, *argv: str) -> TrainingJobSpec:
    """The same, checked."""
    return TrainingJobSpec.from_wire(wire(name, *argv))


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all are not above (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]


def timed(work: Callable[[], object], times: int) -> list[float]:
    """Seconds of each call."""
    seconds = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
    return seconds


def command(home: Path, *argv: str) -> None:
    """Run a command to its end, silently."""
    variables = {**os.environ, "TRAINYARD_HOME": str(home), "NO_COLOR": "1"}
    subprocess.run(argv, env=variables, stdin=subprocess.DEVNULL, capture_output=True, check=True)


def row(what: str, ours: float, theirs: float, unit: str, *, more_is_better: bool = False) -> None:
    """One line: ours, the alternative, and their ratio."""
    ratio = ours / theirs if more_is_better else theirs / ours
    print(f"{what:<58} {ours:>12,.2f} {theirs:>12,.2f} {unit:<8} {_ratio(ratio)}", flush=True)


def head(ours: str, theirs: str) -> None:
    """The table's first line."""
    print(f"{'':<58} {ours:>12} {theirs:>12}", flush=True)


def _ratio(ratio: float) -> str:
    return f"{ratio:.2f} x as good" if ratio >= 1 else f"{1 / ratio:.2f} x the cost"
