"""The requests; constraints are the API's own, held against botocore's model by a test."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from trainyard.model.shapes import Items, Number, OneOf, Structure, Text

_NAMESPACE = Text(min=1, max=255, pattern=r"[^:].*")
_NAME = Text(min=1, max=255)
_VALUE = Text(min=1, max=1024)
_UNIT = OneOf(
    (
        "Seconds", "Microseconds", "Milliseconds", "Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes", "Bits",
        "Kilobits", "Megabits", "Gigabits", "Terabits", "Percent", "Count", "Bytes/Second", "Kilobytes/Second",
        "Megabytes/Second", "Gigabytes/Second", "Terabytes/Second", "Bits/Second", "Kilobits/Second", "Megabits/Second",
        "Gigabits/Second", "Terabits/Second", "Count/Second", "None",
    )
)  # fmt: skip
STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")


class Dimension(Structure):
    """What tells one series of a metric from the others."""

    name: Annotated[str, _NAME] = Field(alias="Name")
    value: Annotated[str, _VALUE] = Field(alias="Value")


class DimensionFilter(Structure):
    """A dimension that a series must have, of any value or of one."""

    name: Annotated[str, _NAME] = Field(alias="Name")
    value: Annotated[str, _VALUE] | None = Field(None, alias="Value")


class GetMetricStatistics(Structure):
    """One series in statistics of equal periods. Times in seconds since the epoch."""

    namespace: Annotated[str, _NAMESPACE] = Field(alias="Namespace")
    metric_name: Annotated[str, _NAME] = Field(alias="MetricName")
    dimensions: Annotated[tuple[Dimension, ...], Items(min=0, max=30)] | None = Field(None, alias="Dimensions")
    start_time: float = Field(alias="StartTime")
    end_time: float = Field(alias="EndTime")
    period: Annotated[int, Number(min=1)] = Field(alias="Period")
    statistics: Annotated[tuple[Annotated[str, OneOf(STATISTICS)], ...], Items(min=1, max=5)] | None = Field(
        None, alias="Statistics"
    )
    extended_statistics: Annotated[tuple[str, ...], Items(min=1, max=10)] | None = Field(
        None, alias="ExtendedStatistics"
    )
    unit: Annotated[str, _UNIT] | None = Field(None, alias="Unit")


class Metric(Structure):
    """Which series."""

    namespace: Annotated[str, _NAMESPACE] | None = Field(None, alias="Namespace")
    metric_name: Annotated[str, _NAME] | None = Field(None, alias="MetricName")
    dimensions: Annotated[tuple[Dimension, ...], Items(min=0, max=30)] | None = Field(None, alias="Dimensions")


class MetricStat(Structure):
    """A series in one statistic."""

    metric: Metric = Field(alias="Metric")
    period: Annotated[int, Number(min=1)] = Field(alias="Period")
    stat: str = Field(alias="Stat")
    unit: Annotated[str, _UNIT] | None = Field(None, alias="Unit")


class MetricDataQuery(Structure):
    """One line of an answer: a series, or an expression over others."""

    id: Annotated[str, Text(min=1, max=255)] = Field(alias="Id")
    metric_stat: MetricStat | None = Field(None, alias="MetricStat")
    expression: Annotated[str, Text(min=1, max=2048)] | None = Field(None, alias="Expression")
    label: str | None = Field(None, alias="Label")
    return_data: bool | None = Field(None, alias="ReturnData")
    period: Annotated[int, Number(min=1)] | None = Field(None, alias="Period")
    account_id: Annotated[str, Text(min=1, max=255)] | None = Field(None, alias="AccountId")


class LabelOptions(Structure):
    """How times in labels are written."""

    timezone: str | None = Field(None, alias="Timezone")


class GetMetricData(Structure):
    """Several series at once."""

    metric_data_queries: tuple[MetricDataQuery, ...] = Field(alias="MetricDataQueries")
    start_time: float = Field(alias="StartTime")
    end_time: float = Field(alias="EndTime")
    next_token: str | None = Field(None, alias="NextToken")
    scan_by: Annotated[str, OneOf(("TimestampDescending", "TimestampAscending"))] | None = Field(None, alias="ScanBy")
    max_datapoints: int | None = Field(None, alias="MaxDatapoints")
    label_options: LabelOptions | None = Field(None, alias="LabelOptions")


class ListMetrics(Structure):
    """Which series there are."""

    namespace: Annotated[str, _NAMESPACE] | None = Field(None, alias="Namespace")
    metric_name: Annotated[str, _NAME] | None = Field(None, alias="MetricName")
    dimensions: Annotated[tuple[DimensionFilter, ...], Items(min=0, max=10)] | None = Field(None, alias="Dimensions")
    next_token: str | None = Field(None, alias="NextToken")
    recently_active: Annotated[str, OneOf(("PT3H",))] | None = Field(None, alias="RecentlyActive")
    include_linked_accounts: bool | None = Field(None, alias="IncludeLinkedAccounts")
    owning_account: Annotated[str, Text(min=1, max=255)] | None = Field(None, alias="OwningAccount")
