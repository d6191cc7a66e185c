"""The CreateTrainingJob request, all of it: what a user asks for.

Frozen, and absent stays absent: `to_wire` gives back exactly the members that `from_wire` was given. Constraints stand
beside each member as metadata (``shapes``); admission reads them, pydantic does not, so that every problem is reported
at once in the service's own words. Attribute names are the API's in snake case, aliases are the API's own.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from trainyard.model.instances import PROCESSING_INSTANCE_TYPES, TRAINING_INSTANCE_TYPES
from trainyard.model.shapes import Items, Mapped, Number, OneOf, Structure, Text

# Texts of the API that stand in many places.
Uri = Annotated[str, Text(min=0, max=1024, pattern=r"(https|s3)://([^/]+)/?(.*)")]
KmsKey = Annotated[str, Text(min=0, max=2048, pattern=r"[a-zA-Z0-9:/_-]*")]
FolderPath = Annotated[str, Text(min=0, max=4096, pattern=r".*")]
_PARAMETER_NAME = Text(min=1, max=256, pattern=r".*")
_PARAMETER_VALUE = Text(max=256, pattern=r".*")
_PARAMETERS = Mapped(max=20, key=_PARAMETER_NAME, value=_PARAMETER_VALUE)
_RULE_PARAMETERS = Mapped(max=100, key=_PARAMETER_NAME, value=_PARAMETER_VALUE)


class MetricDefinition(Structure):
    """A metric to read out of the log: the regex's first group is its value."""

    name: Annotated[str, Text(min=1, max=255, pattern=r".+")] = Field(alias="Name")
    regex: Annotated[str, Text(min=1, max=500, pattern=r".+")] = Field(alias="Regex")


class TrainingRepositoryAuthConfig(Structure):
    """Where a private registry's credentials come from."""

    training_repository_credentials_provider_arn: Annotated[
        str, Text(min=1, max=2048, pattern=r"arn:[\p{Alnum}\-]+:lambda:[\p{Alnum}\-]+:[0-9]{12}:function:.*")
    ] = Field(alias="TrainingRepositoryCredentialsProviderArn")


class TrainingImageConfig(Structure):
    """How the training image's registry is reached."""

    training_repository_access_mode: Annotated[str, OneOf(("Platform", "Vpc"))] = Field(
        alias="TrainingRepositoryAccessMode"
    )
    training_repository_auth_config: TrainingRepositoryAuthConfig | None = Field(
        None, alias="TrainingRepositoryAuthConfig"
    )


class AlgorithmSpecification(Structure):
    """What trains: an image or an algorithm's name, its input mode, its metrics, its command line."""

    training_image: Annotated[str, Text(min=0, max=255, pattern=r".*")] | None = Field(None, alias="TrainingImage")
    algorithm_name: (
        Annotated[
            str,
            Text(
                min=1,
                max=170,
                pattern=r"(arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:[a-z\-]*\/)?([a-zA-Z0-9]([a-zA-Z0-9-]){0,62})(?<!-)",
            ),
        ]
        | None
    ) = Field(None, alias="AlgorithmName")
    training_input_mode: Annotated[str, OneOf(("Pipe", "File", "FastFile"))] = Field(alias="TrainingInputMode")
    metric_definitions: Annotated[tuple[MetricDefinition, ...], Items(min=0, max=40)] | None = Field(
        None, alias="MetricDefinitions"
    )
    enable_sagemaker_metrics_time_series: bool | None = Field(None, alias="EnableSageMakerMetricsTimeSeries")
    container_entrypoint: (
        Annotated[tuple[Annotated[str, Text(min=0, max=256, pattern=r".*")], ...], Items(min=1, max=100)] | None
    ) = Field(None, alias="ContainerEntrypoint")
    container_arguments: (
        Annotated[tuple[Annotated[str, Text(min=0, max=256, pattern=r".*")], ...], Items(min=1, max=100)] | None
    ) = Field(None, alias="ContainerArguments")
    training_image_config: TrainingImageConfig | None = Field(None, alias="TrainingImageConfig")


class ModelAccessConfig(Structure):
    """Acceptance of a gated model's licence."""

    accept_eula: bool = Field(alias="AcceptEula")


class HubAccessConfig(Structure):
    """The hub content that a channel may read."""

    hub_content_arn: Annotated[str, Text(min=0, max=255, pattern=r".*")] = Field(alias="HubContentArn")


