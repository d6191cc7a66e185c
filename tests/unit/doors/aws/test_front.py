"""The front of the AWS doors: which service, whose call, and what is let in."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import pytest
from botocore.auth import S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from trainyard.access.callers import OWNER
from trainyard.access.guard import Judge, Limits
from trainyard.access.keys import Key
from trainyard.awswire.calls import Answer, Call, Refusal
from trainyard.awswire.sigv4 import Claim, CredentialScope, RawRequest, SignatureRefused
from trainyard.doors.aws import routing
from trainyard.doors.aws.front import Front, signer
from trainyard.doors.aws.identity import Identities
from trainyard.model.keys import Scope

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp()
HOME = Scope("000000000000", "us-east-1")
KEYS = {
    "AKIAREADER": Key(secret="r", account="111111111111", reads_only=True),
    "AKIANORTH": Key(secret="n", account="222222222222", region="eu-north-1"),
}


class Listening:
    """A door that remembers who called."""

    def __init__(self) -> None:
        self.calls: list[tuple[Call, bytes]] = []

    async def answer(self, call: Call, body: bytes) -> Answer:
        self.calls.append((call, body))
        if body == b"bug":
            raise ZeroDivisionError
        return Answer(body=b"{}")

    def refuse(self, _call: Call, error: SignatureRefused | Refusal) -> Answer:
        return Answer(status=400, body=str(error).encode())


class Streaming(Listening):
    """A door of streams that does the same."""

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        self.calls.append((scope["aws"], b""))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def a_front(
    *, verifies: bool, judge: Judge = lambda _scope: OWNER, limits: Limits | None = None
) -> tuple[Any, Listening, Streaming]:
    door, stream = Listening(), Streaming()
    identities = Identities(keys=KEYS.get, home=HOME, verifies=verifies)
    front = Front(
        doors={"sagemaker": door, "sts": door}, streams={"s3": (stream, limits or Limits())},
        identities=identities, judge=judge, now=lambda: NOW, new_id=lambda: "id",
    )  # fmt: skip
    return front.app(), door, stream


def signed(
    key: str, secret: str, service: str = "sagemaker", region: str = "us-east-1", body: bytes = b"{}", **more: Any
) -> tuple[RawRequest, bytes]:
    kind, expires = (S3SigV4QueryAuth, {"expires": 60}) if more.get("presigned") else (SigV4Auth, {})
    headers = {"Host": "127.0.0.1", "X-Amz-Target": "SageMaker.ListTrainingJobs"} if not expires else {}
    request = AWSRequest("POST", "http://127.0.0.1/", data=body if not expires else b"", headers=headers)
    moment = datetime.fromtimestamp(more.get("at", NOW), UTC).replace(tzinfo=None)
    with patch("botocore.auth.get_current_datetime", return_value=moment):
        kind(Credentials(key, secret), service, region, **expires).add_auth(request)
    sent = request.prepare()
    pairs = {"host": "127.0.0.1", **{name.lower(): value for name, value in sent.headers.items()}}
    raw = [(name.encode(), str(value).encode()) for name, value in pairs.items()]
    return RawRequest("POST", b"/", sent.url.partition("?")[2].encode(), raw), body


async def ask(app: Any, request: RawRequest, body: bytes = b"") -> tuple[int, bytes]:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": request.method, "raw_path": request.path, "query_string": request.query,
        "headers": list(request.headers),
    }  # fmt: skip
    await app(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


def claim(service: str) -> Claim:
    scope = CredentialScope("AKIA", "20260102", "us-east-1", service)
    return Claim(scope=scope, signed_headers=("host",), signature="0", timestamp="", at=NOW, payload=None)


@pytest.mark.parametrize(
    ("request_", "service"),
    [
        (RawRequest("POST", b"/", b"", [(b"x-amz-target", b"SageMaker.Search")]), "sagemaker"),
        (RawRequest("POST", b"/", b"", [(b"x-amz-target", b"Logs_20140328.GetLogEvents")]), "logs"),
        (RawRequest("POST", b"/", b"", [(b"x-amz-target", b"Kinesis_20131202.ListStreams")]), "Kinesis_20131202"),
        (RawRequest("PUT", b"/BatchPutMetrics", b"", []), "sagemaker"),
        (RawRequest("POST", routing._RPC + b"operation/GetMetricData", b"", []), "monitoring"),
        (RawRequest("POST", b"/", b"", [(b"content-type", b"application/x-www-form-urlencoded")]), routing.QUERY),
        (RawRequest("GET", b"/", b"", []), "s3"),
        (RawRequest("PUT", b"/bucket/key", b"", [(b"content-type", b"application/json")]), "s3"),
    ],
)
def test_an_unsigned_request_is_for_the_service_that_its_form_tells(request_: RawRequest, service: str) -> None:
    assert routing.service_of(request_, None) == service
    assert routing.service_of(request_, claim("sts")) == "sts"


@pytest.mark.parametrize(
    ("body", "service"),
    [(b"Action=GetCallerIdentity&Version=2011-06-15", "sts"), (b"Version=2010-05-08", "iam"), (b"\xff", ""), (b"", "")],
)
def test_a_form_is_for_the_service_of_its_version(body: bytes, service: str) -> None:
    assert routing.service_of_form(body) == service


async def test_on_loopback_any_key_is_taken_and_twelve_digits_are_the_account() -> None:
    app, door, _ = a_front(verifies=False)
    for key in ("anything", "123456789012"):
        request, body = signed(key, "whatever", region="eu-west-1", at=NOW - 9999)
        assert (await ask(app, request, body))[0] == 200
    assert [call.scope for call, _ in door.calls] == [
        Scope("000000000000", "eu-west-1"), Scope("123456789012", "eu-west-1"),
    ]  # fmt: skip
    assert [call.seed for call, _ in door.calls] == [None, None]


async def test_a_known_key_is_verified_also_on_loopback() -> None:
    app, door, _ = a_front(verifies=False)
    request, body = signed("AKIAREADER", "r")
    assert (await ask(app, request, body))[0] == 200
    (call, _), = door.calls  # fmt: skip
    assert (call.scope.account, call.reads_only, call.caller) == ("111111111111", True, "AKIAREADER")
    assert call.seed is not None
    request, body = signed("AKIAREADER", "wrong")
    assert (await ask(app, request, body))[0] == 400


async def test_a_presigned_request_of_nobody_in_particular_ends_when_it_says() -> None:
    app, _, stream = a_front(verifies=False)
    request, _ = signed("any", "any", "s3", presigned=True)
    assert (await ask(app, request))[0] == 200
    late, _ = signed("any", "any", "s3", presigned=True, at=NOW - 61)
    assert await ask(app, late) == (400, b"Request has expired")
    assert len(stream.calls) == 1


@pytest.mark.parametrize(
    ("key", "secret", "region", "body", "words"),
    [
        ("AKIANORTH", "n", "eu-north-1", b"{}", b""),
        ("AKIANORTH", "n", "us-east-1", b"{}", b"valid region"),
        ("AKIANORTH", "x", "eu-north-1", b"{}", b"does not match"),
        ("AKIANORTH", "n", "eu-north-1", b"{ }", b"does not match"),
        ("AKIANOBODY", "n", "eu-north-1", b"{}", b"token included in the request is invalid"),
    ],
)
async def test_beyond_loopback_only_true_signatures_of_known_keys_are_let_in(
    key: str, secret: str, region: str, body: bytes, words: bytes
) -> None:
    app, door, _ = a_front(verifies=True, judge=signer)
    request, _ = signed(key, secret, region=region)
    status, said = await ask(app, request, body)
    assert (status, words in said, len(door.calls)) == ((400, True, 0) if words else (200, True, 1))


async def test_beyond_loopback_an_unsigned_request_is_not_let_in() -> None:
    app, door, stream = a_front(verifies=True, judge=signer)
    target = RawRequest("POST", b"/", b"", [(b"x-amz-target", b"SageMaker.Search")])
    for request in (target, RawRequest("GET", b"/b/k", b"", [])):
        assert await ask(app, request) == (400, b"Missing Authentication Token")
    assert door.calls == stream.calls == []


async def test_a_broken_signature_is_refused_and_not_taken_as_none() -> None:
    app, door, _ = a_front(verifies=False)
    headers = [(b"x-amz-target", b"SageMaker.Search"), (b"authorization", b"Bearer x")]
    status, said = await ask(app, RawRequest("POST", b"/", b"", headers))
    assert (status, b"not supported" in said, door.calls) == (400, True, [])


async def test_a_bug_answers_one_call_and_says_nothing_of_the_request(caplog: pytest.LogCaptureFixture) -> None:
    app, _, _ = a_front(verifies=False)
    target = RawRequest("POST", b"/", b"", [(b"x-amz-target", b"SageMaker.Search")])
    status, said = await ask(app, target, b"bug")
    assert (status, b"unknown error" in said) == (400, True)
    (record,) = caplog.records
    assert "request id to sagemaker failed" in record.getMessage()


async def test_a_key_has_so_many_requests_at_once_and_no_more() -> None:
    door = asyncio.Event()
    app, _, _ = a_front(verifies=False, judge=signer, limits=Limits(at_once=1))
    request, _ = signed("AKIANORTH", "n", "s3", region="eu-north-1", presigned=True)

    async def hang(_scope: Any, _receive: Any, send: Any) -> None:
        await door.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    with patch.object(Streaming, "__call__", lambda _self, scope, receive, send: hang(scope, receive, send)):
        first = asyncio.create_task(ask(app, request))
        await asyncio.sleep(0)
        second = await ask(app, request)
        door.set()
        assert (await first)[0] == 200
    assert (second[0], b"ThrottlingException" in second[1]) == (429, True)
