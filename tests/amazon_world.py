"""An operator that drives our own SageMaker door as if it were Amazon's: real requests, a real yard behind them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from tests.aws_server import AwsServer, an_aws_server
from tests.fakes.apiserver import ApiServer
from tests.fakes.yard import SCOPE
from tests.unit.operator.world import CLOCK, a_manifest, an_api, until

from trainyard.amazon.places import AmazonPlaces
from trainyard.kubeapi.client import Client
from trainyard.kubeapi.kinds import CONFIG_MAPS, NAMESPACES
from trainyard.model.observation import Ending, Milestone
from trainyard.operator.case import Roaming, Rules
from trainyard.operator.controller import Controller, running
from trainyard.operator.options import Watching
from trainyard.operator.reconciler import TRAINING_JOBS
from trainyard.ports.places import Place
from trainyard.resource.names import PLURAL

LOOK = 0.05  # seconds between looks at what moved
CHANGING = (
    "Create",
    "Stop",
    "Update",
    "Delete",
    "AddTags",
    "DeleteTags",
)  # how operations that touch a job begin


@dataclass
class Amazon:
    """Everything at hand."""

    aws: AwsServer
    api: ApiServer
    client: Client
    controller: Controller

    async def apply(self, name: str, namespace: str = "default", **more: Any) -> None:
        """Create a resource; `annotations` are its metadata's, the rest its spec's in the API's spelling."""
        annotations = more.pop("annotations", {})
        manifest = a_manifest(name, **more)
        manifest["metadata"]["annotations"] = annotations
        await self.client.create(TRAINING_JOBS, namespace, manifest)

    async def namespace(self, name: str, **annotations: str) -> None:
        """Make a namespace that says something."""
        known = {f"services.k8s.aws/{key.replace('_', '-')}": value for key, value in annotations.items()}
        await self.client.create(NAMESPACES, None, {"metadata": {"name": name, "annotations": known}})

    async def role_map(self, name: str, **data: str) -> None:
        """Make one of ACK's ConfigMaps."""
        await self.client.create(CONFIG_MAPS, "ack-system", {"metadata": {"name": name}, "data": data})

    def status(self, name: str, namespace: str = "default") -> dict[str, Any]:
        """A resource's status as the server has it."""
        found: dict[str, Any] = self.api.get(PLURAL, name, namespace).get("status", {})
        return found

    def condition(self, name: str, kind: str, namespace: str = "default") -> dict[str, Any]:
        """One of its conditions, or nothing."""
        conditions = self.status(name, namespace).get("conditions", ())
        return next((dict(one) for one in conditions if one["type"] == kind), {})

    async def reaches(self, name: str, status: str, namespace: str = "default") -> None:
        """Wait until the resource tells a TrainingJobStatus or a secondary one."""
        words = ("trainingJobStatus", "secondaryStatus")
        await until(lambda: status in [self.status(name, namespace).get(word) for word in words])

    async def at_the_yard(self, work: Any) -> Any:
        """Do something with the yard, on its own loop, while this one goes on."""
        return await asyncio.to_thread(self.aws.run, work)

    async def train(self, name: str) -> None:
        """Take a job that was launched to its training."""
        await self.at_the_yard(self.aws.yard.launched(name))
        await self.at_the_yard(self.aws.yard.reach(name, Milestone.STAGING, Milestone.TRAINING))

    async def end(self, name: str, ending: Ending = Ending.COMPLETED, **members: object) -> None:
        """End a job that trains."""
        await self.at_the_yard(self.aws.yard.end(name, ending, **members))

    def changed_anything(self) -> list[str]:
        """Calls that touch a job, in order."""
        operations = [one.rpartition(".")[2] for one in self.aws.calls]
        return [one for one in operations if one.startswith(CHANGING)]


def places_at(aws: AwsServer, *, look: float = LOOK, account: str = SCOPE.account, tries: int = 1) -> AmazonPlaces:
    """Amazon's places as the door answers for them."""
    session = boto3.Session(account, "anything", region_name=SCOPE.region)
    endpoints = {"sagemaker": aws.url, "sts": aws.url}
    home = Place(account, SCOPE.region, endpoint=aws.url)
    return AmazonPlaces(session, CLOCK, home, user_agent="trainyard/test", endpoints=endpoints, look=look, tries=tries)


def rules_at(aws: AwsServer, **more: Any) -> Rules:
    """What the operator is told with --on sagemaker and the door as its endpoint."""
    roaming = Roaming(**{"endpoint": aws.url, "unsafe_endpoints": True, **more.pop("roaming", {})})
    return Rules(scope=SCOPE, half_told=True, roaming=roaming, **more)


@asynccontextmanager
async def an_amazon(
    *, wrap: Callable[[Any], Any] = lambda service: service, look: float = LOOK, **rules: Any
) -> AsyncIterator[Amazon]:
    """A door, an API server, and a controller that runs between them."""
    with an_aws_server(wrap=wrap) as aws:
        async with an_api() as (api, client), places_at(aws, look=look) as places:
            watching = Watching(silence=5.0)
            controller = Controller(client, places, rules_at(aws, **rules), CLOCK, watching=watching, workers=8)
            async with running(controller):
                yield Amazon(aws, api, client, controller)
