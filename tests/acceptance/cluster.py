"""A Trainyard and its operator as two processes, on any API server: ours, or the one that the environment names."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.kube_server import KubeServer

TRAINYARD = str(Path(sys.executable).with_name("trainyard"))
DEADLINE = 90.0
KIND = "trainingjobs.sagemaker.services.k8s.aws"
SETTINGS = """
[images.sleeper]
command = ["sh", "-c", "exec sleep 600"]
[images.quick]
command = ["sh", "-c", "echo done > /opt/ml/model/seen"]
[images.failing]
command = ["sh", "-c", "echo out of cheese > /opt/ml/output/failure; exit 3"]
"""


def a_manifest(name: str, image: str = "sleeper", **metadata: Any) -> str:
    """A TrainingJob as JSON; images are those of SETTINGS."""
    spec = {
        "trainingJobName": name,
        "roleARN": "arn:aws:iam::123456789012:role/role-of-training",
        "algorithmSpecification": {"trainingImage": image, "trainingInputMode": "File"},
        "outputDataConfig": {"s3OutputPath": "s3://bucket/out"},
        "resourceConfig": {"instanceCount": 1, "instanceType": "ml.m5.large", "volumeSizeInGB": 1},
        "stoppingCondition": {"maxRuntimeInSeconds": 600},
    }
    head = {"apiVersion": "sagemaker.services.k8s.aws/v1alpha1", "kind": "TrainingJob"}
    return json.dumps({**head, "metadata": {"name": name, **metadata}, "spec": spec})


class Cluster:
    """A namespace of an API server, a home whose jobs run on this machine, and operators between the two."""

    def __init__(self, kube: KubeServer, namespace: str, home: Path) -> None:
        self.kube, self.namespace, self.home = kube, namespace, home
        self.environment = {**os.environ, "TRAINYARD_HOME": str(home)}
        home.mkdir(mode=0o700)
        (home / "trainyard.toml").write_text(SETTINGS)

    def kubectl(self, *arguments: str, given: str | None = None, check: bool = True) -> str:
        """What kubectl printed, in the namespace."""
        done = self.kube.kubectl("-n", self.namespace, *arguments, given=given, check=False)
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout + done.stderr

    def trainyard(self, *arguments: str) -> str:
        """What the command printed."""
        argv = [TRAINYARD, *arguments]
        return subprocess.run(argv, env=self.environment, capture_output=True, text=True, check=True).stdout

    def jobs(self) -> list[str]:
        """The names of all jobs that there are."""
        return [one["TrainingJobName"] for one in json.loads(self.trainyard("list", "-o", "json"))]

    def resource(self, name: str) -> dict[str, Any]:
        """A resource, {} where there is none."""
        found = self.kubectl("get", "trainingjob", name, "-o", "json", check=False)
        return json.loads(found) if found.startswith("{") else {}

    def until(self, name: str, true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until something is so of a resource."""
        deadline = time.monotonic() + DEADLINE
        while not true(found := self.resource(name)):
            assert time.monotonic() < deadline, found
            time.sleep(0.2)
        return found

    def reaches(self, name: str, status: str) -> dict[str, Any]:
        """Wait until a resource tells a TrainingJobStatus or a secondary one."""
        told = ("trainingJobStatus", "secondaryStatus")
        return self.until(name, lambda one: status in [one.get("status", {}).get(member) for member in told])

    @contextmanager
    def serving(self) -> Iterator[None]:
        """The engine, for as long as the block lasts."""
        with started([TRAINYARD, "serve", "--kube-port", "0"], self.environment) as process:
            deadline = time.monotonic() + DEADLINE
            while not (self.home / "control.sock").exists():
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.05)
            yield

    @contextmanager
    def operating(self, *flags: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """An operator beside it."""
        argv = [
            TRAINYARD, "operator", "--service", f"unix://{self.home}/control.sock", "--kubeconfig",
            str(self.kube.kubeconfig), "--watch-namespace", self.namespace,
        ]  # fmt: skip
        if not any("addr" in flag for flag in flags):
            flags = (*flags, "--metrics-addr", "0", "--healthz-addr", "0")
        with started([*argv, *flags], {**self.environment, **environment}) as process:
            yield process

    def clean(self) -> None:
        """Leave nothing in the namespace that would wait for an operator."""
        names = self.kubectl("get", KIND, "-o", "name", check=False).split()
        for name in (one for one in names if "/" in one):
            self.kubectl("patch", name, "--type=merge", "-p", '{"metadata":{"finalizers":null}}', check=False)
            self.kubectl("delete", name, "--ignore-not-found", "--wait=false", check=False)


@contextmanager
def started(argv: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is asked to end, and awaited."""
    with subprocess.Popen(argv, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(DEADLINE)


def a_free_port() -> int:
    """A port that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
