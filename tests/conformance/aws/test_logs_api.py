"""CloudWatch Logs as stock boto3 and the AWS CLI see it."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.aws_server import AwsServer, an_aws_server
from tests.conformance.aws.test_sagemaker_api import refusal, request

GROUP = "/aws/sagemaker/TrainingJobs"
AWS = str(Path(sys.executable).with_name("aws"))
NAMES = itertools.count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[AwsServer]:
    with an_aws_server() as opened:
        yield opened


@pytest.fixture
def logs(server: AwsServer) -> Any:
    return server.client("logs")


def write(server: AwsServer, name: str, *outputs: bytes) -> None:
    """What a job's attempts have written, one text each."""

    async def put() -> None:
        record = await server.yard.record(name)
        for attempt, output in enumerate(outputs, 1):
            server.yard.runtime.output[replace(record.run, attempt=attempt)] = output

    server.run(put())


@pytest.fixture
def job(server: AwsServer) -> str:
    """A job's name; it has begun."""
    name = f"job-{next(NAMES)}"
    server.client("sagemaker").create_training_job(**request(name))
    while server.run(server.yard.record(name)).attempt == 0:
        pass
    return name


def stream_of(logs: Any, name: str) -> str:
    streams = logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=f"{name}/")["logStreams"]
    return str(streams[-1]["logStreamName"])


def messages(page: dict[str, Any]) -> list[str]:
    return [event["message"] for event in page["events"]]


def test_there_is_no_group_before_there_is_a_job() -> None:
    with an_aws_server() as empty:
        known = empty.client("logs")
        assert known.describe_log_groups()["logGroups"] == []
        assert refusal(known.describe_log_streams, logGroupName=GROUP) == (
            "ResourceNotFoundException", "The specified log group does not exist.",
        )  # fmt: skip


def test_the_group_of_training_jobs_is_the_only_one(server: AwsServer, logs: Any, job: str) -> None:
    (group,) = logs.describe_log_groups(logGroupNamePrefix="/aws/sagemaker")["logGroups"]
    assert group["logGroupName"] == GROUP
    assert group["arn"] == "arn:aws:logs:us-west-2:123456789012:log-group:/aws/sagemaker/TrainingJobs:*"
    assert logs.describe_log_groups(logGroupNamePattern="trainingJOBS")["logGroups"] == [group]
    assert logs.describe_log_groups(logGroupNamePrefix="/aws/lambda")["logGroups"] == []
    assert refusal(logs.describe_log_streams, logGroupName="/aws/lambda/x")[0] == "ResourceNotFoundException"
    assert logs.describe_log_streams(logGroupIdentifier=group["logGroupArn"], logStreamNamePrefix=f"{job}/")


def test_a_stream_is_a_host_of_an_attempt_and_no_token_follows_the_last(server: AwsServer, logs: Any, job: str) -> None:
    asked = {"logGroupName": GROUP, "logStreamNamePrefix": f"{job}/", "orderBy": "LogStreamName", "limit": 1}
    assert logs.describe_log_streams(**asked)["logStreams"] == []
    write(server, job, b"one\ntwo\n")
    told = logs.describe_log_streams(**asked)
    assert "nextToken" not in told, "the SDK would ask for ever"
    (stream,) = told["logStreams"]
    assert stream["logStreamName"].startswith(f"{job}/algo-1-")
    assert stream["firstEventTimestamp"] <= stream["lastEventTimestamp"]
    assert stream["arn"].endswith(f":log-group:{GROUP}:log-stream:{stream['logStreamName']}")