class S3DataSource(Structure):
    """A channel's objects: a prefix, a manifest or an augmented manifest."""

    s3_data_type: Annotated[str, OneOf(("ManifestFile", "S3Prefix", "AugmentedManifestFile", "Converse"))] = Field(
        alias="S3DataType"
    )
    s3_uri: Uri = Field(alias="S3Uri")
    s3_data_distribution_type: Annotated[str, OneOf(("FullyReplicated", "ShardedByS3Key"))] | None = Field(
        None, alias="S3DataDistributionType"
    )
    attribute_names: (
        Annotated[tuple[Annotated[str, Text(min=1, max=256, pattern=r".+")], ...], Items(min=0, max=16)] | None
    ) = Field(None, alias="AttributeNames")
    instance_group_names: (
        Annotated[tuple[Annotated[str, Text(min=1, max=64, pattern=r".+")], ...], Items(min=0, max=5)] | None
    ) = Field(None, alias="InstanceGroupNames")
    model_access_config: ModelAccessConfig | None = Field(None, alias="ModelAccessConfig")
    hub_access_config: HubAccessConfig | None = Field(None, alias="HubAccessConfig")


class FileSystemDataSource(Structure):
    """A channel that is a folder of a network file system."""

    file_system_id: Annotated[str, Text(min=11, max=21, pattern=r"(fs-[0-9a-f]{8,})")] = Field(alias="FileSystemId")
    file_system_access_mode: Annotated[str, OneOf(("rw", "ro"))] = Field(alias="FileSystemAccessMode")
    file_system_type: Annotated[str, OneOf(("EFS", "FSxLustre"))] = Field(alias="FileSystemType")
    directory_path: FolderPath = Field(alias="DirectoryPath")


class DatasetSource(Structure):
    """A channel that is a hub data set."""

    dataset_arn: Annotated[
        str,
        Text(
            min=0,
            max=2048,
            pattern=r"(arn:[a-z0-9-\.]{1,63}:sagemaker:\w+(?:-\w+)+:(\d{12}|aws):hub-content\/)[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}\/DataSet\/[a-zA-Z0-9](-*[a-zA-Z0-9]){0,63}(\/\d{1,4}.\d{1,4}.\d{1,4})?",
        ),
    ] = Field(alias="DatasetArn")


class DataSource(Structure):
    """Where a channel's data lies; exactly one member is given."""

    s3_data_source: S3DataSource | None = Field(None, alias="S3DataSource")
    file_system_data_source: FileSystemDataSource | None = Field(None, alias="FileSystemDataSource")
    dataset_source: DatasetSource | None = Field(None, alias="DatasetSource")


class ShuffleConfig(Structure):
    """The seed that a channel is shuffled by."""

    seed: int = Field(alias="Seed")


class Channel(Structure):
    """One named input."""

    channel_name: Annotated[str, Text(min=1, max=64, pattern=r"[A-Za-z0-9\.\-_]+")] = Field(alias="ChannelName")
    data_source: DataSource = Field(alias="DataSource")
    content_type: Annotated[str, Text(min=0, max=256, pattern=r".*")] | None = Field(None, alias="ContentType")
    compression_type: Annotated[str, OneOf(("None", "Gzip"))] | None = Field(None, alias="CompressionType")
    record_wrapper_type: Annotated[str, OneOf(("None", "RecordIO"))] | None = Field(None, alias="RecordWrapperType")
    input_mode: Annotated[str, OneOf(("Pipe", "File", "FastFile"))] | None = Field(None, alias="InputMode")
    shuffle_config: ShuffleConfig | None = Field(None, alias="ShuffleConfig")


class OutputDataConfig(Structure):
    """Where the model and the output go."""

    kms_key_id: KmsKey | None = Field(None, alias="KmsKeyId")
    s3_output_path: Uri = Field(alias="S3OutputPath")
    compression_type: Annotated[str, OneOf(("GZIP", "NONE"))] | None = Field(None, alias="CompressionType")


class InstanceGroup(Structure):
    """Hosts of one type in a heterogeneous cluster."""

    instance_type: Annotated[str, OneOf(TRAINING_INSTANCE_TYPES)] = Field(alias="InstanceType")
    instance_count: Annotated[int, Number(min=0)] = Field(alias="InstanceCount")
    instance_group_name: Annotated[str, Text(min=1, max=64, pattern=r".+")] = Field(alias="InstanceGroupName")


class PlacementSpecification(Structure):
    """How many hosts go onto one UltraServer."""

    ultra_server_id: Annotated[str, Text(min=0, max=256)] | None = Field(None, alias="UltraServerId")
    instance_count: Annotated[int, Number(min=0)] = Field(alias="InstanceCount")


class InstancePlacementConfig(Structure):
    """How hosts are spread over UltraServers."""

    enable_multiple_jobs: bool | None = Field(None, alias="EnableMultipleJobs")
    placement_specifications: Annotated[tuple[PlacementSpecification, ...], Items(min=0, max=10)] | None = Field(
        None, alias="PlacementSpecifications"
    )


