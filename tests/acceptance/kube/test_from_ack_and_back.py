"""From ACK's controller to ours and back on a live cluster: not one call touches a job, and nothing is lost either way.

The cluster is our own Kubernetes door with ACK's members of the definition alone, SageMaker is our own door. Resources
stand as ACK's controller v1.9 leaves them; what it needs of them afterwards is judged by its own rules.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.amazon_world import CHANGING, places_at, rules_at
from tests.aws_server import AwsServer, an_aws_server
from tests.fakes.yard import SCOPE
from tests.kube_server import a_kube_server
from tests.unit.operator.world import CLOCK, DEADLINE, REQUEST

from trainyard.kit.times import rfc3339
from trainyard.kubeapi.access import Access, Fixed
from trainyard.kubeapi.client import Client
from trainyard.kubeapi.kinds import Kind
from trainyard.model.casing import to_ack, to_api
from trainyard.model.description import TrainingJobDescription
from trainyard.model.members import members_of
from trainyard.model.observation import Milestone
from trainyard.model.spec import TrainingJobSpec
from trainyard.operator.controller import Controller, running
from trainyard.operator.options import Watching
from trainyard.operator.reconciler import TRAINING_JOBS
from trainyard.resource.crd import Validation, definition
from trainyard.resource.names import API_VERSION, FINALIZER, KIND
from trainyard.resource.status_schema import ack_members

DEFINITIONS = Kind("apiextensions.k8s.io", "v1", "customresourcedefinitions", namespaced=False)
ACKS_TAGS = [
    {"Key": "services.k8s.aws/controller-version", "Value": "sagemaker-v1.9.1"},
    {"Key": "services.k8s.aws/namespace", "Value": "default"},
]
TOLD_BY_ACK = (
    "creationTime", "debugRuleEvaluationStatuses", "failureReason", "lastModifiedTime", "modelArtifacts",
    "profilerRuleEvaluationStatuses", "profilingStatus", "secondaryStatus", "trainingJobStatus", "warmPoolStatus",
)  # fmt: skip
LATE = (
    ("enableInterContainerTrafficEncryption",), ("enableManagedSpotTraining",), ("enableNetworkIsolation",),
    ("algorithmSpecification", "enableSageMakerMetricsTimeSeries"), ("outputDataConfig", "kmsKeyID"),
    ("outputDataConfig", "compressionType"), ("resourceConfig", "instanceCount"),
)  # fmt: skip
FULL: dict[str, Any] = {
    **REQUEST,
    "HyperParameters": {"max_depth": "5"},
    "InputDataConfig": [
        {
            "ChannelName": "train",
            "CompressionType": "None",  # whoever leaves it out has ACK see a difference for ever
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/train/"}},
        }
    ],
    "CheckpointConfig": {"S3Uri": "s3://bucket/checkpoints/"},
    "RetryStrategy": {"MaximumRetryAttempts": 2},
    "Tags": [{"Key": "team", "Value": "a"}],
}


@dataclass
class Cluster:
    """A cluster and a SageMaker that both controllers look at, one after the other."""

    aws: AwsServer
    client: Client

    async def made_by_ack(self, name: str, *, annotations: dict[str, str] | None = None, **status: Any) -> None:
        """A job and its resource, exactly as ACK's controller leaves them."""
        await self.job(name)
        described = await self.described(name)
        spec = to_ack({**FULL, "TrainingJobName": name})
        for path in LATE:
            holder, told = spec, to_ack(described, TrainingJobDescription)
            for step in path[:-1]:
                holder, told = holder[step], told[step]
            holder.setdefault(path[-1], told[path[-1]])
        identity = {"name": name, "namespace": "default", "finalizers": [FINALIZER], "annotations": annotations or {}}
        body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": identity, "spec": spec}
        await self.client.create(TRAINING_JOBS, "default", body)
        await self.told_by_ack(name, **status)

    async def told_by_ack(self, name: str, **more: Any) -> None:
        """The status as ACK writes it: whole, its own members alone, every transition time new."""
        described = await self.described(name)
        told = {key: value for key, value in to_ack(described, TrainingJobDescription).items() if key in TOLD_BY_ACK}
        for key in ("creationTime", "lastModifiedTime"):
            told[key] = rfc3339(told[key])
        status = described["TrainingJobStatus"]
        at_rest = "False" if status in ("InProgress", "Stopping") else "True"
        text, late, now = f"TrainingJob is in {status} status.", "Late initialization successful", rfc3339(CLOCK.now())
        told["conditions"] = [
            {"type": "ACK.ResourceSynced", "status": at_rest, "message": text, "lastTransitionTime": now},
            {"type": "ACK.LateInitialized", "status": "True", "message": late, "reason": late,
             "lastTransitionTime": now},
            {"type": "Ready", "status": at_rest, "message": text, "lastTransitionTime": now},
        ]  # fmt: skip
        told["ackResourceMetadata"] = {
            "arn": described["TrainingJobArn"], "ownerAccountID": SCOPE.account, "partition": "aws",
            "region": SCOPE.region,
        }  # fmt: skip
        before = (await self.resource(name)).get("status") or {}
        gone = dict.fromkeys(key for key in before if key not in told)
        body = {"status": {**gone, **told, **more}}
        await self.client.patch(TRAINING_JOBS, "default", name, body, subresource="status")

    async def job(self, name: str) -> None:
        """A job that somebody made through boto3, with ACK's tags."""
        request = {**FULL, "TrainingJobName": name, "Tags": [*FULL["Tags"], *ACKS_TAGS]}
        await asyncio.to_thread(self.aws.client("sagemaker").create_training_job, **request)
        await asyncio.to_thread(self.aws.run, self._train(name))

    async def end(self, name: str) -> None:
        """Let a job come to its end."""
        await asyncio.to_thread(self.aws.run, self.aws.yard.end(name))
        await self._until(lambda found: found == "Completed", lambda: self._job_status(name))

    async def described(self, name: str) -> dict[str, Any]:
        """The job in the API's spelling, as the service behind the door tells it."""
        job = await asyncio.to_thread(self.aws.run, self.aws.yard.service.describe(name))
        found: dict[str, Any] = job.description.to_wire()
        return found

    async def resource(self, name: str) -> dict[str, Any]:
        """A resource as the API server has it."""
        found: dict[str, Any] = await self.client.get(TRAINING_JOBS, "default", name)
        return found

    async def reaches(self, name: str, status: str) -> None:
        """Wait until a resource tells that."""

        async def told() -> Any:
            return ((await self.resource(name)).get("status") or {}).get("trainingJobStatus")

        await self._until(lambda found: found == status, told)

    @asynccontextmanager
    async def ours(self) -> AsyncIterator[Controller]:
        """Our operator at work; what it asks the service for is counted from here on."""
        self.aws.calls.clear()
        async with places_at(self.aws) as places:
            watching = Watching(silence=5.0)
            controller = Controller(self.client, places, rules_at(self.aws), CLOCK, watching=watching, workers=4)
            async with running(controller):
                async with asyncio.timeout(DEADLINE):
                    while not (controller.synced and self.aws.count("DescribeTrainingJob") and controller.queue.idle):
                        await asyncio.sleep(0.01)
                yield controller

    @asynccontextmanager
    async def ours_from_nothing(self, name: str) -> AsyncIterator[None]:
        """Our operator at work, and a resource that it is the first to see; left once nothing is to be done."""
        async with places_at(self.aws) as places:
            controller = Controller(self.client, places, rules_at(self.aws), CLOCK, watching=Watching(silence=5.0))
            async with running(controller):
                spec = to_ack({**FULL, "TrainingJobName": name})
                body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": spec}
                await self.client.create(TRAINING_JOBS, "default", body)
                yield
                async with asyncio.timeout(DEADLINE):
                    while "compressionType" not in (await self.resource(name))["spec"]["outputDataConfig"]:
                        await asyncio.sleep(0.01)

    def touched(self) -> list[str]:
        """Calls that change something at the service."""
        operations = [one.rpartition(".")[2] for one in self.aws.calls]
        return [one for one in operations if one.startswith(CHANGING)]

    async def _train(self, name: str) -> None:
        await self.aws.yard.launched(name)
        await self.aws.yard.reach(name, Milestone.STAGING, Milestone.TRAINING)
        await self._until(lambda found: found == "Training", lambda: self._secondary(name))

    async def _secondary(self, name: str) -> Any:
        return (await self.aws.yard.service.describe(name)).description.secondary_status

    async def _job_status(self, name: str) -> Any:
        return (await self.described(name))["TrainingJobStatus"]

    async def _until(self, true: Any, ask: Any) -> None:
        async with asyncio.timeout(DEADLINE):
            while not true(await ask()):
                await asyncio.sleep(0.01)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    with a_kube_server(tmp_path) as kube, an_aws_server() as aws:
        async with Client(Access(server=kube.url, credentials=Fixed()), CLOCK) as client:
            await client.create(DEFINITIONS, None, acks_definition())
            yield Cluster(aws, client)


