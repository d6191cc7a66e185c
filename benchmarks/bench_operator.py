"""The operator's numbers against one small API server process, and kopf's with the same handler beside them.

    python benchmarks/bench_operator.py [count]

Each measurement runs in a process of its own, on a fresh server. The service is in memory and answers at once. The
status writes are measured once more on doors/kube, over a database on the disk, as `serve` has it.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
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
def in_memory(items: list[dict[str, Any]]) -> Iterator[str]:
    """The small API server in a process of its own, with resources in it as they are; gives its address."""
    with _process(str(ROOT / "tests/fakes/apiserver.py")) as url:
        asyncio.run(_fill(url, items))
        yield url


@contextmanager
def on_our_door(items: list[dict[str, Any]]) -> Iterator[str]:
    """doors/kube over a database of its own, in a process of its own, with the resources in it; gives its address."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR", "/var/tmp")) as folder:
        database = Path(folder) / "trainyard.db"
        asyncio.run(_store(database, items))
        with _process(__file__, "--door", str(database)) as url:
            yield url


@contextmanager
def _process(*command: str) -> Iterator[str]:
    """A server whose last argument is its port, for as long as the block lasts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with subprocess.Popen([sys.executable, *command, str(port)]) as process:
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


async def _fill(url: str, items: list[dict[str, Any]]) -> None:
    import aiohttp

    async with aiohttp.ClientSession() as session:
        await session.post(f"{url}/fill/namespaces", json=[{"metadata": {"name": "default"}}])
        for first in range(0, len(items), 100):
            await session.post(f"{url}/fill/{PLURAL}", json=items[first : first + 100])


async def _store(database: Path, items: list[dict[str, Any]]) -> None:
    """Put resources into a database as the door would have stored them."""
    from trainyard.ports.resources import Collection, ResourceKey
    from trainyard.stores.sqlite.database import Database
    from trainyard.stores.sqlite.resources import SqliteResourceStore

    opened = Database(database)
    try:
        store = SqliteResourceStore(opened)

        async def keep(item: dict[str, Any]) -> None:
            metadata = item["metadata"]
            made = {"uid": metadata["name"], "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z"}
            key = ResourceKey(Collection(GROUP, PLURAL), metadata["namespace"], metadata["name"])
            await store.create(key, {**item, "metadata": {**metadata, **made}})

        for first in range(0, len(items), 100):
            await asyncio.gather(*map(keep, items[first : first + 100]))
    finally:
        opened.close()


async def serve_door(database: Path, port: int) -> None:
    """The door until it is killed."""
    import uvicorn

    from trainyard.resource.crd import Validation, definition
    from trainyard.stores.sqlite.database import Database
    from trainyard.stores.sqlite.resources import SqliteResourceStore
    from trainyard.wiring.kube import a_door

    door = a_door(SqliteResourceStore(Database(database)))
    async with door.running():
        await door.install(definition(Validation.ACK))
        await uvicorn.Server(uvicorn.Config(door, port=port, log_level="warning", lifespan="off")).serve()


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
    from trainyard.ports.places import OnlyPlace

    clock, jobs = SystemClock(), Jobs()
    client = Client(Access(server=url, credentials=Fixed()), clock)
    service: Any = jobs
    return client, jobs, Controller(client, OnlyPlace(service), Rules(scope=jobs.scope), clock)


async def cold_start(url: str, count: int) -> dict[str, Any]:
    """9,900 of 10,000 final and in sync, 100 running and in sync: until everything was listed and looked at."""
    from trainyard.operator.controller import running

    client, jobs, controller = ours(url)
    jobs.finals = {f"job-{number}" for number in range(count - count // 100)}
    began = time.perf_counter()
    async with client, running(controller):
        while not controller.synced or jobs.asked < count // 100 or not controller.queue.idle:
            await asyncio.sleep(0.005)
        return {**cost(began), "writes": await writes_of(url), "described": jobs.asked}


async def at_rest(url: str, count: int) -> dict[str, Any]:
    """All are final and in sync: what a minute of them costs."""
    from trainyard.operator.controller import running

    client, jobs, controller = ours(url)
    jobs.finals = {f"job-{number}" for number in range(count)}
    async with client, running(controller):
        while not controller.synced or not controller.queue.idle:
            await asyncio.sleep(0.005)
        began, asked, before = usage()[0], jobs.asked, await writes_of(url)
        await asyncio.sleep(60)
        after = await writes_of(url)
        return {
            "service_calls": jobs.asked - asked, "writes": {kind: after[kind] - before[kind] for kind in after},
            "cpu_s": round(usage()[0] - began, 2),
        }  # fmt: skip


async def status_writes(url: str, count: int) -> dict[str, Any]:
    """Every resource's job ended while nobody looked: one status write each."""
    return {**await _written(url, count), "writes": await writes_of(url)}


