"""`trainyard serve` and stock AWS clients that one variable leads there: real processes, real training."""

from __future__ import annotations

import json
import os
import re
import signal
import ssl
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx2
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.afar import Afar

ROOT = Path(__file__).parents[2]
TRAINYARD = str(Path(sys.executable).with_name("trainyard"))
AWS = str(Path(sys.executable).with_name("aws"))
DEADLINE = 60.0
EVERYWHERE = "0.0.0.0"  # noqa: S104


@dataclass(frozen=True)
class Served:
    """A home that is served."""

    home: Path
    log: Path

    def variables(self) -> dict[str, str]:
        """What `trainyard env` says."""
        said = subprocess.run(
            [TRAINYARD, "--home", str(self.home), "env", "-o", "json"],
            capture_output=True, check=True, text=True, timeout=DEADLINE,
        )  # fmt: skip
        return dict(json.loads(said.stdout))


@contextmanager
def serving(folder: Path, *options: str, settings: str = "") -> Iterator[Served]:
    home = folder / "home"
    home.mkdir(mode=0o700, exist_ok=True)
    if settings:
        (home / "trainyard.toml").write_text(settings)
        (home / "trainyard.toml").chmod(0o600)
    log = folder / "serve.log"
    argv = [TRAINYARD, "--home", str(home), "serve", "--kube-port", "0", "--aws-port", "0", *options]
    with log.open("wb") as sink:
        server = subprocess.Popen(argv, stderr=sink, start_new_session=True)
    try:
        deadline = time.monotonic() + DEADLINE
        while "AWS services at " not in log.read_text():
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield Served(home, log)
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(DEADLINE) == 0


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No AWS configuration of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    return monkeypatch


