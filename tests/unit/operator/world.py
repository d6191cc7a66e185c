"""An operator at work: a service, an API server that may fall ill, and a controller between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.fakes.apiserver import ApiServer
from tests.fakes.yard import SCOPE, TestYard, a_running_yard

from trainyard.kit.clock import SystemClock
from trainyard.kubeapi.access import Access, Fixed
from trainyard.kubeapi.client import Client
from trainyard.model.casing import to_ack
from trainyard.operator.case import Rules
from trainyard.operator.controller import Controller, running
from trainyard.operator.options import Watching
from trainyard.operator.reconciler import TRAINING_JOBS
from trainyard.ports.places import OnlyPlace
from trainyard.ports.service import TrainingService
from trainyard.resource.names import API_VERSION, KIND, PLURAL

DEADLINE = 20.0
CLOCK = SystemClock()
REQUEST = {
    "RoleArn": "arn:aws:iam::123456789012:role/role-of-training",
    "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
    "StoppingCondition": {"MaxRuntimeInSeconds": 600},
}


@dataclass
class World:
    """Everything at hand."""

    api: ApiServer
    yard: TestYard
    client: Client
    controller: Controller

    def resource(self, name: str) -> dict[str, Any]:
        """A resource as the server has it."""
        return self.api.get(PLURAL, name)

    def status(self, name: str) -> dict[str, Any]:
        """Its status."""
        found: dict[str, Any] = self.resource(name).get("status", {})
        return found

    def is_gone(self, name: str) -> bool:
        """Whether the server has no such resource."""
        return ("default", name) not in self.api.objects[PLURAL]

    async def apply(self, name: str, **spec: Any) -> None:
        """Create a resource through the API."""
        await self.client.create(TRAINING_JOBS, "default", a_manifest(name, **spec))

    async def edit(self, name: str, patch: dict[str, Any]) -> None:
        """Edit one as a person does."""
        await self.client.patch(TRAINING_JOBS, "default", name, patch)

    async def reaches(self, name: str, status: str) -> None:
        """Wait until the resource tells a TrainingJobStatus or a secondary one."""
        await until(
            lambda: status in (self.status(name).get("trainingJobStatus"), self.status(name).get("secondaryStatus"))
        )

    def condition(self, name: str, kind: str) -> str | None:
        """A condition's status."""
        found = self.status(name).get("conditions", ())
        return next((one["status"] for one in found if one["type"] == kind), None)


def a_manifest(name: str, **spec: Any) -> dict[str, Any]:
    """A manifest as a person writes it."""
    wire = {"TrainingJobName": name, **REQUEST, **spec}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name.lower()}, "spec": to_ack(wire)}


@asynccontextmanager
async def a_world(
    *, service: Callable[[TestYard], TrainingService] = lambda yard: yard.service, **rules: Any
) -> AsyncIterator[World]:
    """A controller that runs; `service` may stand between it and the yard."""
    async with a_running_yard() as yard, an_api() as (api, client):
        controller = a_controller(client, service(yard), **rules)
        async with running(controller):
            yield World(api, yard, client, controller)


@asynccontextmanager
async def an_api() -> AsyncIterator[tuple[ApiServer, Client]]:
    """A server with the default namespace, and a client of it."""
    api = ApiServer(bookmarks=0.2)
    api.put("namespaces", {"metadata": {"name": "default"}})
    async with api.running() as url, a_client(url) as client:
        yield api, client


def a_client(url: str, timeout: float = 2.0, user_agent: str = "operator") -> Client:
    """A client of a server that asks for nothing."""
    return Client(Access(server=url, credentials=Fixed()), CLOCK, timeout=timeout, user_agent=user_agent)


def a_controller(client: Client, service: TrainingService, silence: float = 1.0, **rules: Any) -> Controller:
    """A controller with a watchdog of little patience."""
    given: dict[str, Any] = {"scope": SCOPE, **rules}
    return Controller(client, OnlyPlace(service), Rules(**given), CLOCK, watching=Watching(silence=silence), workers=4)


async def until(true: Callable[[], bool], deadline: float = DEADLINE) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(deadline):
        while not true():
            await asyncio.sleep(0.005)
