"""A job's own AWS clients: stock boto3, no configuration, in real jobs on every kind of network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.jobs import Ran, ended, home, python, request, run
from tests.nobody import as_nobody, ordinary_folder

from trainyard.wiring.session import open_session

OUTPUT = {"S3OutputPath": "s3://out/models"}
SUBNET = {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
KEYS = """
import boto3, json, os
from botocore.exceptions import BotoCoreError, ClientError
def said(call):
    try:
        return call()
    except (BotoCoreError, ClientError) as error:
        return getattr(error, "response", {}).get("Error", {}).get("Code") or type(error).__name__
def tell(seen):
    open("/opt/ml/model/seen.json", "w").write(json.dumps(seen))
"""
# What a training script does with AWS: who am I, read and write its bucket, look at itself.
PROGRAM = (
    KEYS
    + """
s3, sts, sagemaker = boto3.client("s3"), boto3.client("sts"), boto3.client("sagemaker")
job = os.environ["TRAINING_JOB_NAME"]
def whole():
    s3.put_object(Bucket="out", Key="by-the-job", Body=b"x" * 100)
    return len(s3.get_object(Bucket="out", Key="by-the-job")["Body"].read())
tell({
    "who": said(lambda: sts.get_caller_identity()["Arn"]),
    "account": said(lambda: sts.get_caller_identity()["Account"]),
    "object": said(whole),
    "status": said(lambda: sagemaker.describe_training_job(TrainingJobName=job)["SecondaryStatus"]),
    "role": said(lambda: boto3.client("iam").get_role(RoleName="trainer")["Role"]["RoleName"]),
    "interfaces": sorted(os.listdir("/sys/class/net")),
    "variables": {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "S3_"))},
})
"""
)


async def seen(tmp_path: Path, text: str = PROGRAM, settings: str = "", **more: Any) -> tuple[Ran, dict[str, Any]]:
    ran = await run(tmp_path, python(text), settings=settings, **more)
    return ran, json.loads(ran.file("seen.json"))


def network(access: str) -> str:
    return f'[networks."private"]\nsubnets = ["subnet-1"]\nsecurity_groups = ["sg-1"]\naccess = "{access}"\n' + (
        'peers = ["127.0.0.1:9"]\n' if access == "peers" else ""
    )


@pytest.mark.parametrize("access", ["host", "peers", "none", None])
async def test_a_script_finds_its_keys_and_its_services(tmp_path: Path, access: str | None) -> None:
    vpc = {} if access is None else {"VpcConfig": SUBNET}
    ran, told = await seen(tmp_path, settings=network(access) if access else "", **vpc)
    assert told["who"] == "arn:aws:sts::123456789012:assumed-role/trainer/SageMaker"
    assert (told["account"], told["object"], told["status"], told["role"]) == (
        "000000000000",
        100,
        "Training",
        "trainer",
    )
    (notice,) = [notice for notice in ran.job.notices if "role/trainer" in notice]
    assert "good for this Trainyard alone" in notice
