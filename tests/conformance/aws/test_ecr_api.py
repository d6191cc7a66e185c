"""ECR as stock boto3 sees it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.aws_server import AwsServer, an_aws_server


@pytest.fixture(scope="module")
def server() -> Iterator[AwsServer]:
    with an_aws_server() as opened:
        yield opened


def test_a_token_to_log_in_with(server: AwsServer) -> None:
    (one,) = server.client("ecr").get_authorization_token()["authorizationData"]
    assert base64.b64decode(one["authorizationToken"]) == b"AWS:password of 123456789012"
    assert one["proxyEndpoint"] == "https://123456789012.dkr.ecr.us-west-2.amazonaws.com"
    assert timedelta(hours=11) < one["expiresAt"] - datetime.now(UTC) <= timedelta(hours=12)


def test_registries_may_be_named(server: AwsServer) -> None:
    ecr = server.client("ecr", region_name="cn-north-1")
    told = ecr.get_authorization_token(registryIds=["111111111111", "222222222222"])["authorizationData"]
    assert [one["proxyEndpoint"] for one in told] == [
        "https://111111111111.dkr.ecr.cn-north-1.amazonaws.com.cn",
        "https://222222222222.dkr.ecr.cn-north-1.amazonaws.com.cn",
    ]


@pytest.mark.parametrize("registries", [["x"], ["1" * 12] * 11])
def test_registries_that_are_none(server: AwsServer, registries: list[str]) -> None:
    with pytest.raises(ClientError) as refused:
        server.client("ecr").get_authorization_token(registryIds=registries)
    assert refused.value.response["Error"]["Code"] == "InvalidParameterException"


@pytest.mark.parametrize(
    ("name", "members"), [("describe_repositories", {}), ("list_images", {"repositoryName": "ab"})]
)
def test_anything_else_is_refused_at_once(server: AwsServer, name: str, members: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as refused:
        getattr(server.client("ecr"), name)(**members)
    assert refused.value.response["Error"]["Code"] == "UnknownOperationException"
