"""TrainingJob resources on any API server and `trainyard operator`: real processes, real jobs, stock kubectl.

By default the server is our own door; TRAINYARD_TEST_KUBECONFIG names another, and nothing here knows the difference.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config
from tests.acceptance.cluster import DEADLINE, TRAINYARD, Cluster, a_free_port, a_manifest
from tests.kube_server import KubeServer

ROOT = Path(__file__).parents[2]
GROUP, VERSION, PLURAL = "sagemaker.services.k8s.aws", "v1alpha1", "trainingjobs"
LEASE = "ack-sagemaker.services.k8s.aws"


@pytest.fixture
def cluster(training_jobs: KubeServer, namespace: str, tmp_path: Path) -> Iterator[Cluster]:
    """A namespace and a home of the test's own."""
    made = Cluster(training_jobs, namespace, tmp_path / "home")
    yield made
    made.clean()


@pytest.mark.parametrize(
    "point",
    [
        "operator-before-manage", "operator-after-manage", "operator-before-CreateTrainingJob",
        "operator-after-CreateTrainingJob", "operator-before-late-initialise", "operator-after-late-initialise",
        "operator-before-status", "operator-after-status",
    ],
)  # fmt: skip
def test_killed_at_any_step_of_creation_it_makes_one_job(cluster: Cluster, point: str) -> None:
    flag = cluster.home / "died"
    with cluster.serving():
        with cluster.operating(TRAINYARD_CRASHPOINT=f"{point}={flag}") as process:
            cluster.kubectl("apply", "-f", "-", given=a_manifest("job"))
            process.wait(DEADLINE)
        assert flag.exists()
        with cluster.operating():
            cluster.reaches("job", "InProgress")
            assert cluster.jobs() == ["job"]
            cluster.kubectl("delete", "trainingjob", "job", "--timeout=50s")


@pytest.mark.parametrize(
    "point",
    [
        "operator-before-StopTrainingJob", "operator-after-StopTrainingJob", "operator-before-release",
        "operator-after-release",
    ],
)  # fmt: skip
def test_killed_at_any_step_of_deletion_it_finishes_afterwards(cluster: Cluster, point: str) -> None:
    flag = cluster.home / "died"
    with cluster.serving():
        with cluster.operating(TRAINYARD_CRASHPOINT=f"{point}={flag}") as process:
            cluster.kubectl("apply", "-f", "-", given=a_manifest("job"))
            cluster.reaches("job", "Training")
            cluster.kubectl("delete", "trainingjob", "job", "--wait=false")
            process.wait(DEADLINE)
        assert flag.exists()
        with cluster.operating():
            cluster.until("job", lambda one: not one)
            assert json.loads(cluster.trainyard("describe", "job", "-o", "json"))["TrainingJobStatus"] == "Stopped"


def test_the_ways_that_people_wait_in(cluster: Cluster) -> None:
    """By a condition, by a field, for the deletion: each with kubectl alone."""
    with cluster.serving(), cluster.operating():
        cluster.kubectl("apply", "-f", "-", given=a_manifest("quick", "quick"))
        cluster.kubectl("wait", "--for=condition=ACK.ResourceSynced", "trainingjob/quick", "--timeout=50s")
        cluster.kubectl("wait", "--for=condition=Ready", "trainingjob/quick", "--timeout=5s")
        by_field = "--for=jsonpath={.status.trainingJobStatus}=Completed"
        cluster.kubectl("wait", by_field, "trainingjob/quick", "--timeout=5s")
        cluster.kubectl("apply", "-f", "-", given=a_manifest("long"))
        cluster.kubectl("wait", "--for=condition=ACK.ResourceSynced=false", "trainingjob/long", "--timeout=50s")
        cluster.reaches("long", "Training")
        cluster.kubectl("delete", "trainingjob", "long", "--wait=false")
        cluster.kubectl("wait", "--for=delete", "trainingjob/long", "--timeout=50s")
        described = cluster.kubectl("describe", "trainingjob", "quick")
        assert "TrainingJob is in Completed status." in described
        assert "s3://bucket/out/quick/output/model.tar.gz" in described


def pipelines_verdict(body: dict[str, Any]) -> str | None:
    """What Kubeflow Pipelines' SageMaker component makes of a resource that it reads: None is "go on waiting"."""
    if "status" not in body or "conditions" not in body["status"]:
        return None
    told = {one["type"]: one for one in body["status"]["conditions"]}
    if told.get("ACK.Terminal", {}).get("status") == "True":
        return "refused"
    recoverable = told.get("ACK.Recoverable", {})
    if recoverable.get("status") == "True":
        return "refused" if "ValidationException" in recoverable["message"] else None
    if not body["status"].get("ackResourceMetadata", {}).get("arn"):
        return None
    status = body["status"]["trainingJobStatus"]
    if status == "Failed":
        return f"failed: {body['status']['failureReason']}"
    if status == "Stopped":
        return "stopped"
    return "completed" if status == "Completed" and told["ACK.ResourceSynced"]["status"] == "True" else None


