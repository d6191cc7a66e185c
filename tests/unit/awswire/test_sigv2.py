from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config

from trainyard.awswire import sigv2
from trainyard.awswire.sigv4 import Fault, RawRequest, SignatureRefused


def request_of(method: str, url: str, *headers: tuple[bytes, bytes]) -> RawRequest:
    split = urlsplit(url)
    return RawRequest(method, split.path.encode(), split.query.encode(), headers)


def presigned(operation: str, params: dict[str, Any], token: str | None = None) -> str:
    client = boto3.client(
        "s3", endpoint_url="http://localhost:1", region_name="us-east-1", aws_access_key_id="AK",
        aws_secret_access_key="secret", aws_session_token=token, config=Config(signature_version="s3"),
    )  # fmt: skip
    return str(client.generate_presigned_url(operation, Params={"Bucket": "buck", "Key": "ü a+b/c", **params}))


@pytest.mark.parametrize(
    ("method", "operation", "params"),
    [
        ("GET", "get_object", {}),
        ("GET", "get_object", {"VersionId": "v+1", "ResponseContentType": "x/ü"}),
        ("PUT", "put_object", {}),
        ("PUT", "upload_part", {"UploadId": "u/+", "PartNumber": 3}),
        ("POST", "create_multipart_upload", {}),
        ("GET", "get_object_tagging", {}),
    ],
)
@pytest.mark.parametrize("token", [None, "to+ken/="])
def test_what_botocore_signs_is_true(method: str, operation: str, params: dict[str, Any], token: str | None) -> None:
    request = request_of(method, presigned(operation, params, token))
    found = sigv2.read(request)
    assert found is not None
    assert found.access_key == "AK"
    sigv2.verify(request, found, "secret", found.expires - 1)
    for wrong, secret in ((request, "other"), (request_of("DELETE", presigned(operation, params)), "secret")):
        with pytest.raises(SignatureRefused) as refused:
            sigv2.verify(wrong, found, secret, 0)
        assert refused.value.fault is Fault.MISMATCH
    with pytest.raises(SignatureRefused) as refused:
        sigv2.verify(request, found, "secret", found.expires + 1)
    assert refused.value.fault is Fault.EXPIRED


def test_a_header_of_aws_must_have_been_signed() -> None:
    request = request_of("PUT", presigned("put_object", {}), (b"x-amz-acl", b"public-read"))
    found = sigv2.read(request)
    assert found is not None
    with pytest.raises(SignatureRefused):
        sigv2.verify(request, found, "secret", 0)


@pytest.mark.parametrize(
    "query",
    ["AWSAccessKeyId=a&Signature=b", "Signature=b&Expires=1", "AWSAccessKeyId=a&Signature=b&Expires=x"],
)
def test_what_cannot_be_read_is_refused(query: str) -> None:
    with pytest.raises(SignatureRefused):
        sigv2.read(request_of("GET", f"http://h/b/k?{query}"))


def test_without_one_there_is_none() -> None:
    assert sigv2.read(request_of("GET", "http://h/b/k?Expires=1&versionId=2")) is None
