"""The operator's numbers against one small API server process, and kopf's with the same handler beside them.

    python benchmarks/bench_operator.py [count]

Each measurement runs in a process of its own, on a fresh server. The service is in memory and answers at once.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
GROUP, VERSION, PLURAL = "sagemaker.services.k8s.aws", "v1alpha1", "trainingjobs"
SPEC: dict[str, Any] = {
    "roleARN": "arn:aws:iam::123456789012:role/role-of-training",
    "hyperParameters": {f"parameter-{number}": "0.123456789" for number in range(20)},
    "algorithmSpecification": {
        "trainingImage": "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:1.7-1",
        "trainingInputMode": "File",
        "enableSageMakerMetricsTimeSeries": False,
    },
    "outputDataConfig": {"s3OutputPath": "s3://bucket/output", "kmsKeyID": "", "compressionType": "GZIP"},
    "resourceConfig": {"instanceCount": 1, "instanceType": "ml.m4.xlarge", "volumeSizeInGB": 5},
    "stoppingCondition": {"maxRuntimeInSeconds": 3600},
    "enableNetworkIsolation": False,
    "enableManagedSpotTraining": False,
    "enableInterContainerTrafficEncryption": False,
}


class Jobs:
    """A service in memory: jobs by name, a feed of changes, and how often it was asked."""

    def __init__(self) -> None:
        from trainyard.model.keys import Scope

        self.scope = Scope("123456789012", "us-west-2")
        self.finals: set[str] = set()
        self.moved: asyncio.Queue[str] = asyncio.Queue()
        self.asked = 0
        self.secondary: dict[str, str] = {}

    async def describe(self, name: str) -> Any:
        """A job as its service tells it."""
        from trainyard.model.job import Job

        self.asked += 1
        return Job(
            description=description(name, final=name in self.finals, secondary=self.secondary.get(name)), uid=name
        )

    async def revision(self) -> int:
        """Nothing has happened."""
        return 0

    async def changes(self, since: int) -> AsyncIterator[Any]:
        """What moved."""
        from trainyard.model.ledger import Change

        while True:
            since += 1
            yield Change(since, self.scope.account, self.scope.region, await self.moved.get())


@cache
def request() -> dict[str, Any]:
    """The spec as the service keeps it."""
    from trainyard.model.casing import to_api

    return dict(to_api(SPEC))


def description(name: str, *, final: bool, secondary: str | None = None) -> Any:
    """The DescribeTrainingJob answer of a job."""
    from trainyard.model.description import TrainingJobDescription

    return TrainingJobDescription.from_wire(
        {
            **request(),
            "TrainingJobName": name,
            "TrainingJobArn": f"arn:aws:sagemaker:us-west-2:123456789012:training-job/{name}",
            "ModelArtifacts": {"S3ModelArtifacts": "s3://bucket/output/model.tar.gz"},
            "TrainingJobStatus": "Completed" if final else "InProgress",
            "SecondaryStatus": "Completed" if final else secondary or "Training",
            "CreationTime": 1_700_000_000.0,
            "LastModifiedTime": 1_700_000_100.0,
        }
    )


def resource_of(name: str, status: dict[str, Any] | None) -> dict[str, Any]:
    """A managed resource."""
    body: dict[str, Any] = {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "TrainingJob",
        "metadata": {"name": name, "namespace": "default", "finalizers": [f"finalizers.{GROUP}/TrainingJob"]},
        "spec": {"trainingJobName": name, **SPEC},
    }
    return {**body, "status": status} if status is not None else body


def told(name: str, *, final: bool) -> dict[str, Any]:
    """The status that the operator itself settles on."""
    from trainyard.model.job import Job
    from trainyard.model.keys import Scope
    from trainyard.operator.case import Case, Rules, Seen
    from trainyard.operator.decide import decide
    from trainyard.operator.steps import Settle

    known = {"ackResourceMetadata": {"arn": description(name, final=final).training_job_arn}}
    made = resource_of(name, known)
    made["metadata"]["generation"] = 1
    seen = Seen(Job(description=description(name, final=final), uid=name))
    step = decide(
        Case(resource=made, sight=seen, rules=Rules(scope=Scope("123456789012", "us-west-2")), now=1_700_000_200.0)
    )
    assert isinstance(step, Settle), step
    return {
        **known,
        **step.status,
        "ackResourceMetadata": {**known["ackResourceMetadata"], **step.status["ackResourceMetadata"]},
    }


def usage() -> tuple[float, float]:
    """(CPU seconds, peak MB) of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return used.ru_utime + used.ru_stime, int(peak.split()[1]) / 1024