def test_streams_come_in_pages_that_miss_none(server: AwsServer, logs: Any) -> None:
    sagemaker = server.client("sagemaker")
    names = [f"paged-{number:02}" for number in range(7)]
    for name in names:
        sagemaker.create_training_job(**request(name))
        while server.run(server.yard.record(name)).attempt == 0:
            pass
        write(server, name, b"x\n")
    for descending in (False, True):
        pages = logs.get_paginator("describe_log_streams").paginate(
            logGroupName=GROUP, logStreamNamePrefix="paged-", descending=descending, PaginationConfig={"PageSize": 3}
        )
        found = [stream["logStreamName"].partition("/")[0] for page in pages for stream in page["logStreams"]]
        assert found == (names[::-1] if descending else names)
    newest = logs.describe_log_streams(logGroupName=GROUP, orderBy="LastEventTime", descending=True, limit=50)
    assert set(names) <= {stream["logStreamName"].partition("/")[0] for stream in newest["logStreams"]}
    with_prefix = {"logGroupName": GROUP, "orderBy": "LastEventTime", "logStreamNamePrefix": "paged"}
    assert refusal(logs.describe_log_streams, **with_prefix) == (
        "InvalidParameterException", "Cannot order by LastEventTime with a logStreamNamePrefix.",
    )  # fmt: skip


def test_the_same_token_gives_later_what_was_written_since(server: AwsServer, logs: Any, job: str) -> None:
    write(server, job, b"one\ntwo\nhal")
    place = {"logGroupName": GROUP, "logStreamName": stream_of(logs, job)}
    page = logs.get_log_events(**place, startFromHead=True)
    assert messages(page) == ["one", "two"]
    assert all(event["ingestionTime"] == event["timestamp"] > 1e12 for event in page["events"])
    token = page["nextForwardToken"]
    again = logs.get_log_events(**place, startFromHead=True, nextToken=token)
    assert (messages(again), again["nextForwardToken"]) == ([], token)
    write(server, job, b"one\ntwo\nhalf\nthree\n")
    assert messages(logs.get_log_events(**place, nextToken=token)) == ["half", "three"]


@pytest.mark.parametrize("limit", [1, 2, 3, 10])
def test_a_stream_is_read_both_ways(server: AwsServer, logs: Any, job: str, limit: int) -> None:
    lines = [f"line {number}" for number in range(7)]
    write(server, job, "".join(f"{line}\n" for line in lines).encode())
    place = {"logGroupName": GROUP, "logStreamName": stream_of(logs, job), "limit": limit}

    def read(direction: str, **first: Any) -> list[str]:
        page = logs.get_log_events(**place, **first)
        found = messages(page)
        while (token := page[direction]) and (page := logs.get_log_events(**place, nextToken=token))["events"]:
            found = found + messages(page) if direction == "nextForwardToken" else messages(page) + found
        assert page[direction] == token
        return found

    assert read("nextForwardToken", startFromHead=True) == lines
    assert read("nextBackwardToken") == lines, "without startFromHead the tail comes first"


def test_a_page_holds_no_more_than_a_mebibyte(server: AwsServer, logs: Any, job: str) -> None:
    write(server, job, (b"x" * 199_999 + b"\n") * 12)
    place = {"logGroupName": GROUP, "logStreamName": stream_of(logs, job)}
    for first in ({"startFromHead": True}, {}):
        assert len(messages(logs.get_log_events(**place, **first))) == 5
    tail = logs.get_log_events(**place)
    assert len(messages(logs.get_log_events(**place, nextToken=tail["nextBackwardToken"]))) == 5
    assert messages(logs.get_log_events(**place, nextToken=tail["nextForwardToken"])) == []


def test_times_bound_what_is_told(server: AwsServer, logs: Any, job: str) -> None:
    write(server, job, b"one\n")
    place = {"logGroupName": GROUP, "logStreamName": stream_of(logs, job)}
    at = logs.get_log_events(**place)["events"][0]["timestamp"]
    for first in ({"startFromHead": True}, {}):
        assert messages(logs.get_log_events(**place, **first, startTime=at)) == ["one"]
        assert messages(logs.get_log_events(**place, **first, endTime=at)) == []
        assert messages(logs.get_log_events(**place, **first, endTime=at + 1)) == ["one"]
        late = logs.get_log_events(**place, **first, startTime=at + 10_000)
        assert messages(late) == []
        assert messages(logs.get_log_events(**place, nextToken=late["nextForwardToken"])) == []


