"""`trainyard serve` as a whole: its own Kubernetes API and its own operator, from `kubectl apply` to the model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.tools import stock

ROOT = Path(__file__).parents[2]
TRAINYARD = str(Path(sys.executable).with_name("trainyard"))
DEADLINE = 60.0


class Served:
    """A server on a home, and kubectl for it."""

    def __init__(self, home: Path) -> None:
        self.home, self._kubectl = home, stock("kubectl")
        config = str(home / "kubeconfig")
        self.environment = {**os.environ, "TRAINYARD_HOME": str(home), "KUBECONFIG": config, "HOME": str(home)}

    def kubectl(self, *arguments: str, given: str | None = None, check: bool = True) -> str:
        """What kubectl printed."""
        done = subprocess.run(
            [self._kubectl, *arguments], input=given, env=self.environment, capture_output=True, text=True,
            timeout=DEADLINE, check=False,
        )  # fmt: skip
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout + done.stderr

    def trainyard(self, *arguments: str) -> str:
        """What the command printed."""
        argv = [TRAINYARD, *arguments]
        return subprocess.run(argv, env=self.environment, capture_output=True, text=True, check=True).stdout

    def resource(self, name: str) -> dict[str, Any]:
        """A resource, {} where there is none."""
        found = self.kubectl("get", "trainingjob", name, "-o", "json", check=False)
        return json.loads(found) if found.startswith("{") else {}  # type: ignore[no-any-return]

    def until(self, name: str, true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until something is so of a resource."""
        deadline = time.monotonic() + DEADLINE
        while not true(found := self.resource(name)):
            assert time.monotonic() < deadline, found
            time.sleep(0.1)
        return found

    @contextmanager
    def running(self, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """The server, for as long as the block lasts."""
        (self.home / "kubeconfig").unlink(missing_ok=True)
        argv = [TRAINYARD, "serve", "--kube-port", "0"]
        with subprocess.Popen(argv, env={**self.environment, **environment}, stderr=subprocess.DEVNULL) as process:
            try:
                deadline = time.monotonic() + DEADLINE
                while not (self.home / "kubeconfig").exists() and process.poll() is None:
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
                yield process
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                process.wait(DEADLINE)


@pytest.fixture
def served(tmp_path: Path) -> Served:
    """A home of its own, with a program that runs until it is stopped."""
    tmp_path.chmod(0o700)
    (tmp_path / "trainyard.toml").write_text('[images."sleeper"]\ncommand = ["sh", "-c", "exec sleep 600"]\n')
    return Served(tmp_path)


def a_sleeper(name: str, **metadata: Any) -> str:
    spec = {
        "trainingJobName": name,
        "roleARN": "arn:aws:iam::123456789012:role/role-of-training",
        "algorithmSpecification": {"trainingImage": "sleeper", "trainingInputMode": "File"},
        "outputDataConfig": {"s3OutputPath": "s3://bucket/out"},
        "resourceConfig": {"instanceCount": 1, "instanceType": "ml.m5.large", "volumeSizeInGB": 1},
        "stoppingCondition": {"maxRuntimeInSeconds": 600},
    }
    head = {"apiVersion": "sagemaker.services.k8s.aws/v1alpha1", "kind": "TrainingJob"}
    return json.dumps({**head, "metadata": {"name": name, **metadata}, "spec": spec})


def test_the_example_as_a_resource_trains_to_a_model_and_describe_tells_it_all(served: Served, tmp_path: Path) -> None:
    with served.running():
        data = [sys.executable, str(ROOT / "examples/digits_data.py")]
        subprocess.run(data, env=served.environment, check=True, capture_output=True)
        served.kubectl("apply", "-f", str(ROOT / "examples/xgboost-digits.yaml"))
        wait = "--for=jsonpath={.status.trainingJobStatus}=Completed"
        served.kubectl("wait", wait, "trainingjob/xgboost-digits", "--timeout=50s")
        served.kubectl("wait", "--for=condition=ACK.ResourceSynced", "trainingjob/xgboost-digits", "--timeout=5s")
        described = served.kubectl("describe", "trainingjob", "xgboost-digits")
        for words in ("TrainingJob is in Completed status.", "validation:merror", "Uploading generated training model"):
            assert words in described
        served.trainyard("artifacts", "xgboost-digits", "--to", str(tmp_path / "model"))
        assert list((tmp_path / "model").iterdir())
        served.kubectl("delete", "trainingjob", "xgboost-digits", "--timeout=20s")
        assert served.resource("xgboost-digits") == {}


def test_a_job_made_elsewhere_is_shown_and_goes_with_its_job(served: Served) -> None:
    with served.running():
        manifest = served.home / "sleeper.json"
        manifest.write_text(a_sleeper("Made-Elsewhere"))
        served.trainyard("run", "-d", str(manifest))
        found = served.until("made-elsewhere", lambda one: bool(one.get("status")))
        assert found["spec"]["trainingJobName"] == "Made-Elsewhere"
        assert found["metadata"]["annotations"]["services.k8s.aws/read-only"] == "true"
        served.kubectl("delete", "trainingjob", "made-elsewhere")  # touches the job in no way
        served.trainyard("stop", "Made-Elsewhere")
        served.until("made-elsewhere", lambda one: one.get("status", {}).get("trainingJobStatus") == "Stopped")
        served.trainyard("delete", "Made-Elsewhere")
        served.until("made-elsewhere", lambda one: not one)