@contextmanager
def a_server() -> Any:
    """The API server in a process of its own; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with subprocess.Popen([sys.executable, str(ROOT / "tests/fakes/apiserver.py"), str(port)]) as process:
        try:
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


async def fill(url: str, items: list[dict[str, Any]]) -> None:
    """Put resources into the server, as they are."""
    import aiohttp

    async with aiohttp.ClientSession() as session:
        await session.post(f"{url}/fill/namespaces", json=[{"metadata": {"name": "default"}}])
        for first in range(0, len(items), 100):
            await session.post(f"{url}/fill/{PLURAL}", json=items[first : first + 100])


async def writes_of(url: str) -> dict[str, int]:
    """How many writes of resources and of events the server has seen."""
    import aiohttp

    async with aiohttp.ClientSession() as session, session.get(f"{url}/writes") as answer:
        return dict(await answer.json())


def ours(url: str) -> tuple[Any, Jobs, Any]:
    """A client, a service and a controller."""
    from trainyard.kit.clock import SystemClock
    from trainyard.kubeapi.access import Access, Fixed
    from trainyard.kubeapi.client import Client
    from trainyard.operator.case import Rules
    from trainyard.operator.controller import Controller

    clock, jobs = SystemClock(), Jobs()
    client = Client(Access(server=url, credentials=Fixed()), clock)
    service: Any = jobs
    return client, jobs, Controller(client, service, Rules(scope=jobs.scope), clock)


async def cold_start(url: str, count: int) -> dict[str, Any]:
    """9,900 of 10,000 final and in sync, 100 running and in sync: until everything was listed and looked at."""
    from trainyard.operator.controller import running

    client, jobs, controller = ours(url)
    jobs.finals = {f"job-{number}" for number in range(count - count // 100)}
    began = time.perf_counter()
    async with client, running(controller):
        while not controller.synced or jobs.asked < count // 100 or not controller.queue.idle:
            await asyncio.sleep(0.005)
        seconds, (cpu, peak) = time.perf_counter() - began, usage()
        asked = jobs.asked
        await asyncio.sleep(10)
        return {
            "seconds": round(seconds, 2), "cpu_s": round(cpu, 2), "peak_mb": round(peak),
            "writes": await writes_of(url), "service_calls_idle_10s": jobs.asked - asked,
        }  # fmt: skip


async def status_writes(url: str, count: int) -> dict[str, Any]:
    """Every resource's job ended while nobody looked: one status write each."""
    from trainyard.operator.controller import running

    client, jobs, controller = ours(url)
    jobs.finals = {f"job-{number}" for number in range(count)}
    began = time.perf_counter()
    async with client, running(controller):
        while (controller.metrics.registry.get_sample_value("trainyard_status_writes_total") or 0) < count:
            await asyncio.sleep(0.01)
        seconds, (cpu, peak) = time.perf_counter() - began, usage()
        while not controller.queue.idle:
            await asyncio.sleep(0.01)
        return {
            "seconds": round(seconds, 2),
            "cpu_s": round(cpu, 2),
            "peak_mb": round(peak),
            "writes": await writes_of(url),
        }


