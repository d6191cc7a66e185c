"""Resources and jobs as the operator meets them."""

from __future__ import annotations

from typing import Any

from tests.fakes.apiserver import merged

from trainyard.model.casing import to_ack
from trainyard.model.description import TrainingJobDescription
from trainyard.model.job import Job
from trainyard.model.keys import JobKey, Scope
from trainyard.operator.case import Case, Missing, Rules, Seen, Sight
from trainyard.resource.names import API_VERSION, FINALIZER, KIND

SCOPE = Scope("123456789012", "us-west-2")
ARN = JobKey(SCOPE.account, SCOPE.region, "job").arn
NOW = 1_000_000.0
UID = "11111111-2222-3333-4444-555555555555"
OWNED = (("services.k8s.aws/resource-uid", UID),)
REQUEST: dict[str, Any] = {
    "TrainingJobName": "job",
    "RoleArn": "arn:aws:iam::123456789012:role/role-of-training",
    "AlgorithmSpecification": {
        "TrainingImage": "image",
        "TrainingInputMode": "File",
        "EnableSageMakerMetricsTimeSeries": False,
    },
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/out", "KmsKeyId": "", "CompressionType": "GZIP"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    "EnableNetworkIsolation": False,
    "EnableManagedSpotTraining": False,
    "EnableInterContainerTrafficEncryption": False,
}
SPEC: dict[str, Any] = to_ack(REQUEST)


def a_job(status: str = "InProgress", secondary: str = "Downloading", **more: Any) -> Job:
    """A job as its service tells it; `more` are members of the description, or `tags`."""
    tags = more.pop("tags", OWNED)
    extra = {name: more.pop(name) for name in ("stale_for", "unobserved", "waiting", "notices") if name in more}
    wire = {
        **REQUEST,
        "TrainingJobArn": ARN,
        "ModelArtifacts": {"S3ModelArtifacts": "s3://bucket/out/job/output/model.tar.gz"},
        "TrainingJobStatus": status,
        "SecondaryStatus": secondary,
        "CreationTime": NOW - 100,
        "LastModifiedTime": NOW - 10,
        **more,
    }
    return Job(description=TrainingJobDescription.from_wire(wire), uid="j", tags=tags, **extra)


def a_resource(spec: dict[str, Any] | None = None, *, managed: bool = True, **metadata: Any) -> dict[str, Any]:
    """A resource; `managed` with the finalizer."""
    status = metadata.pop("status", {})
    made = {
        "name": "job",
        "namespace": "default",
        "uid": UID,
        "generation": 1,
        "resourceVersion": "1",
        **({"finalizers": [FINALIZER]} if managed else {}),
        **metadata,
    }
    body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": made, "spec": SPEC if spec is None else spec}
    return {**body, "status": status} if status else body


def case_of(resource: dict[str, Any], sight: Job | Sight = Missing(), **more: Any) -> Case:  # noqa: B008 - frozen
    """A case at NOW."""
    seen = Seen(sight) if isinstance(sight, Job) else sight
    given = {"rules": Rules(scope=SCOPE), "now": NOW, **more}
    return Case(resource=resource, sight=seen, **given)


def settled(resource: dict[str, Any], patch: Any) -> dict[str, Any]:
    """The resource after a merge patch of its status."""
    return {**resource, "status": merged(resource.get("status", {}), patch)}
