"""CloudWatch as stock botocore sees it, in each protocol that it has spoken."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from tests.aws_server import DEADLINE, AwsServer, an_aws_server
from tests.fakes.yard import SCOPE

from trainyard.model.ledger import Point

ROLE = "arn:aws:iam::123456789012:role/trainer"
NAMESPACE = "/aws/sagemaker/TrainingJobs"
PROTOCOLS = ("json", "query", "smithy-rpc-v2-cbor")
LOSSES = ((1, 4.0), (59, 2.0), (60, 1.0), (200, 8.0))
NOW = math.floor(time.time() / 60) * 60 - 600  # a whole minute, ten minutes ago


@pytest.fixture(scope="module")
def server() -> Iterator[AwsServer]:
    with an_aws_server() as opened:
        a_job(opened, "job", [
            *(Point(name="loss", value=value, at=NOW + at) for at, value in LOSSES),
            *(Point(name="CPUUtilization", value=50.0 + at, at=NOW + at, host="algo-1") for at in (5, 15, 65)),
        ])  # fmt: skip
        yield opened


def a_job(server: AwsServer, name: str, points: list[Point]) -> None:
    server.client("sagemaker").create_training_job(
        TrainingJobName=name, RoleArn=ROLE,
        AlgorithmSpecification={"TrainingImage": "image", "TrainingInputMode": "File"},
        OutputDataConfig={"S3OutputPath": "s3://bucket/out"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    )  # fmt: skip
    deadline = time.monotonic() + DEADLINE
    while not server.run(server.yard.record(name)).placed:
        assert time.monotonic() < deadline
    uid = server.run(server.yard.record(name)).uid
    ledger = server.yard.yard.ledger
    server.run(ledger.append_points(uid, "test", points, since=0, offset=len(points)))


class Speaking(Loader):
    """Botocore's own models, but a service speaks one protocol alone."""

    def __init__(self, protocol: str) -> None:
        super().__init__()
        self._protocol = protocol

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        model = super().load_service_model(service_name, type_name, api_version)
        if type_name == "service-2":
            model = {**model, "metadata": {**model["metadata"], "protocol": self._protocol}}
            model["metadata"]["protocols"] = [self._protocol]
            if self._protocol == "query":
                del model["metadata"]["awsQueryCompatible"]
        return model


@pytest.fixture(scope="module", params=["as it likes", *PROTOCOLS])
def cloudwatch(server: AwsServer, request: pytest.FixtureRequest) -> Any:
    session = botocore.session.Session()
    if request.param in PROTOCOLS:
        loader = Speaking(request.param)
        loader.search_paths.extend(session.get_component("data_loader").search_paths)
        session.register_component("data_loader", loader)
    client = boto3.Session(botocore_session=session).client(
        "cloudwatch", endpoint_url=server.url, region_name=SCOPE.region, aws_access_key_id=SCOPE.account,
        aws_secret_access_key="any", config=Config(retries={"max_attempts": 1}),
    )  # fmt: skip
    if request.param in PROTOCOLS:
        assert client.meta.service_model.resolved_protocol == request.param
    return client


def asked(**more: Any) -> dict[str, Any]:
    return {
        "Namespace": NAMESPACE, "MetricName": "loss", "Dimensions": [{"Name": "TrainingJobName", "Value": "job"}],
        "StartTime": datetime.fromtimestamp(NOW, UTC), "EndTime": datetime.fromtimestamp(NOW + 600, UTC), "Period": 60,
        **more,
    }  # fmt: skip


def refusal(call: Any, **members: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        call(**members)
    error = refused.value.response["Error"]
    assert refused.value.response["ResponseMetadata"]["RequestId"]
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return error["Code"], error["Message"]


@pytest.mark.case(83)
def test_averages_of_a_minute(cloudwatch: Any) -> None:
    """As the SageMaker SDK's TrainingJobAnalytics asks."""
    told = cloudwatch.get_metric_statistics(**asked(Statistics=["Average"]))
    assert told["Label"] == "loss"
    assert [(one["Timestamp"].timestamp() - NOW, one["Average"], one["Unit"]) for one in told["Datapoints"]] == [
        (0, 3.0, "None"), (60, 1.0, "None"), (180, 8.0, "None"),
    ]  # fmt: skip


def test_all_statistics_of_a_hosts_use(cloudwatch: Any) -> None:
    host = {"MetricName": "CPUUtilization", "Dimensions": [{"Name": "Host", "Value": "job/algo-1"}]}
    every = ["SampleCount", "Average", "Sum", "Minimum", "Maximum"]
    told = cloudwatch.get_metric_statistics(**asked(**host, Statistics=every, ExtendedStatistics=["p50", "p100"]))
    first, second = told["Datapoints"]
    assert {name: first[name] for name in every} == {
        "SampleCount": 2.0, "Average": 60.0, "Sum": 120.0, "Minimum": 55.0, "Maximum": 65.0,
    }  # fmt: skip
    assert (first["ExtendedStatistics"], first["Unit"]) == ({"p50": 60.0, "p100": 65.0}, "Percent")
    assert (second["Timestamp"].timestamp(), second["Sum"]) == (NOW + 60, 115.0)
    assert len(cloudwatch.get_metric_statistics(**asked(**host, Statistics=every, Unit="Percent"))["Datapoints"]) == 2
    assert cloudwatch.get_metric_statistics(**asked(**host, Statistics=every, Unit="Count"))["Datapoints"] == []


@pytest.mark.parametrize(
    "other",
    [
        {"Namespace": "AWS/EC2"},
        {"MetricName": "accuracy"},
        {"Dimensions": [{"Name": "TrainingJobName", "Value": "nobody"}]},
        {"Dimensions": [{"Name": "Host", "Value": "job"}]},
        {"Dimensions": []},
        {"StartTime": datetime(2020, 1, 1, tzinfo=UTC), "EndTime": datetime(2020, 1, 1, 1, tzinfo=UTC)},
    ],
)
def test_what_is_not_there_has_no_points(cloudwatch: Any, other: dict[str, Any]) -> None:
    assert cloudwatch.get_metric_statistics(**asked(Statistics=["Sum"], **other))["Datapoints"] == []


def test_wrong_questions_are_refused_in_the_services_words(cloudwatch: Any) -> None:
    statistics = cloudwatch.get_metric_statistics
    assert refusal(statistics, **asked()) == (
        "InvalidParameterCombination", "Must specify either Statistics or ExtendedStatistics",
    )  # fmt: skip
    assert refusal(statistics, **asked(Statistics=["Sum"], EndTime=datetime.fromtimestamp(NOW, UTC))) == (
        "InvalidParameterValue", "The parameter StartTime must be less than the parameter EndTime.",
    )  # fmt: skip
    code, message = refusal(statistics, **asked(Statistics=["Sum"], StartTime=datetime(2020, 1, 1, tzinfo=UTC)))
    assert (code, message.startswith("You have requested up to ")) == ("InvalidParameterCombination", True)
    assert refusal(statistics, **asked(Statistics=["Sum"], Period=61))[0] == "InvalidParameterValue"
    assert refusal(statistics, **asked(Statistics=["Median"]))[0] == "ValidationError"
    assert refusal(statistics, **asked(ExtendedStatistics=["tm90"]))[0] == "InvalidParameterValue"
    assert refusal(cloudwatch.describe_alarms)[0] in ("InvalidAction", "UnknownOperationException")


def test_a_modelled_error_is_one(cloudwatch: Any) -> None:
    with pytest.raises(cloudwatch.exceptions.InvalidParameterCombinationException):
        cloudwatch.get_metric_statistics(**asked())


def query(identity: str, **more: Any) -> dict[str, Any]:
    metric = {name: asked()[name] for name in ("Namespace", "MetricName", "Dimensions")}
    return {"Id": identity, "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Average", **more}}


