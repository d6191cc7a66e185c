"""STS as stock boto3 sees it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from tests.aws_server import SEALS, AwsServer, an_aws_server

from trainyard.access.keys import Key
from trainyard.access.sessions import Grant, Sessions
from trainyard.kit.clock import SystemClock


@pytest.fixture(scope="module")
def server() -> Iterator[AwsServer]:
    with an_aws_server(keys=KEYS) as opened:
        yield opened


@pytest.fixture(scope="module")
def strict() -> Iterator[AwsServer]:
    with an_aws_server(keys=KEYS, verifies=True) as opened:
        yield opened


KEYS = {
    "AKIAKNOWN": Key(secret="s", account="111111111111"),
    "AKIAREADER": Key(secret="r", account="111111111111", region="us-west-2", reads_only=True),
}
ROLE = "arn:aws:iam::111111111111:role/team/trainer"


def assumed(server: AwsServer, key: str = "AKIAKNOWN", **more: Any) -> dict[str, Any]:
    sts = server.client("sts", aws_access_key_id=key, aws_secret_access_key=KEYS[key].secret)
    return dict(sts.assume_role(**{"RoleArn": ROLE, "RoleSessionName": "me", **more}))


def keys_of(told: dict[str, Any]) -> dict[str, str]:
    keys = told["Credentials"]
    return {
        "aws_access_key_id": keys["AccessKeyId"], "aws_secret_access_key": keys["SecretAccessKey"],
        "aws_session_token": keys["SessionToken"],
    }  # fmt: skip


def code_of(call: Any, **members: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        call(**members)
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def test_who_am_i(server: AwsServer) -> None:
    told = server.client("sts").get_caller_identity()
    assert told["Account"] == "123456789012"
    assert told["Arn"] == "arn:aws:iam::123456789012:user/123456789012"
    known = server.client("sts", aws_access_key_id="AKIAKNOWN", aws_secret_access_key="s").get_caller_identity()
    assert (known["Account"], known["UserId"]) == ("111111111111", "AKIAKNOWN")
    assert told["ResponseMetadata"]["RequestId"]


def test_an_action_that_nobody_knows_and_a_wrong_secret_are_refused(server: AwsServer) -> None:
    with pytest.raises(ClientError) as unknown:
        server.client("sts").get_session_token()
    assert unknown.value.response["Error"]["Code"] == "InvalidAction"
    with pytest.raises(ClientError) as wrong:
        server.client("sts", aws_access_key_id="AKIAKNOWN", aws_secret_access_key="x").get_caller_identity()
    assert wrong.value.response["Error"]["Code"] == "SignatureDoesNotMatch"


def test_an_unsigned_form_is_known_by_its_version(server: AwsServer) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    status, _, told = server.send("POST", "/", b"Action=GetCallerIdentity&Version=2011-06-15", headers)
    assert (status, b"<Account>123456789012</Account>" in told) == (200, True)
    status, _, told = server.send("POST", "/", b"Action=%00%3Cx%26&Version=2011-06-15&a=%ff", headers)
    assert (status, b"InvalidAction" in told, b"\0" in told) == (400, True, False)
    assert server.send("POST", "/", b"&".join([b"a=1"] * 20_000), headers)[0] == 400


def test_the_keys_of_a_role_are_verified_and_act_as_it(strict: AwsServer) -> None:
    told = assumed(strict, DurationSeconds=900, SourceIdentity="anna")
    until = told["Credentials"]["Expiration"] - datetime.now(UTC)
    assert timedelta(minutes=14) < until <= timedelta(minutes=15)
    arn = "arn:aws:sts::111111111111:assumed-role/trainer/me"
    assert (told["AssumedRoleUser"]["Arn"], told["SourceIdentity"]) == (arn, "anna")
    who = strict.client("sts", **keys_of(told)).get_caller_identity()
    assert (who["Account"], who["Arn"]) == ("111111111111", arn)
    assert who["UserId"] == told["AssumedRoleUser"]["AssumedRoleId"]
    assert strict.client("sagemaker", **keys_of(told)).list_training_jobs()["TrainingJobSummaries"] == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"aws_secret_access_key": "x"}, "SignatureDoesNotMatch"),
        ({"aws_session_token": "x"}, "InvalidClientTokenId"),
        ({"aws_session_token": None}, "InvalidClientTokenId"),
        ({"aws_access_key_id": "ASIAAAAAAAAAAAAAAAAA"}, "InvalidClientTokenId"),
    ],
)
def test_half_of_temporary_keys_is_none(strict: AwsServer, change: dict[str, Any], code: str) -> None:
    sts = strict.client("sts", **{**keys_of(assumed(strict)), **change})
    assert code_of(sts.get_caller_identity)[0] == code


def test_keys_whose_time_is_over_are_told_so_in_each_services_words(strict: AwsServer) -> None:
    an_hour_ago = SystemClock().now() - 3600
    old = Sessions(SEALS, lambda: an_hour_ago).begin(Grant(account="111111111111", role=ROLE, name="me"), 3599)
    keys = {
        "aws_access_key_id": old.access_key, "aws_secret_access_key": old.secret, "aws_session_token": old.token,
    }  # fmt: skip
    words = "The security token included in the request is expired"
    assert code_of(strict.client("sts", **keys).get_caller_identity) == ("ExpiredToken", words)
    assert code_of(strict.client("sagemaker", **keys).list_training_jobs) == ("ExpiredTokenException", words)


def test_a_role_does_not_widen_what_its_caller_may(strict: AwsServer) -> None:
    keys = keys_of(assumed(strict, "AKIAREADER"))
    sagemaker = strict.client("sagemaker", **keys)
    code, text = code_of(sagemaker.stop_training_job, TrainingJobName="a")
    assert code == "AccessDeniedException"
    assert text.startswith("User: arn:aws:sts::111111111111:assumed-role/trainer/me is not authorized to perform: ")
    elsewhere = strict.client("sagemaker", **keys, region_name="eu-north-1")
    assert code_of(elsewhere.list_training_jobs)[0] == "InvalidSignatureException"


def test_a_chain_of_roles_is_short(strict: AwsServer) -> None:
    sts = strict.client("sts", **keys_of(assumed(strict)))
    asked = {"RoleArn": ROLE, "RoleSessionName": "again"}
    assert "1 hour session limit" in code_of(sts.assume_role, **asked, DurationSeconds=3601)[1]
    again = sts.assume_role(**asked)
    assert again["AssumedRoleUser"]["Arn"].endswith("assumed-role/trainer/again")


@pytest.mark.parametrize(
    ("members", "code", "words"),
    [
        ({"RoleArn": "arn:aws:iam::222222222222:role/trainer"}, "AccessDenied", "sts:AssumeRole on resource: arn"),
        ({"RoleArn": "arn:aws:iam::111111111111:role/nobody"}, "AccessDenied", "User: arn:aws:iam::111111111111:user/"),
        ({"RoleArn": "not-a-role-but-long-enough"}, "AccessDenied", "not authorized"),
        ({"DurationSeconds": 43201}, "ValidationError", "less than or equal to 43200"),
        ({"RoleSessionName": "a b"}, "ValidationError", "roleSessionName"),
        ({"RoleSessionName": "a" * 65}, "ValidationError", "between 2 and 64"),
        ({"Policy": "{}"}, "ValidationError", "Policy is not supported"),
        ({"Tags": [{"Key": "a", "Value": "b"}]}, "ValidationError", "Tags is not supported"),
    ],
)
def test_who_may_not_and_what_is_wrong(strict: AwsServer, members: dict[str, Any], code: str, words: str) -> None:
    sts = strict.client("sts", aws_access_key_id="AKIAKNOWN", aws_secret_access_key="s")
    told = code_of(sts.assume_role, **{"RoleArn": ROLE, "RoleSessionName": "me", **members})
    assert (told[0], words in told[1]) == (code, True), told


def test_on_loopback_all_accounts_are_one_persons(server: AwsServer) -> None:
    told = server.client("sts").assume_role(RoleArn=ROLE, RoleSessionName="me")
    assert server.client("sts", **keys_of(told)).get_caller_identity()["Account"] == "111111111111"


def test_botocores_own_fetcher_of_role_keys_is_content(strict: AwsServer) -> None:
    from botocore.credentials import AssumeRoleCredentialFetcher, Credentials, DeferredRefreshableCredentials

    session = boto3.Session(region_name="us-east-1")._session
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=lambda name, **more: strict.client(name, **_plain(more)),
        source_credentials=Credentials("AKIAKNOWN", "s"), role_arn=ROLE, extra_args={"DurationSeconds": 900},
    )  # fmt: skip
    keys = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role").get_frozen_credentials()
    session.set_credentials(keys.access_key, keys.secret_key, keys.token)
    who = session.create_client("sts", endpoint_url=strict.url, region_name="us-east-1").get_caller_identity()
    assert ":assumed-role/trainer/botocore-session-" in who["Arn"]


def _plain(more: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in more.items() if name.startswith("aws_") and value is not None}
