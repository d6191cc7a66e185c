"""The DescribeTrainingJob answer: what a service tells about a job. Times are seconds since the epoch."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from trainyard.model.shapes import Items, Mapped, Number, OneOf, Structure, Text
from trainyard.model.spec import (
    AlgorithmSpecification,
    Channel,
    CheckpointConfig,
    DebugHookConfig,
    DebugRuleConfiguration,
    ExperimentConfig,
    InfraCheckConfig,
    MlflowConfig,
    ModelPackageConfig,
    OutputDataConfig,
    ProfilerConfig,
    ProfilerRuleConfiguration,
    RemoteDebugConfig,
    ResourceConfig,
    RetryStrategy,
    ServerlessJobConfig,
    StoppingCondition,
    TensorBoardOutputConfig,
    Uri,
    VpcConfig,
)

SecondaryStatusName = Annotated[
    str,
    OneOf(
        (
            "Starting", "LaunchingMLInstances", "PreparingTrainingStack", "Downloading",
            "DownloadingTrainingImage", "Training", "Uploading", "Stopping", "Stopped", "MaxRuntimeExceeded",
            "Completed", "Failed", "Interrupted", "MaxWaitTimeExceeded", "Updating", "Restarting", "Pending",
        )
    ),
]  # fmt: skip


class ModelArtifacts(Structure):
    """Where the model was written."""

    s3_model_artifacts: Uri = Field(alias="S3ModelArtifacts")


class WarmPoolStatus(Structure):
    """What became of the hosts that were kept after the job."""

    status: Annotated[str, OneOf(("Available", "Terminated", "Reused", "InUse"))] = Field(alias="Status")
    resource_retained_billable_time_in_seconds: Annotated[int, Number(min=0)] | None = Field(
        None, alias="ResourceRetainedBillableTimeInSeconds"
    )
    reused_by_job: Annotated[str, Text(min=1, max=63, pattern=r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")] | None = Field(
        None, alias="ReusedByJob"
    )


class SecondaryStatusTransition(Structure):
    """One step of the job's history."""

    status: SecondaryStatusName = Field(alias="Status")
    start_time: float = Field(alias="StartTime")
    end_time: float | None = Field(None, alias="EndTime")
    status_message: str | None = Field(None, alias="StatusMessage")


class MetricData(Structure):
    """The last value of a metric."""

    metric_name: Annotated[str, Text(min=1, max=255, pattern=r".+")] | None = Field(None, alias="MetricName")
    value: float | None = Field(None, alias="Value")
    timestamp: float | None = Field(None, alias="Timestamp")


class _RuleEvaluationStatus(Structure):
    """How a rule stands, and the job that evaluates it."""

    rule_configuration_name: Annotated[str, Text(min=1, max=256, pattern=r".*")] | None = Field(
        None, alias="RuleConfigurationName"
    )
    rule_evaluation_job_arn: (
        Annotated[
            str,
            Text(
                min=0,
                max=256,
                pattern=r"arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:processing-job/[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}",
            ),
        ]
        | None
    ) = Field(None, alias="RuleEvaluationJobArn")
    rule_evaluation_status: (
        Annotated[str, OneOf(("InProgress", "NoIssuesFound", "IssuesFound", "Error", "Stopping", "Stopped"))] | None
    ) = Field(None, alias="RuleEvaluationStatus")
    status_details: Annotated[str, Text(min=0, max=1024, pattern=r".*")] | None = Field(None, alias="StatusDetails")
    last_modified_time: float | None = Field(None, alias="LastModifiedTime")


class DebugRuleEvaluationStatus(_RuleEvaluationStatus):
    """How a debugger rule stands."""


class ProfilerRuleEvaluationStatus(_RuleEvaluationStatus):
    """How a profiler rule stands."""


class MlflowDetails(Structure):
    """The MLflow run of a serverless job."""

    mlflow_experiment_id: Annotated[str, Text(min=1, max=256, pattern=r".*")] | None = Field(
        None, alias="MlflowExperimentId"
    )
    mlflow_run_id: Annotated[str, Text(min=1, max=256, pattern=r".*")] | None = Field(None, alias="MlflowRunId")


class TrainingProgressInfo(Structure):
    """How far a serverless job is."""

    total_step_count_per_epoch: Annotated[int, Number(min=0)] | None = Field(None, alias="TotalStepCountPerEpoch")
    current_step: Annotated[int, Number(min=0)] | None = Field(None, alias="CurrentStep")
    current_epoch: Annotated[int, Number(min=0)] | None = Field(None, alias="CurrentEpoch")
    max_epoch: Annotated[int, Number(min=0)] | None = Field(None, alias="MaxEpoch")


