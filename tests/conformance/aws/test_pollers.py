"""Those who start a job and ask again and again, each in its own way: Airflow by boto3, Pipelines by a resource.

Airflow talks to our SageMaker door, Kubeflow Pipelines to a resource that our operator carries out there, as at Amazon.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.acceptance.test_operator import pipelines_verdict
from tests.amazon_world import Amazon, an_amazon
from tests.aws_server import DEADLINE, AwsServer, an_aws_server
from tests.unit.operator.world import REQUEST, until

from trainyard.model.observation import Ending, Milestone
from trainyard.resource.names import PLURAL


class AirflowFailed(Exception):  # noqa: N818 - as Airflow says it
    """The task failed."""


def airflow_runs(client: Any, request: dict[str, Any]) -> float:
    """What the operator of Airflow's Amazon provider does: refuse a name that is there, create, ask until it is over.

    Returns the billable seconds that it prints. Stopped counts as failed, since 2024.
    """
    name = request["TrainingJobName"]
    try:
        client.describe_training_job(TrainingJobName=name)
        raise AirflowFailed(f"a job named {name} already exists")
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationException":
            raise
    response = client.create_training_job(**request)
    if response["ResponseMetadata"]["HTTPStatusCode"] != 200:
        raise AirflowFailed(response)
    deadline = time.monotonic() + DEADLINE
    while True:
        told = client.describe_training_job(TrainingJobName=name)
        if told["TrainingJobStatus"] not in ("InProgress", "Stopping"):
            break
        assert time.monotonic() < deadline, told
        time.sleep(0.01)
    if told["TrainingJobStatus"] in ("Failed", "Stopped"):
        raise AirflowFailed(told.get("FailureReason") or told["TrainingJobStatus"])
    span = told["TrainingEndTime"] - told["TrainingStartTime"]
    return float(span.total_seconds() * told["ResourceConfig"]["InstanceCount"])


async def ended(aws: AwsServer, name: str, ending: Ending, **members: object) -> None:
    """Take a job through its life, on the yard's own loop."""

    async def life() -> None:
        await aws.yard.launched(name)
        await aws.yard.reach(name, Milestone.STAGING, Milestone.TRAINING)
        await aws.yard.end(name, ending, **members)

    await asyncio.to_thread(aws.run, life())


@pytest.mark.parametrize(
    ("name", "ending", "members", "verdict"),
    [
        ("good", Ending.COMPLETED, {}, ""),
        ("bad", Ending.FAILED, {"exit_code": 1}, "AlgorithmError"),
    ],
)
async def test_airflow_waits_for_a_job_and_tells_its_ends_apart(
    name: str, ending: Ending, members: dict[str, object], verdict: str
) -> None:
    with an_aws_server() as aws:
        request = {**REQUEST, "TrainingJobName": name}
        running = asyncio.create_task(asyncio.to_thread(airflow_runs, aws.client("sagemaker"), request))
        await ended(aws, name, ending, **members)
        if not verdict:
            assert await running >= 0
            with pytest.raises(AirflowFailed, match="already exists"):
                await asyncio.to_thread(airflow_runs, aws.client("sagemaker"), request)
            return
        with pytest.raises(AirflowFailed, match=verdict):
            await running


async def test_airflow_counts_a_job_that_somebody_stops_as_failed() -> None:
    with an_aws_server() as aws:
        client = aws.client("sagemaker")
        running = asyncio.create_task(
            asyncio.to_thread(airflow_runs, client, {**REQUEST, "TrainingJobName": "stopped"})
        )
        while not (await asyncio.to_thread(client.list_training_jobs))["TrainingJobSummaries"]:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(client.stop_training_job, TrainingJobName="stopped")
        with pytest.raises(AirflowFailed, match="Stopped"):
            await running


async def verdict_on(amazon: Amazon, name: str) -> str:
    """Pipelines' last word; it reads the resource again and again."""
    found: list[str] = []

    def read() -> bool:
        verdict = pipelines_verdict(amazon.api.get(PLURAL, name))
        found.extend([verdict] if verdict else [])
        return bool(found)

    await until(read)
    return found[0]


async def test_pipelines_tell_the_ends_apart_of_jobs_over_there() -> None:
    async with an_amazon() as amazon:
        region = {"services.k8s.aws/region": "us-west-2"}
        for name in ("good", "bad", "halted", "refused"):
            await amazon.apply(name, annotations=region, **({"RoleArn": "nobody"} if name == "refused" else {}))
        await amazon.train("good")
        await amazon.end("good")
        await amazon.train("bad")
        await amazon.end("bad", Ending.FAILED, exit_code=1)
        await amazon.train("halted")
        await amazon.at_the_yard(amazon.aws.yard.service.stop("halted"))
        assert await verdict_on(amazon, "good") == "completed"
        assert (await verdict_on(amazon, "bad")).startswith("failed: AlgorithmError")
        assert await verdict_on(amazon, "halted") == "stopped"
        assert await verdict_on(amazon, "refused") == "refused"
        metadata = amazon.api.get(PLURAL, "good")["metadata"]
        assert metadata["annotations"] == {**region, "trainyard/place": "123456789012/us-west-2"}
