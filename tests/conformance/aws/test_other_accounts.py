"""Jobs of other accounts, judged by moto: roles that STS hands out keys for, and jobs that only those keys see."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.sagemaker.exceptions import ValidationError
from moto.sagemaker.models import SageMakerModelBackend
from moto.server import ThreadedMotoServer
from tests.unit.operator.world import CLOCK, REQUEST, a_manifest, an_api, until

from trainyard.amazon.places import AmazonPlaces
from trainyard.kubeapi.kinds import CONFIG_MAPS, NAMESPACES
from trainyard.model.errors import ResourceNotFound
from trainyard.model.keys import Scope
from trainyard.model.spec import TrainingJobSpec
from trainyard.operator.case import Roaming, Rules
from trainyard.operator.controller import Controller, running
from trainyard.operator.options import Watching
from trainyard.operator.reconciler import TRAINING_JOBS
from trainyard.ports.places import Place
from trainyard.resource.names import PLURAL

HOME, OTHER, REGION = "123456789012", "222222222222", "us-west-2"
ROLE = f"arn:aws:iam::{OTHER}:role/ack"
OWNER = "services.k8s.aws/owner-account-id"


def _describe(backend: SageMakerModelBackend, training_job_name: str) -> Any:
    """As moto does it, but for an unknown job, of which it speaks in words of its own."""
    if training_job_name not in backend.training_jobs:
        raise ValidationError(message="Requested resource not found.")
    return backend.training_jobs[training_job_name].response_object


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    patch = pytest.MonkeyPatch()
    patch.setattr(SageMakerModelBackend, "describe_training_job", _describe)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()
        patch.undo()


def a_client(moto: str, service: str, **keys: str) -> Any:
    known = {"aws_access_key_id": "AKIAHOME", "aws_secret_access_key": "secret", **keys}
    return boto3.Session().client(service, endpoint_url=moto, region_name=REGION, **known)


def of_the_other(moto: str) -> Any:
    keys = a_client(moto, "sts").assume_role(RoleArn=ROLE, RoleSessionName="test")["Credentials"]
    return a_client(
        moto, "sagemaker", aws_access_key_id=keys["AccessKeyId"], aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )  # fmt: skip


def places(moto: str) -> AmazonPlaces:
    session = boto3.Session("AKIAHOME", "secret", region_name=REGION)
    home = Place(HOME, REGION, endpoint=moto)
    return AmazonPlaces(
        session, CLOCK, home, user_agent="trainyard/test", endpoints={"sagemaker": moto, "sts": moto}, look=0.1
    )


async def test_a_service_of_another_account_works_with_its_roles_keys(moto: str) -> None:
    async with places(moto) as amazon:
        there = await amazon.service(Place(OTHER, REGION, ROLE))
        assert there is await amazon.service(Place(OTHER, REGION, ROLE))
        job = await there.create(TrainingJobSpec.from_wire({**REQUEST, "TrainingJobName": "theirs"}))
        assert job.description.training_job_arn == f"arn:aws:sagemaker:{REGION}:{OTHER}:training-job/theirs"
        with pytest.raises(ResourceNotFound):
            await (await amazon.service(amazon.home)).describe("theirs")
        elsewhere = await amazon.service(Place(OTHER, "eu-west-1", ROLE))
        assert elsewhere.scope == Scope(OTHER, "eu-west-1")
        with pytest.raises(ResourceNotFound):
            await elsewhere.describe("theirs")


async def test_a_namespace_has_its_jobs_made_in_its_own_account(moto: str) -> None:
    async with an_api() as (api, client), places(moto) as amazon:
        await client.create(NAMESPACES, None, {"metadata": {"name": "theirs", "annotations": {OWNER: OTHER}}})
        data = {"metadata": {"name": "ack-role-account-map"}, "data": {OTHER: ROLE}}
        await client.create(CONFIG_MAPS, "ack-system", data)
        rules = Rules(scope=Scope(HOME, REGION), half_told=True, roaming=Roaming(endpoint=moto, unsafe_endpoints=True))
        controller = Controller(client, amazon, rules, CLOCK, watching=Watching(silence=5.0), workers=4)
        async with running(controller):
            await client.create(TRAINING_JOBS, "theirs", a_manifest("by-namespace"))
            found: dict[str, Any] = {}
            await until(lambda: bool(found.update(api.get(PLURAL, "by-namespace", "theirs")) or found.get("status")))
            await until(lambda: "arn" in api.get(PLURAL, "by-namespace", "theirs")["status"]["ackResourceMetadata"])
        told = api.get(PLURAL, "by-namespace", "theirs")["status"]["ackResourceMetadata"]
    assert told["ownerAccountID"] == OTHER
    assert told["arn"] == f"arn:aws:sagemaker:{REGION}:{OTHER}:training-job/by-namespace"
    there = of_the_other(moto).describe_training_job(TrainingJobName="by-namespace")
    assert there["TrainingJobArn"] == told["arn"]
    names = [one["TrainingJobName"] for one in a_client(moto, "sagemaker").list_training_jobs()["TrainingJobSummaries"]]
    assert "by-namespace" not in names