class TrainingJobDescription(Structure):
    """The DescribeTrainingJob answer."""

    training_job_name: Annotated[str, Text(min=1, max=63, pattern=r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")] = Field(
        alias="TrainingJobName"
    )
    training_job_arn: Annotated[
        str,
        Text(
            min=0,
            max=256,
            pattern=r"arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:training-job/[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}",
        ),
    ] = Field(alias="TrainingJobArn")
    tuning_job_arn: (
        Annotated[
            str,
            Text(
                min=0, max=256, pattern=r"arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:hyper-parameter-tuning-job/.*"
            ),
        ]
        | None
    ) = Field(None, alias="TuningJobArn")
    labeling_job_arn: (
        Annotated[
            str, Text(min=0, max=2048, pattern=r"arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:labeling-job/.*")
        ]
        | None
    ) = Field(None, alias="LabelingJobArn")
    auto_ml_job_arn: (
        Annotated[str, Text(min=1, max=256, pattern=r"arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:automl-job/.*")]
        | None
    ) = Field(None, alias="AutoMLJobArn")
    model_artifacts: ModelArtifacts = Field(alias="ModelArtifacts")
    training_job_status: Annotated[
        str, OneOf(("InProgress", "Completed", "Failed", "Stopping", "Stopped", "Deleting"))
    ] = Field(alias="TrainingJobStatus")
    secondary_status: SecondaryStatusName = Field(alias="SecondaryStatus")
    failure_reason: Annotated[str, Text(min=0, max=1024)] | None = Field(None, alias="FailureReason")
    hyper_parameters: (
        Annotated[
            dict[str, str], Mapped(max=100, key=Text(max=256, pattern=r".*"), value=Text(max=2500, pattern=r".*"))
        ]
        | None
    ) = Field(None, alias="HyperParameters")
    algorithm_specification: AlgorithmSpecification | None = Field(None, alias="AlgorithmSpecification")
    role_arn: (
        Annotated[str, Text(min=20, max=2048, pattern=r"arn:aws[a-z\-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+")]
        | None
    ) = Field(None, alias="RoleArn")
    input_data_config: Annotated[tuple[Channel, ...], Items(min=1, max=20)] | None = Field(
        None, alias="InputDataConfig"
    )
    output_data_config: OutputDataConfig | None = Field(None, alias="OutputDataConfig")
    resource_config: ResourceConfig | None = Field(None, alias="ResourceConfig")
    warm_pool_status: WarmPoolStatus | None = Field(None, alias="WarmPoolStatus")
    vpc_config: VpcConfig | None = Field(None, alias="VpcConfig")
    stopping_condition: StoppingCondition = Field(alias="StoppingCondition")
    creation_time: float = Field(alias="CreationTime")
    training_start_time: float | None = Field(None, alias="TrainingStartTime")
    training_end_time: float | None = Field(None, alias="TrainingEndTime")
    last_modified_time: float | None = Field(None, alias="LastModifiedTime")
    secondary_status_transitions: tuple[SecondaryStatusTransition, ...] | None = Field(
        None, alias="SecondaryStatusTransitions"
    )
    final_metric_data_list: Annotated[tuple[MetricData, ...], Items(min=0, max=40)] | None = Field(
        None, alias="FinalMetricDataList"
    )
    enable_network_isolation: bool | None = Field(None, alias="EnableNetworkIsolation")
    enable_inter_container_traffic_encryption: bool | None = Field(None, alias="EnableInterContainerTrafficEncryption")
    enable_managed_spot_training: bool | None = Field(None, alias="EnableManagedSpotTraining")
    checkpoint_config: CheckpointConfig | None = Field(None, alias="CheckpointConfig")
    training_time_in_seconds: Annotated[int, Number(min=1)] | None = Field(None, alias="TrainingTimeInSeconds")
    billable_time_in_seconds: Annotated[int, Number(min=1)] | None = Field(None, alias="BillableTimeInSeconds")
    billable_token_count: Annotated[int, Number(min=0)] | None = Field(None, alias="BillableTokenCount")
    debug_hook_config: DebugHookConfig | None = Field(None, alias="DebugHookConfig")
    experiment_config: ExperimentConfig | None = Field(None, alias="ExperimentConfig")
    debug_rule_configurations: Annotated[tuple[DebugRuleConfiguration, ...], Items(min=0, max=20)] | None = Field(
        None, alias="DebugRuleConfigurations"
    )
    tensor_board_output_config: TensorBoardOutputConfig | None = Field(None, alias="TensorBoardOutputConfig")
    debug_rule_evaluation_statuses: Annotated[tuple[DebugRuleEvaluationStatus, ...], Items(min=0, max=20)] | None = (
        Field(None, alias="DebugRuleEvaluationStatuses")
    )
    profiler_config: ProfilerConfig | None = Field(None, alias="ProfilerConfig")
    profiler_rule_configurations: Annotated[tuple[ProfilerRuleConfiguration, ...], Items(min=0, max=20)] | None = Field(
        None, alias="ProfilerRuleConfigurations"
    )
    profiler_rule_evaluation_statuses: (
        Annotated[tuple[ProfilerRuleEvaluationStatus, ...], Items(min=0, max=20)] | None
    ) = Field(None, alias="ProfilerRuleEvaluationStatuses")
    profiling_status: Annotated[str, OneOf(("Enabled", "Disabled"))] | None = Field(None, alias="ProfilingStatus")
    environment: (
        Annotated[
            dict[str, str],
            Mapped(
                max=100, key=Text(max=512, pattern=r"[a-zA-Z_][a-zA-Z0-9_]*"), value=Text(max=512, pattern=r"[\S\s]*")
            ),
        ]
        | None
    ) = Field(None, alias="Environment")
    retry_strategy: RetryStrategy | None = Field(None, alias="RetryStrategy")
    remote_debug_config: RemoteDebugConfig | None = Field(None, alias="RemoteDebugConfig")
    infra_check_config: InfraCheckConfig | None = Field(None, alias="InfraCheckConfig")
    serverless_job_config: ServerlessJobConfig | None = Field(None, alias="ServerlessJobConfig")
    mlflow_config: MlflowConfig | None = Field(None, alias="MlflowConfig")
    model_package_config: ModelPackageConfig | None = Field(None, alias="ModelPackageConfig")
    mlflow_details: MlflowDetails | None = Field(None, alias="MlflowDetails")
    progress_info: TrainingProgressInfo | None = Field(None, alias="ProgressInfo")
    output_model_package_arn: (
        Annotated[
            str,
            Text(
                min=1,
                max=2048,
                pattern=r"arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]{9,16}:[0-9]{12}:model-package/[\S]{1,2048}",
            ),
        ]
        | None
    ) = Field(None, alias="OutputModelPackageArn")