async def status_writes_on_our_door(url: str, count: int) -> dict[str, Any]:
    """The same on doors/kube; the seconds are the operator's and the door's together, the rest the operator's alone."""
    return await _written(url, count)


async def _written(url: str, count: int) -> dict[str, Any]:
    from trainyard.operator.controller import running

    client, jobs, controller = ours(url)
    jobs.finals = {f"job-{number}" for number in range(count)}
    began = time.perf_counter()
    async with client, running(controller):
        while (controller.metrics.registry.get_sample_value("trainyard_status_writes_total") or 0) < count:
            await asyncio.sleep(0.01)
        found = cost(began)
        while not controller.queue.idle:
            await asyncio.sleep(0.01)
        return found


def cost(began: float) -> dict[str, Any]:
    """Seconds since then, and what the process used until now."""
    seconds, (cpu, peak) = time.perf_counter() - began, usage()
    return {"seconds": round(seconds, 2), "cpu_s": round(cpu, 2), "peak_mb": round(peak)}


async def latency(url: str, count: int) -> dict[str, Any]:
    """100 changes a second for ten seconds: from the change to its status in the server, seen by another watch."""
    from trainyard.operator.controller import running

    client, jobs, controller = ours(url)
    async with client, running(controller):
        while not controller.synced or not controller.queue.idle or jobs.asked < count:
            await asyncio.sleep(0.01)
        return await changed_and_seen(url, count, jobs)


async def changed_and_seen(url: str, count: int, jobs: Jobs) -> dict[str, Any]:
    """Change jobs one after the other, and await each change's status in the server."""
    from trainyard.operator.reconciler import TRAINING_JOBS

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

    async with watcher:
        watching = asyncio.create_task(watch())
        await asyncio.sleep(1)
        before, next_at = await writes_of(url), time.perf_counter()
        began = usage()[0]
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
        "cpu_s": round(usage()[0] - began, 2),
    }  # fmt: skip


