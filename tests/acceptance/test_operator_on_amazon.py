"""`trainyard operator --on sagemaker` as a process of its own, against our own SageMaker door: kubectl, real jobs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.acceptance.cluster import DEADLINE, SETTINGS, TRAINYARD, Cluster, a_manifest, started
from tests.acceptance.test_aws_serve import environment, serving
from tests.kube_server import KubeServer

__all__ = ["environment"]


class Afar(Cluster):
    """A cluster whose operator asks an AWS endpoint, with no home of its own."""

    def __init__(self, kube: KubeServer, namespace: str, folder: Path, variables: dict[str, str]) -> None:
        super().__init__(kube, namespace, folder)
        self.url = variables.pop("AWS_ENDPOINT_URL")
        self.aws = {**os.environ, **variables}

    @contextmanager
    def asking(self, **crash: str) -> Iterator[object]:
        """The operator; it knows nothing of Trainyard but an address."""
        argv = [
            TRAINYARD, "--home", str(self.home / "unused"), "operator", "--on", "sagemaker", "--kubeconfig",
            str(self.kube.kubeconfig), "--watch-namespace", self.namespace, "--aws-region", "us-east-1",
            "--aws-endpoint-url", self.url, "--aws-identity-endpoint-url", self.url,
            "--allow-unsafe-aws-endpoint-urls", "--metrics-addr", "0", "--healthz-addr", "0",
        ]  # fmt: skip
        with started(argv, {**self.aws, **crash}) as process:
            yield process


@pytest.fixture
def afar(training_jobs: KubeServer, namespace: str, tmp_path: Path, environment: pytest.MonkeyPatch) -> Iterator[Afar]:
    assert environment is not None
    with serving(tmp_path, settings=SETTINGS) as served:
        made = Afar(training_jobs, namespace, tmp_path / "cluster", served.variables())
        yield made
        made.clean()


def test_kubectl_trains_over_there(afar: Afar) -> None:
    with afar.asking():
        afar.kubectl("apply", "-f", "-", given=a_manifest("quick-job", "quick"))
        told = afar.reaches("quick-job", "Completed")["status"]
        assert told["ackResourceMetadata"]["arn"] == "arn:aws:sagemaker:us-east-1:000000000000:training-job/quick-job"
        assert told["modelArtifacts"]["s3ModelArtifacts"] == "s3://bucket/out/quick-job/output/model.tar.gz"
        afar.kubectl("apply", "-f", "-", given=a_manifest("long-job"))
        afar.reaches("long-job", "Training")
        afar.kubectl("delete", "trainingjob", "long-job", "--timeout=50s")
    assert not (afar.home / "unused").exists()


@pytest.mark.parametrize("point", ["operator-before-CreateTrainingJob", "operator-after-CreateTrainingJob"])
def test_killed_around_the_deed_it_makes_one_job(afar: Afar, point: str) -> None:
    flag = afar.home / "died"
    with afar.asking(TRAINYARD_CRASHPOINT=f"{point}={flag}") as process:
        afar.kubectl("apply", "-f", "-", given=a_manifest("job"))
        process.wait(DEADLINE)  # type: ignore[attr-defined]
    assert flag.exists()
    annotations = afar.resource("job")["metadata"]["annotations"]
    assert annotations["trainyard/place"] == "000000000000/us-east-1"
    with afar.asking():
        told = afar.reaches("job", "InProgress")
        assert not [one for one in told["status"]["conditions"] if one["type"] == "ACK.Terminal"]
        afar.kubectl("delete", "trainingjob", "job", "--timeout=50s")
