"""STS as stock boto3 sees it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError
from tests.aws_server import AwsServer, an_aws_server

from trainyard.access.keys import Key


@pytest.fixture(scope="module")
def server() -> Iterator[AwsServer]:
    with an_aws_server(keys={"AKIAKNOWN": Key(secret="s", account="111111111111")}) as opened:
        yield opened


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
