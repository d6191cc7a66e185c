"""smdebug's StopTraining action, unmodified, stops jobs here: from beside a job and from inside it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import boto3
import pytest
from tests.acceptance.test_aws_serve import Served, serving
from tests.judges.judging import HERE, interpreter, judged_by

pytestmark = pytest.mark.sdk


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    images = f"""
[images.waits]
command = ["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]

[images.rule]
command = ["{interpreter("smdebug")}", "{HERE / "smdebug_programs.py"}"]
"""
    with serving(tmp_path_factory.mktemp("smdebug"), settings=images) as served:
        yield served


@pytest.fixture
def sagemaker(served: Served) -> Any:
    said = served.variables()
    return boto3.client(
        "sagemaker", endpoint_url=said["AWS_ENDPOINT_URL"], region_name=said["AWS_REGION"],
        aws_access_key_id=said["AWS_ACCESS_KEY_ID"], aws_secret_access_key=said["AWS_SECRET_ACCESS_KEY"],
    )  # fmt: skip


def _create(sagemaker: Any, name: str, image: str, folder: Path) -> None:
    sagemaker.create_training_job(
        TrainingJobName=name, RoleArn="arn:aws:iam::000000000000:role/trainer",
        AlgorithmSpecification={"TrainingImage": image, "TrainingInputMode": "File"},
        OutputDataConfig={"S3OutputPath": f"file://{folder}/out"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    )  # fmt: skip


def _end(sagemaker: Any, name: str) -> tuple[str, str]:
    waiting = {"Delay": 1, "MaxAttempts": 90}
    sagemaker.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName=name, WaiterConfig=waiting)
    told = sagemaker.describe_training_job(TrainingJobName=name)
    return told["TrainingJobStatus"], told["SecondaryStatus"]


@pytest.mark.case(88)
def test_the_action_stops_the_one_job_that_it_means(sagemaker: Any, served: Served, tmp_path: Path) -> None:
    _create(sagemaker, "watched-1", "waits", tmp_path)
    _create(sagemaker, "other-watched-1", "waits", tmp_path)
    with judged_by("smdebug", served, tmp_path) as judge:
        judge("stop_training", prefix="watched")
    assert _end(sagemaker, "watched-1") == ("Stopped", "Stopped")
    other = sagemaker.describe_training_job(TrainingJobName="other-watched-1")
    assert other["TrainingJobStatus"] == "InProgress"
    sagemaker.stop_training_job(TrainingJobName="other-watched-1")
    assert _end(sagemaker, "other-watched-1") == ("Stopped", "Stopped")


@pytest.mark.case(88)
@pytest.mark.xfail(
    find_spec("trainyard.doors.container") is None, reason="issue 4: no AWS services inside a job yet", strict=True
)
def test_the_action_stops_its_own_job_from_inside(sagemaker: Any, tmp_path: Path) -> None:
    _create(sagemaker, "inside-1", "rule", tmp_path)
    assert _end(sagemaker, "inside-1") == ("Stopped", "Stopped")
