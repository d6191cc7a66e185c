"""Whatever is wrong with a request, neither the answer nor the log tells a secret."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.auth import S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tests.aws_server import SEALS, AwsServer, an_aws_server

from trainyard.access.keys import Key
from trainyard.access.sessions import Grant, Sessions
from trainyard.kit.clock import SystemClock

KEYS = {"AKIAKNOWN": Key(secret="a-very-secret-text", account="111111111111")}
ROLE = "arn:aws:iam::111111111111:role/a"


@pytest.fixture(scope="module")
def server() -> Iterator[AwsServer]:
    with an_aws_server(keys=KEYS, verifies=True) as opened:
        yield opened


def sent(server: AwsServer, service: str, keys: Credentials, change: dict[str, str], *, query: bool) -> bytes:
    """A signed request whose headers or query were changed afterwards; status line, headers and body in one."""
    url = f"{server.url}/?Action=GetCallerIdentity&Version=2011-06-15"
    request = AWSRequest("GET" if query else "POST", url, headers={} if query else {"X-Amz-Target": "SageMaker.X"})
    kind: Any = (
        S3SigV4QueryAuth(keys, service, "us-west-2", expires=60) if query else SigV4Auth(keys, service, "us-west-2")
    )
    kind.add_auth(request)
    ready = request.prepare()
    target, headers = ready.url.removeprefix(server.url), {**dict(ready.headers), **change}
    for old, new in change.items():
        target = target.replace(f"X-Amz-{old}=", f"X-Amz-{old}={new}")
    status, told, body = server.send(ready.method, target, b"", {name: str(value) for name, value in headers.items()})
    return f"{status} {told}".encode() + body


@pytest.mark.parametrize("service", ["sagemaker", "sts", "iam", "ecr", "s3", "nonsense"])
@pytest.mark.parametrize("query", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        {}, {"X-Amz-Date": "yesterday", "Date": "x"}, {"X-Amz-Security-Token": "x", "Security-Token": "x"},
        {"Signature": "0"}, {"Expires": "x"}, {"SignedHeaders": "x;"}, {"X-Amz-Content-SHA256": "x"},
        {"Content-Encoding": "br"},
    ],
    ids=str,
)  # fmt: skip
def test_no_answer_and_no_log_tells_a_secret(
    server: AwsServer, caplog: pytest.LogCaptureFixture, service: str, change: dict[str, str], *, query: bool
) -> None:
    caplog.set_level(logging.DEBUG, logger="trainyard")
    now = SystemClock().now
    given = Sessions(SEALS, now).begin(Grant(account="111111111111", role=ROLE, name="s"), 900)
    ended = Sessions(SEALS, lambda: now() - 3600).begin(Grant(account="111111111111", role=ROLE, name="s"), 900)
    secrets = [KEYS["AKIAKNOWN"].secret, given.secret, given.token, ended.secret, ended.token]
    for keys in (
        Credentials("AKIAKNOWN", KEYS["AKIAKNOWN"].secret), Credentials("AKIAOTHER", KEYS["AKIAKNOWN"].secret),
        Credentials(given.access_key, given.secret, given.token),
        Credentials(ended.access_key, ended.secret, ended.token),
        Credentials(given.access_key, ended.secret, ended.token),
    ):  # fmt: skip
        told = sent(server, service, keys, change, query=query)
        assert not [secret for secret in secrets if secret.encode() in told], told
    assert not [secret for secret in secrets if secret in caplog.text]