async def latency(url: str, count: int) -> dict[str, Any]:
    """100 changes a second for ten seconds: from the change to its status in the server, seen by another watch."""
    from trainyard.operator.controller import running
    from trainyard.operator.reconciler import TRAINING_JOBS

    client, jobs, controller = ours(url)
    watcher, _, _ = ours(url)
    sent: dict[str, float] = {}
    took: list[float] = []

    async def watch() -> None:
        page = await watcher.list_page(TRAINING_JOBS, limit=count)
        since = page["metadata"]["resourceVersion"]
        async with watcher.watch(TRAINING_JOBS, None, since=since, lasting=300, silence=60) as events:
            async for event in events:
                item = event["object"]
                name = item["metadata"].get("name")
                if name in sent and item.get("status", {}).get("secondaryStatus") == jobs.secondary.get(name):
                    took.append(time.perf_counter() - sent.pop(name))

    async with client, watcher, running(controller):
        while not controller.synced or not controller.queue.idle or jobs.asked < count:
            await asyncio.sleep(0.01)
        watching = asyncio.create_task(watch())
        await asyncio.sleep(1)
        before, next_at = await writes_of(url), time.perf_counter()
        for number in range(1000):
            name = f"job-{number % count}"
            while name in sent:
                await asyncio.sleep(0.001)
            jobs.secondary[name] = "Uploading" if jobs.secondary.get(name) != "Uploading" else "Training"
            sent[name] = time.perf_counter()
            jobs.moved.put_nowait(name)
            next_at += 0.01
            await asyncio.sleep(max(0.0, next_at - time.perf_counter()))
        while sent:
            await asyncio.sleep(0.01)
        await asyncio.sleep(1)  # the last events are sent in the background
        after = await writes_of(url)
        watching.cancel()
        took.sort()
        return {
            "p50_ms": round(took[len(took) // 2] * 1000, 1), "p99_ms": round(took[len(took) * 99 // 100] * 1000, 1),
            "changes": len(took), "writes": {name: after[name] - before.get(name, 0) for name in after},
        }  # fmt: skip


async def with_kopf(url: str, count: int) -> dict[str, Any]:
    """Kopf with the same handler's work: describe, build the status, patch it."""
    import kopf

    from trainyard.model.job import Job
    from trainyard.model.keys import Scope
    from trainyard.resource.status import status_of

    scope, done = Scope("123456789012", "us-west-2"), 0

    @kopf.on.login()
    def login(**_: Any) -> kopf.ConnectionInfo:
        return kopf.ConnectionInfo(server=url)

    @kopf.on.startup()
    def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.posting.enabled = False
        settings.networking.request_timeout = 60

    @kopf.on.create(GROUP, VERSION, PLURAL)
    @kopf.on.resume(GROUP, VERSION, PLURAL)
    async def handle(name: str, patch: kopf.Patch, **_: Any) -> None:
        nonlocal done
        patch.status.update(status_of(Job(description=description(name, final=True), uid=name), scope, at=0))
        done += 1

    ready, stop = asyncio.Event(), asyncio.Event()
    began = time.perf_counter()
    task = asyncio.create_task(kopf.operator(clusterwide=True, standalone=True, ready_flag=ready, stop_flag=stop))
    while (await writes_of(url)).get("status", 0) < count and time.perf_counter() - began < 180:
        await asyncio.sleep(0.5)
    seconds, (cpu, peak) = time.perf_counter() - began, usage()
    written = await writes_of(url)
    stop.set()
    await asyncio.wait([task], timeout=5)
    task.cancel()
    return {
        "seconds": round(seconds, 1),
        "cpu_s": round(cpu, 1),
        "peak_mb": round(peak),
        "handled": done,
        "writes": written,
    }


def prepared(what: str, count: int) -> list[dict[str, Any]]:
    """What is in the server when a measurement begins."""
    if what == "latency":
        return [resource_of(f"job-{number}", told(f"job-{number}", final=False)) for number in range(count)]
    finals = count - count // 100 if what == "cold_start" else 0
    names = [f"job-{number}" for number in range(count)]
    if what == "with_kopf":
        return [{**resource_of(name, None), "metadata": {"name": name, "namespace": "default"}} for name in names]
    return [resource_of(name, told(name, final=number < finals)) for number, name in enumerate(names)]


def measure(what: str, count: int) -> dict[str, Any]:
    """One measurement in a process of its own."""
    with a_server() as url:
        asyncio.run(fill(url, prepared(what, count)))
        out = subprocess.run(
            [sys.executable, __file__, "--one", what, url, str(count)], stdout=subprocess.PIPE, check=True
        )
    found: dict[str, Any] = json.loads(out.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Everything, one line each."""
    if sys.argv[1:2] == ["--one"]:
        what, url, count = sys.argv[2], sys.argv[3], int(sys.argv[4])
        print(json.dumps(asyncio.run(asyncio.wait_for(globals()[what](url, count), 240))))
        return
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    found = {}
    for what, size in (("cold_start", count), ("status_writes", count), ("latency", 100), ("with_kopf", count)):
        found[what] = measure(what, size)
        print(f"{what} ({size}):", json.dumps(found[what]), f"load {os.getloadavg()[0]:.1f}", flush=True)
    cpu = {what: found[what]["cpu_s"] / count * 1000 for what in ("status_writes", "with_kopf")}
    print(
        f"processor time of one status write: {cpu['status_writes']:.2f} ms, kopf's {cpu['with_kopf']:.2f} ms, ", end=""
    )
    print(f"{cpu['with_kopf'] / cpu['status_writes']:.1f} times as much")


if __name__ == "__main__":
    main()
