"""The support matrix's rows: for every path of the request, what the process launcher does with it.

A case overrides its row for some values. `proof` names the test that shows the row true, wherever it is not refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from trainyard.lifecycle.syncing import below_ml
from trainyard.model.members import paths_of
from trainyard.model.spec import TrainingJobSpec

HONOURED, NOTICE, REFUSED = "honoured", "notice", "refused"
PLACES = ("process", "container", "kubernetes", "sagemaker")


@dataclass(frozen=True, slots=True)
class Case:
    """Another verdict for some values: `when(value, request)`, told in words by `told`."""

    told: str
    when: Callable[[Any, Mapping[str, Any]], bool]
    verdict: str
    remark: str


@dataclass(frozen=True, slots=True)
class Row:
    """What happens to one path."""

    verdict: str
    remark: str = ""
    proof: str = ""
    cases: tuple[Case, ...] = ()


_FAST = "FastFile is File mode, with a notice, where there is no FUSE"
_HOSTS = "jobs of several hosts are not built yet; one host works today"
_KMS = "encryption keys are not built yet; leave the key away and the object store's own encryption holds"
_RULES = "rules do not run yet; the hook's and the profiler's configuration files are written"
_CONTRACT = "tests/acceptance/test_contract.py::"
_CHANNELS = "tests/acceptance/test_channels.py::"
_SWITCHED_OFF = "test_switches_that_are_off"


def _is(*values: Any) -> Callable[[Any, Mapping[str, Any]], bool]:
    return lambda value, _request: value in values


def _not(*values: Any) -> Callable[[Any, Mapping[str, Any]], bool]:
    return lambda value, _request: value not in values


def _sharded(value: Any, request: Mapping[str, Any]) -> bool:
    hosts = request.get("ResourceConfig", {}).get("InstanceCount", 1)
    return bool(value == "ShardedByS3Key" and hosts != 1)


def _has(member: str) -> Callable[[Any, Mapping[str, Any]], bool]:
    return lambda _value, request: request.get(member) is not None


def _elsewhere(value: Any, _request: Mapping[str, Any]) -> bool:
    try:
        below_ml(str(value))
    except ValueError:
        return True
    return False


_ELSEWHERE = Case(
    "not a folder below /opt/ml, or in /opt/ml/input", _elsewhere, REFUSED,
    "a process has no other folder of its own; name one below /opt/ml, outside of /opt/ml/input")  # fmt: skip
_SOME_RULES = Case("not empty", lambda value, _request: bool(value), REFUSED, _RULES)


def _yes(remark: str = "", proof: str = "", *cases: Case) -> Row:
    return Row(HONOURED, remark, proof and _CONTRACT + proof, cases)


def _no(remark: str) -> Row:
    return Row(REFUSED, remark)


def _notice(remark: str, proof: str, *cases: Case) -> Row:
    return Row(NOTICE, remark, _CONTRACT + proof, cases)


def _switch(remark: str) -> Row:
    return _yes("false is what happens anyway", _SWITCHED_OFF, Case("true", _is(True), REFUSED, remark))


_ALGORITHM = {
    "": _yes("", "test_training_image"),
    ".TrainingImage": _yes("resolved through the catalogue", "test_training_image"),
    ".AlgorithmName": _yes("resolved through the catalogue", "test_algorithm_name"),
    ".TrainingInputMode": _yes(_FAST, "test_file_mode"),
    ".MetricDefinitions": _yes("", "test_metric_definitions"),
    ".EnableSageMakerMetricsTimeSeries": _yes("", "test_metrics_time_series"),
    ".ContainerEntrypoint": _yes("", "test_container_entrypoint"),
    ".ContainerArguments": _yes("", "test_container_arguments"),
    ".TrainingImageConfig": _yes("nothing is pulled for a process", "test_training_image_config"),
    ".TrainingImageConfig.TrainingRepositoryAccessMode": _yes(
        "nothing is pulled for a process",
        "test_training_image_config",
        Case("Vpc", _is("Vpc"), REFUSED, "no private registry is reached here"),
    ),
    ".TrainingImageConfig.TrainingRepositoryAuthConfig": _no("no private registry is reached here"),
}
_CHANNEL = {
    "": _yes("", "test_input_channels"),
    "[].DataSource": _yes("", "test_input_channels"),
    "[].DataSource.S3DataSource.S3DataType": _yes(
        "",
        "test_input_channels",
        Case("Converse", _is("Converse"), REFUSED, "conversations are data of managed fine-tuning, Amazon's own"),
    ),
    "[].DataSource.S3DataSource.S3DataDistributionType": _yes(
        "with one host, ShardedByS3Key gives it every object",
        "test_input_channels",
        Case("ShardedByS3Key on several hosts", _sharded, REFUSED, _HOSTS),
    ),
    "[].DataSource.S3DataSource.AttributeNames": Row(HONOURED, "", f"{_CHANNELS}test_augmented_manifest_file"),
    "[].DataSource.S3DataSource.InstanceGroupNames": _no(_HOSTS),
    "[].DataSource.S3DataSource.ModelAccessConfig": _no("gated models are not fetched here"),
    "[].DataSource.S3DataSource.HubAccessConfig": _no("hub content is not fetched here"),
    "[].DataSource.FileSystemDataSource": Row(
        HONOURED, "the file system's id is a folder of trainyard.toml", f"{_CHANNELS}test_file_system"
    ),
    "[].DataSource.DatasetSource": _no("hub data sets are not fetched here"),
    "[].CompressionType": _yes("", "test_input_channels"),
    "[].RecordWrapperType": _yes("", "test_input_channels"),
    "[].InputMode": _yes(_FAST, "test_file_mode"),
    "[].ShuffleConfig": Row(
        HONOURED, "an order of our own, the same for the same seed", f"{_CHANNELS}test_shuffle_config"
    ),
}
_RESOURCES = {
    "": _yes("", "test_resource_config"),
    ".InstanceType": _yes("the job gets that many CPUs, bytes of memory and GPUs", "test_instance_type"),
    ".InstanceCount": _yes("", "test_resource_config", Case("not 1", _not(1), REFUSED, _HOSTS)),
    ".VolumeSizeInGB": _notice("watched: a job that outgrows it fails in the service's words", "test_volume_size"),
    ".VolumeKmsKeyId": _no(_KMS),
    ".KeepAlivePeriodInSeconds": _notice("no host is kept: starting anew costs nothing here", "test_keep_alive"),
    ".InstanceGroups": _no(_HOSTS),
    ".TrainingPlanArn": _no("training plans reserve Amazon's hosts"),
    ".InstancePlacementConfig": _no("UltraServers are Amazon's hosts"),
    ".InstancePreferences": _no("preferences between instance types are not built yet; give one InstanceType"),
    ".SelectedInstanceType": _no("the service sets it"),
    ".SelectedInstanceCount": _no("the service sets it"),
}
_OTHERS = {
    "TrainingJobName": _yes("", "test_resource_config"),
    "HyperParameters": _yes("", "test_hyperparameters"),
    "RoleArn": Row(
        HONOURED, "its table in trainyard.toml gives credentials; without one they are good here alone, with a notice",
        "tests/acceptance/test_roles.py::test_role_arn"),
    "OutputDataConfig": _yes("", "test_output_path"),
    "OutputDataConfig.KmsKeyId": Row(REFUSED, _KMS, "", (Case("empty", _is(""), HONOURED, "no key"),)),
    "OutputDataConfig.CompressionType": _yes("", "test_output_compression_none"),
    "VpcConfig": Row(
        HONOURED, "the ids are networks of trainyard.toml: host, none, or listed peers",
        "tests/acceptance/test_networks.py::test_vpc_peers"),
    "StoppingCondition": _yes("", "test_max_runtime"),
    "StoppingCondition.MaxWaitTimeInSeconds": _yes("counts from creation", "test_max_wait"),
    "StoppingCondition.MaxPendingTimeInSeconds": _yes("counts while the job is queued", "test_max_pending"),
    "Tags": _yes("stored, echoed, searchable", "test_tags"),
    "EnableNetworkIsolation": _yes("a private network namespace without any way out", "test_network_isolation"),
    "EnableInterContainerTrafficEncryption": _yes(
        "holds of itself: one host, no traffic leaves its kernel", "test_traffic_encryption"),
    "EnableManagedSpotTraining": _notice(
        "the job is preemptible; interrupted it begins anew, without CheckpointConfig from nothing",
        "test_managed_spot",
        Case("false", _is(False), HONOURED, "on-demand is what happens anyway"),
        Case("there is a CheckpointConfig", _has("CheckpointConfig"), HONOURED, "it goes on from its checkpoints"),
    ),
    "CheckpointConfig": _yes(
        "brought back before each attempt, uploaded once written; the service's marker files are left out",
        "test_checkpoints"),
    "CheckpointConfig.LocalPath": _yes("", "test_checkpoints", _ELSEWHERE),
    "DebugHookConfig": _yes(
        "its configuration file is written, what it saves is uploaded while the job runs", "test_debug_hook_config"),
    "DebugHookConfig.LocalPath": _yes("", "test_debug_hook_config", _ELSEWHERE),
    "DebugRuleConfigurations": _yes("an empty list", "test_empty_rule_lists", _SOME_RULES),
    "DebugRuleConfigurations[]": _no(_RULES),
    "TensorBoardOutputConfig": _yes("uploaded while the job runs", "test_tensor_board"),
    "TensorBoardOutputConfig.LocalPath": _yes("", "test_tensor_board", _ELSEWHERE),
    "ExperimentConfig": _yes("stored, echoed, searchable", "test_experiment_config"),
    "ProfilerConfig": _yes(
        "its configuration file is written, what is profiled is uploaded while the job runs", "test_profiler_config"),
    "ProfilerRuleConfigurations": _yes("an empty list", "test_empty_rule_lists", _SOME_RULES),
    "ProfilerRuleConfigurations[]": _no(_RULES),
    "Environment": _yes("", "test_environment"),
    "RetryStrategy": _yes("internal errors alone are retried", "test_retry_strategy"),
    "RemoteDebugConfig": _yes("a shell here needs no agent", _SWITCHED_OFF),
    "RemoteDebugConfig.EnableRemoteDebug": _switch(
        "no Systems Manager session is open here; use this machine's shell"),
    "InfraCheckConfig": _yes("", _SWITCHED_OFF),
    "InfraCheckConfig.EnableInfraCheck": _switch("hosts are not checked here"),
    "SessionChainingConfig": _yes("", _SWITCHED_OFF),
    "SessionChainingConfig.EnableSessionTagChaining": _switch("no role session is opened here"),
    "ServerlessJobConfig": _no("managed fine-tuning is Amazon's own"),
    "MlflowConfig": _no("managed MLflow is Amazon's own"),
    "ModelPackageConfig": _no("the model registry is Amazon's own"),
}  # fmt: skip
_SAID: Mapping[str, Row] = {
    **{f"AlgorithmSpecification{path}": row for path, row in _ALGORITHM.items()},
    **{f"InputDataConfig{path}": row for path, row in _CHANNEL.items()},
    **{f"ResourceConfig{path}": row for path, row in _RESOURCES.items()},
    **_OTHERS,
}


# Paths whose row is the one above them. They are named one by one: a member that the API gains has no row, and fails.
_AS_ABOVE = (
    "AlgorithmSpecification.MetricDefinitions[].Name",
    "AlgorithmSpecification.MetricDefinitions[].Regex",
    "InputDataConfig[].ChannelName",
    "InputDataConfig[].ContentType",
    "InputDataConfig[].DataSource.S3DataSource",
    "InputDataConfig[].DataSource.S3DataSource.S3Uri",
    "InputDataConfig[].DataSource.FileSystemDataSource.FileSystemId",
    "InputDataConfig[].DataSource.FileSystemDataSource.FileSystemAccessMode",
    "InputDataConfig[].DataSource.FileSystemDataSource.FileSystemType",
    "InputDataConfig[].DataSource.FileSystemDataSource.DirectoryPath",
    "InputDataConfig[].ShuffleConfig.Seed",
    "OutputDataConfig.S3OutputPath",
    "VpcConfig.SecurityGroupIds",
    "VpcConfig.Subnets",
    "StoppingCondition.MaxRuntimeInSeconds",
    "Tags[].Key",
    "Tags[].Value",
    "CheckpointConfig.S3Uri",
    "TensorBoardOutputConfig.S3OutputPath",
    "DebugHookConfig.S3OutputPath",
    "DebugHookConfig.HookParameters",
    "DebugHookConfig.CollectionConfigurations",
    "DebugHookConfig.CollectionConfigurations[].CollectionName",
    "DebugHookConfig.CollectionConfigurations[].CollectionParameters",
    "ExperimentConfig.ExperimentName",
    "ExperimentConfig.TrialName",
    "ExperimentConfig.TrialComponentDisplayName",
    "ExperimentConfig.RunName",
    "ProfilerConfig.S3OutputPath",
    "ProfilerConfig.ProfilingIntervalInMilliseconds",
    "ProfilerConfig.ProfilingParameters",
    "ProfilerConfig.DisableProfiler",
    "RetryStrategy.MaximumRetryAttempts",
)


def _row_of(path: str) -> Row | None:
    if path in _SAID:
        return _SAID[path]
    cut = len(path) - 2 if path.endswith("[]") else path.rfind(".")
    above = _row_of(path[:cut]) if cut > 0 else None
    if above is None or not (path.endswith("[]") or path in _AS_ABOVE or above.verdict == REFUSED):
        return None
    return Row(above.verdict, above.remark, above.proof)


ROWS: Mapping[str, Row] = {path: row for path, _, _ in paths_of(TrainingJobSpec) if (row := _row_of(path)) is not None}