async def kopf_cold_start(url: str, count: int) -> dict[str, Any]:
    """Kopf starts among resources that it handled: each is resumed, and those that run are described."""
    import kopf

    jobs, resumed = Jobs(), 0
    jobs.finals = {f"job-{number}" for number in range(count - count // 100)}

    @kopf.on.resume(GROUP, VERSION, PLURAL)
    async def handle(name: str, status: kopf.Status, patch: kopf.Patch, **_: Any) -> None:
        nonlocal resumed
        if status.get("trainingJobStatus") != "Completed":
            await show(jobs, name, status, patch)
        resumed += 1

    async def caught_up(began: float) -> dict[str, Any]:
        while resumed < count:
            await asyncio.sleep(0.01)
        return {**cost(began), "writes": await writes_of(url), "described": jobs.asked}

    return await with_kopf(url, caught_up)


async def kopf_status_writes(url: str, count: int) -> dict[str, Any]:
    """Kopf with the same handler's work: describe, build the status, patch it."""
    import kopf

    jobs = Jobs()
    jobs.finals = {f"job-{number}" for number in range(count)}

    @kopf.on.create(GROUP, VERSION, PLURAL)
    @kopf.on.resume(GROUP, VERSION, PLURAL)
    async def handle(name: str, status: kopf.Status, patch: kopf.Patch, **_: Any) -> None:
        await show(jobs, name, status, patch)

    async def written(began: float) -> dict[str, Any]:
        while (await writes_of(url))["status"] < count:
            await asyncio.sleep(0.2)
        return {**cost(began), "writes": await writes_of(url)}

    return await with_kopf(url, written)


async def kopf_latency(url: str, count: int) -> dict[str, Any]:
    """Kopf with a daemon for each resource, which waits for its job's next change: the quickest that kopf offers."""
    import kopf

    jobs, waiting = Jobs(), dict[str, asyncio.Event]()

    @kopf.daemon(GROUP, VERSION, PLURAL)
    async def follow(name: str, patch: kopf.Patch, **_: Any) -> None:
        await waiting.setdefault(name, asyncio.Event()).wait()
        waiting[name].clear()
        await show(jobs, name, {}, patch)  # a daemon's own view of the status may be an old one
        raise kopf.TemporaryError("the next change", delay=0)

    async def wake() -> None:
        while True:
            waiting.setdefault(await jobs.moved.get(), asyncio.Event()).set()

    async def measured(_: float) -> dict[str, Any]:
        waking = asyncio.create_task(wake())
        while len(waiting) < count:
            await asyncio.sleep(0.01)
        await asyncio.sleep(2)  # what kopf notes down about its daemons is written
        try:
            return await changed_and_seen(url, count, jobs)
        finally:
            waking.cancel()

    return await with_kopf(url, measured)


async def show(jobs: Jobs, name: str, status: Any, patch: Any) -> None:
    """The handler's work: the status as the job says, where it is news."""
    from trainyard.resource.status import status_of

    told = status_of(await jobs.describe(name), jobs.scope, at=0)
    if any(status.get(member) != value for member, value in told.items()):
        patch.status.update(told)


async def with_kopf(url: str, work: Callable[[float], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    """Measure with kopf running, events off; `work` is told when it began."""
    import logging

    import kopf

    logging.getLogger("kopf").setLevel(logging.CRITICAL)

    @kopf.on.login()
    def login(**_: Any) -> kopf.ConnectionInfo:
        return kopf.ConnectionInfo(server=url)

    @kopf.on.startup()
    def configure(settings: kopf.OperatorSettings, **_: Any) -> None:
        settings.posting.enabled = False
        settings.networking.request_timeout = 60

    stop, began = asyncio.Event(), time.perf_counter()
    task = asyncio.create_task(kopf.operator(clusterwide=True, standalone=True, stop_flag=stop))
    try:
        return await work(began)
    finally:
        stop.set()
        await asyncio.wait([task], timeout=5)
        task.cancel()


def handled_by_kopf(item: dict[str, Any]) -> dict[str, Any]:
    """A resource as kopf leaves one that it has handled: with what it looked like then, in an annotation."""
    import kopf
    from tests.fakes.apiserver import merged

    storage, patch, body = kopf.AnnotationsDiffBaseStorage(), kopf.Patch(), kopf.Body(item)  # type: ignore[arg-type]
    storage.store(body=body, patch=patch, essence=storage.build(body=body))
    found: dict[str, Any] = merged(item, dict(patch))
    return found


def prepared(what: str, count: int) -> list[dict[str, Any]]:
    """What is in the server when a measurement begins."""
    names = [f"job-{number}" for number in range(count)]
    if what == "kopf_status_writes":
        return [{**resource_of(name, None), "metadata": {"name": name, "namespace": "default"}} for name in names]
    finals = {"at_rest": count, "cold_start": count - count // 100, "kopf_cold_start": count - count // 100}.get(
        what, 0
    )
    items = [resource_of(name, told(name, final=number < finals)) for number, name in enumerate(names)]
    return [handled_by_kopf(item) for item in items] if what.startswith("kopf") else items


def measure(what: str, count: int) -> dict[str, Any]:
    """One measurement in a process of its own."""
    server = on_our_door if what.endswith("our_door") else in_memory
    with server(prepared(what, count)) as url:
        out = subprocess.run(
            [sys.executable, __file__, "--one", what, url, str(count)], stdout=subprocess.PIPE, check=True
        )
    found: dict[str, Any] = json.loads(out.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Everything, one line each, and kopf's beside ours."""
    if sys.argv[1:2] == ["--door"]:
        return asyncio.run(serve_door(Path(sys.argv[2]), int(sys.argv[3])))
    if sys.argv[1:2] == ["--one"]:
        what, url, count = sys.argv[2], sys.argv[3], int(sys.argv[4])
        return print(json.dumps(asyncio.run(asyncio.wait_for(globals()[what](url, count), 240))))
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    found = {}
    for what, size in (
        ("cold_start", count), ("kopf_cold_start", count),
        ("status_writes", count), ("kopf_status_writes", count), ("status_writes_on_our_door", count),
        ("latency", 100), ("kopf_latency", 100),
        ("at_rest", count),
    ):  # fmt: skip
        found[what] = measure(what, size)
        print(f"{what} ({size}):", json.dumps(found[what]), f"load {os.getloadavg()[0]:.1f}", flush=True)
    for what, member in (
        ("cold_start", "seconds"), ("cold_start", "cpu_s"), ("cold_start", "peak_mb"),
        ("status_writes", "seconds"), ("status_writes", "cpu_s"), ("status_writes", "peak_mb"),
        ("latency", "p50_ms"), ("latency", "p99_ms"), ("latency", "cpu_s"),
    ):  # fmt: skip
        mine, theirs = found[what][member], found[f"kopf_{what}"][member]
        print(f"{what}, {member}: {mine}, kopf {theirs}, {theirs / mine:.1f} times as much")
    return None


if __name__ == "__main__":
    main()