@pytest.mark.case(1, 3, 8)
def test_boto3_trains_xgboost_on_the_digits(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    subprocess.run([sys.executable, "examples/digits_data.py", str(tmp_path / "data")], cwd=ROOT, check=True)
    with serving(tmp_path) as served:
        for name, value in served.variables().items():
            environment.setenv(name, value)
        sagemaker = boto3.client("sagemaker")
        arn = sagemaker.create_training_job(**_digits(tmp_path))["TrainingJobArn"]
        assert arn == "arn:aws:sagemaker:us-east-1:000000000000:training-job/digits"
        sagemaker.get_waiter("training_job_completed_or_stopped").wait(
            TrainingJobName="digits", WaiterConfig={"Delay": 1, "MaxAttempts": 120}
        )
        told = sagemaker.describe_training_job(TrainingJobName="digits")
    assert told["TrainingJobStatus"] == "Completed", told.get("FailureReason")
    metrics = {metric["MetricName"]: metric["Value"] for metric in told["FinalMetricDataList"]}
    assert metrics["validation:merror"] < 0.1
    with tarfile.open(told["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("file://")) as archive:
        assert "xgboost-model" in archive.getnames()


def _digits(tmp_path: Path) -> dict[str, Any]:
    def channel(name: str) -> dict[str, Any]:
        uri = f"file://{tmp_path}/data/csv/{name}/"
        return {
            "ChannelName": name, "ContentType": "text/csv",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}},
        }  # fmt: skip

    return {
        "TrainingJobName": "digits",
        "RoleArn": "arn:aws:iam::000000000000:role/trainer",
        "AlgorithmSpecification": {
            "TrainingImage": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1",
            "TrainingInputMode": "File",
        },
        "HyperParameters": {
            "objective": "multi:softmax",
            "num_class": "10",
            "num_round": "20",
            "eval_metric": "merror",
        },
        "InputDataConfig": [channel("train"), channel("validation")],
        "OutputDataConfig": {"S3OutputPath": f"file://{tmp_path}/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    }


@pytest.mark.case(2)
def test_the_aws_cli_trains_here(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    subprocess.run([sys.executable, "examples/digits_data.py", str(tmp_path / "data")], cwd=ROOT, check=True)
    with serving(tmp_path) as served:
        variables = served.variables()
        url = variables.pop("AWS_ENDPOINT_URL")

        def aws(*words: str) -> Any:
            argv = [AWS, "sagemaker", *words, "--endpoint-url", url, "--output", "json"]
            said = subprocess.run(
                argv, capture_output=True, text=True, timeout=DEADLINE, check=False, env={**os.environ, **variables}
            )
            assert said.returncode == 0, said.stderr
            return json.loads(said.stdout or "null")

        job = json.dumps({**_digits(tmp_path), "Tags": [{"Key": "team", "Value": "a"}]})
        arn = aws("create-training-job", "--cli-input-json", job)["TrainingJobArn"]
        assert aws("list-training-jobs", "--max-items", "1")["TrainingJobSummaries"][0]["TrainingJobArn"] == arn
        assert aws("list-tags", "--resource-arn", arn)["Tags"] == [{"Key": "team", "Value": "a"}]
        deadline = time.monotonic() + DEADLINE
        while (told := aws("describe-training-job", "--training-job-name", "digits"))[
            "TrainingJobStatus"
        ] != "Completed":
            assert (told["TrainingJobStatus"], time.monotonic() < deadline) == ("InProgress", True)
        aws("wait", "training-job-completed-or-stopped", "--training-job-name", "digits")
        assert told["SecondaryStatusTransitions"][-1]["StatusMessage"] == "Training job completed"


def test_a_shell_takes_what_env_prints(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        shell = f'eval "$({TRAINYARD} --home {served.home} --account 123456789012 --region eu-north-1 env)" && env'
        given = {**os.environ, "AWS_SESSION_TOKEN": "old", "AWS_PROFILE": "mine"}
        said = subprocess.run(["/bin/sh", "-c", shell], capture_output=True, check=True, text=True, env=given)
        known = dict(line.split("=", 1) for line in said.stdout.splitlines() if line.startswith("AWS_"))
        assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+", known["AWS_ENDPOINT_URL"])
        assert (known["AWS_ACCESS_KEY_ID"], known["AWS_REGION"]) == ("123456789012", "eu-north-1")
        assert {"AWS_SESSION_TOKEN", "AWS_PROFILE"}.isdisjoint(known)


def test_env_says_when_nobody_served_yet(tmp_path: Path) -> None:
    said = subprocess.run(
        [TRAINYARD, "--home", str(tmp_path / "home"), "env"], capture_output=True, text=True, check=False
    )
    assert said.returncode != 0
    assert "trainyard serve" in said.stderr


KEYS = """
[keys."AKIAREADER"]
secret = "reader-secret"
role = "read"

[keys."AKIAWRITER"]
secret = "writer-secret"
account = "123456789012"
region = "eu-north-1"
"""


def test_beyond_loopback_the_key_says_who_asks_and_what_he_may(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    afar = Afar(tmp_path)
    afar.certify()
    pem = str(tmp_path / "server.pem")
    options = ("--aws-host", EVERYWHERE, "--tls-cert", pem, "--tls-key", pem)
    with serving(tmp_path, *options, "--trust-submitters", settings=KEYS) as served:
        port = json.loads((served.home / "aws.json").read_text())["url"].rpartition(":")[2]

        def client(
            key: str, secret: str, region: str = "eu-north-1", service: Any = "sagemaker", token: str | None = None
        ) -> Any:
            return boto3.client(
                service, endpoint_url=f"https://127.0.0.1:{port}", verify=str(afar.ca), region_name=region,
                aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token,
                config=Config(retries={"max_attempts": 1}),
            )  # fmt: skip

        def code(call: Any, **members: Any) -> str:
            with pytest.raises(ClientError) as refused:
                call(**members)
            return str(refused.value.response["Error"]["Code"])

        writer = client("AKIAWRITER", "writer-secret")
        arn = writer.create_training_job(**{**_digits(tmp_path), "TrainingJobName": "afar", "InputDataConfig": [
            {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"file://{tmp_path}/"}}}
        ]})["TrainingJobArn"]  # fmt: skip
        assert arn == "arn:aws:sagemaker:eu-north-1:123456789012:training-job/afar"
        reader = client("AKIAREADER", "reader-secret")
        assert reader.list_training_jobs()["TrainingJobSummaries"] == []
        assert code(reader.stop_training_job, TrainingJobName="afar") == "AccessDeniedException"
        assert code(client("AKIANOBODY", "x").list_training_jobs) == "UnrecognizedClientException"
        settings = served.home / "trainyard.toml"
        settings.write_text(KEYS + '[keys."AKIANOBODY"]\nsecret = "x"\n')
        assert client("AKIANOBODY", "x").list_training_jobs()["TrainingJobSummaries"] == []
        settings.write_text(KEYS)
        assert code(client("AKIANOBODY", "x").list_training_jobs) == "UnrecognizedClientException"
        assert code(client("AKIAWRITER", "x").list_training_jobs) == "InvalidSignatureException"
        elsewhere = client("AKIAWRITER", "writer-secret", region="us-east-1")
        assert code(elsewhere.list_training_jobs) == "InvalidSignatureException"
        writer.stop_training_job(TrainingJobName="afar")
        keys = client("AKIAWRITER", "writer-secret", service="sts").assume_role(
            RoleArn="arn:aws:iam::123456789012:role/trainer", RoleSessionName="anna"
        )["Credentials"]
        role = {"key": keys["AccessKeyId"], "secret": keys["SecretAccessKey"], "token": keys["SessionToken"]}
        assert client(**role).describe_training_job(TrainingJobName="afar")["TrainingJobArn"] == arn
        objects = client(**role, service="s3")
        objects.create_bucket(Bucket="of-the-role", CreateBucketConfiguration={"LocationConstraint": "eu-north-1"})
        objects.put_object(Bucket="of-the-role", Key="a", Body=b"x")
        url = objects.generate_presigned_url("get_object", {"Bucket": "of-the-role", "Key": "a"})
        assert httpx2.get(url, verify=ssl.create_default_context(cafile=afar.ca)).content == b"x"
        assert code(client(**{**role, "token": "x"}, service="s3").list_buckets) == "InvalidAccessKeyId"
        found = client(**role, service="iam", region="eu-north-1").get_role(RoleName="trainer")["Role"]["Arn"]
        assert found == "arn:aws:iam::123456789012:role/trainer"
    assert keys["SecretAccessKey"] not in served.log.read_text()
    assert "secret" not in served.log.read_text()


@pytest.mark.parametrize("missing", ["certificate", "keys", "trust", "mode"])
def test_beyond_loopback_nothing_starts_that_is_not_safe(tmp_path: Path, missing: str) -> None:
    afar = Afar(tmp_path)
    afar.certify()
    afar.home.mkdir(mode=0o700)
    settings = afar.home / "trainyard.toml"
    settings.write_text("" if missing == "keys" else KEYS)
    settings.chmod(0o644 if missing == "mode" else 0o600)
    argv = [TRAINYARD, "--home", str(afar.home), "serve", "--kube-port", "0", "--aws-host", EVERYWHERE]
    if missing != "certificate":
        argv += ["--tls-cert", str(tmp_path / "server.pem"), "--tls-key", str(tmp_path / "server.pem")]
    if missing != "trust":
        argv.append("--trust-submitters")
    refused = subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE, check=False)
    words = {"certificate": "--tls-cert", "keys": "[keys]", "trust": "--trust-submitters", "mode": "chmod 600"}
    assert refused.returncode != 0
    assert words[missing] in refused.stderr
