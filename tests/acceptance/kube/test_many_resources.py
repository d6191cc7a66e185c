"""Ten thousand TrainingJobs on our own door: those at rest cost the operator one listing and nothing afterwards."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.apiserver import merged
from tests.kube_server import a_kube_server
from tests.unit.operator.builders import SCOPE, a_job, a_resource, case_of

from trainyard.kit.clock import SystemClock
from trainyard.kubeapi.access import Access, Fixed
from trainyard.kubeapi.client import Client
from trainyard.kubeapi.kinds import Kind
from trainyard.model.job import Job
from trainyard.operator.case import Rules
from trainyard.operator.controller import Controller, running
from trainyard.operator.decide import decide
from trainyard.operator.reconciler import TRAINING_JOBS
from trainyard.operator.steps import Settle
from trainyard.ports.places import OnlyPlace
from trainyard.resource.crd import Validation, definition

DEFINITIONS = Kind("apiextensions.k8s.io", "v1", "customresourcedefinitions", namespaced=False)
MOVING = 100


class Counting:
    """A service that has every job, most of them over, and counts how often it is asked."""

    def __init__(self, finals: set[str]) -> None:
        self.scope, self.finals, self.asked = SCOPE, finals, 0

    async def describe(self, name: str) -> Job:
        """One of them."""
        self.asked += 1
        return a_named_job(name, over=name in self.finals)

    async def revision(self) -> int:
        """Nothing happens."""
        return 0

    async def changes(self, _since: int) -> Any:
        """Nothing happens."""
        await asyncio.Event().wait()
        yield


def a_named_job(name: str, *, over: bool) -> Job:
    arn = f"arn:aws:sagemaker:us-west-2:{SCOPE.account}:training-job/{name}"
    return a_job(*(("Completed", "Completed") if over else ()), TrainingJobName=name, TrainingJobArn=arn)


def at_rest(name: str, *, over: bool) -> dict[str, Any]:
    """A resource with the status that the operator itself settles on."""
    job = a_named_job(name, over=over)
    bare = a_resource(status={"ackResourceMetadata": {"arn": job.description.training_job_arn}}, name=name)
    bare["spec"] = {**bare["spec"], "trainingJobName": name}
    end = decide(case_of(bare, job))
    assert isinstance(end, Settle)
    return {**bare, "status": merged(bare["status"], end.status)}


@pytest.mark.slow
@pytest.mark.parametrize("count", [10_000])
async def test_ten_thousand_resources_at_rest_cost_one_listing(tmp_path: Path, count: int) -> None:
    names = [f"job-{number:05}" for number in range(count)]
    service: Any = Counting(set(names[MOVING:]))
    with a_kube_server(tmp_path) as server:
        async with Client(Access(server=server.url, credentials=Fixed()), SystemClock()) as client:
            await client.create(DEFINITIONS, None, definition(Validation.ACK))
            queue = iter(names)

            async def fill() -> None:
                for name in queue:
                    body = at_rest(name, over=name in service.finals)
                    identity = {key: body["metadata"][key] for key in ("name", "namespace", "finalizers")}
                    await client.create(TRAINING_JOBS, "default", {**body, "metadata": identity})
                    status = {"status": body["status"]}
                    await client.patch(TRAINING_JOBS, "default", name, status, subresource="status")

            await asyncio.gather(*(fill() for _ in range(16)))
            before = (await client.list_page(TRAINING_JOBS, limit=1))["metadata"]["resourceVersion"]
            controller = Controller(client, OnlyPlace(service), Rules(scope=SCOPE), SystemClock())
            async with asyncio.timeout(120), running(controller):
                while not controller.synced or service.asked < MOVING or not controller.queue.idle:
                    await asyncio.sleep(0.05)
                assert service.asked == MOVING
            after = (await client.list_page(TRAINING_JOBS, limit=1))["metadata"]["resourceVersion"]
            assert after == before, "something was written"
