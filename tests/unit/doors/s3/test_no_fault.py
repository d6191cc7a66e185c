"""Whatever is asked, the door answers in S3's words: never with a fault of its own."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainyard.doors.s3.app import _SUBRESOURCES, S3Door
from trainyard.doors.s3.world import World
from trainyard.kit.clock import SystemClock
from trainyard.model.buckets import Bucket
from trainyard.objects.embedded.store import EmbeddedStore

TEXT = st.one_of(
    st.sampled_from([
        "", "0", "1", "-1", "10001", "99999999999", "*", '"', "bytes=0-0", "bytes=-0", "/bucket/k", "bucket", "REPLACE",
        "bucket/k?versionId=null", "AES256", "aws:kms", "CRC32", "COMPOSITE", "null", "url", "/", "100-continue",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "AAAAAA==", "a=1&b=2",
        "x-amz-checksum-crc32", "ETag,Checksum", "Thu, 01 Jan 1970 00:00:00 GMT", "0" * 64,
    ]),
    st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=12),
)  # fmt: skip
NAMES = st.sampled_from([
    "x-amz-copy-source", "x-amz-copy-source-range", "x-amz-copy-source-if-match", "x-amz-metadata-directive", "range",
    "x-amz-tagging", "x-amz-meta-a", "x-amz-storage-class", "x-amz-acl", "x-amz-checksum-crc32",
    "x-amz-checksum-sha256",
    "x-amz-sdk-checksum-algorithm", "x-amz-checksum-algorithm", "x-amz-checksum-type", "x-amz-trailer", "content-md5",
    "x-amz-content-sha256", "x-amz-decoded-content-length", "content-encoding", "content-type", "if-match", "expect",
    "if-none-match", "if-modified-since", "if-unmodified-since", "x-amz-server-side-encryption", "x-amz-checksum-mode",
    "x-amz-server-side-encryption-aws-kms-key-id", "x-amz-expected-bucket-owner", "x-amz-object-attributes",
    "x-amz-tagging-directive",
])  # fmt: skip
QUERY = st.sampled_from([
    *sorted(_SUBRESOURCES - {""}), "copy", "uploadId copy",
    "prefix", "delimiter", "marker", "max-keys", "start-after", "continuation-token",
    "encoding-type", "key-marker", "version-id-marker", "versionId", "partNumber", "upload-id-marker", "max-uploads",
    "part-number-marker", "max-parts", "response-content-type", "response-expires", "fetch-owner",
])  # fmt: skip
BODIES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([
        b"<Delete><Object><Key>k</Key></Object></Delete>", b"<Delete/>", b"<Tagging><TagSet/></Tagging>",
        b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>",
        b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>", b"3\r\nabc\r\n0\r\n\r\n",
        b"<CreateBucketConfiguration/>",
    ]),
)  # fmt: skip
PATHS = st.one_of(
    st.sampled_from(
        [b"/", b"/bucket", b"/bucket/", b"/bucket/k", b"/bucket/%00", b"/none/k", b"//", b"/bucket//", b"/%ff"]
    ),
    st.binary(max_size=8).map(lambda raw: b"/bucket/" + raw.replace(b"?", b"")),
)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[S3Door]:
    with closing(EmbeddedStore(tmp_path, SystemClock())) as store:
        world = World(
            store=store, now=SystemClock().now, new_id=lambda: str(uuid.uuid4()), account="000000000000",
            region="us-east-1",
        )  # fmt: skip
        asyncio.run(store.create_bucket(Bucket(name="bucket", owner="", region="us-east-1", created=0.0)))
        yield S3Door(world)


def asked(door: S3Door, scope: dict[str, Any], body: bytes) -> int:
    sent: list[Any] = []
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        return messages.pop() if messages else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(door(scope, receive, send))
    assert sent[-1].get("more_body", False) is False
    for _, value in sent[0]["headers"]:
        assert b"\r" not in value
        assert b"\n" not in value
    return int(sent[0]["status"])


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"]), PATHS,
    st.lists(st.tuples(QUERY, TEXT), max_size=4), st.lists(st.tuples(NAMES, TEXT), max_size=5), BODIES,
)  # fmt: skip
def test_no_request_is_answered_with_a_fault(
    door: S3Door, method: str, path: bytes, query: list[tuple[str, str]], headers: list[tuple[str, str]], body: bytes
) -> None:
    scope = {
        "type": "http", "method": method, "raw_path": path, "path": path.decode("latin-1"),
        "query_string": urlencode(query).encode(),
        "headers": [
            (b"host", b"localhost"), (b"content-length", str(len(body)).encode()),
            *((name.encode(), text.encode("latin-1")) for name, text in headers),
        ],
    }  # fmt: skip
    assert asked(door, scope, body) in (*range(200, 500), 501)
