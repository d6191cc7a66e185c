"""IAM as stock boto3 sees it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.aws_server import AwsServer, an_aws_server

from trainyard.access.keys import Key

ROLE = "arn:aws:iam::123456789012:role/service-role/trainer"


@pytest.fixture(scope="module")
def server() -> Iterator[AwsServer]:
    with an_aws_server(keys={"AKIAKNOWN": Key(secret="s", account="111111111111")}) as opened:
        yield opened


def refused(call: Any, **members: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call(**members)
    told = error.value.response["Error"]
    return told["Code"], told["Message"]


def test_a_role_by_its_name(server: AwsServer) -> None:
    role = server.client("iam").get_role(RoleName="trainer")["Role"]
    assert (role["Arn"], role["Path"], role["RoleName"]) == (
        "arn:aws:iam::123456789012:role/trainer", "/", "trainer",
    )  # fmt: skip
    assert role["RoleId"].startswith("AROA")
    assert len(role["RoleId"]) == 21
    assert role["CreateDate"] == datetime(2026, 1, 1, 1, 2, 3, tzinfo=UTC)
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"]["Service"] == "sagemaker.amazonaws.com"
    china = server.client("iam", region_name="cn-north-1").get_role(RoleName="trainer")["Role"]["Arn"]
    assert china == "arn:aws-cn:iam::123456789012:role/trainer"


def test_a_role_that_is_not_there(server: AwsServer) -> None:
    iam = server.client("iam")
    assert refused(iam.get_role, RoleName="nobody") == (
        "NoSuchEntity", "The role with name nobody cannot be found.",
    )  # fmt: skip
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName="nobody")
    assert refused(iam.get_role, RoleName="a/b")[0] == "ValidationError"


def test_what_a_role_may_is_asked_action_by_resource(server: AwsServer) -> None:
    pages = server.client("iam").get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=ROLE, ActionNames=["s3:PutObject", "s3:GetObject"],
        ResourceArns=["arn:aws:s3:::mine/*", "arn:aws:s3:::others/*"],
    )  # fmt: skip
    told = [one for page in pages for one in page["EvaluationResults"]]
    assert [(one["EvalActionName"], one["EvalResourceName"], one["EvalDecision"]) for one in told] == [
        ("s3:PutObject", "arn:aws:s3:::mine/*", "allowed"),
        ("s3:PutObject", "arn:aws:s3:::others/*", "implicitDeny"),
        ("s3:GetObject", "arn:aws:s3:::mine/*", "allowed"),
        ("s3:GetObject", "arn:aws:s3:::others/*", "allowed"),
    ]


def test_without_a_resource_all_are_meant(server: AwsServer) -> None:
    told = server.client("iam").simulate_principal_policy(
        PolicySourceArn=ROLE, ActionNames=["ecr:GetAuthorizationToken"]
    )
    (one,) = told["EvaluationResults"]
    assert (one["EvalResourceName"], one["EvalDecision"], told["IsTruncated"]) == ("*", "allowed", False)


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"PolicySourceArn": "arn:aws:iam::123456789012:role/nobody"}, "NoSuchEntity"),
        ({"PolicySourceArn": "arn:aws:iam::123456789012:user/anna"}, "InvalidInput"),
        ({"ActionNames": ["s3 and all"]}, "InvalidInput"),
        ({"ActionNames": ["s3:GetObject"] * 1001}, "InvalidInput"),
        ({"ActionNames": []}, "ValidationError"),
        ({"PolicyInputList": ["{}"]}, "InvalidInput"),
        ({"ContextEntries": [{"ContextKeyName": "aws:username"}]}, "InvalidInput"),
    ],
)
def test_what_cannot_be_simulated(server: AwsServer, members: dict[str, Any], code: str) -> None:
    asked = {"PolicySourceArn": ROLE, "ActionNames": ["s3:GetObject"], **members}
    assert refused(server.client("iam").simulate_principal_policy, **asked)[0] == code


def test_a_tenant_asks_about_its_own_roles_alone(server: AwsServer) -> None:
    known = server.client("iam", aws_access_key_id="AKIAKNOWN", aws_secret_access_key="s")
    asked = {"ActionNames": ["s3:GetObject"]}
    assert refused(known.simulate_principal_policy, PolicySourceArn=ROLE, **asked)[0] == "AccessDenied"
    own = ROLE.replace("123456789012", "111111111111")
    assert known.simulate_principal_policy(PolicySourceArn=own, **asked)["EvaluationResults"]


@pytest.mark.parametrize("name", ["list_attached_role_policies", "list_role_policies"])
def test_anything_else_is_refused_at_once(server: AwsServer, name: str) -> None:
    assert refused(getattr(server.client("iam"), name), RoleName="trainer")[0] == "InvalidAction"
