"""A record as DescribeTrainingJob tells it, with the habits of recorded real answers."""

from __future__ import annotations

import struct
from typing import Any

from trainyard.lifecycle import defaults, naming, stopping
from trainyard.model.description import TrainingJobDescription
from trainyard.model.job import JobSummary
from trainyard.model.members import members_of
from trainyard.model.record import JobRecord, Transition
from trainyard.model.spec import TrainingJobSpec

# Members of the request that the answer echoes as they are, and the attributes that hold them.
_ECHOED = {
    name: members_of(TrainingJobSpec)[name].attribute
    for name in (
        "RoleArn",
        "VpcConfig",
        "CheckpointConfig",
        "DebugHookConfig",
        "DebugRuleConfigurations",
        "TensorBoardOutputConfig",
        "ExperimentConfig",
        "ProfilerConfig",
        "ProfilerRuleConfigurations",
        "Environment",
        "RetryStrategy",
        "RemoteDebugConfig",
        "InfraCheckConfig",
        "ServerlessJobConfig",
        "MlflowConfig",
        "ModelPackageConfig",
    )
}
_SWITCHES = ("EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining")


def description_of(record: JobRecord) -> TrainingJobDescription:
    """The whole answer. Absent stays absent but where the real service fills in."""
    members = {**_echo(record.spec), **_standing(record), **_times(record)}
    return TrainingJobDescription.model_validate({name: value for name, value in members.items() if value is not None})


def summary_of(record: JobRecord) -> JobSummary:
    """One line of a list."""
    return JobSummary(
        name=record.key.name,
        arn=record.key.arn,
        status=record.status,
        secondary=record.secondary,
        created_at=record.created_at,
        modified_at=record.modified_at,
        ended_at=record.training_ended_at,
        failure_reason=record.failure_reason,
        image=record.placement.image,
        instance=instance_of(record.spec),
        unobserved_since=record.unobserved.since if record.unobserved and record.is_unfinished else None,
    )


def instance_of(spec: TrainingJobSpec) -> str:
    """The type of a job's hosts where there is one, else nothing."""
    return (spec.resource_config.instance_type or "") if spec.resource_config else ""


def _echo(spec: TrainingJobSpec) -> dict[str, Any]:
    given = spec.wire
    wire: dict[str, Any] = {name: getattr(spec, attribute) for name, attribute in _ECHOED.items()}
    # ACK's controller asks again for ever where one of these is null.
    wire["OutputDataConfig"] = {"KmsKeyId": "", "CompressionType": "GZIP", **given["OutputDataConfig"]}
    if "AlgorithmSpecification" in given:
        series = {"EnableSageMakerMetricsTimeSeries": defaults.wants_time_series(spec)}
        wire["AlgorithmSpecification"] = {**given["AlgorithmSpecification"], **series}
    if "ResourceConfig" in given:
        wire["ResourceConfig"] = {"InstanceCount": 0, **given["ResourceConfig"]}
    wire["HyperParameters"] = dict(sorted(given.get("HyperParameters", {}).items()))
    if given.get("InputDataConfig"):
        wire["InputDataConfig"] = [
            {"CompressionType": "None", "RecordWrapperType": "None", **channel} for channel in given["InputDataConfig"]
        ]
    wire["StoppingCondition"] = {
        "MaxRuntimeInSeconds": int(stopping.max_runtime(spec)),
        **given.get("StoppingCondition", {}),
    }
    wire.update({name: bool(given.get(name, False)) for name in _SWITCHES})
    if "ProfilerConfig" in given:
        profiler = given["ProfilerConfig"]
        wire["ProfilerConfig"] = {"ProfilingIntervalInMilliseconds": 500, **profiler}
        wire["ProfilingStatus"] = "Disabled" if profiler.get("DisableProfiler") else "Enabled"
    return wire


def _standing(record: JobRecord) -> dict[str, Any]:
    wire: dict[str, Any] = {
        "TrainingJobName": record.key.name,
        "TrainingJobArn": record.key.arn,
        "ModelArtifacts": {"S3ModelArtifacts": record.model_uri or naming.model_uri(record.spec)},
        "TrainingJobStatus": str(record.status),
        "SecondaryStatus": str(record.secondary),
        "SecondaryStatusTransitions": [_transition(entry) for entry in record.transitions],
        "FailureReason": record.failure_reason,
    }
    if record.status == "Completed" and _keep_alive(record.spec):  # no host is ever kept here
        wire["WarmPoolStatus"] = {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 0}
    if record.final_metrics:
        wire["FinalMetricDataList"] = [
            {"MetricName": metric.name, "Value": as_float32(metric.value), "Timestamp": float(int(metric.at))}
            for metric in record.final_metrics
        ]
    return wire


def _transition(entry: Transition) -> dict[str, Any]:
    ended = {} if entry.end is None else {"EndTime": entry.end}
    return {"Status": str(entry.status), "StartTime": entry.start, **ended, "StatusMessage": entry.message}


def _keep_alive(spec: TrainingJobSpec) -> int:
    return (spec.resource_config.keep_alive_period_in_seconds or 0) if spec.resource_config else 0


def _times(record: JobRecord) -> dict[str, Any]:
    wire: dict[str, Any] = {
        "CreationTime": record.created_at,
        "LastModifiedTime": record.modified_at,
        "TrainingStartTime": record.training_started_at,
        "TrainingEndTime": record.training_ended_at,
    }
    if record.training_started_at is not None and record.training_ended_at is not None:
        wire["TrainingTimeInSeconds"] = max(1, int(record.training_ended_at - record.training_started_at))
        wire["BillableTimeInSeconds"] = max(1, int(record.billable_seconds))
    return wire


def as_float32(value: float) -> float:
    """A metric's value as the service stores it: 0.0036 comes back as 0.003599999938160181."""
    try:
        return float(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return value
