"""Records as a store meets them."""

from __future__ import annotations

from trainyard.lifecycle.transitions import enter
from trainyard.model.keys import JobKey, Scope
from trainyard.model.record import JobRecord, Placement
from trainyard.model.resources import Resources
from trainyard.model.spec import TrainingJobSpec
from trainyard.model.status import SecondaryStatus

SCOPE = Scope("123456789012", "us-west-2")


def a_record(name: str, at: float = 10.0, uid: str | None = None) -> JobRecord:
    spec = TrainingJobSpec.from_wire(
        {
            "TrainingJobName": name,
            "RoleArn": "arn:aws:iam::123456789012:role/role",
            "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        }
    )
    record = JobRecord(
        key=JobKey(SCOPE.account, SCOPE.region, name),
        uid=uid or f"uid-{name}",
        spec=spec,
        placement=Placement(launcher="process", image="image", needs=Resources(cpus=1), program={"argv": ["train"]}),
        created_at=at,
        modified_at=at,
    )
    return enter(record, SecondaryStatus.STARTING, at)


def finished(record: JobRecord, status: SecondaryStatus = SecondaryStatus.COMPLETED) -> JobRecord:
    return enter(record, status, record.created_at + 5)
