"""The requests of the SageMaker API against botocore's own model, and anything at all against every operation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import urlencode

import botocore.session
import cbor2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.aws_server import AwsServer, an_aws_server
from tests.conformance.test_botocore_model import KINDS, their_constraint

from trainyard.doors.cloudwatch import requests as cloudwatch
from trainyard.doors.logs import requests as logs
from trainyard.doors.sagemaker import requests
from trainyard.model.members import Shape, members_of
from trainyard.model.shapes import Structure

DEEPEST = 5
OPERATIONS = {
    ("sagemaker", "DescribeTrainingJob"): requests.OneJob,
    ("sagemaker", "StopTrainingJob"): requests.OneJob,
    ("sagemaker", "DeleteTrainingJob"): requests.OneJob,
    ("sagemaker", "ListTrainingJobs"): requests.ListTrainingJobs,
    ("sagemaker", "AddTags"): requests.AddTags,
    ("sagemaker", "ListTags"): requests.ListTags,
    ("sagemaker", "DeleteTags"): requests.DeleteTags,
    ("sagemaker", "Search"): requests.Search,
    ("sagemaker-metrics", "BatchPutMetrics"): requests.BatchPutMetrics,
    ("cloudwatch", "GetMetricStatistics"): cloudwatch.GetMetricStatistics,
    ("cloudwatch", "GetMetricData"): cloudwatch.GetMetricData,
    ("cloudwatch", "ListMetrics"): cloudwatch.ListMetrics,
    ("logs", "DescribeLogGroups"): logs.DescribeLogGroups,
    ("logs", "DescribeLogStreams"): logs.DescribeLogStreams,
    ("logs", "GetLogEvents"): logs.GetLogEvents,
    ("logs", "FilterLogEvents"): logs.FilterLogEvents,
}


def input_of(service: str, operation: str) -> Any:
    return botocore.session.get_session().get_service_model(service).operation_model(operation).input_shape


def theirs(shape: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, bool, str, Any]]:
    for name, member in shape.members.items():
        here = f"{path}{name}"
        yield here, name in shape.required_members, *_their(member)
        inner = member
        if member.type_name == "list":
            here, inner = f"{here}[]", member.member
            yield here, False, *_their(inner)
        if inner.type_name == "structure" and depth < DEEPEST:
            yield from theirs(inner, f"{here}.", depth + 1)


def _their(shape: Any) -> tuple[str, Any]:
    return KINDS.get(shape.type_name, shape.type_name), their_constraint(shape)


def ours(structure: type[Structure], path: str = "", depth: int = 0) -> Iterator[tuple[str, bool, str, Any]]:
    for name, member in members_of(structure).items():
        here, shape = f"{path}{name}", member.shape
        yield here, member.required, *_our(shape)
        if shape.item is not None:
            here, shape = f"{here}[]", shape.item
            yield here, False, *_our(shape)
        if shape.structure is not None and depth < DEEPEST:
            yield from ours(shape.structure, f"{here}.", depth + 1)


def _our(shape: Shape) -> tuple[str, Any]:
    return shape.kind, shape.constraint


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
def test_a_request_has_the_members_that_botocore_knows(service: str, operation: str) -> None:
    known = input_of(service, operation)
    assert sorted(map(repr, ours(OPERATIONS[service, operation]))) == sorted(map(repr, theirs(known)))


@pytest.fixture(scope="module")
def server() -> Iterator[AwsServer]:
    with an_aws_server() as opened:
        yield opened


ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)
NUMBERS = {"integer", "long", "float", "double", "timestamp"}


@cache
def request_of(service: str, operation: str) -> st.SearchStrategy[Any]:
    return value_of(input_of(service, operation))


def value_of(shape: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    """Mostly what the shape says, at its bounds and beyond, and now and then anything at all."""
    return st.one_of(*[_sound(shape, depth)] * 4, ANY)


def _sound(shape: Any, depth: int) -> st.SearchStrategy[Any]:
    kind = shape.type_name
    if kind == "string":
        known = [*(shape.enum or ()), "job", "a-1", "s3://b/p", ROLE, ARN, "x" * 300, *OF_LOGS]
        return st.sampled_from(known) | st.text(max_size=10)
    if kind in NUMBERS:
        return st.sampled_from([0, 1, -1, 2, 100, 2**31, 2**63, 10**40, 1.5, 1e308]) | st.integers(0, 200)
    if kind == "boolean":
        return st.booleans()
    if depth > 4:
        return st.just({} if kind != "list" else [])
    if kind == "list":
        return st.lists(value_of(shape.member, depth + 1), max_size=3)
    if kind == "map":
        return st.dictionaries(st.text(max_size=5), value_of(shape.value, depth + 1), max_size=3)
    return _members(shape, depth)


def _members(shape: Any, depth: int) -> st.SearchStrategy[Any]:
    each = {name: value_of(member, depth + 1) for name, member in shape.members.items()}
    required = {name: each[name] for name in shape.required_members}
    optional = {name: member for name, member in each.items() if name not in required}
    few = st.lists(st.sampled_from(sorted(optional)), max_size=3, unique=True) if optional else st.just([])
    return few.flatmap(lambda names: st.fixed_dictionaries({**required, **{name: optional[name] for name in names}}))


ROLE = "arn:aws:iam::123456789012:role/x"
OF_LOGS = ("/aws/sagemaker/TrainingJobs", "job/algo-1-1", '?a "')
ARN = "arn:aws:sagemaker:us-west-2:123456789012:training-job/job"
CALLS = [
    *(known for known in OPERATIONS if known[0] in ("sagemaker", "logs")),
    ("sagemaker", "CreateTrainingJob"),
    ("sagemaker", "UpdateTrainingJob"),
]
TARGETS = {"sagemaker": "SageMaker", "logs": "Logs_20140328"}


@pytest.mark.parametrize(("service", "operation"), CALLS)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_nothing_that_a_client_sends_is_a_fault_of_ours(
    server: AwsServer, service: str, operation: str, data: Any
) -> None:
    document = data.draw(request_of(service, operation))
    body = json.dumps(document).encode()
    headers = {"X-Amz-Target": f"{TARGETS[service]}.{operation}", "Content-Type": "application/x-amz-json-1.1"}
    status, told, answer = server.send("POST", "/", body, headers)
    assert status in (200, 400), (document, answer)
    assert told["x-amzn-requestid"]
    if status == 400:
        assert json.loads(answer)["__type"] in {
            "ValidationException", "SerializationException", "ResourceInUse", "ResourceLimitExceeded",
            "InvalidParameterException", "ResourceNotFoundException",
        }  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_nothing_that_tells_metrics_is_a_fault_of_ours(server: AwsServer, data: Any) -> None:
    document = data.draw(request_of("sagemaker-metrics", "BatchPutMetrics"))
    status, _, answer = server.send("PUT", "/BatchPutMetrics", json.dumps(document).encode())
    assert status in (200, 400), (document, answer)


METRICS = [name for service, name in OPERATIONS if service == "cloudwatch"]
GRANITE = "GraniteServiceVersion20100801"
OUR_CODES = {
    "InvalidParameterValue", "InvalidParameterCombination", "ValidationError", "MalformedInput", "InvalidNextToken",
    "SerializationException",
}  # fmt: skip


def form_of(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Anything at all as a form of the query protocol."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield from form_of(member, f"{name}.{key}" if name else key)
    elif isinstance(value, list):
        for place, item in enumerate(value, 1):
            yield from form_of(item, f"{name}.member.{place}")
    else:
        yield name, str(value)


def sent(protocol: str, operation: str, document: Any) -> tuple[str, bytes, dict[str, str]]:
    """Target, body and headers of a request in a protocol."""
    if protocol == "cbor":
        return f"/service/{GRANITE}/operation/{operation}", cbor2.dumps(document), {"Smithy-Protocol": "rpc-v2-cbor"}
    if protocol == "json":
        return "/", json.dumps(document).encode(), {"X-Amz-Target": f"{GRANITE}.{operation}"}
    fields = [("Action", operation), ("Version", "2010-08-01"), *form_of(document)]
    form = urlencode(fields, errors="replace").encode()
    return "/", form, {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("protocol", ["cbor", "json", "query"])
@pytest.mark.parametrize("operation", METRICS)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_nothing_that_reads_metrics_is_a_fault_of_ours(
    server: AwsServer, protocol: str, operation: str, data: Any
) -> None:
    document = data.draw(request_of("cloudwatch", operation))
    if isinstance(document, dict) and data.draw(st.booleans()):
        document = {**document, "Namespace": "/aws/sagemaker/TrainingJobs", "StartTime": 0, "EndTime": 10**9}
    target, body, headers = sent(protocol, operation, document)
    status, told, answer = server.send("POST", target, body, headers)
    assert status in (200, 400), (document, answer)
    assert told["x-amzn-requestid"]
    if status == 400 and protocol != "query":
        assert told["x-amzn-query-error"].partition(";")[0] in OUR_CODES


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=st.binary(max_size=60))
def test_no_bytes_in_cbor_are_a_fault_of_ours(server: AwsServer, body: bytes) -> None:
    target, _, headers = sent("cbor", "ListMetrics", {})
    assert server.send("POST", target, body, headers)[0] in (200, 400)


@pytest.mark.parametrize(
    "body",
    [
        b"\x81" * 100_000,
        b"\xa1\x61a" * 50_000,
        b"\xd8\x1c\x81\xd8\x1d\x00",
        b"\x5b" + b"\xff" * 8,
        b"\xc2\x5a\x7f\xff\xff\xff",
    ],
)
def test_no_bomb_in_cbor_is_a_fault_of_ours(server: AwsServer, body: bytes) -> None:
    target, _, headers = sent("cbor", "ListMetrics", {})
    assert server.send("POST", target, body, headers)[0] == 400