class InstancePreference(Structure):
    """One acceptable instance type, in order of preference."""

    instance_type: Annotated[str, OneOf(TRAINING_INSTANCE_TYPES)] = Field(alias="InstanceType")
    instance_count: Annotated[int, Number(min=0)] | None = Field(None, alias="InstanceCount")
    training_plan_arns: (
        Annotated[
            tuple[
                Annotated[
                    str,
                    Text(min=50, max=2048, pattern=r"arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:training-plan/.*"),
                ],
                ...,
            ],
            Items(min=1, max=1),
        ]
        | None
    ) = Field(None, alias="TrainingPlanArns")


class ResourceConfig(Structure):
    """The hosts that train and their volumes."""

    instance_type: Annotated[str, OneOf(TRAINING_INSTANCE_TYPES)] | None = Field(None, alias="InstanceType")
    instance_count: Annotated[int, Number(min=0)] | None = Field(None, alias="InstanceCount")
    volume_size_in_gb: Annotated[int, Number(min=0)] | None = Field(None, alias="VolumeSizeInGB")
    volume_kms_key_id: KmsKey | None = Field(None, alias="VolumeKmsKeyId")
    keep_alive_period_in_seconds: Annotated[int, Number(min=0, max=21600)] | None = Field(
        None, alias="KeepAlivePeriodInSeconds"
    )
    instance_groups: Annotated[tuple[InstanceGroup, ...], Items(min=0, max=5)] | None = Field(
        None, alias="InstanceGroups"
    )
    training_plan_arn: (
        Annotated[
            str, Text(min=50, max=2048, pattern=r"arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:training-plan/.*")
        ]
        | None
    ) = Field(None, alias="TrainingPlanArn")
    instance_placement_config: InstancePlacementConfig | None = Field(None, alias="InstancePlacementConfig")
    instance_preferences: Annotated[tuple[InstancePreference, ...], Items(min=1, max=5)] | None = Field(
        None, alias="InstancePreferences"
    )
    selected_instance_type: Annotated[str, OneOf(TRAINING_INSTANCE_TYPES)] | None = Field(
        None, alias="SelectedInstanceType"
    )
    selected_instance_count: Annotated[int, Number(min=0)] | None = Field(None, alias="SelectedInstanceCount")


class VpcConfig(Structure):
    """The network that the hosts are attached to."""

    security_group_ids: Annotated[
        tuple[Annotated[str, Text(min=0, max=32, pattern=r"[-0-9a-zA-Z]+")], ...], Items(min=1, max=5)
    ] = Field(alias="SecurityGroupIds")
    subnets: Annotated[
        tuple[Annotated[str, Text(min=0, max=32, pattern=r"[-0-9a-zA-Z]+")], ...], Items(min=1, max=16)
    ] = Field(alias="Subnets")


class StoppingCondition(Structure):
    """How long a job may run, wait and pend, in seconds."""

    max_runtime_in_seconds: Annotated[int, Number(min=1)] | None = Field(None, alias="MaxRuntimeInSeconds")
    max_wait_time_in_seconds: Annotated[int, Number(min=1)] | None = Field(None, alias="MaxWaitTimeInSeconds")
    max_pending_time_in_seconds: Annotated[int, Number(min=1800, max=2419200)] | None = Field(
        None, alias="MaxPendingTimeInSeconds"
    )


