"""Schemas and rules on the wire: our own strict definition and stock kubectl; the same on a real API server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.kube_server import KubeServer

from trainyard.resource.crd import definition

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
Kubectl = Callable[..., str]
KIND = "trainingjob"
ROOT = Path(__file__).parents[3]


@pytest.fixture
def kubectl(training_jobs: KubeServer, namespace: str) -> Kubectl:
    """Run kubectl in the test's namespace, where TrainingJobs are strictly judged; what it said."""
    kube = training_jobs
    kube.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", given=json.dumps(definition()))
    kube.kubectl("wait", "--for=condition=Established", "crd/trainingjobs.sagemaker.services.k8s.aws", "--timeout=20s")

    def run(*arguments: str, given: Any = None, fails: bool = False) -> str:
        text = given if given is None or isinstance(given, str) else json.dumps(given)
        done = kube.kubectl("-n", namespace, *arguments, given=text, check=False)
        assert (done.returncode != 0) is fails, f"kubectl {arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    return run


def job(name: str, **changes: Any) -> dict[str, Any]:
    spec = {
        "trainingJobName": name,
        "roleARN": "arn:aws:iam::123456789012:role/x",
        "algorithmSpecification": {"trainingImage": "image", "trainingInputMode": "File"},
        "outputDataConfig": {"s3OutputPath": "s3://bucket/out"},
        "resourceConfig": {"instanceType": "ml.m5.large", "instanceCount": 1, "volumeSizeInGB": 1},
        "stoppingCondition": {"maxRuntimeInSeconds": 60},
    }
    identity = {"apiVersion": "sagemaker.services.k8s.aws/v1alpha1", "kind": "TrainingJob"}
    return {**identity, "metadata": {"name": name}, "spec": {**spec, **changes}}


def test_the_deployed_definition_is_taken_and_our_example_with_it(kubectl: Kubectl, kube: KubeServer) -> None:
    kube.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(ROOT / "deploy/crds"))
    kubectl("apply", "-f", str(ROOT / "examples/xgboost-digits.yaml"))
    assert "SECONDARY-STATUS" in kubectl("get", KIND)


def test_unknown_fields_are_told_or_refused_as_the_client_asks(kubectl: Kubectl) -> None:
    odd = job("odd", stopingCondition={})
    assert 'unknown field "spec.stopingCondition"' in kubectl("create", "-f", "-", given=odd, fails=True)
    assert 'unknown field "spec.stopingCondition"' in kubectl("create", "--validate=warn", "-f", "-", given=odd)
    assert "stopingCondition" not in kubectl("get", KIND, "odd", "-o", "yaml")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"roleARN": 1}, 'spec.roleARN in body must be of type string: "integer"'),
        ({"roleARN": "role"}, "spec.roleARN in body should match"),
        ({"trainingJobName": "a" * 64}, "spec.trainingJobName: Too long"),
        ({"stoppingCondition": {"maxWaitTimeInSeconds": 60}}, "only supported when enableManagedSpotTraining is set"),
        ({"outputDataConfig": {}}, "spec.outputDataConfig.s3OutputPath: Required value"),
        ({"tags": [{"key": "a", "value": "b"}] * 2}, "tag keys must be unique"),
        ({"algorithmSpecification": {"trainingImage": "i", "trainingInputMode": "file"}}, 'supported values: "Pipe"'),
    ],
)
def test_what_breaks_the_schema_or_a_rule_is_refused_with_its_field(
    kubectl: Kubectl, change: dict[str, Any], said: str
) -> None:
    told = kubectl("create", "--validate=false", "-f", "-", given=job("bad", **change), fails=True)
    assert said in told
    assert 'TrainingJob.sagemaker.services.k8s.aws "bad" is invalid' in told or "The TrainingJob" in told


def test_an_edit_of_a_job_that_exists_is_judged_by_what_was_there(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", given=job("fixed"))
    kubectl("patch", KIND, "fixed", "--type=merge", "-p", '{"spec":{"hyperParameters":{"eta":"1"}}}')
    status = {"ackResourceMetadata": {"arn": "arn:aws:sagemaker:us-west-2:123456789012:training-job/fixed",
                                      "ownerAccountID": "123456789012", "region": "us-west-2"}}  # fmt: skip
    kubectl("patch", KIND, "fixed", "--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))
    kubectl("patch", KIND, "fixed", "--type=merge", "-p", '{"spec":{"tags":[{"key":"a","value":"b"}]}}')
    told = kubectl("patch", KIND, "fixed", "--type=merge", "-p", '{"spec":{"hyperParameters":{"eta":"2"}}}', fails=True)
    assert "hyperParameters cannot change once the job exists" in told
    renamed = '{"spec":{"trainingJobName":"other"}}'
    assert "it would be another job" in kubectl("patch", KIND, "fixed", "--type=merge", "-p", renamed, fails=True)


def test_kubectl_moves_from_its_own_side_to_the_servers(kubectl: Kubectl) -> None:
    before = job("moved", environment={"A": "1", "B": "2"})
    kubectl("apply", "-f", "-", given=before)
    kubectl("apply", "--server-side", "-f", "-", given=before)
    kubectl("apply", "--server-side", "-f", "-", given=job("moved", environment={"A": "3"}))
    shown = json.loads(kubectl("get", KIND, "moved", "-o", "json", "--show-managed-fields"))
    assert shown["spec"]["environment"] == {"A": "3"}
    managers = {entry["manager"]: entry["operation"] for entry in shown["metadata"]["managedFields"]}
    assert managers == {"kubectl": "Apply", "kubectl-last-applied": "Apply"}
    kubectl("apply", "-f", "-", given=job("moved", environment={"A": "3", "C": "4"}))
    kubectl("apply", "-f", "-", given=job("moved", environment={"C": "4"}))
    assert json.loads(kubectl("get", KIND, "moved", "-o", "json"))["spec"]["environment"] == {"C": "4"}


def test_the_status_has_a_manager_of_its_own(kubectl: Kubectl) -> None:
    kubectl("apply", "--server-side", "-f", "-", given=job("two"))
    status = {**job("two"), "spec": None, "status": {"secondaryStatus": "Training"}}
    del status["spec"]
    kubectl("apply", "--server-side", "--subresource=status", "--field-manager=operator", "-f", "-", given=status)
    shown = json.loads(kubectl("get", KIND, "two", "-o", "json", "--show-managed-fields"))
    assert shown["status"] == {"secondaryStatus": "Training"}
    managers = {entry["manager"]: entry.get("subresource") for entry in shown["metadata"]["managedFields"]}
    assert managers == {"kubectl": None, "operator": "status"}


def test_a_definition_that_cannot_be_served_is_refused(kube: KubeServer) -> None:
    broken = json.loads(json.dumps(definition()).replace("trainingjobs", "things").replace("TrainingJob", "Thing"))
    broken["spec"]["names"]["singular"] = "thing"
    schema = broken["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["x-kubernetes-validations"] = [{"rule": "self.nothing("}]
    done = kube.kubectl("create", "--validate=false", "-f", "-", given=json.dumps(broken), check=False)
    assert done.returncode != 0
    assert "x-kubernetes-validations[0].rule" in done.stderr
