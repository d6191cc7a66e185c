"""`trainyard --on sagemaker`, judged by our own SageMaker door: the same commands, through boto3 and the wire."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest
from tests.acceptance.test_aws_serve import environment, serving

TRAINYARD = str(Path(sys.executable).with_name("trainyard"))
DEADLINE = 90.0
SETTINGS = """
[images."registry/shell:1"]
command = ["/bin/sh"]
"""
MANIFEST = """
apiVersion: sagemaker.services.k8s.aws/v1alpha1
kind: TrainingJob
metadata: {name: afar}
spec:
  trainingJobName: afar
  roleARN: arn:aws:iam::123456789012:role/trainer
  algorithmSpecification:
    trainingImage: registry/shell:1
    trainingInputMode: File
    containerArguments: ["-c", "echo trained"]
  outputDataConfig: {s3OutputPath: s3://bucket/out}
  resourceConfig: {instanceType: ml.m5.large, instanceCount: 1, volumeSizeInGB: 1}
  stoppingCondition: {maxRuntimeInSeconds: 60}
"""
__all__ = ["environment"]


def trainyard(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    home = ("--home", str(folder / "unused"))
    return subprocess.run([TRAINYARD, *home, *argv], capture_output=True, text=True, timeout=DEADLINE, check=False)


def test_a_job_goes_through_boto3_to_sagemaker_and_comes_back(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    manifest = tmp_path / "job.yaml"
    manifest.write_text(MANIFEST)
    with serving(tmp_path, settings=SETTINGS) as served:
        for name, value in served.variables().items():
            environment.setenv(name, value)
        started = trainyard(tmp_path, "run", "--on", "sagemaker", "--detach", str(manifest))
        assert (started.returncode, started.stdout) == (0, "afar\n"), started.stderr
        deadline = time.monotonic() + DEADLINE
        while (told := _described(tmp_path))["TrainingJobStatus"] == "InProgress":
            assert time.monotonic() < deadline
        listed = trainyard(tmp_path, "list", "--on", "sagemaker", "-o", "name")
        again = trainyard(tmp_path, "run", "--on", "sagemaker", "--detach", str(manifest))
        removed = trainyard(tmp_path, "delete", "--on", "sagemaker", "afar")
        gone = trainyard(tmp_path, "describe", "--on", "sagemaker", "afar")
    assert told["TrainingJobStatus"] == "Completed", told
    assert told["TrainingJobArn"] == "arn:aws:sagemaker:us-east-1:000000000000:training-job/afar"
    assert (listed.returncode, listed.stdout) == (0, "afar\n"), listed.stderr
    assert again.returncode == 2
    assert "already exists" in again.stderr
    assert (removed.returncode, gone.returncode) == (0, 2), removed.stderr + gone.stderr
    assert "Requested resource not found" in gone.stderr
    assert not (tmp_path / "unused").exists()


def test_objects_go_there_and_come_back(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    manifest, data = tmp_path / "job.yaml", tmp_path / "digits.csv"
    channel = "{channelName: train, dataSource: {s3DataSource: {s3DataType: S3Prefix, s3URI: s3://bucket/in/}}}"
    text = MANIFEST.replace("echo trained", "cat /opt/ml/input/data/train/* > /opt/ml/model/model")
    manifest.write_text(f"{text}  inputDataConfig: [{channel}]\n")
    data.write_text("1,2,3\n")
    with serving(tmp_path, settings=f'default_store = "embedded"\n{SETTINGS}') as served:
        for name, value in served.variables().items():
            environment.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket="bucket")
        before = trainyard(tmp_path, "plan", "--on", "sagemaker", str(manifest))
        brought = trainyard(tmp_path, "data", "cp", "--on", "sagemaker", str(data), "s3://bucket/in/")
        listed = trainyard(tmp_path, "data", "ls", "--on", "sagemaker", "s3://bucket/in/", "-o", "name")
        after = trainyard(tmp_path, "plan", "--on", "sagemaker", str(manifest))
        started = trainyard(tmp_path, "run", "--on", "sagemaker", "--detach", str(manifest))
        trained = trainyard(tmp_path, "wait", "--on", "sagemaker", "afar")
        fetched = trainyard(tmp_path, "artifacts", "--on", "sagemaker", "afar", "--to", str(tmp_path / "model"))
    assert before.returncode == 2
    assert 'No S3 objects found under S3 URL "s3://bucket/in/"' in before.stdout
    assert brought.stdout == listed.stdout == "s3://bucket/in/digits.csv\n", brought.stderr + listed.stderr
    assert after.returncode == 0, after.stdout + after.stderr
    assert "input   train: 1 object, 6 B from s3://bucket/in/" in after.stdout
    assert (started.returncode, trained.returncode) == (0, 0), started.stderr + trained.stderr
    assert fetched.returncode == 0, fetched.stderr
    assert (tmp_path / "model" / "model").read_text() == "1,2,3\n"
    assert not (tmp_path / "unused").exists()


def test_what_amazon_cannot_read_is_refused_before_it_is_asked(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AWS_REGION", "eu-west-1")
    manifest = tmp_path / "job.yaml"
    manifest.write_text(MANIFEST.replace("s3://bucket/out", "out"))
    refused = trainyard(tmp_path, "run", "--on", "sagemaker", str(manifest))
    assert refused.returncode == 2
    assert "s3://" in refused.stderr


def test_no_credentials_is_said_so(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("AWS_REGION", "eu-west-1")
    environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
    refused = trainyard(tmp_path, "list", "--on", "sagemaker")
    assert refused.returncode != 0
    assert "credentials" in refused.stderr
    assert "Traceback" not in refused.stderr


def _described(folder: Path) -> dict[str, str]:
    answer = trainyard(folder, "describe", "--on", "sagemaker", "afar", "-o", "json")
    assert answer.returncode == 0, answer.stderr
    return dict(json.loads(answer.stdout))
