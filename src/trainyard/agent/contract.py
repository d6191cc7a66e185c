"""The container contract: the files and variables that the service gives to every training program.

Pure. File contents are the recorded ones to the byte: compact JSON on one line, no newline at the end.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from trainyard.lifecycle import syncing
from trainyard.lifecycle.defaults import input_mode, wants_time_series
from trainyard.model.keys import JobKey
from trainyard.model.spec import Channel, FileSystemDataSource, TrainingJobSpec

CONFIG = "input/config"
METRICS_DIRECTORY = "/opt/ml/output/metrics/sagemaker"
FOLDERS = ("input/config", "input/data", "model", "output/data", "output/metrics/sagemaker", "checkpoints", "code")
GROUP = "homogeneousCluster"
_DATA_TYPES = {
    "S3Prefix": "S3_PREFIX",
    "ManifestFile": "MANIFEST_FILE",
    "AugmentedManifestFile": "AUGMENTED_MANIFEST_FILE",
    "Converse": "CONVERSE",
}


def contract_files(
    *, spec: TrainingJobSpec, job: JobKey, attempt: int = 1, host: str = "algo-1", hosts: Sequence[str] = ("algo-1",)
) -> dict[str, bytes]:
    """Contents by path below /opt/ml, for one host of one attempt (counted from 1)."""
    wire = spec.to_wire()
    algorithm = wire.get("AlgorithmSpecification", {})
    files: dict[str, Any] = {
        "hyperparameters": wire.get("HyperParameters", {}),
        "inputdataconfig": {channel.channel_name: _channel(spec, channel) for channel in spec.input_data_config or ()},
        "resourceconfig": _resources(spec, host, sorted(hosts)),
        "init-config": _init_config(spec, attempt, host, hosts),
        "trainingjobconfig": {**wire, "TrainingJobArn": job.arn},
        "metric-definition-regex": algorithm.get("MetricDefinitions", []),
        "upstreamoutputdataconfig": [],
        **_optional(spec, wire),
    }
    return {f"{CONFIG}/{name}.json": _compact(value) for name, value in files.items()}


def contract_env(*, spec: TrainingJobSpec, job: JobKey) -> dict[str, str]:
    """Variables that the platform sets; the request's own Environment comes last and wins.

    What only names Amazon's own machinery (AWS_EXECUTION_ENV, ECS_*) is not claimed here.
    """
    variables = {
        "TRAINING_JOB_NAME": job.name,
        "TRAINING_JOB_ARN": job.arn,
        "AWS_REGION": job.region,
        "DMLC_INTERFACE": "eth0",
    }
    if wants_time_series(spec):
        variables["SAGEMAKER_METRICS_DIRECTORY"] = METRICS_DIRECTORY
    return {**variables, **(spec.environment or {})}


def _channel(spec: TrainingJobSpec, channel: Channel) -> dict[str, str]:
    source = channel.data_source.s3_data_source
    entry = {
        "TrainingInputMode": input_mode(spec, channel),
        "S3DistributionType": (source.s3_data_distribution_type if source else None) or "FullyReplicated",
        "RecordWrapperType": channel.record_wrapper_type or "None",
    }
    return {"ContentType": channel.content_type, **entry} if channel.content_type else entry


def _resources(spec: TrainingJobSpec, host: str, hosts: list[str]) -> dict[str, Any]:
    resources = spec.resource_config
    instance = resources.instance_type if resources else None
    return {
        "current_host": host,
        "current_instance_type": instance,
        "current_group_name": GROUP,
        "hosts": hosts,
        "instance_groups": [{"instance_group_name": GROUP, "instance_type": instance, "hosts": hosts}],
        "network_interface_name": "eth0",
        "topology": None,
    }


def _init_config(spec: TrainingJobSpec, attempt: int, host: str, hosts: Sequence[str]) -> dict[str, Any]:
    algorithm = spec.algorithm_specification
    return {
        "inputMode": (algorithm.training_input_mode if algorithm else "File").upper(),
        "channels": {channel.channel_name: _init_channel(spec, channel) for channel in spec.input_data_config or ()},
        "checkpointChannel": None,
        "hostConfig": {"clusterSize": len(hosts), "hostNumber": int(host.rsplit("-", 1)[1])},
        "enableAdditionalPlatformLoggingForCustomer": False,
        "jobRunInfo": {"jobRunNumber": attempt},
    }


def _init_channel(spec: TrainingJobSpec, channel: Channel) -> dict[str, Any]:
    source = channel.data_source.s3_data_source
    sharded = source is not None and source.s3_data_distribution_type == "ShardedByS3Key"
    s3 = source and {
        "s3DataType": _DATA_TYPES[source.s3_data_type],
        "s3Uri": source.s3_uri,
        "s3DataDistributionType": "SHARDED_BY_S3_KEY" if sharded else "FULLY_REPLICATED",
        "attributeNames": list(source.attribute_names) if source.attribute_names else None,
    }
    files = channel.data_source.file_system_data_source
    return {
        "s3DataSource": s3,
        "fileSystemDataSource": files and _init_file_system(files),
        "compressionType": (channel.compression_type or "None").upper(),
        "recordWrapper": (channel.record_wrapper_type or "None").upper(),
        "shuffleConfig": channel.shuffle_config and {"seed": channel.shuffle_config.seed},
        "inputMode": input_mode(spec, channel).upper(),
        "sharded": sharded,
    }


def _init_file_system(source: FileSystemDataSource) -> dict[str, str]:
    """Not recorded from the service; spelled as its other members are."""
    return {
        "fileSystemId": source.file_system_id,
        "fileSystemAccessMode": source.file_system_access_mode.upper(),
        "fileSystemType": source.file_system_type,
        "directoryPath": source.directory_path,
    }


def _optional(spec: TrainingJobSpec, wire: dict[str, Any]) -> dict[str, Any]:
    files: dict[str, Any] = {}
    if "DebugHookConfig" in wire:
        hook = wire["DebugHookConfig"]
        files["debughookconfig"] = {
            "S3OutputPath": syncing.tensors_uri(spec),
            "LocalPath": hook.get("LocalPath", syncing.TENSORS),
            "HookParameters": hook.get("HookParameters"),
            "CollectionConfigurations": hook.get("CollectionConfigurations") or None,
        }
    profiler = wire.get("ProfilerConfig")
    if profiler is not None and not profiler.get("DisableProfiler"):
        files["profilerconfig"] = {
            "S3OutputPath": syncing.profiler_uri(spec) or None,
            "LocalPath": syncing.PROFILER,
            "ProfilingIntervalInMilliseconds": profiler.get("ProfilingIntervalInMilliseconds", 500),
            "ProfilingParameters": profiler.get("ProfilingParameters", {}),
        }
    if spec.tensor_board_output_config is not None:
        board = spec.tensor_board_output_config
        files["tensorboardoutputconfig"] = {
            "S3OutputPath": syncing.tensorboard_uri(spec),
            "LocalPath": board.local_path or syncing.TENSORBOARD,
        }
    if spec.checkpoint_config is not None:
        files["checkpointconfig"] = {"LocalPath": spec.checkpoint_config.local_path or syncing.CHECKPOINTS}
    return files


def _compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
