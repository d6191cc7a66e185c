"""Signatures, judged by botocore's own signers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from unittest.mock import patch
from urllib.parse import quote, urlencode, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from trainyard.awswire import sigv4
from trainyard.awswire.sigv4 import Fault, RawRequest, SignatureRefused, read, verify

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
NOW = datetime(2026, 11, 24, 23, 59, 58, tzinfo=UTC).timestamp()
EMPTY = sha256(b"").hexdigest()

words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=12)
keys = st.lists(words, max_size=4).map("/".join)
tables = st.dictionaries(words.filter(lambda word: not word.startswith("X-Amz-")), words, max_size=4)
plain = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12)
meta = st.dictionaries(st.from_regex(r"x-amz-meta-[a-z]{1,8}", fullmatch=True), plain, max_size=3)


def signed(
    signer: Any,
    *,
    method: str = "POST",
    path: str = "/",
    query: str = "",
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    at: float = NOW,
) -> RawRequest:
    """The raw request that a client with this signer sends."""
    url = f"http://127.0.0.1:7447{path}" + (f"?{query}" if query else "")
    request = AWSRequest(method=method, url=url, data=body, headers={"Host": "127.0.0.1:7447", **(headers or {})})
    moment = datetime.fromtimestamp(at, UTC).replace(tzinfo=None)
    with patch("botocore.auth.get_current_datetime", return_value=moment):
        signer.add_auth(request)
    sent = request.prepare()
    target = urlsplit(sent.url)
    return RawRequest(
        method=method,
        path=target.path.encode(),
        query=target.query.encode(),
        headers=[(name.lower().encode(), str(value).strip().encode()) for name, value in sent.headers.items()],
    )


def signer(kind: Any = SigV4Auth, service: str = "sagemaker", *, token: str | None = None, **more: Any) -> Any:
    return kind(Credentials("AKIDEXAMPLE", SECRET, token), service, "eu-north-1", **more)


def judge(request: RawRequest, *, body: bytes | None = b"", secret: str = SECRET, now: float = NOW) -> sigv4.Seed:
    claim = read(request)
    assert claim is not None
    return verify(request, claim, secret, now, None if body is None else sha256(body).hexdigest())


def fault_of(request: RawRequest, **how: Any) -> Fault:
    with pytest.raises(SignatureRefused) as refusal:
        judge(request, **how)
    assert refusal.value.message
    return refusal.value.fault


def altered(request: RawRequest, name: bytes, value: bytes) -> RawRequest:
    return replace(request, headers=[(key, value if key == name else old) for key, old in request.headers])


@given(path=keys, query=tables, body=st.binary(max_size=50), token=st.none() | st.just("FwoGZXIvYXdzE/x=="))
def test_what_botocore_signs_for_a_service_is_true(
    path: str, query: dict[str, str], body: bytes, token: str | None
) -> None:
    request = signed(signer(token=token), path="/" + quote(path), query=urlencode(query, quote_via=quote), body=body)
    seed = judge(request, body=body)
    assert str(seed.scope) == "20261124/eu-north-1/sagemaker/aws4_request"
    claim = read(request)
    assert claim is not None
    assert (claim.scope.access_key, claim.session, claim.at) == ("AKIDEXAMPLE", token, NOW)


@given(path=keys, query=tables, body=st.binary(max_size=50), headers=meta)
def test_what_botocore_signs_for_s3_is_true(
    path: str, query: dict[str, str], body: bytes, headers: dict[str, str]
) -> None:
    how = {"method": "PUT", "path": "/b/" + quote(path), "query": urlencode(query, quote_via=quote)}
    request = signed(signer(S3SigV4Auth, "s3"), **how, body=body, headers=headers)
    judge(request, body=body)
    judge(request, body=None)
    assert fault_of(request, body=body + b"x") is Fault.PAYLOAD


@given(path=keys, query=tables, token=st.none() | st.just("FwoGZXIvYXdzE/x=="), within=st.integers(0, 3600))
def test_what_botocore_presigns_is_true_until_it_expires(
    path: str, query: dict[str, str], token: str | None, within: int
) -> None:
    how = {"method": "GET", "path": "/b/" + quote(path), "query": urlencode(query, quote_via=quote)}
    request = signed(signer(S3SigV4QueryAuth, "s3", token=token, expires=3600), **how)
    judge(request, body=None, now=NOW + within)
    assert fault_of(request, now=NOW + 3601) is Fault.EXPIRED
    claim = read(request)
    assert claim is not None
    assert claim.is_presigned
    assert (claim.session, claim.payload) == (token, sigv4.UNSIGNED_PAYLOAD)


def test_a_presigned_call_of_another_service_signs_its_empty_body() -> None:
    query = urlencode({"Action": "GetCallerIdentity", "Version": "2011-06-15"})
    request = signed(signer(SigV4QueryAuth, "sts", expires=60), method="GET", query=query)
    judge(request)
    assert fault_of(request, body=b"x") is Fault.MISMATCH


@given(path=keys, query=tables, place=st.integers(0), bit=st.integers(0, 6))
def test_no_request_passes_once_a_bit_of_it_is_changed(path: str, query: dict[str, str], place: int, bit: int) -> None:
    how = {"path": "/b/" + quote(path), "query": urlencode(query, quote_via=quote)}
    request = signed(signer(S3SigV4Auth, "s3"), **how)
    key = bytearray(request.path)
    key[place % len(key)] ^= 1 << bit
    changed = replace(request, path=bytes(key))
    if sigv4.unquote_to_bytes(changed.path) != sigv4.unquote_to_bytes(request.path):
        assert fault_of(changed) is Fault.MISMATCH
    assert fault_of(replace(request, method="PUT")) is Fault.MISMATCH
    assert fault_of(replace(request, query=request.query + b"&more")) is Fault.MISMATCH
    assert fault_of(request, secret=SECRET[:-1]) is Fault.MISMATCH


@pytest.mark.parametrize("written", [b"/b/a%20b(1)~", b"/b/a%20b%281%29~", b"/b/a b(1)%7E"])
def test_a_key_may_be_escaped_otherwise_than_it_was_signed(written: bytes) -> None:
    request = signed(signer(S3SigV4Auth, "s3"), path="/b/a%20b%281%29~")
    judge(replace(request, path=written))


def test_two_headers_of_one_name_and_blanks_are_signed_as_one_text() -> None:
    request = signed(signer(S3SigV4Auth, "s3"), headers={"x-amz-meta-a": "one  two,three"})
    headers = [pair for pair in request.headers if pair[0] != b"x-amz-meta-a"]
    twice = [(b"x-amz-meta-a", b" one two "), (b"x-amz-meta-a", b"three")]
    judge(replace(request, headers=[*headers, *twice]))


@pytest.mark.parametrize(
    ("kind", "service", "most"), [(SigV4Auth, "sagemaker", sigv4.SKEW), (S3SigV4Auth, "s3", sigv4.SKEW_S3)]
)
def test_clocks_may_differ_as_far_as_the_service_forgives(kind: Any, service: str, most: float) -> None:
    request = signed(signer(kind, service))
    judge(request, now=NOW + most)
    judge(request, now=NOW - most)
    assert fault_of(request, now=NOW + most + 1) is Fault.SKEWED
    assert fault_of(request, now=NOW - most - 1) is Fault.SKEWED


def test_skew_is_told_in_the_services_words() -> None:
    request = signed(signer())
    with pytest.raises(SignatureRefused, match=r"^Signature expired: 20261124T235958Z is now earlier than ") as late:
        judge(request, now=NOW + 600)
    assert late.value.message.endswith("20261125T000458Z (20261125T000958Z - 5 min.)")
    with pytest.raises(SignatureRefused, match=r"^Signature not yet current: 20261124T235958Z is still later than "):
        judge(request, now=NOW - 600)


def test_a_presigned_request_is_not_good_before_its_time() -> None:
    request = signed(signer(S3SigV4QueryAuth, "s3", expires=60), method="GET")
    assert fault_of(request, now=NOW - 16 * 60) is Fault.NOT_YET


@pytest.mark.parametrize("seconds", ["604801", "-1", "1.5", "", "x", "9" * 5000])
def test_a_presigned_request_is_good_for_a_week_at_most(seconds: str) -> None:
    request = signed(signer(S3SigV4QueryAuth, "s3", expires=60), method="GET")
    query = request.query.replace(b"X-Amz-Expires=60", f"X-Amz-Expires={seconds}".encode())
    assert fault_of(replace(request, query=query)) is Fault.MALFORMED


def test_a_header_with_a_meaning_must_be_signed() -> None:
    request = signed(signer())
    added = replace(request, headers=[*request.headers, (b"x-amz-target", b"SageMaker.DeleteTrainingJob")])
    assert fault_of(added) is Fault.HEADERS
    shifted = [pair for pair in request.headers if pair[0] != b"host"]
    assert fault_of(replace(request, headers=shifted)) is Fault.HEADERS


def test_the_scope_is_the_day_of_the_signature() -> None:
    request = signed(signer())
    other = dict(request.headers)[b"authorization"].replace(b"/20261124/", b"/20261123/")
    assert fault_of(altered(request, b"authorization", other)) is Fault.SCOPE


def test_a_signature_for_another_region_or_service_is_not_true_here() -> None:
    request = signed(signer())
    for word, other in ((b"sagemaker", b"s3"), (b"eu-north-1", b"us-east-1"), (b"AKIDEXAMPLE", b"AKID/EXAMPLE")):
        header = dict(request.headers)[b"authorization"].replace(word, other)
        changed = altered(request, b"authorization", header)
        if word == b"AKIDEXAMPLE":  # who asks is said by the key that is looked up, not by the signed text
            claim = read(changed)
            assert claim is not None
            assert claim.scope.access_key == "AKID/EXAMPLE"
        else:
            assert fault_of(changed) is Fault.MISMATCH


def test_a_request_without_a_signature_has_none() -> None:
    assert read(RawRequest("GET", b"/b/k", b"list-type=2", [(b"host", b"h")])) is None


def test_two_signatures_are_too_many() -> None:
    request = signed(signer(S3SigV4Auth, "s3"))
    presigned = signed(signer(S3SigV4QueryAuth, "s3", expires=60))
    assert fault_of(replace(request, query=presigned.query)) is Fault.AMBIGUOUS
    assert fault_of(replace(request, headers=[*request.headers, *request.headers])) is Fault.MALFORMED


@pytest.mark.parametrize("word", ["STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "unsigned", "", "A" * 64])
def test_a_payload_is_sent_in_a_known_way(word: str) -> None:
    request = signed(signer(S3SigV4Auth, "s3"))
    assert fault_of(altered(request, b"x-amz-content-sha256", word.encode())) is Fault.UNSUPPORTED


@pytest.mark.parametrize(
    "word", [sigv4.UNSIGNED_PAYLOAD, sigv4.STREAMING, sigv4.STREAMING_TRAILER, sigv4.STREAMING_UNSIGNED_TRAILER]
)
def test_a_payload_may_be_judged_later(word: str) -> None:
    request = signed(signer(), headers={"X-Amz-Content-SHA256": word})
    seed = judge(request, body=b"whatever comes")
    claim = read(request)
    assert claim is not None
    assert (claim.payload, seed.signature) == (word, claim.signature)


@given(header=plain, query=plain, date=plain)
def test_no_signature_breaks_the_reader(header: str, query: str, date: str) -> None:
    for authorization in (header, f"AWS4-HMAC-SHA256 {header}", f"AWS4-HMAC-SHA256 Credential={header},Signature=a"):
        request = RawRequest(
            "POST", b"/", query.encode(), [(b"authorization", authorization.encode()), (b"x-amz-date", date.encode())]
        )
        with pytest.raises(SignatureRefused):
            read(request)


@given(parts=st.fixed_dictionaries({f"X-Amz-{part}": plain for part in sigv4._QUERY_PARTS}), host=plain)
def test_no_presigned_query_breaks_the_reader(parts: dict[str, str], host: str) -> None:
    request = RawRequest("GET", b"/", urlencode(parts).encode(), [(b"host", host.encode())])
    with pytest.raises(SignatureRefused):
        judge(request)