def test_what_is_not_there_is_told(server: AwsServer, logs: Any, job: str) -> None:
    absent = ("ResourceNotFoundException", "The specified log stream does not exist.")
    for stream in (f"{job}/algo-1-1", "nobody/algo-1-1", "../../etc/passwd"):
        assert refusal(logs.get_log_events, logGroupName=GROUP, logStreamName=stream) == absent
    write(server, job, b"one\n")
    place = {"logGroupName": GROUP, "logStreamName": stream_of(logs, job)}
    for token in ("f/nonsense", "x", "f/", "b/MS4x!"):
        code, text = refusal(logs.get_log_events, **place, nextToken=token)
        assert code == "InvalidParameterException", text
    assert refusal(logs.get_log_events, logStreamName="x")[0] == "InvalidParameterException"
    code, text = refusal(logs.get_log_events, **{**place, "limit": 10_001})
    assert (code, "10000" in text) == ("InvalidParameterException", True)
    assert (
        refusal(logs.put_log_events, **place, logEvents=[{"timestamp": 1, "message": "x"}])[0]
        == "UnknownOperationException"
    )


def test_a_tenant_reads_his_own(server: AwsServer, logs: Any, job: str) -> None:
    write(server, job, b"secret\n")
    stream = stream_of(logs, job)
    other = server.client("logs", aws_access_key_id="210987654321")
    assert refusal(other.get_log_events, logGroupName=GROUP, logStreamName=stream)[0] == "ResourceNotFoundException"
    server.client("sagemaker", aws_access_key_id="210987654321").create_training_job(**request(job))
    assert other.describe_log_streams(logGroupName=GROUP)["logStreams"] == []
    assert other.filter_log_events(logGroupName=GROUP)["events"] == []


def test_filters_find_terms_over_attempts_and_jobs(server: AwsServer, logs: Any, job: str) -> None:
    write(server, job, b"loss 1 epoch one\nerror: bad\nloss 2 epoch two\n\tWARN it\n")

    def found(pattern: str, **more: Any) -> list[str]:
        asked = {"logGroupName": GROUP, "logStreamNamePrefix": f"{job}/", "filterPattern": pattern, **more}
        pages = logs.get_paginator("filter_log_events").paginate(**asked)
        return [event["message"] for page in pages for event in page["events"]]

    assert found("") == ["loss 1 epoch one", "error: bad", "loss 2 epoch two", "#011WARN it"]
    assert found("loss epoch") == ["loss 1 epoch one", "loss 2 epoch two"]
    assert found("loss -two") == ["loss 1 epoch one"]
    assert found("?error: ?WARN") == ["error: bad", "#011WARN it"]
    assert found('"2 epoch"') == ["loss 2 epoch two"]
    assert found("", limit=1) == found(""), "pages of one"
    (event,) = logs.filter_log_events(
        logGroupName=GROUP, logStreamNames=[stream_of(logs, job)], filterPattern="bad"
    )["events"]  # fmt: skip
    assert event["logStreamName"] == stream_of(logs, job)
    assert len(event["eventId"]) == 56
    for pattern in ('{ $.a = "b" }', "[a, b]", "%x%", '"open'):
        code, _ = refusal(logs.filter_log_events, logGroupName=GROUP, filterPattern=pattern)
        assert code == "InvalidParameterException"


def test_the_command_line_reads_a_log(server: AwsServer, logs: Any, job: str) -> None:
    write(server, job, b"one\ntwo\n")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        "AWS_ENDPOINT_URL": server.url, "AWS_ACCESS_KEY_ID": "123456789012", "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_REGION": "us-west-2", "AWS_DEFAULT_REGION": "us-west-2",
    }  # fmt: skip
    argv = [AWS, "logs", "filter-log-events", "--log-group-name", GROUP, "--log-stream-name-prefix", f"{job}/"]
    done = subprocess.run(argv, env=environment, capture_output=True, check=True, text=True)
    assert [event["message"] for event in json.loads(done.stdout)["events"]] == ["one", "two"]
