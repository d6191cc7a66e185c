"""The requests of every operation but CreateTrainingJob and UpdateTrainingJob, which the model has.

Constraints are the API's own; a conformance test holds them against botocore's model.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from trainyard.model.shapes import Items, Number, OneOf, Structure, Text
from trainyard.model.spec import Tag

_JOB_NAME = Text(min=1, max=63, pattern=r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
_ARN = Text(min=0, max=256, pattern=r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]*:[0-9]{12}:.+")
_TOKEN = Text(min=0, max=8192, pattern=r".*")
_PROPERTY = Text(min=1, max=255, pattern=r".+")
_TAG_KEY = Text(min=1, max=128, pattern=r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)")
_TAG_VALUE = Text(min=0, max=256, pattern=r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)")
_ORDERS = OneOf(("Ascending", "Descending"))


class OneJob(Structure):
    """DescribeTrainingJob, StopTrainingJob, DeleteTrainingJob."""

    training_job_name: Annotated[str, _JOB_NAME] = Field(alias="TrainingJobName")


class ListTrainingJobs(Structure):
    """Which jobs, in which order. Times in seconds since the epoch, exclusive."""

    next_token: Annotated[str, _TOKEN] | None = Field(None, alias="NextToken")
    max_results: Annotated[int, Number(min=1, max=100)] | None = Field(None, alias="MaxResults")
    creation_time_after: float | None = Field(None, alias="CreationTimeAfter")
    creation_time_before: float | None = Field(None, alias="CreationTimeBefore")
    last_modified_time_after: float | None = Field(None, alias="LastModifiedTimeAfter")
    last_modified_time_before: float | None = Field(None, alias="LastModifiedTimeBefore")
    name_contains: Annotated[str, Text(min=0, max=63, pattern=r"[a-zA-Z0-9\-]+")] | None = Field(
        None, alias="NameContains"
    )
    status_equals: (
        Annotated[str, OneOf(("InProgress", "Completed", "Failed", "Stopping", "Stopped", "Deleting"))] | None
    ) = Field(None, alias="StatusEquals")
    sort_by: Annotated[str, OneOf(("Name", "CreationTime", "Status"))] | None = Field(None, alias="SortBy")
    sort_order: Annotated[str, _ORDERS] | None = Field(None, alias="SortOrder")
    warm_pool_status_equals: Annotated[str, OneOf(("Available", "Terminated", "Reused", "InUse"))] | None = Field(
        None, alias="WarmPoolStatusEquals"
    )
    training_plan_arn_equals: (
        Annotated[
            str,
            Text(min=50, max=2048, pattern=r"arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:training-plan/.*"),
        ]
        | None
    ) = Field(None, alias="TrainingPlanArnEquals")


class AddTags(Structure):
    """Tags to add or replace."""

    resource_arn: Annotated[str, _ARN] = Field(alias="ResourceArn")
    tags: Annotated[tuple[Tag, ...], Items(min=0, max=50)] = Field(alias="Tags")


class ListTags(Structure):
    """Whose tags."""

    resource_arn: Annotated[str, _ARN] = Field(alias="ResourceArn")
    next_token: Annotated[str, _TOKEN] | None = Field(None, alias="NextToken")
    max_results: Annotated[int, Number(min=50)] | None = Field(None, alias="MaxResults")


class DeleteTags(Structure):
    """Keys of tags to remove."""

    resource_arn: Annotated[str, _ARN] = Field(alias="ResourceArn")
    tag_keys: Annotated[tuple[Annotated[str, _TAG_KEY], ...], Items(min=1, max=50)] = Field(alias="TagKeys")


class Filter(Structure):
    """One condition of a search."""

    name: Annotated[str, _PROPERTY] = Field(alias="Name")
    operator: (
        Annotated[
            str,
            OneOf(
                (
                    "Equals",
                    "NotEquals",
                    "GreaterThan",
                    "GreaterThanOrEqualTo",
                    "LessThan",
                    "LessThanOrEqualTo",
                    "Contains",
                    "Exists",
                    "NotExists",
                    "In",
                )
            ),
        ]
        | None
    ) = Field(None, alias="Operator")
    value: Annotated[str, Text(min=1, max=1024, pattern=r".+")] | None = Field(None, alias="Value")


class NestedFilters(Structure):
    """Conditions that one and the same item of a list fulfils."""

    nested_property_name: Annotated[str, _PROPERTY] = Field(alias="NestedPropertyName")
    filters: Annotated[tuple[Filter, ...], Items(min=1, max=20)] = Field(alias="Filters")


class SearchExpression(Structure):
    """Conditions, and-ed or or-ed, and expressions of the same kind among them."""

    filters: Annotated[tuple[Filter, ...], Items(min=1, max=20)] | None = Field(None, alias="Filters")
    nested_filters: Annotated[tuple[NestedFilters, ...], Items(min=1, max=20)] | None = Field(
        None, alias="NestedFilters"
    )
    sub_expressions: Annotated[tuple[SearchExpression, ...], Items(min=1, max=20)] | None = Field(
        None, alias="SubExpressions"
    )
    operator: Annotated[str, OneOf(("And", "Or"))] | None = Field(None, alias="Operator")


SearchExpression.model_rebuild()


class VisibilityCondition(Structure):
    """A tag that the caller must be allowed to see."""

    key: Annotated[str, _TAG_KEY] | None = Field(None, alias="Key")
    value: Annotated[str, _TAG_VALUE] | None = Field(None, alias="Value")


class Search(Structure):
    """What is looked for, in which order."""

    resource: Annotated[
        str,
        OneOf(
            (
                "TrainingJob",
                "Experiment",
                "ExperimentTrial",
                "ExperimentTrialComponent",
                "Endpoint",
                "Model",
                "ModelPackage",
                "ModelPackageGroup",
                "Pipeline",
                "PipelineExecution",
                "FeatureGroup",
                "FeatureMetadata",
                "Image",
                "ImageVersion",
                "Project",
                "HyperParameterTuningJob",
                "ModelCard",
                "PipelineVersion",
                "Job",
                "HubContent",
            )
        ),
    ] = Field(alias="Resource")
    search_expression: SearchExpression | None = Field(None, alias="SearchExpression")
    sort_by: Annotated[str, _PROPERTY] | None = Field(None, alias="SortBy")
    sort_order: Annotated[str, _ORDERS] | None = Field(None, alias="SortOrder")
    next_token: Annotated[str, _TOKEN] | None = Field(None, alias="NextToken")
    max_results: Annotated[int, Number(min=1, max=100)] | None = Field(None, alias="MaxResults")
    cross_account_filter_option: Annotated[str, OneOf(("SameAccount", "CrossAccount"))] | None = Field(
        None, alias="CrossAccountFilterOption"
    )
    visibility_conditions: Annotated[tuple[VisibilityCondition, ...], Items(min=1, max=5)] | None = Field(
        None, alias="VisibilityConditions"
    )


class MetricDatum(Structure):
    """One value of one metric."""

    metric_name: Annotated[str, Text(min=1, max=255, pattern=r".+")] = Field(alias="MetricName")
    timestamp: float = Field(alias="Timestamp")
    step: Annotated[int, Number(min=0)] | None = Field(None, alias="Step")
    value: float = Field(alias="Value")


class BatchPutMetrics(Structure):
    """Metrics of a trial component: a training job's own is named after it."""

    trial_component_name: Annotated[str, Text(min=1, max=120, pattern=r"^[a-z0-9](-*[a-z0-9]){0,119}")] = Field(
        alias="TrialComponentName"
    )
    metric_data: Annotated[tuple[MetricDatum, ...], Items(min=1, max=10)] = Field(alias="MetricData")
