"""The SageMaker API as stock boto3 sees it: every operation, its answers and its refusals."""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from botocore.exceptions import ClientError
from tests.aws_server import DEADLINE, AwsServer, an_aws_server
from tests.conformance.botocore_answers import faults, output_of

from trainyard.model.observation import Ending, Milestone

ROLE = "arn:aws:iam::123456789012:role/trainer"
PREFIX = "arn:aws:sagemaker:us-west-2:123456789012:training-job"
ENDED = {"Completed", "Failed", "Stopped"}


@pytest.fixture(scope="module")
def server() -> Iterator[AwsServer]:
    with an_aws_server() as opened:
        yield opened


@pytest.fixture
def sagemaker(server: AwsServer) -> Any:
    return server.client("sagemaker")


def request(name: str, **more: Any) -> dict[str, Any]:
    return {
        "TrainingJobName": name,
        "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        **more,
    }


def post(
    server: AwsServer, operation: str, document: Any, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], Any]:
    """Status, headers and document of a raw, unsigned call."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    known = {"X-Amz-Target": f"SageMaker.{operation}", "Content-Type": "application/x-amz-json-1.1"}
    status, told, answer = server.send("POST", "/", body, {**known, **(headers or {})})
    return status, told, json.loads(answer or b"null")


def refusal(call: Any, **members: Any) -> tuple[str, str]:
    """Code and message of a refused call."""
    with pytest.raises(ClientError) as refused:
        call(**members)
    error = refused.value.response["Error"]
    assert refused.value.response["ResponseMetadata"]["RequestId"]
    return error["Code"], error["Message"]


def end(server: AwsServer, name: str, ending: Ending = Ending.COMPLETED) -> None:
    """Let a job run and end."""
    _await(server, name, lambda record: record.placed)
    server.run(server.yard.reach(name, *Milestone))
    server.run(server.yard.end(name, ending))
    _await(server, name, lambda record: record.status.is_final and record.released)


def _await(server: AwsServer, name: str, reached: Any) -> None:
    deadline = time.monotonic() + DEADLINE
    while not reached(server.run(server.yard.record(name))):
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.case(1, 8, 10)
def test_boto3_creates_a_job_waits_for_its_end_and_describes_it(server: AwsServer, sagemaker: Any) -> None:
    assert sagemaker.create_training_job(**request("Job-One"))["TrainingJobArn"] == f"{PREFIX}/job-one"
    assert sagemaker.describe_training_job(TrainingJobName="Job-One")["TrainingJobStatus"] == "InProgress"
    end(server, "Job-One")
    waiter = sagemaker.get_waiter("training_job_completed_or_stopped")
    waiter.wait(TrainingJobName="Job-One", WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    told = sagemaker.describe_training_job(TrainingJobName="Job-One")
    assert (told["TrainingJobStatus"], told["SecondaryStatus"]) == ("Completed", "Completed")
    assert told["ModelArtifacts"]["S3ModelArtifacts"] == "s3://bucket/out/Job-One/output/model.tar.gz"
    assert isinstance(told["CreationTime"], datetime)


@pytest.mark.case(3)
def test_one_variable_leads_a_client_here(server: AwsServer) -> None:
    names = {
        "AWS_ENDPOINT_URL": server.url, "AWS_REGION": "us-west-2", "AWS_DEFAULT_REGION": "us-west-2",
        "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_CONFIG_FILE": os.devnull,
    }  # fmt: skip
    with patch.dict(os.environ, names):
        client = boto3.Session().client("sagemaker")
        assert client.create_training_job(**request("by-variable"))["TrainingJobArn"] == f"{PREFIX}/by-variable"


@pytest.mark.case(9)
@pytest.mark.parametrize("operation", ["create_endpoint", "list_models", "create_processing_job"])
def test_an_operation_that_nobody_knows_is_refused_at_once(sagemaker: Any, operation: str) -> None:
    members = {
        "create_endpoint": {"EndpointName": "e", "EndpointConfigName": "c"},
        "create_processing_job": {
            "ProcessingJobName": "p", "RoleArn": ROLE, "AppSpecification": {"ImageUri": "i"},
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
            },
        },
    }.get(operation, {})  # fmt: skip
    code, message = refusal(getattr(sagemaker, operation), **members)
    assert code == "UnknownOperationException"
    assert "SageMaker." in message


def test_a_service_that_is_not_here_says_which_are(server: AwsServer) -> None:
    code, message = refusal(server.client("kinesis").list_streams)
    assert (code, "sagemaker" in message) == ("UnknownOperationException", True)


@pytest.mark.case(12)
def test_bodies_come_packed_or_plain(server: AwsServer) -> None:
    plain = json.dumps(request("packed")).encode()
    status, _, told = post(server, "CreateTrainingJob", gzip.compress(plain), {"Content-Encoding": "gzip"})
    assert (status, told) == (200, {"TrainingJobArn": f"{PREFIX}/packed"})
    status, _, told = post(
        server, "DescribeTrainingJob", {"TrainingJobName": "packed"}, {"Accept-Encoding": "identity"}
    )
    assert (status, told["TrainingJobName"]) == (200, "packed")
    for body, encoding in ((b"no gzip", "gzip"), (plain, "br"), (gzip.compress(plain)[:-9], "gzip")):
        status, _, told = post(server, "CreateTrainingJob", body, {"Content-Encoding": encoding})
        assert status in (400, 413)
    bomb = gzip.compress(b"[" * (64 << 20), 9)
    status, _, told = post(server, "CreateTrainingJob", bomb, {"Content-Encoding": "gzip"})
    assert (status, told["__type"]) == (413, "RequestEntityTooLargeException")


@pytest.mark.case(13)
def test_every_answer_has_a_request_id(server: AwsServer) -> None:
    found = set()
    for operation, document in (("ListTrainingJobs", {}), ("Nothing", {}), ("DescribeTrainingJob", b"{")):
        _, headers, _ = post(server, operation, document)
        assert headers["content-type"] == "application/x-amz-json-1.1"
        found.add(headers["x-amzn-requestid"])
    assert len(found) == 3
    assert all(len(one) == 36 for one in found)


@pytest.mark.case(14)
def test_times_are_seconds_with_milliseconds(server: AwsServer, sagemaker: Any) -> None:
    before = datetime.now(UTC).timestamp()
    sagemaker.create_training_job(**request("timed"))
    _, _, told = post(server, "DescribeTrainingJob", {"TrainingJobName": "timed"})
    created = told["CreationTime"]
    assert isinstance(created, float)
    assert before - 0.001 <= created <= datetime.now(UTC).timestamp() + 0.001
    assert created == round(created, 3)
    (first,) = told["SecondaryStatusTransitions"][:1]
    assert first["StartTime"] == created


def test_every_answer_is_what_botocore_says_it_is(server: AwsServer, sagemaker: Any) -> None:
    tags = [{"Key": "team", "Value": "a"}]
    sagemaker.create_training_job(
        **request("shaped", Tags=tags, HyperParameters={"lr": "0.1"}, ExperimentConfig={"RunName": "r"})
    )
    arn = f"{PREFIX}/shaped"
    calls: list[tuple[str, dict[str, Any]]] = [
        ("DescribeTrainingJob", {"TrainingJobName": "shaped"}),
        ("ListTrainingJobs", {"NameContains": "shaped"}),
        ("ListTags", {"ResourceArn": arn}),
        ("AddTags", {"ResourceArn": arn, "Tags": tags}),
        ("Search", {"Resource": "TrainingJob", "MaxResults": 5}),
        ("DeleteTags", {"ResourceArn": arn, "TagKeys": ["none"]}),
    ]
    for operation, document in calls:
        status, _, told = post(server, operation, document)
        assert (status, list(faults(output_of("sagemaker", operation), told))) == (200, []), operation
    end(server, "shaped")
    for operation, document in calls:
        status, _, told = post(server, operation, document)
        assert (status, list(faults(output_of("sagemaker", operation), told))) == (200, []), operation
    status, _, told = post(server, "DeleteTrainingJob", {"TrainingJobName": "shaped"})
    assert (status, told) == (200, None)


@pytest.mark.case(34)
def test_a_taken_name_is_the_modelled_error(sagemaker: Any) -> None:
    sagemaker.create_training_job(**request("taken"))
    with pytest.raises(sagemaker.exceptions.ResourceInUse) as refused:
        sagemaker.create_training_job(**request("taken"))
    assert (
        refused.value.response["Message"]
        == refused.value.response["Error"]["Message"]
        == (
            "Training job names must be unique within an AWS account and region, and a training job with this name "
            f"already exists ({PREFIX}/taken)"
        )
    )


def test_what_is_not_there_is_told_in_the_services_words(sagemaker: Any) -> None:
    absent = ("ValidationException", "Requested resource not found.")
    for operation in ("describe_training_job", "stop_training_job", "delete_training_job"):
        assert refusal(getattr(sagemaker, operation), TrainingJobName="nobody") == absent
    assert refusal(sagemaker.list_tags, ResourceArn=f"{PREFIX}/nobody") == absent
    other = PREFIX.replace("123456789012", "210987654321")
    assert refusal(sagemaker.list_tags, ResourceArn=f"{other}/nobody") == absent


@pytest.mark.case(15, 18)
def test_all_that_is_wrong_is_told_in_one_message(sagemaker: Any) -> None:
    code, message = refusal(
        sagemaker.create_training_job, **request("my_job", ResourceConfig={"InstanceType": "local", "InstanceCount": 1})
    )
    assert code == "ValidationException"
    assert message.startswith(
        "2 validation errors detected: Value 'my_job' at 'trainingJobName' failed to satisfy constraint: Member must "
        "satisfy regular expression pattern: ^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}; Value 'local' at "
        "'resourceConfig.instanceType' failed to satisfy constraint: Member must satisfy enum value set: [ml."
    )


def test_a_member_of_another_type_is_a_serialization_error(server: AwsServer) -> None:
    for document in (request("typed", HyperParameters=[]), {"TrainingJobName": 5}, b"[]", b"{", b"\xff", b'{"a": NaN}'):
        status, headers, told = post(server, "CreateTrainingJob", document)
        assert (status, told["__type"]) == (400, "SerializationException")
        assert headers["x-amzn-errortype"] == "SerializationException"


def test_a_member_that_nobody_knows_is_refused_by_name(server: AwsServer) -> None:
    _, _, told = post(server, "CreateTrainingJob", request("unknown", HyperParamters={}))
    assert (told["__type"], "HyperParamters" in told["message"]) == ("ValidationException", True)


@pytest.mark.case(71)
def test_a_stop_stops_and_a_second_one_is_refused(server: AwsServer, sagemaker: Any) -> None:
    sagemaker.create_training_job(**request("stopped"))
    _await(server, "stopped", lambda record: record.placed)
    server.run(server.yard.reach("stopped", *Milestone))
    assert sagemaker.stop_training_job(TrainingJobName="stopped")["ResponseMetadata"]["HTTPStatusCode"] == 200
    sagemaker.stop_training_job(TrainingJobName="stopped")
    _await(server, "stopped", lambda record: record.status.is_final)
    assert refusal(sagemaker.stop_training_job, TrainingJobName="stopped") == (
        "ValidationException",
        "The request was rejected because the training job is in status Stopped.",
    )


@pytest.mark.case(72, 73)
def test_a_running_job_is_not_deleted_and_a_deleted_ones_name_is_free(server: AwsServer, sagemaker: Any) -> None:
    sagemaker.create_training_job(**request("again"))
    with pytest.raises(sagemaker.exceptions.ResourceInUse):
        sagemaker.delete_training_job(TrainingJobName="again")
    end(server, "again")
    sagemaker.delete_training_job(TrainingJobName="again")
    sagemaker.create_training_job(**request("again"))


def test_an_update_says_what_may_not_change(server: AwsServer, sagemaker: Any) -> None:
    sagemaker.create_training_job(**request("updated", ProfilerConfig={"S3OutputPath": "s3://b/p"}))
    changed = sagemaker.update_training_job(
        TrainingJobName="updated", ProfilerConfig={"ProfilingIntervalInMilliseconds": 1000}
    )
    assert changed["TrainingJobArn"] == f"{PREFIX}/updated"
    told = sagemaker.describe_training_job(TrainingJobName="updated")
    assert told["ProfilerConfig"] == {"S3OutputPath": "s3://b/p", "ProfilingIntervalInMilliseconds": 1000}
    code, message = refusal(
        sagemaker.update_training_job, TrainingJobName="updated", ResourceConfig={"KeepAlivePeriodInSeconds": 60}
    )
    assert (code, "warm pool" in message) == ("ValidationException", True)


@pytest.mark.case(36, 37, 38)
def test_tags_by_the_jobs_arn(server: AwsServer, sagemaker: Any) -> None:
    arn = sagemaker.create_training_job(**request("Tagged", Tags=[{"Key": "a", "Value": "1"}]))["TrainingJobArn"]
    added = sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}])
    assert added["Tags"] == [{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}]
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["a", "none"])
    pages = sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
    assert [tag for page in pages for tag in page["Tags"]] == [{"Key": "b", "Value": ""}]
    code, message = refusal(sagemaker.add_tags, ResourceArn=arn, Tags=[{"Key": "k" * 129, "Value": ""}])
    assert (code, "less than or equal to 128" in message) == ("ValidationException", True)
    many = [{"Key": f"k{place}", "Value": ""} for place in range(51)]
    code, message = refusal(sagemaker.add_tags, ResourceArn=arn, Tags=many)
    assert (code, "less than or equal to 50" in message) == ("ValidationException", True)
    with pytest.raises(sagemaker.exceptions.ResourceLimitExceeded):
        sagemaker.add_tags(ResourceArn=arn, Tags=many[:50])
    status, _, told = post(server, "ListTags", {"ResourceArn": arn, "MaxResults": 10})
    assert (status, "value greater than or equal to 50" in told["message"]) == (400, True)


@pytest.mark.case(35)
def test_a_list_of_101_jobs_at_once_is_refused(sagemaker: Any) -> None:
    code, message = refusal(sagemaker.list_training_jobs, MaxResults=101)
    failure = (
        "Value '101' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 100"
    )
    assert (code, message) == ("ValidationException", f"1 validation error detected: {failure}")


def test_lists_are_filtered_sorted_and_paged(server: AwsServer, sagemaker: Any) -> None:
    names = [f"list-{place}" for place in range(12)]
    for name in names:
        sagemaker.create_training_job(**request(name))
    end(server, "list-3")
    assert len(sagemaker.list_training_jobs(NameContains="list-")["TrainingJobSummaries"]) == 10

    def listed(**members: Any) -> list[str]:
        pages = sagemaker.get_paginator("list_training_jobs").paginate(
            NameContains="LIST-", PaginationConfig={"PageSize": 5}, **members
        )
        return [one["TrainingJobName"] for page in pages for one in page["TrainingJobSummaries"]]

    assert listed() == names[::-1]
    assert listed(SortBy="Name") == sorted(names)
    assert listed(SortBy="Name", SortOrder="Descending") == sorted(names, reverse=True)
    assert listed(SortBy="CreationTime", SortOrder="Ascending") == names
    assert listed(StatusEquals="Completed") == ["list-3"]
    middle = sagemaker.describe_training_job(TrainingJobName="list-6")["CreationTime"]
    assert set(listed(CreationTimeBefore=middle)) <= set(names[:7])
    assert listed(WarmPoolStatusEquals="Available") == []
    (done,) = sagemaker.list_training_jobs(NameContains="list-3")["TrainingJobSummaries"]
    assert {"TrainingJobArn", "CreationTime", "TrainingEndTime", "LastModifiedTime", "SecondaryStatus"} <= set(done)
    assert refusal(sagemaker.list_training_jobs, NextToken="none of ours")[0] == "ValidationException"


@pytest.mark.case(79)
def test_a_list_by_status_is_cut_before_it_is_filtered(server: AwsServer, sagemaker: Any) -> None:
    for place in range(6):
        sagemaker.create_training_job(**request(f"quirk-{place}"))
    end(server, "quirk-0")
    pages, token = [], None
    while True:
        page = sagemaker.list_training_jobs(
            NameContains="quirk-", StatusEquals="Completed", MaxResults=2, **({"NextToken": token} if token else {})
        )
        pages.append([one["TrainingJobName"] for one in page["TrainingJobSummaries"]])
        token = page.get("NextToken")
        if token is None:
            break
    assert pages == [[], [], ["quirk-0"]]
    found = sagemaker.list_training_jobs(NameContains="quirk-", StatusEquals="Completed")
    assert [one["TrainingJobName"] for one in found["TrainingJobSummaries"]] == ["quirk-0"]


@pytest.mark.case(92)
def test_search_by_members_tags_and_times(sagemaker: Any) -> None:
    channel = {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/one"}}}
    other = {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/two"}}}
    for place in range(3):
        sagemaker.create_training_job(
            **request(
                f"search-{place}",
                HyperParameters={"lr": f"0.{place}", "of": "search"},
                Tags=[{"Key": "team", "Value": "ab"[place % 2]}],
                InputDataConfig=[
                    {"ChannelName": "train", **(channel if place else other)},
                    {"ChannelName": "test", **other},
                ],
            )
        )
    mine = {"Name": "HyperParameters.of", "Operator": "Equals", "Value": "search"}

    def found(expression: dict[str, Any], **more: Any) -> list[str]:
        pages = sagemaker.get_paginator("search").paginate(
            Resource="TrainingJob", SearchExpression=expression,
            **{"SortBy": "TrainingJobName", "SortOrder": "Ascending", **more}, PaginationConfig={"PageSize": 2},
        )  # fmt: skip
        return [one["TrainingJob"]["TrainingJobName"] for page in pages for one in page["Results"]]

    def filters(*given: tuple[str, ...]) -> dict[str, Any]:
        members = [dict(zip(("Name", "Operator", "Value"), one, strict=False)) for one in given]
        return {"Filters": [mine, *members]}

    assert found(filters()) == ["search-0", "search-1", "search-2"]
    assert found(filters(("HyperParameters.lr", "GreaterThan", "0.05"))) == ["search-1", "search-2"]
    assert found(filters(("Tags.team", "Equals", "a"))) == ["search-0", "search-2"]
    assert found(filters(("Tags.none", "Exists"))) == []
    assert found(filters(("TrainingJobName", "In", "search-0,search-2"))) == ["search-0", "search-2"]
    assert found(filters(("CreationTime", "GreaterThan", "2020-01-01T00:00:00"))) == found(filters())
    assert found(filters(("CreationTime", "LessThan", "2020-01-01T00:00:00"))) == []
    either = [{"Filters": [{"Name": "HyperParameters.lr", "Value": value}]} for value in ("0.0", "0.2")]
    assert found({"Filters": [mine], "SubExpressions": [{"SubExpressions": either, "Operator": "Or"}]}) == [
        "search-0",
        "search-2",
    ]
    nested = {
        "NestedPropertyName": "InputDataConfig",
        "Filters": [
            {"Name": "InputDataConfig.ChannelName", "Value": "train"},
            {"Name": "InputDataConfig.DataSource.S3DataSource.S3Uri", "Operator": "Contains", "Value": "one"},
        ],
    }
    assert found({"Filters": [mine], "NestedFilters": [nested]}) == ["search-1", "search-2"]
    whole = sagemaker.search(Resource="TrainingJob", SearchExpression={"Filters": [mine]})
    assert whole["TotalHits"] == {"Value": 3, "Relation": "EqualTo"}
    page = sagemaker.search(Resource="TrainingJob", SearchExpression={"Filters": [mine]}, MaxResults=1)
    assert page["TotalHits"] == {"Value": 2, "Relation": "GreaterThanOrEqualTo"}
    assert page["Results"][0]["TrainingJob"]["Tags"] == [{"Key": "team", "Value": "a"}]


def test_a_search_that_cannot_be_says_why(server: AwsServer, sagemaker: Any) -> None:
    assert refusal(sagemaker.search, Resource="Endpoint")[0] == "ValidationException"
    valueless = {"Filters": [{"Name": "a", "Operator": "Equals"}]}
    assert "takes a value" in refusal(sagemaker.search, Resource="TrainingJob", SearchExpression=valueless)[1]
    wide = {"SubExpressions": [{"Filters": [{"Name": "a", "Value": "b"}] * 20}] * 3}
    assert "50 conditions" in refusal(sagemaker.search, Resource="TrainingJob", SearchExpression=wide)[1]
    deep: dict[str, Any] = {}
    for _ in range(300):
        deep = {"SubExpressions": [deep]}
    status, _, told = post(server, "Search", {"Resource": "TrainingJob", "SearchExpression": deep})
    assert (status, told["__type"]) == (400, "ValidationException")


def test_metrics_may_be_put_while_a_job_runs(server: AwsServer, sagemaker: Any) -> None:
    sagemaker.create_training_job(**request("Metered"))
    metrics = server.client("sagemaker-metrics")
    now = datetime.now(UTC)
    told = metrics.batch_put_metrics(
        TrialComponentName="metered-aws-training-job",
        MetricData=[
            {"MetricName": "loss", "Timestamp": now, "Value": 0.5, "Step": 3},
            {"MetricName": "loss", "Timestamp": datetime(2020, 1, 1, tzinfo=UTC), "Value": 0.4},
        ],
    )
    assert told["Errors"] == [{"Code": "VALIDATION_ERROR", "MetricIndex": 1}]
    assert refusal(metrics.batch_put_metrics, TrialComponentName="x", MetricData=[
        {"MetricName": "loss", "Timestamp": now, "Value": 0.5}
    ])[0] == "ValidationException"  # fmt: skip
    end(server, "Metered")
    (final,) = sagemaker.describe_training_job(TrainingJobName="Metered")["FinalMetricDataList"]
    assert (final["MetricName"], final["Value"]) == ("loss", 0.5)
    code, message = refusal(
        metrics.batch_put_metrics, TrialComponentName="metered-aws-training-job",
        MetricData=[{"MetricName": "loss", "Timestamp": now, "Value": 0.5}],
    )  # fmt: skip
    assert (code, "settled" in message) == ("ValidationException", True)


@pytest.mark.case(88)
def test_the_stop_that_a_rule_sends(server: AwsServer, sagemaker: Any) -> None:
    """The action of smdebug: the newest running jobs of a prefix, stopped when there is exactly one."""
    sagemaker.create_training_job(**request("ruled-1"))
    found = sagemaker.list_training_jobs(
        NameContains="ruled", SortBy="CreationTime", SortOrder="Descending", StatusEquals="InProgress"
    )["TrainingJobSummaries"]
    assert [one["TrainingJobName"] for one in found] == ["ruled-1"]
    sagemaker.stop_training_job(TrainingJobName=found[0]["TrainingJobName"])
    _await(server, "ruled-1", lambda record: record.status in ("Stopping", "Stopped"))


def test_another_account_or_region_sees_nothing_of_this_one(server: AwsServer, sagemaker: Any) -> None:
    sagemaker.create_training_job(**request("mine"))
    for other in (
        server.client("sagemaker", aws_access_key_id="210987654321"),
        server.client("sagemaker", region_name="eu-north-1"),
    ):
        assert refusal(other.describe_training_job, TrainingJobName="mine")[0] == "ValidationException"
        assert other.list_training_jobs()["TrainingJobSummaries"] == []
        other.create_training_job(**request("mine"))
        assert len(other.list_training_jobs()["TrainingJobSummaries"]) == 1
        assert len(other.search(Resource="TrainingJob")["Results"]) == 1
        other.stop_training_job(TrainingJobName="mine")
    assert sagemaker.describe_training_job(TrainingJobName="mine")["TrainingJobStatus"] == "InProgress"