def test_the_way_that_pipelines_wait_in(cluster: Cluster) -> None:
    """The official client creates the object and reads it again and again; ends of all kinds are told apart."""
    expected = {"quick": "completed", "failing": "failed: AlgorithmError", "refused": "refused", "sleeper": "stopped"}
    nowhere = {"securityGroupIDs": ["sg-0123456789"], "subnets": ["subnet-0123456789"]}
    with config.new_client_from_config(str(cluster.kube.kubeconfig)) as api, cluster.serving(), cluster.operating():
        objects = client.CustomObjectsApi(api)
        for name in expected:
            body = json.loads(a_manifest(name, "quick" if name == "refused" else name))
            body["metadata"]["annotations"] = {"services.k8s.aws/region": "us-east-1"}
            body["spec"] |= {"vpcConfig": nowhere} if name == "refused" else {}
            objects.create_namespaced_custom_object(GROUP, VERSION, cluster.namespace, PLURAL, body)
        cluster.reaches("sleeper", "Training")
        cluster.trainyard("stop", "sleeper")
        deadline = time.monotonic() + DEADLINE
        for name, verdict in expected.items():
            where = (GROUP, VERSION, cluster.namespace, PLURAL, name)
            while (found := pipelines_verdict(objects.get_namespaced_custom_object(*where))) is None:
                assert time.monotonic() < deadline, name
                time.sleep(0.2)
            assert found.startswith(verdict)


def test_of_two_operators_one_leads_and_the_other_takes_over_from_the_dead(cluster: Cluster) -> None:
    flags = ("--enable-leader-election", "--leader-election-namespace", cluster.namespace)
    with cluster.serving(), cluster.operating(*flags) as first:
        leader = holder(cluster)
        cluster.kubectl("apply", "-f", "-", given=a_manifest("one"))
        cluster.reaches("one", "InProgress")
        with cluster.operating(*flags):
            first.kill()
            first.wait()
            cluster.kubectl("apply", "-f", "-", given=a_manifest("two"))
            cluster.reaches("two", "InProgress")
            assert holder(cluster) != leader
            assert sorted(cluster.jobs()) == ["one", "two"]
            for name in ("one", "two"):
                cluster.kubectl("delete", "trainingjob", name, "--timeout=50s")


def holder(cluster: Cluster) -> str:
    """Who has the lease, once somebody has."""
    deadline = time.monotonic() + DEADLINE
    while not (found := cluster.kubectl("get", "lease", LEASE, "-o", "jsonpath={.spec.holderIdentity}", check=False)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def asked(url: str) -> tuple[int, str]:
    """Status and body, once there is an answer."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            with opener.open(url, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            assert time.monotonic() < deadline, url
            time.sleep(0.1)


def test_probes_and_metrics_tell_how_it_is(cluster: Cluster) -> None:
    health, metrics = f"127.0.0.1:{a_free_port()}", f"127.0.0.1:{a_free_port()}"
    with cluster.serving(), cluster.operating("--healthz-addr", health, "--metrics-addr", metrics):
        cluster.kubectl("apply", "-f", "-", given=a_manifest("job"))
        cluster.reaches("job", "InProgress")
        assert asked(f"http://{health}/healthz")[0] == 200
        assert asked(f"http://{health}/readyz") == (200, '{"synced": true}')
        told = asked(f"http://{metrics}/metrics")[1]
        assert "trainyard_resources 1.0" in told
        assert 'trainyard_resources_in_fault{condition="ACK.Terminal"} 0.0' in told
        assert (
            'ack_outbound_api_requests_total{op_id="CreateTrainingJob",op_type="CREATE",service="sagemaker"} 1.0'
            in told
        )
        assert 'rest_client_requests_total{code="200",method="PATCH"}' in told
        cluster.kubectl("delete", "trainingjob", "job", "--timeout=50s")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--enable-carm",), "--enable-carm=true is not supported"),
        (("--aws-endpoint-url", "http://x"), "--aws-endpoint-url=http://x is not supported"),
        (("--watch-namespace", "a,a"), "names a twice"),
        (("--watch-namespace", "A_B"), "no namespace's name"),
        (("--deletion-policy", "keep"), "delete or retain"),
        (("--reconcile-resources", "Model"), "leaves TrainingJob out"),
        (("--reconcile-resource-resync-seconds", "TrainingJob=x"), "TrainingJob=<number>"),
        (("--feature-gates", "IAMRoleSelector=true"), "is not built"),
        (("--feature-gates", "TeamLevelCARM=true"), "needs --on sagemaker"),
        (("--on", "sagemaker", "--aws-region", "us-west-2", "--aws-endpoint-url", "http://x"), "over https alone"),
        (("--on", "sagemaker", "--aws-region", "us-west-2", "--aws-endpoint-url", "x"), "write https://"),
        (("--on", "sagemaker", "--aws-region", "us-west-2", "--aws-identity-endpoint-url", "http://x"), "https alone"),
        (("--feature-gates", "Magic=true"), "there is no gate"),
        (("--resource-tags", "a=b=c"), "invalid resource tag"),
        (("--metrics-addr", "nowhere"), "no address"),
        (("--enable-leader-election=perhaps",), "neither true nor false"),
    ],
)  # fmt: skip
def test_a_flag_that_means_nothing_here_is_refused_with_the_reason(
    kube: KubeServer, tmp_path: Path, flags: tuple[str, ...], said: str
) -> None:
    argv = [TRAINYARD, "--home", str(tmp_path), "operator", "--kubeconfig", str(kube.kubeconfig), *flags]
    tmp_path.chmod(0o700)
    done = subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.returncode != 0
    assert said in done.stderr


def test_the_example_trains_to_a_model(cluster: Cluster) -> None:
    with cluster.serving(), cluster.operating():
        data = [sys.executable, str(ROOT / "examples/digits_data.py")]
        subprocess.run(data, env=cluster.environment, check=True, capture_output=True)
        cluster.kubectl("apply", "-f", str(ROOT / "examples/xgboost-digits.yaml"))
        cluster.reaches("xgboost-digits", "Completed")
        described = cluster.kubectl("describe", "trainingjob", "xgboost-digits")
        for words in ("TrainingJob is in Completed status.", "validation:merror", "Uploading generated training model"):
            assert words in described
        cluster.kubectl("delete", "trainingjob", "xgboost-digits", "--timeout=50s")
