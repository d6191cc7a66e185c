"""Objects and jobs in one `trainyard serve`: what clients write, jobs read; what jobs write, clients read."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tarfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.acceptance.test_aws_serve import TRAINYARD, Served, serving

SCRIPT = "import shutil; shutil.copy('/opt/ml/input/data/train/numbers', '/opt/ml/model/weights')"


def clients(served: Served, *names: str) -> list[Any]:
    told = served.variables()
    return [
        boto3.client(
            name, endpoint_url=told["AWS_ENDPOINT_URL"], region_name=told["AWS_REGION"],
            aws_access_key_id=told["AWS_ACCESS_KEY_ID"], aws_secret_access_key=told["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"max_attempts": 1}),
        )
        for name in names
    ]  # fmt: skip


def request_of(name: str, bucket: str) -> dict[str, Any]:
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/data/"}}
    return {
        "TrainingJobName": name,
        "RoleArn": "arn:aws:iam::000000000000:role/trainer",
        "AlgorithmSpecification": {
            "TrainingImage": "local/python",
            "TrainingInputMode": "File",
            "ContainerEntrypoint": [sys.executable, "-c", SCRIPT],
        },
        "InputDataConfig": [{"ChannelName": "train", "DataSource": source}],
        "OutputDataConfig": {"S3OutputPath": "s3://made-by-the-job/models"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }


def test_a_job_reads_what_a_client_wrote_and_a_client_what_the_job_wrote(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        s3, sagemaker = clients(served, "s3", "sagemaker")
        s3.create_bucket(Bucket="input")
        s3.put_object(Bucket="input", Key="data/numbers", Body=b"1 2 3")
        sagemaker.create_training_job(**request_of("job", "input"))
        sagemaker.get_waiter("training_job_completed_or_stopped").wait(
            TrainingJobName="job", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        told = sagemaker.describe_training_job(TrainingJobName="job")
        assert told["TrainingJobStatus"] == "Completed", told
        listed = s3.list_objects_v2(Bucket="made-by-the-job")["Contents"]
        assert [one["Key"] for one in listed] == ["models/job/output/model.tar.gz"]
        archive = s3.get_object(Bucket="made-by-the-job", Key=listed[0]["Key"])["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        weights = tar.extractfile("weights")
        assert weights is not None
        assert weights.read() == b"1 2 3"
    kept = subprocess.run(
        [TRAINYARD, "--home", str(served.home), "data", "ls", "s3://input/"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "data/numbers" in kept.stdout, kept.stderr


def test_a_bucket_that_is_elsewhere_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with serving(tmp_path, settings=f'[buckets."mine"]\nfolder = "{tmp_path / "mine"}"\n') as served:
        (s3,) = clients(served, "s3")
        with pytest.raises(ClientError, match=f"folder {tmp_path / 'mine'}"):
            s3.list_objects_v2(Bucket="mine")
        with pytest.raises(ClientError, match="BucketAlreadyExists"):
            s3.create_bucket(Bucket="mine")


def test_what_was_acknowledged_is_there_after_kill_9(tmp_path: Path) -> None:
    contents = {f"k{number}": os.urandom(10 + 100_000 * (number % 3)) for number in range(12)}
    with suppress(AssertionError), serving(tmp_path) as served:  # it does not end as a server should
        (s3,) = clients(served, "s3")
        s3.create_bucket(Bucket="kept")
        for key, content in contents.items():
            s3.put_object(Bucket="kept", Key=key, Body=content)
        pid = int((served.home / "serve.lock").read_text())
        os.kill(pid, signal.SIGKILL)
    with serving(tmp_path) as served:
        (s3,) = clients(served, "s3")
        for key, content in contents.items():
            assert s3.get_object(Bucket="kept", Key=key)["Body"].read() == content