def test_several_series_at_once_and_in_pages(cloudwatch: Any) -> None:
    times = {name: asked()[name] for name in ("StartTime", "EndTime")}
    queries = [query("a"), {**query("b", Stat="Maximum"), "Label": "highest"}, {**query("c"), "ReturnData": False}]
    told = cloudwatch.get_metric_data(MetricDataQueries=queries, **times)["MetricDataResults"]
    assert [(one["Id"], one["Label"], one["StatusCode"]) for one in told] == [
        ("a", "loss", "Complete"), ("b", "highest", "Complete"),
    ]  # fmt: skip
    assert told[0]["Values"] == [8.0, 1.0, 3.0]
    assert [at.timestamp() - NOW for at in told[0]["Timestamps"]] == [180, 60, 0]
    pages = list(
        cloudwatch.get_paginator("get_metric_data").paginate(
            MetricDataQueries=queries, ScanBy="TimestampAscending", PaginationConfig={"PageSize": 2}, **times
        )
    )
    found: dict[str, list[float]] = {"a": [], "b": []}
    for page in pages:
        assert sum(len(one["Values"]) for one in page["MetricDataResults"]) <= 2
        for one in page["MetricDataResults"]:
            found[one["Id"]] += one["Values"]
    assert found == {"a": [3.0, 1.0, 8.0], "b": [4.0, 1.0, 8.0]}
    assert pages[-1]["MetricDataResults"][-1]["StatusCode"] == "Complete"
    for bad in ([{"Id": "e", "Expression": "SUM(METRICS())"}], [query("a"), query("a")], [query("A")], []):
        assert refusal(cloudwatch.get_metric_data, MetricDataQueries=bad, **times)[0] == "ValidationError"
    assert refusal(cloudwatch.get_metric_data, MetricDataQueries=queries, NextToken="x", **times)[0] == (
        "InvalidNextToken"
    )  # fmt: skip


def test_which_series_there_are(cloudwatch: Any) -> None:
    def names(**filters: Any) -> list[tuple[str, str]]:
        pages = cloudwatch.get_paginator("list_metrics").paginate(**filters)
        return [(one["MetricName"], one["Dimensions"][0]["Value"]) for page in pages for one in page["Metrics"]]

    assert ("loss", "job") in names(Namespace=NAMESPACE)
    assert names(MetricName="loss", Dimensions=[{"Name": "TrainingJobName", "Value": "job"}]) == [("loss", "job")]
    assert names(Namespace="AWS/EC2") == []
    assert names(Dimensions=[{"Name": "TrainingJobName", "Value": "nobody"}]) == []


def test_another_account_or_region_reads_nothing_of_this_one(server: AwsServer) -> None:
    for other in ({"aws_access_key_id": "999999999999"}, {"region_name": "eu-north-1"}):
        stranger = server.client("cloudwatch", **other)
        assert stranger.get_metric_statistics(**asked(Statistics=["Sum"]))["Datapoints"] == []
        assert stranger.list_metrics()["Metrics"] == []


def test_numbers_beyond_all_bounds_are_told(server: AwsServer, cloudwatch: Any) -> None:
    name = f"huge-{id(cloudwatch)}"
    a_job(server, name, [Point(name="loss", value=1.7e308, at=NOW + at) for at in range(3)])
    job = [{"Name": "TrainingJobName", "Value": name}]
    (told,) = cloudwatch.get_metric_statistics(**asked(Dimensions=job, Statistics=["Sum", "Minimum"]))["Datapoints"]
    assert (float(told["Sum"]), told["Minimum"]) == (math.inf, 1.7e308)
