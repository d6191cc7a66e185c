"""The operator with its jobs run by another process, as in the chart's pod: over the control socket."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.kube_server import KubeServer

COMMAND = str(Path(sys.executable).with_name("trainyard"))
MANIFEST = """
apiVersion: sagemaker.services.k8s.aws/v1alpha1
kind: TrainingJob
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  trainingJobName: {name}
  roleARN: arn:aws:iam::123456789012:role/trainer
  algorithmSpecification:
    trainingImage: shell
    trainingInputMode: File
  outputDataConfig: {{s3OutputPath: "s3://bucket/out"}}
  resourceConfig: {{instanceType: ml.m5.large, instanceCount: 1, volumeSizeInGB: 1}}
  stoppingCondition: {{maxRuntimeInSeconds: 60}}
"""
SETTINGS = """
[images.shell]
command = ["/bin/sh", "-c", "echo done > /opt/ml/model/seen"]
"""


def started(processes: list[subprocess.Popen[bytes]], home: Path, *arguments: str) -> None:
    environment = {**os.environ, "TRAINYARD_HOME": str(home)}
    processes.append(subprocess.Popen([COMMAND, *arguments], env=environment, stderr=subprocess.DEVNULL))


def test_a_resource_is_carried_out_by_a_trainyard_elsewhere(kube: KubeServer, namespace: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "trainyard.toml").write_text(SETTINGS)
    definition = subprocess.run([COMMAND, "crd", "--validation", "ack"], capture_output=True, text=True, check=True)
    kube.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", given=definition.stdout)
    kube.kubectl("wait", "--for=condition=Established", "crd/trainingjobs.sagemaker.services.k8s.aws", "--timeout=30s")
    processes: list[subprocess.Popen[bytes]] = []
    try:
        started(processes, home, "serve")
        started(
            processes, home, "operator", "--service", f"unix://{home}/control.sock", "--kubeconfig",
            str(kube.kubeconfig), "--watch-namespace", namespace, "--metrics-addr", "0", "--healthz-addr", "0",
        )  # fmt: skip
        kube.kubectl("apply", "-f", "-", given=MANIFEST.format(name="afar", namespace=namespace))
        kube.kubectl(
            "-n", namespace, "wait", "trainingjob/afar", "--for=jsonpath={.status.trainingJobStatus}=Completed",
            "--timeout=50s",
        )  # fmt: skip
        described = kube.kubectl("-n", namespace, "describe", "trainingjob", "afar").stdout
        assert "s3://bucket/out/afar/output/model.tar.gz" in described
        kube.kubectl("-n", namespace, "delete", "trainingjob", "afar", "--timeout=30s")
    finally:
        for process in processes:
            process.kill()
            process.wait()


@pytest.mark.parametrize("url", ["http://plain:80", "trainyard", "unix://relative"])
def test_a_plain_connection_is_refused(url: str, kube: KubeServer, tmp_path: Path) -> None:
    done = subprocess.run(
        [COMMAND, "operator", "--service", url, "--kubeconfig", str(kube.kubeconfig)],
        env={**os.environ, "TRAINYARD_HOME": str(tmp_path / "home")},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "neither https:// nor unix:///" in done.stderr
