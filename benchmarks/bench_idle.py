"""What a server costs that holds 10,000 finished jobs and that nobody asks anything, beside moto_server with as many.

It first shows each job as a Kubernetes resource; what is measured is what comes after.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil

import bench_list
from bench_aws_door import job, moto
from common import TRAINYARD, head, row, scratch

JOBS = int(os.environ.get("BENCH_JOBS", "10000"))
PAUSE = 10.0  # seconds of one look
REST = 30.0  # seconds after which what the start made is given back
PATIENCE = 900.0  # seconds


def spent(process: psutil.Process, seconds: float) -> float:
    """Percent of a processor."""
    before = sum(process.cpu_times()[:2])
    time.sleep(seconds)
    return (sum(process.cpu_times()[:2]) - before) / seconds * 100


def idle(process: psutil.Process) -> tuple[float, float]:
    """Percent of a processor, and MB of PSS."""
    return spent(process, 3 * PAUSE), process.memory_full_info().pss / 1e6


def all_shown(home: Path) -> bool:
    """Whether the Kubernetes door has a resource for each job, and the status of the oldest, which comes last."""
    try:
        server = json.loads((home / "kubeconfig").read_bytes())["clusters"][0]["cluster"]["server"]
        jobs = f"{server}/apis/sagemaker.services.k8s.aws/v1alpha1/namespaces/default/trainingjobs"
        found = json.load(urllib.request.urlopen(f"{jobs}?limit=1"))  # noqa: S310 - loopback
        if 1 + found["metadata"].get("remainingItemCount", 0) < JOBS:
            return False
        oldest = json.load(urllib.request.urlopen(f"{jobs}/job-000000"))  # noqa: S310 - loopback
        return "trainingJobStatus" in oldest.get("status", {})
    except (OSError, ValueError):
        return False


def ours(home: Path) -> tuple[float, float]:
    argv = [TRAINYARD, "--home", str(home), "serve", "--kube-port", "0", "--aws-port", "0"]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            process, begin = psutil.Process(server.pid), time.monotonic()
            while not all_shown(home) and time.monotonic() < begin + PATIENCE:
                time.sleep(1.0)
            print(f"all shown after {time.monotonic() - begin:.0f} s")
            time.sleep(REST)
            return idle(process)
        finally:
            server.terminate()


def theirs() -> tuple[float, float]:
    with moto() as url:
        for number in range(JOBS):
            body = json.dumps(job(f"a-{number}")).encode()
            headers = {"X-Amz-Target": "SageMaker.CreateTrainingJob", "Content-Type": "application/x-amz-json-1.1"}
            urllib.request.urlopen(urllib.request.Request(url, body, headers)).read()  # noqa: S310 - loopback
        children = psutil.Process().children()
        living = [one for one in children if one.status() != psutil.STATUS_ZOMBIE]
        return idle(next(one for one in living if any("moto_server" in word for word in one.cmdline())))


def main() -> None:
    with scratch() as folder:
        bench_list.JOBS = JOBS
        asyncio.run(bench_list.filled(folder / "home"))
        mine = ours(folder / "home")
        again = ours(folder / "home")
    other = theirs()
    print(f"load average {os.getloadavg()[0]:.1f}")
    head("trainyard", "moto")
    row(f"idle with {JOBS:,} finished jobs, percent of a processor", mine[0], max(other[0], 0.01), "%")
    row("memory (PSS)", mine[1], other[1], "MB")
    row("the same of a server that found all shown, percent", again[0], max(other[0], 0.01), "%")
    row("its memory (PSS)", again[1], other[1], "MB")


if __name__ == "__main__":
    sys.exit(main())
