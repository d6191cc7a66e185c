"""What every member of a spec is, for `trainyard explain` and `kubectl explain`: one sentence each.

A member that is a structure may be told by its structure's docstring alone. Keys are `Structure.Member` in the API's
spelling.
"""

from __future__ import annotations

from collections.abc import Mapping

_RULE = {
    "RuleConfigurationName": "The rule's name, once in a job; its results are told under it.",
    "LocalPath": "The rule's own folder of results. Absent: /opt/ml/processing/output/rule/.",
    "S3OutputPath": "Where the rule's results go.",
    "RuleEvaluatorImage": "The image that evaluates the rule: the service's own rules, or one for rules of yours.",
    "InstanceType": "The type of the host that the rule runs on, for rules of yours.",
    "VolumeSizeInGB": "Space for data and results of the rule.",
    "RuleParameters": "The rule's parameters; rule_to_invoke names the rule within its image.",
}

SENTENCES: Mapping[str, str] = {
    "TrainingJobSpec.TrainingJobName": (
        "The job's name, unique within an account and region for ever. Left out, one is made from the resource's name "
        "and uid. It cannot change once the job exists."
    ),
    "TrainingJobSpec.HyperParameters": "Parameters of the algorithm; every value is a string.",
    "TrainingJobSpec.RoleArn": "The IAM role that the job runs as.",
    "TrainingJobSpec.InputDataConfig": "The job's named inputs, called channels.",
    "TrainingJobSpec.Tags": "The job's tags; they may be changed while it runs and afterwards.",
    "TrainingJobSpec.EnableNetworkIsolation": "Whether the program is cut off from every network. Absent means false.",
    "TrainingJobSpec.EnableInterContainerTrafficEncryption": (
        "Whether traffic between the hosts of one job is encrypted. Absent means false."
    ),
    "TrainingJobSpec.EnableManagedSpotTraining": (
        "Whether the job may be interrupted to cost less; it then needs maxWaitTimeInSeconds. Absent means false."
    ),
    "TrainingJobSpec.DebugRuleConfigurations": "Rules that watch the tensors which the debugger's hook saves.",
    "TrainingJobSpec.ProfilerRuleConfigurations": "Rules that watch the profile; some may be added while the job runs.",
    "TrainingJobSpec.Environment": "Environment variables of the program.",
    "AlgorithmSpecification.TrainingImage": "The image that trains; either this or algorithmName.",
    "AlgorithmSpecification.AlgorithmName": "The name or ARN of an algorithm; either this or trainingImage.",
    "AlgorithmSpecification.TrainingInputMode": (
        "How channels reach the program: downloaded first (File), as files that are fetched while they are read "
        "(FastFile), or as named pipes (Pipe)."
    ),
    "AlgorithmSpecification.MetricDefinitions": "Metrics to read out of the log.",
    "AlgorithmSpecification.EnableSageMakerMetricsTimeSeries": "Whether metrics are kept as series over time.",
    "AlgorithmSpecification.ContainerEntrypoint": "The command, in place of the image's own.",
    "AlgorithmSpecification.ContainerArguments": "The command's arguments, in place of the image's own.",
    "TrainingImageConfig.TrainingRepositoryAccessMode": "Whether the registry is reached over the platform or the VPC.",
    "MetricDefinition.Regex": "A regular expression whose first group is the metric's value.",
    "Channel.ChannelName": "The channel's name, and that of its folder below /opt/ml/input/data.",
    "Channel.ContentType": "The MIME type of the data, handed to the program.",
    "Channel.CompressionType": "Gzip is unpacked on the way, in Pipe mode alone. Absent means None.",
    "Channel.RecordWrapperType": "RecordIO wraps each object, in Pipe mode alone. Absent means None.",
    "Channel.InputMode": "This channel's input mode, in place of the job's.",
    "S3DataSource.S3DataType": "What s3URI names: a prefix, a manifest of objects, or an augmented manifest.",
    "S3DataSource.S3Uri": "A URI of objects; where jobs run on this machine also file:// or a path.",
    "S3DataSource.S3DataDistributionType": "Whether every host gets all objects or its share. Absent: all.",
    "S3DataSource.AttributeNames": "The members of an augmented manifest's lines that are streamed.",
    "S3DataSource.InstanceGroupNames": "The instance groups that get this channel.",
    "OutputDataConfig.S3OutputPath": "Below which the model and the output go, each job in a folder of its own.",
    "OutputDataConfig.KmsKeyId": "The key that the results are encrypted with.",
    "OutputDataConfig.CompressionType": "Whether the model is one archive (GZIP) or plain files (NONE). Absent: GZIP.",
    "ResourceConfig.InstanceType": "The hosts' type, which says their processors, memory and GPUs.",
    "ResourceConfig.InstanceCount": "How many hosts; 0 where instanceGroups tell it.",
    "ResourceConfig.VolumeSizeInGB": "Space for data and results on each host.",
    "ResourceConfig.VolumeKmsKeyId": "The key that the hosts' volumes are encrypted with.",
    "ResourceConfig.KeepAlivePeriodInSeconds": (
        "How long the hosts are kept for a next job once this one has completed: a warm pool. It may be changed later."
    ),
    "ResourceConfig.InstanceGroups": "Groups of hosts of different types, in place of one type.",
    "ResourceConfig.InstancePreferences": "Acceptable instance types in order of preference, in place of one type.",
    "ResourceConfig.TrainingPlanArn": "The training plan that the hosts come from.",
    "InstancePlacementConfig.EnableMultipleJobs": "Whether several jobs may share an UltraServer.",
    "StoppingCondition.MaxRuntimeInSeconds": (
        "How long the job may train before it is stopped; it then has 120 seconds to save its model. Absent: one day."
    ),
    "StoppingCondition.MaxWaitTimeInSeconds": (
        "How long a managed-spot job may train and wait together; at least maxRuntimeInSeconds."
    ),
    "StoppingCondition.MaxPendingTimeInSeconds": "How long the job may wait for hosts.",
    "RetryStrategy.MaximumRetryAttempts": "How often a job that failed by the service's fault is tried again.",
    "CheckpointConfig.S3Uri": "Where checkpoints are kept; an earlier one found there is resumed from.",
    "CheckpointConfig.LocalPath": "The program's folder of checkpoints. Absent: /opt/ml/checkpoints.",
    "TensorBoardOutputConfig.LocalPath": "Its folder of TensorBoard data. Absent: /opt/ml/output/tensorboard.",
    "ProfilerConfig.ProfilingIntervalInMilliseconds": "How often system metrics are sampled. Absent: 500.",
    "ProfilerConfig.DisableProfiler": "Whether profiling is switched off.",
    "RemoteDebugConfig.EnableRemoteDebug": "Whether a shell may be opened on the hosts; it may be changed later.",
    "InfraCheckConfig.EnableInfraCheck": "Whether the hosts are checked before training.",
    "SessionChainingConfig.EnableSessionTagChaining": "Whether the role's session tags are passed on.",
    "VpcConfig.Subnets": "The subnets that the hosts are attached to.",
    "VpcConfig.SecurityGroupIds": "The security groups of the hosts.",
    "Channel.DataSource": "Where the channel's data lies; exactly one member is given.",
    "MetricDefinition.Name": "The metric's name, under which its values are shown and searched.",
    "TrainingRepositoryAuthConfig.TrainingRepositoryCredentialsProviderArn": (
        "The Lambda function that hands out the registry's user name and password."
    ),
    "ModelAccessConfig.AcceptEula": "Whether you accept the licence of a gated model; it is not read without.",
    "HubAccessConfig.HubContentArn": "The hub content that the channel reads.",
    "FileSystemDataSource.FileSystemId": "The file system's id: fs- and at least eight hexadecimal digits.",
    "FileSystemDataSource.FileSystemAccessMode": "Whether the program may only read it (ro) or write it too (rw).",
    "FileSystemDataSource.FileSystemType": "Amazon EFS (EFS) or Amazon FSx for Lustre (FSxLustre).",
    "FileSystemDataSource.DirectoryPath": "The folder of the file system that is the channel, from its root.",
    "DatasetSource.DatasetArn": "The hub data set that the channel reads.",
    "ShuffleConfig.Seed": (
        "The number that the order is made of: the same seed gives the same order. In Pipe mode each epoch has another."
    ),
    "InstanceGroup.InstanceType": "The type of this group's hosts.",
    "InstanceGroup.InstanceCount": "How many hosts this group has.",
    "InstanceGroup.InstanceGroupName": "The group's name, which channels may name to be read by it alone.",
    "InstancePlacementConfig.PlacementSpecifications": "How many hosts go onto which UltraServer.",
    "PlacementSpecification.UltraServerId": "The UltraServer.",
    "PlacementSpecification.InstanceCount": "How many of the job's hosts go onto it.",
    "InstancePreference.InstanceType": "A type that the job may run on.",
    "InstancePreference.InstanceCount": "How many hosts of this type the job would take.",
    "InstancePreference.TrainingPlanArns": "The training plan that hosts of this type come from.",
    "ResourceConfig.SelectedInstanceType": "The type that the service chose of the preferences; it alone writes this.",
    "ResourceConfig.SelectedInstanceCount": "How many hosts of the chosen type; the service alone writes this.",
    "Tag.Key": "The tag's key, once in a job; keys that begin with aws: are the service's.",
    "Tag.Value": "The tag's value; it may be empty.",
    "DebugHookConfig.LocalPath": "The folder that the hook saves tensors in. Absent: /opt/ml/output/tensors/.",
    "DebugHookConfig.S3OutputPath": "Where saved tensors go, each job in a folder of its own.",
    "DebugHookConfig.HookParameters": "Settings of the hook as a whole, such as save_interval.",
    "DebugHookConfig.CollectionConfigurations": "Sets of tensors to save, each with settings of its own.",
    "CollectionConfiguration.CollectionName": "The set's name: one that the hook knows, as losses, or one of yours.",
    "CollectionConfiguration.CollectionParameters": "Settings of this set, such as save_interval or include_regex.",
    "TensorBoardOutputConfig.S3OutputPath": "Where TensorBoard's files go, each job in a folder of its own.",
    "ExperimentConfig.ExperimentName": "The experiment that the job belongs to.",
    "ExperimentConfig.TrialName": "The trial of that experiment.",
    "ExperimentConfig.TrialComponentDisplayName": "How the job's trial component is called. Absent: by the job's name.",
    "ExperimentConfig.RunName": "The run of that experiment.",
    "ProfilerConfig.S3OutputPath": "Where the profile goes, each job in a folder of its own.",
    "ProfilerConfig.ProfilingParameters": (
        "What the framework itself is to measure, as JSON texts; without any, only the hosts are measured."
    ),
    "ServerlessJobConfig.BaseModelArn": "The hub model that is tuned or evaluated.",
    "ServerlessJobConfig.AcceptEula": "Whether you accept the licence of a gated model.",
    "ServerlessJobConfig.JobType": "Whether a model is tuned (FineTuning) or judged (Evaluation).",
    "ServerlessJobConfig.CustomizationTechnique": (
        "How it is tuned: by examples (SFT), by preferences (DPO), or by rewards that rules (RLVR) or a model (RLAIF) "
        "give."
    ),
    "ServerlessJobConfig.Peft": "Tune few weights instead of all: LORA.",
    "ServerlessJobConfig.EvaluationType": (
        "Who judges: another model (LLMAJEvaluation), a scorer of yours (CustomScorerEvaluation), or a benchmark "
        "(BenchmarkEvaluation)."
    ),
    "ServerlessJobConfig.EvaluatorArn": "The evaluator that judges or rewards.",
    "ServerlessJobConfig.SequenceLength": "The longest sequence, in thousands of tokens: 8K.",
    "MlflowConfig.MlflowResourceArn": "The MLflow server or app.",
    "MlflowConfig.MlflowExperimentName": "The MLflow experiment that the run belongs to.",
    "MlflowConfig.MlflowRunName": "How the run is called there.",
    "ModelPackageConfig.ModelPackageGroupArn": "The group of the model registry that the model is put into.",
    "ModelPackageConfig.SourceModelPackageArn": "The model package that this one comes from.",
    **{f"{kind}.{name}": told for kind in ("DebugRuleConfiguration", "ProfilerRuleConfiguration")
       for name, told in _RULE.items()},
}  # fmt: skip
