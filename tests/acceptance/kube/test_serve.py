"""`trainyard serve` as a Kubernetes API: a real process, stock kubectl, the home's database."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

DEADLINE = 60.0
TRAINYARD = str(Path(sys.executable).with_name("trainyard"))
MANIFEST = {
    "apiVersion": "sagemaker.services.k8s.aws/v1alpha1", "kind": "TrainingJob", "metadata": {"name": "odd"},
    "spec": {
        "trainingJobName": "odd", "roleARN": "no-role", "outputDataConfig": {"s3OutputPath": "s3://b/o"},
        "algorithmSpecification": {"trainingImage": "i", "trainingInputMode": "File"},
        "resourceConfig": {"instanceCount": 1, "instanceType": "ml.m5.large", "volumeSizeInGB": 1},
        "stoppingCondition": {"maxRuntimeInSeconds": 60},
    },
}  # fmt: skip


@contextmanager
def serving(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    argv = [TRAINYARD, "--home", str(home), "serve", "--kube-port", "0"]
    (home / "kubeconfig").unlink(missing_ok=True)
    with subprocess.Popen(argv, stderr=subprocess.PIPE) as process:
        try:
            deadline = time.monotonic() + DEADLINE
            while not (home / "kubeconfig").exists():
                assert process.poll() is None, process.stderr.read().decode() if process.stderr else ""
                assert time.monotonic() < deadline, "serve did not open its Kubernetes door"
                time.sleep(0.05)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(DEADLINE)


def kubectl(home: Path, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "KUBECONFIG": str(home / "kubeconfig"), "HOME": str(home)}
    return subprocess.run(
        ["kubectl", *arguments], input=given, env=environment, capture_output=True, text=True, timeout=DEADLINE,
        check=False,
    )  # fmt: skip


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_serve_takes_training_jobs_warns_of_what_sagemaker_would_refuse_and_keeps_them(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with serving(tmp_path):
        applied = kubectl(tmp_path, "apply", "-f", "-", given=json.dumps(MANIFEST))
        assert applied.returncode == 0, applied.stderr
        assert "Warning: spec.roleARN" in applied.stderr
        assert (tmp_path / "kubeconfig").stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "kube.sock").stat().st_mode & 0o777 == 0o600
    with serving(tmp_path):
        kept = kubectl(tmp_path, "get", "trainingjob", "odd", "-o", "jsonpath={.spec.roleARN}")
        assert kept.stdout == "no-role", kept.stderr


def test_serve_refuses_to_be_reached_from_elsewhere_without_tls(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    argv = [TRAINYARD, "--home", str(tmp_path), "serve", "--kube-host", "0.0.0.0"]  # noqa: S104
    said = subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert said.returncode != 0
    assert "--tls-cert" in said.stderr


def test_a_token_is_made_once_and_kept_as_a_hash(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    argv = [TRAINYARD, "--home", str(tmp_path), "kubeconfig", "--user", "anna"]
    argv += ["--role", "submit", "--namespace", "team", "--server", "https://yard.example:7446"]
    made = subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE, check=True)
    config = json.loads(made.stdout)
    token = config["users"][0]["user"]["token"]
    assert config["clusters"][0]["cluster"]["server"] == "https://yard.example:7446"
    assert token not in (tmp_path / "tokens.json").read_text()
    again = subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert again.returncode != 0
    assert "already" in again.stderr
