"""Requests that SageMaker would take as they stand; together they give every member that a user may set."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

ROLE = "arn:aws:iam::123456789012:role/trainer"
SAGEMAKER = "arn:aws:sagemaker:us-east-1:123456789012:"
HUB = "arn:aws:sagemaker:us-east-1:aws:hub-content/h/"
SET_BY_THE_SERVICE = {"ResourceConfig.SelectedInstanceType", "ResourceConfig.SelectedInstanceCount"}


def whole_requests() -> list[dict[str, Any]]:
    return [_everyday(), _groups(), _files(), _plan(), _preferences(), _private_image(), _gated(), _serverless()]


def paths_in(value: Any, path: str = "") -> Iterator[str]:
    """Every path of a request, `[]` for the places of lists."""
    if path:
        yield path
    if isinstance(value, list):
        for item in value:
            yield from paths_in(item, f"{path}[]")
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from paths_in(member, f"{path}.{name}" if path else name)


def _job(name: str, **more: Any) -> dict[str, Any]:
    return {
        "TrainingJobName": name,
        "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingImage": "registry/image:1", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        **more,
    }


def _everyday() -> dict[str, Any]:
    rule = {
        "RuleConfigurationName": "loss", "RuleEvaluatorImage": "registry/rules:latest", "LocalPath": "/opt/ml/rule",
        "S3OutputPath": "s3://bucket/rules", "InstanceType": "ml.t3.medium", "VolumeSizeInGB": 1,
        "RuleParameters": {"rule_to_invoke": "LossNotDecreasing"},
    }  # fmt: skip
    collections = [{"CollectionName": "losses", "CollectionParameters": {"save_interval": "5"}}]
    return _job(
        "everyday",
        HyperParameters={"lr": "0.1"},
        AlgorithmSpecification={
            "TrainingImage": "registry/image:1", "TrainingInputMode": "Pipe",
            "MetricDefinitions": [{"Name": "loss", "Regex": "loss=(.*)"}], "EnableSageMakerMetricsTimeSeries": True,
            "ContainerEntrypoint": ["/bin/sh"], "ContainerArguments": ["-c", "true"],
        },
        InputDataConfig=[
            {
                "ChannelName": "train", "ContentType": "text/csv", "CompressionType": "Gzip",
                "RecordWrapperType": "RecordIO", "InputMode": "Pipe", "ShuffleConfig": {"Seed": 7},
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "AugmentedManifestFile", "S3Uri": "s3://bucket/manifest",
                        "S3DataDistributionType": "FullyReplicated", "AttributeNames": ["source-ref", "label"],
                    }
                },
            }
        ],
        OutputDataConfig={"S3OutputPath": "s3://bucket/out", "KmsKeyId": "key", "CompressionType": "NONE"},
        ResourceConfig={
            "InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 10, "VolumeKmsKeyId": "key",
        },
        VpcConfig={"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
        StoppingCondition={
            "MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200, "MaxPendingTimeInSeconds": 7200,
        },
        Tags=[{"Key": "team", "Value": "a"}],
        EnableNetworkIsolation=False,
        EnableInterContainerTrafficEncryption=True,
        EnableManagedSpotTraining=True,
        CheckpointConfig={"S3Uri": "s3://bucket/checkpoints", "LocalPath": "/opt/ml/checkpoints"},
        DebugHookConfig={
            "LocalPath": "/opt/ml/output/tensors", "S3OutputPath": "s3://bucket/debug",
            "HookParameters": {"save_interval": "5"}, "CollectionConfigurations": collections,
        },
        DebugRuleConfigurations=[rule],
        TensorBoardOutputConfig={"LocalPath": "/opt/ml/output/tensorboard", "S3OutputPath": "s3://bucket/tb"},
        ExperimentConfig={
            "ExperimentName": "e", "TrialName": "t", "TrialComponentDisplayName": "c", "RunName": "r",
        },
        ProfilerConfig={
            "S3OutputPath": "s3://bucket/profile", "ProfilingIntervalInMilliseconds": 500,
            "ProfilingParameters": {"a": "b"}, "DisableProfiler": False,
        },
        ProfilerRuleConfigurations=[{**rule, "RuleConfigurationName": "report"}],
        Environment={"A": "b"},
        RetryStrategy={"MaximumRetryAttempts": 2},
        RemoteDebugConfig={"EnableRemoteDebug": True},
        InfraCheckConfig={"EnableInfraCheck": True},
        SessionChainingConfig={"EnableSessionTagChaining": True},
    )  # fmt: skip


def _groups() -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/x", "InstanceGroupNames": ["a"]}
    return _job(
        "groups",
        InputDataConfig=[{"ChannelName": "x", "DataSource": {"S3DataSource": source}}],
        ResourceConfig={
            "VolumeSizeInGB": 10,
            "InstanceGroups": [
                {"InstanceType": "ml.m5.large", "InstanceCount": 1, "InstanceGroupName": "a"},
                {"InstanceType": "ml.c5.xlarge", "InstanceCount": 2, "InstanceGroupName": "b"},
            ],
        },
    )


def _files() -> dict[str, Any]:
    source = {
        "FileSystemId": "fs-0123456789", "FileSystemAccessMode": "ro", "FileSystemType": "EFS", "DirectoryPath": "/x",
    }  # fmt: skip
    return _job(
        "files",
        InputDataConfig=[{"ChannelName": "x", "DataSource": {"FileSystemDataSource": source}}],
        VpcConfig={"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
    )


def _plan() -> dict[str, Any]:
    placement = {
        "EnableMultipleJobs": True,
        "PlacementSpecifications": [{"UltraServerId": "ultra-1", "InstanceCount": 1}],
    }
    return _job(
        "plan",
        ResourceConfig={
            "InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10, "KeepAlivePeriodInSeconds": 60,
            "TrainingPlanArn": f"{SAGEMAKER}training-plan/plan-1", "InstancePlacementConfig": placement,
        },
    )  # fmt: skip


def _preferences() -> dict[str, Any]:
    wanted = {
        "InstanceType": "ml.m5.large", "InstanceCount": 1, "TrainingPlanArns": [f"{SAGEMAKER}training-plan/plan-1"],
    }  # fmt: skip
    return _job("preferences", ResourceConfig={"InstancePreferences": [wanted], "VolumeSizeInGB": 10})


def _private_image() -> dict[str, Any]:
    lambda_arn = "arn:aws:lambda:us-east-1:123456789012:function:credentials"
    return _job(
        "private",
        AlgorithmSpecification={
            "TrainingImage": "registry/image:1", "TrainingInputMode": "File",
            "TrainingImageConfig": {
                "TrainingRepositoryAccessMode": "Vpc",
                "TrainingRepositoryAuthConfig": {"TrainingRepositoryCredentialsProviderArn": lambda_arn},
            },
        },
        VpcConfig={"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
    )  # fmt: skip


def _gated() -> dict[str, Any]:
    source = {
        "S3DataType": "S3Prefix", "S3Uri": "s3://bucket/x", "ModelAccessConfig": {"AcceptEula": True},
        "HubAccessConfig": {"HubContentArn": f"{HUB}Model/m/1.0.0"},
    }  # fmt: skip
    return _job(
        "gated",
        AlgorithmSpecification={"AlgorithmName": "algorithm", "TrainingInputMode": "File"},
        InputDataConfig=[
            {"ChannelName": "model", "DataSource": {"S3DataSource": source}},
            {"ChannelName": "data", "DataSource": {"DatasetSource": {"DatasetArn": f"{HUB}DataSet/d/1.0.0"}}},
        ],
    )


def _serverless() -> dict[str, Any]:
    return {
        "TrainingJobName": "serverless",
        "RoleArn": ROLE,
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        "ServerlessJobConfig": {
            "BaseModelArn": f"{HUB}Model/m/1.0.0", "AcceptEula": True, "JobType": "FineTuning",
            "CustomizationTechnique": "SFT", "Peft": "LORA", "EvaluationType": "BenchmarkEvaluation",
            "EvaluatorArn": "evaluator", "SequenceLength": "8K",
        },
        "MlflowConfig": {
            "MlflowResourceArn": f"{SAGEMAKER}mlflow-app/a", "MlflowExperimentName": "e", "MlflowRunName": "r",
        },
        "ModelPackageConfig": {
            "ModelPackageGroupArn": f"{SAGEMAKER}model-package-group/g",
            "SourceModelPackageArn": f"{SAGEMAKER}model-package/p",
        },
    }  # fmt: skip
