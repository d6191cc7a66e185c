"""The rules between members, in CEL: what no type can say, as data by the place that each rule stands at.

They refuse only what the service surely refuses. Every list that a rule walks has a bound, so that the API server's
estimate of a rule's cost stays far below its limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Rule = Mapping[str, str]

_SPOT = "has(self.enableManagedSpotTraining) && self.enableManagedSpotTraining"
_WAIT = "has(self.stoppingCondition) && has(self.stoppingCondition.maxWaitTimeInSeconds)"
_RUNTIME = (
    "(has(self.stoppingCondition.maxRuntimeInSeconds) ? self.stoppingCondition.maxRuntimeInSeconds : 86400)"  # a day
)
_AUGMENTED = "c.dataSource.s3DataSource.s3DataType == 'AugmentedManifestFile'"
_GROUPED = "has(self.instanceGroups) && size(self.instanceGroups) > 0"
_PREFERRED = "has(self.instancePreferences) && size(self.instancePreferences) > 0"


def _rule(rule: str, message: str, **more: str) -> Rule:
    return {"rule": rule, "message": message, **more}


def _unique(member: str, message: str) -> Rule:
    return _rule(f"self.all(one, self.exists_one(other, other.{member} == one.{member}))", message)


# The place of each rule is a path of the schema: `[]` steps into a list's items.
SPEC_RULES: Mapping[str, tuple[Rule, ...]] = {
    "": (
        _rule(
            "has(self.serverlessJobConfig) || has(self.algorithmSpecification)", "algorithmSpecification is required"
        ),
        _rule("has(self.serverlessJobConfig) || has(self.resourceConfig)", "resourceConfig is required"),
        _rule(
            "has(self.serverlessJobConfig) || !has(self.algorithmSpecification) || "
            "has(self.algorithmSpecification.trainingImage) != has(self.algorithmSpecification.algorithmName)",
            "exactly one of trainingImage and algorithmName must be specified in algorithmSpecification",
        ),
        _rule(
            f"{_SPOT} ? {_WAIT} && self.stoppingCondition.maxWaitTimeInSeconds >= {_RUNTIME} : true",
            "with enableManagedSpotTraining, maxWaitTimeInSeconds must be present and be greater than or equal to "
            "maxRuntimeInSeconds",
        ),
        _rule(
            f"{_WAIT} ? {_SPOT} : true",
            "maxWaitTimeInSeconds is only supported when enableManagedSpotTraining is set to true",
        ),
        _rule(
            f"!({_SPOT}) || !has(self.resourceConfig) || !has(self.resourceConfig.keepAlivePeriodInSeconds) || "
            "self.resourceConfig.keepAlivePeriodInSeconds == 0",
            "keepAlivePeriodInSeconds cannot be specified when enableManagedSpotTraining is set to true",
        ),
        _rule(
            "has(self.vpcConfig) || !has(self.inputDataConfig) || "
            "self.inputDataConfig.all(c, !has(c.dataSource.fileSystemDataSource))",
            "vpcConfig is required when a channel has a fileSystemDataSource",
        ),
        _rule(
            "!has(self.algorithmSpecification) || !has(self.inputDataConfig) || self.inputDataConfig.all(c, "
            f"!has(c.dataSource.s3DataSource) || !({_AUGMENTED}) || "
            "(has(c.inputMode) ? c.inputMode : self.algorithmSpecification.trainingInputMode) == 'Pipe')",
            "AugmentedManifestFile can only be used if the channel's input mode is Pipe",
        ),
    ),
    "inputDataConfig": (_unique("channelName", "channel names must be unique within a training job"),),
    "inputDataConfig[].dataSource": (
        _rule(
            "[has(self.s3DataSource), has(self.fileSystemDataSource), has(self.datasetSource)].exists_one(is, is)",
            "exactly one of s3DataSource, fileSystemDataSource and datasetSource must be specified",
        ),
    ),
    "inputDataConfig[].dataSource.s3DataSource": (
        _rule(
            "(self.s3DataType == 'AugmentedManifestFile') == "
            "(has(self.attributeNames) && size(self.attributeNames) > 0)",
            "attributeNames must be specified when s3DataType is AugmentedManifestFile, and only then",
        ),
    ),
    "resourceConfig": (
        _rule(
            f"!({_GROUPED}) || (!has(self.instanceType) && "
            "(!has(self.instanceCount) || self.instanceCount == 0))",  # late initialisation writes 0 beside groups
            "instanceType or instanceCount cannot be specified with instanceGroups",
        ),
        _rule(
            f"({_GROUPED}) || ({_PREFERRED}) || (has(self.instanceType) && has(self.instanceCount))",
            "instanceType and instanceCount are required unless there are instanceGroups or instancePreferences",
        ),
    ),
    "resourceConfig.instanceGroups": (
        _unique("instanceGroupName", "instance group names must be unique within a training job"),
    ),
    "debugRuleConfigurations": (_unique("ruleConfigurationName", "rule configuration names must be unique"),),
    "profilerRuleConfigurations": (_unique("ruleConfigurationName", "rule configuration names must be unique"),),
    "tags": (
        _unique("key", "tag keys must be unique; they are case sensitive"),
        _rule("self.all(tag, !tag.key.matches('^(?i)aws:'))", "tag keys that begin with aws: are not for external use"),
    ),
}

# A number of set values is an enum, which the schema can say.
PROFILING_INTERVALS = (100, 200, 500, 1000, 5000, 60_000)

_EXISTS = (
    "has(oldSelf.status) && has(oldSelf.status.ackResourceMetadata) && has(oldSelf.status.ackResourceMetadata.arn)"
)
_STUCK = (
    "has(oldSelf.status.conditions) && "
    "oldSelf.status.conditions.exists(c, c.type == 'ACK.Terminal' && c.status == 'True')"
)
_TAKEN = (
    "has(oldSelf.status.conditions) && oldSelf.status.conditions.exists(c, c.type == 'ACK.Terminal' && "
    "c.status == 'True' && has(c.message) && c.message == 'Resource already exists')"
)
# Late initialisation writes these into a spec that leaves them out, and whoever replaces the spec takes them out again.
_LATE = {
    "enableInterContainerTrafficEncryption": "false",
    "enableManagedSpotTraining": "false",
    "enableNetworkIsolation": "false",
}
_LATE_OUTPUT = {"compressionType": "'GZIP'", "kmsKeyID": "''"}
_ALGORITHM = (
    "algorithmName",
    "containerArguments",
    "containerEntrypoint",
    "trainingImage",
    "trainingImageConfig",
    "trainingInputMode",
)
_RESOURCES = (
    "instanceGroups",
    "instancePlacementConfig",
    "instancePreferences",
    "instanceType",
    "trainingPlanARN",
    "volumeKMSKeyID",
    "volumeSizeInGB",
)
_WHOLE = (
    "checkpointConfig",
    "debugHookConfig",
    "debugRuleConfigurations",
    "environment",
    "experimentConfig",
    "hyperParameters",
    "infraCheckConfig",
    "inputDataConfig",
    "mlflowConfig",
    "modelPackageConfig",
    "retryStrategy",
    "roleARN",
    "serverlessJobConfig",
    "sessionChainingConfig",
    "stoppingCondition",
    "tensorBoardOutputConfig",
    "vpcConfig",
)
_FIXED = "cannot change once the job exists: only tags, keepAlivePeriodInSeconds, the profiler and remote debugging can"


def _same(path: str) -> str:
    new, old = f"self.spec.{path}", f"oldSelf.spec.{path}"
    return f"(has({new}) ? has({old}) && {new} == {old} : !has({old}))"


def _same_or_default(path: str, default: str) -> str:
    new, old = f"self.spec.{path}", f"oldSelf.spec.{path}"
    return f"(has({new}) ? {new} : {default}) == (has({old}) ? {old} : {default})"


def _both(path: str, conditions: Iterable[str]) -> str:
    """Conditions on what lies inside a member, where it is given before and after."""
    new, old = f"has(self.spec.{path})", f"has(oldSelf.spec.{path})"
    return f"{new} == {old} && (!{new} || ({' && '.join(conditions)}))"


def _fixed(conditions: Iterable[str], what: str) -> Rule:
    """A rule that holds once the job exists; a resource that is stuck in a terminal state may be mended by an edit."""
    free = f"!({_EXISTS}) || !has(oldSelf.spec) || !has(self.spec) || ({_STUCK})"
    rule = f"{free} || ({' && '.join(conditions)})"
    return _rule(rule, f"{what} {_FIXED}", reason="FieldValueForbidden", fieldPath=f".spec.{what}")


def _count() -> str:
    new, old = "self.spec.resourceConfig.instanceCount", "oldSelf.spec.resourceConfig.instanceCount"
    return f"(!has({new}) || !has({old}) || {new} == {old})"  # late initialisation writes it


ROOT_RULES: tuple[Rule, ...] = (
    _rule(
        f"!({_EXISTS}) || !has(oldSelf.spec) || !has(self.spec) || ({_TAKEN}) || !has(oldSelf.spec.trainingJobName) || "
        "(has(self.spec.trainingJobName) && self.spec.trainingJobName == oldSelf.spec.trainingJobName)",
        "trainingJobName cannot change once the job exists: it would be another job",
        reason="FieldValueForbidden",
        fieldPath=".spec.trainingJobName",
    ),
    *(_fixed([_same(member)], member) for member in _WHOLE),
    *(_fixed([_same_or_default(member, default)], member) for member, default in _LATE.items()),
    _fixed(
        [
            _both(
                "algorithmSpecification",
                [
                    *(_same(f"algorithmSpecification.{member}") for member in _ALGORITHM),
                    _same_or_default("algorithmSpecification.enableSageMakerMetricsTimeSeries", "false"),
                ],
            )
        ],
        "algorithmSpecification",
    ),
    _fixed(
        [
            _same("outputDataConfig.s3OutputPath"),
            *(_same_or_default(f"outputDataConfig.{name}", default) for name, default in _LATE_OUTPUT.items()),
        ],
        "outputDataConfig",
    ),
    _fixed(
        [_both("resourceConfig", [*(_same(f"resourceConfig.{member}") for member in _RESOURCES), _count()])],
        "resourceConfig",
    ),
)