def acks_definition() -> dict[str, Any]:
    """The definition with ACK's members of the status alone: the API server prunes all that is ours."""
    made = copy.deepcopy(definition(Validation.ACK))
    schema = made["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["status"] = {"type": "object", "properties": ack_members()}
    return made


def has_what_ack_needs(resource: dict[str, Any], described: dict[str, Any]) -> None:
    """ACK's own reading of a resource: it is its own, in its place, late-initialised, and nothing is to be updated."""
    assert FINALIZER in resource["metadata"]["finalizers"]
    metadata = resource["status"]["ackResourceMetadata"]
    assert metadata["arn"] == described["TrainingJobArn"]
    assert (metadata["ownerAccountID"], metadata["region"]) == (SCOPE.account, SCOPE.region)
    assert all({"type", "status"} <= one.keys() for one in resource["status"]["conditions"])
    for path in LATE:
        value: Any = resource["spec"]
        for step in path:
            value = value[step]
        assert value is not None
    assert resource["spec"]["trainingJobName"] == described["TrainingJobName"]
    assert acks_delta(to_api(resource["spec"]), described) == []


def acks_delta(wanted: dict[str, Any], observed: dict[str, Any]) -> list[str]:
    """Where ACK sees a difference between spec and job: no defaults but its own three, nothing else forgiven."""
    wanted = {**wanted, "InputDataConfig": wanted.get("InputDataConfig") or []}
    for left, right in zip(wanted["InputDataConfig"], observed.get("InputDataConfig") or (), strict=False):
        if left.get("RecordWrapperType") is None and right.get("RecordWrapperType") is not None:
            left["RecordWrapperType"] = "None"
    ignored = {"Tags", "TrainingJobName"}
    found = []
    for name in members_of(TrainingJobSpec):
        left, right = wanted.get(name), observed.get(name)
        if name == "AlgorithmSpecification":
            left, right = ({**side, "MetricDefinitions": None} for side in (left or {}, right or {}))
        if name not in ignored and _solid(left) != _solid(right):
            found.append(f"{name}: {left!r} is not {right!r}")
    return found


def _solid(value: Any) -> Any:
    """What is nil and what is empty is the same to ACK."""
    if isinstance(value, dict):
        members = {key: _solid(member) for key, member in value.items()}
        return {key: member for key, member in members.items() if member is not None} or None
    if isinstance(value, list | tuple):
        return [_solid(item) for item in value] or None
    return value


async def test_acks_resources_are_taken_over_without_a_touch_and_given_back(cluster: Cluster) -> None:
    await cluster.made_by_ack("running")
    await cluster.made_by_ack("ended")
    await cluster.end("ended")
    await cluster.told_by_ack("ended")
    adoption = {
        "services.k8s.aws/adopted": "true", "services.k8s.aws/adoption-policy": "adopt",
        "services.k8s.aws/adoption-fields": '{"trainingJobName": "adopted"}',
    }  # fmt: skip
    await cluster.made_by_ack("adopted", annotations=adoption)
    before = {name: await cluster.resource(name) for name in ("running", "ended", "adopted")}
    async with cluster.ours():
        for name in before:
            now = await cluster.resource(name)
            assert now["spec"] == before[name]["spec"]
            assert now["metadata"].get("annotations") == before[name]["metadata"].get("annotations")
        assert cluster.touched() == []
        await cluster.end("running")  # the job that ACK made goes on, and its end is told
        await cluster.reaches("running", "Completed")
        assert cluster.touched() == []
    for name in before:
        has_what_ack_needs(await cluster.resource(name), await cluster.described(name))


async def test_back_and_forth_again_nothing_is_touched(cluster: Cluster) -> None:
    await cluster.made_by_ack("job")
    for _ in range(2):
        async with cluster.ours():
            assert cluster.touched() == []
        has_what_ack_needs(await cluster.resource("job"), await cluster.described("job"))
        await cluster.told_by_ack("job")
    assert (await cluster.described("job"))["TrainingJobStatus"] == "InProgress"


async def test_a_resource_of_ours_can_be_given_to_ack(cluster: Cluster) -> None:
    async with cluster.ours_from_nothing("job"):
        await cluster.reaches("job", "InProgress")
    resource, described = await cluster.resource("job"), await cluster.described("job")
    has_what_ack_needs(resource, described)
    await cluster.told_by_ack("job")
    async with cluster.ours():
        assert cluster.touched() == []


async def test_what_was_foreign_to_ack_stays_foreign(cluster: Cluster) -> None:
    await cluster.made_by_ack("job")
    resource = await cluster.resource("job")
    await cluster.client.patch(TRAINING_JOBS, "default", "job", {"metadata": {"finalizers": None}})
    foreign = {"type": "ACK.Terminal", "status": "True", "message": "Resource already exists", "reason": "not ours"}
    await cluster.told_by_ack("job", conditions=[*resource["status"]["conditions"], foreign])
    async with cluster.ours():
        assert cluster.touched() == []
        assert not (await cluster.resource("job"))["metadata"].get("finalizers")
        await cluster.client.delete(TRAINING_JOBS, "default", "job")
    assert (await cluster.described("job"))["TrainingJobStatus"] == "InProgress"
    assert cluster.touched() == []