class Tag(Structure):
    """A key and a value on a job."""

    key: Annotated[str, Text(min=1, max=128, pattern=r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)")] = Field(alias="Key")
    value: Annotated[str, Text(min=0, max=256, pattern=r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)")] = Field(alias="Value")


class CheckpointConfig(Structure):
    """Where checkpoints lie locally and in the object store."""

    s3_uri: Uri = Field(alias="S3Uri")
    local_path: FolderPath | None = Field(None, alias="LocalPath")


class CollectionConfiguration(Structure):
    """Tensors that the debugger's hook saves together."""

    collection_name: Annotated[str, Text(min=1, max=256, pattern=r".*")] | None = Field(None, alias="CollectionName")
    collection_parameters: Annotated[dict[str, str], _PARAMETERS] | None = Field(None, alias="CollectionParameters")


class DebugHookConfig(Structure):
    """What the debugger's hook saves, and where."""

    local_path: FolderPath | None = Field(None, alias="LocalPath")
    s3_output_path: Uri = Field(alias="S3OutputPath")
    hook_parameters: Annotated[dict[str, str], _PARAMETERS] | None = Field(None, alias="HookParameters")
    collection_configurations: Annotated[tuple[CollectionConfiguration, ...], Items(min=0, max=20)] | None = Field(
        None, alias="CollectionConfigurations"
    )


class _RuleConfiguration(Structure):
    """A rule, the image that evaluates it and the host that this takes."""

    rule_configuration_name: Annotated[str, Text(min=1, max=256, pattern=r".*")] = Field(alias="RuleConfigurationName")
    local_path: FolderPath | None = Field(None, alias="LocalPath")
    s3_output_path: Uri | None = Field(None, alias="S3OutputPath")
    rule_evaluator_image: Annotated[str, Text(min=0, max=255, pattern=r".*")] = Field(alias="RuleEvaluatorImage")
    instance_type: Annotated[str, OneOf(PROCESSING_INSTANCE_TYPES)] | None = Field(None, alias="InstanceType")
    volume_size_in_gb: Annotated[int, Number(min=0)] | None = Field(None, alias="VolumeSizeInGB")
    rule_parameters: Annotated[dict[str, str], _RULE_PARAMETERS] | None = Field(None, alias="RuleParameters")


class DebugRuleConfiguration(_RuleConfiguration):
    """A rule that watches the saved tensors."""


class TensorBoardOutputConfig(Structure):
    """Where TensorBoard's files lie locally and in the object store."""

    local_path: FolderPath | None = Field(None, alias="LocalPath")
    s3_output_path: Uri = Field(alias="S3OutputPath")


class ExperimentConfig(Structure):
    """The experiment, trial and run that a job belongs to."""

    experiment_name: Annotated[str, Text(min=1, max=120, pattern=r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,119}")] | None = Field(
        None, alias="ExperimentName"
    )
    trial_name: Annotated[str, Text(min=1, max=120, pattern=r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,119}")] | None = Field(
        None, alias="TrialName"
    )
    trial_component_display_name: (
        Annotated[str, Text(min=1, max=120, pattern=r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,119}")] | None
    ) = Field(None, alias="TrialComponentDisplayName")
    run_name: Annotated[str, Text(min=1, max=120, pattern=r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,119}")] | None = Field(
        None, alias="RunName"
    )


class ProfilerConfig(Structure):
    """What the profiler samples, how often, and where it goes."""

    s3_output_path: Uri | None = Field(None, alias="S3OutputPath")
    profiling_interval_in_milliseconds: int | None = Field(None, alias="ProfilingIntervalInMilliseconds")
    profiling_parameters: Annotated[dict[str, str], _PARAMETERS] | None = Field(None, alias="ProfilingParameters")
    disable_profiler: bool | None = Field(None, alias="DisableProfiler")


class ProfilerRuleConfiguration(_RuleConfiguration):
    """A rule that watches the profiler's samples."""


class RetryStrategy(Structure):
    """How often a job is tried again after an internal error."""

    maximum_retry_attempts: Annotated[int, Number(min=1, max=30)] = Field(alias="MaximumRetryAttempts")


class RemoteDebugConfig(Structure):
    """Whether a shell into the running hosts is allowed."""

    enable_remote_debug: bool | None = Field(None, alias="EnableRemoteDebug")


class InfraCheckConfig(Structure):
    """Whether the hosts are checked before training."""

    enable_infra_check: bool | None = Field(None, alias="EnableInfraCheck")


class SessionChainingConfig(Structure):
    """Whether session tags are passed on to the job's role session."""

    enable_session_tag_chaining: bool | None = Field(None, alias="EnableSessionTagChaining")


class ServerlessJobConfig(Structure):
    """Managed fine-tuning or evaluation of a hub model."""

    base_model_arn: Annotated[
        str,
        Text(
            min=1,
            max=2048,
            pattern=r"(arn:[a-z0-9-\.]{1,63}:sagemaker:\w+(?:-\w+)+:(\d{12}|aws):hub-content\/)[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}\/Model\/[a-zA-Z0-9](-*[a-zA-Z0-9]){0,63}(\/\d{1,4}.\d{1,4}.\d{1,4})?",
        ),
    ] = Field(alias="BaseModelArn")
    accept_eula: bool | None = Field(None, alias="AcceptEula")
    job_type: Annotated[str, OneOf(("FineTuning", "Evaluation"))] = Field(alias="JobType")
    customization_technique: Annotated[str, OneOf(("SFT", "DPO", "RLVR", "RLAIF"))] | None = Field(
        None, alias="CustomizationTechnique"
    )
    peft: Annotated[str, OneOf(("LORA",))] | None = Field(None, alias="Peft")
    evaluation_type: (
        Annotated[str, OneOf(("LLMAJEvaluation", "CustomScorerEvaluation", "BenchmarkEvaluation"))] | None
    ) = Field(None, alias="EvaluationType")
    evaluator_arn: Annotated[str, Text(pattern=r".*")] | None = Field(None, alias="EvaluatorArn")
    sequence_length: Annotated[str, Text(min=1, max=50, pattern=r"\d+K")] | None = Field(None, alias="SequenceLength")


class MlflowConfig(Structure):
    """The MLflow server that a serverless job reports to."""

    mlflow_resource_arn: Annotated[
        str, Text(min=0, max=2048, pattern=r"arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:mlflow-[a-zA-Z-]*/.*")
    ] = Field(alias="MlflowResourceArn")
    mlflow_experiment_name: Annotated[str, Text(min=1, max=256, pattern=r".*")] | None = Field(
        None, alias="MlflowExperimentName"
    )
    mlflow_run_name: Annotated[str, Text(min=1, max=256, pattern=r".*")] | None = Field(None, alias="MlflowRunName")


class ModelPackageConfig(Structure):
    """The model package group that a serverless job registers into."""

    model_package_group_arn: Annotated[
        str,
        Text(
            min=1,
            max=2048,
            pattern=r"arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]{9,16}:[0-9]{12}:model-package-group/[\S]{1,2048}",
        ),
    ] = Field(alias="ModelPackageGroupArn")
    source_model_package_arn: (
        Annotated[
            str,
            Text(
                min=1,
                max=2048,
                pattern=r"arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]{9,16}:[0-9]{12}:model-package/[\S]{1,2048}",
            ),
        ]
        | None
    ) = Field(None, alias="SourceModelPackageArn")


class TrainingJobSpec(Structure):
    """One CreateTrainingJob request."""

    training_job_name: Annotated[str, Text(min=1, max=63, pattern=r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")] = Field(
        alias="TrainingJobName"
    )
    hyper_parameters: (
        Annotated[
            dict[str, str], Mapped(max=100, key=Text(max=256, pattern=r".*"), value=Text(max=2500, pattern=r".*"))
        ]
        | None
    ) = Field(None, alias="HyperParameters")
    algorithm_specification: AlgorithmSpecification | None = Field(None, alias="AlgorithmSpecification")
    role_arn: Annotated[
        str, Text(min=20, max=2048, pattern=r"arn:aws[a-z\-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+")
    ] = Field(alias="RoleArn")
    input_data_config: Annotated[tuple[Channel, ...], Items(min=1, max=20)] | None = Field(
        None, alias="InputDataConfig"
    )
    output_data_config: OutputDataConfig = Field(alias="OutputDataConfig")
    resource_config: ResourceConfig | None = Field(None, alias="ResourceConfig")
    vpc_config: VpcConfig | None = Field(None, alias="VpcConfig")
    stopping_condition: StoppingCondition | None = Field(None, alias="StoppingCondition")
    tags: Annotated[tuple[Tag, ...], Items(min=0, max=50)] | None = Field(None, alias="Tags")
    enable_network_isolation: bool | None = Field(None, alias="EnableNetworkIsolation")
    enable_inter_container_traffic_encryption: bool | None = Field(None, alias="EnableInterContainerTrafficEncryption")
    enable_managed_spot_training: bool | None = Field(None, alias="EnableManagedSpotTraining")
    checkpoint_config: CheckpointConfig | None = Field(None, alias="CheckpointConfig")
    debug_hook_config: DebugHookConfig | None = Field(None, alias="DebugHookConfig")
    debug_rule_configurations: Annotated[tuple[DebugRuleConfiguration, ...], Items(min=0, max=20)] | None = Field(
        None, alias="DebugRuleConfigurations"
    )
    tensor_board_output_config: TensorBoardOutputConfig | None = Field(None, alias="TensorBoardOutputConfig")
    experiment_config: ExperimentConfig | None = Field(None, alias="ExperimentConfig")
    profiler_config: ProfilerConfig | None = Field(None, alias="ProfilerConfig")
    profiler_rule_configurations: Annotated[tuple[ProfilerRuleConfiguration, ...], Items(min=0, max=20)] | None = Field(
        None, alias="ProfilerRuleConfigurations"
    )
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
    session_chaining_config: SessionChainingConfig | None = Field(None, alias="SessionChainingConfig")
    serverless_job_config: ServerlessJobConfig | None = Field(None, alias="ServerlessJobConfig")
    mlflow_config: MlflowConfig | None = Field(None, alias="MlflowConfig")
    model_package_config: ModelPackageConfig | None = Field(None, alias="ModelPackageConfig")
