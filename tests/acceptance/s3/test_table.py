"""Stock boto3, with the defaults of its release, against the door: what it must do as Amazon S3 does."""

from __future__ import annotations

import base64
import hashlib
import io
import os
from typing import Any

import httpx2
import pytest
from botocore.exceptions import ClientError
from tests.s3_server import S3Server

MIB = 1 << 20


def code_of(raised: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    answer = raised.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def md5_of(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def keys_of(pages: Any) -> list[str]:
    return [entry["Key"] for page in pages for entry in page.get("Contents", ())]


def test_metadata_content_type_etag_and_a_unicode_key(s3: Any, bucket: str) -> None:
    headers = {
        "ContentType": "text/csv", "CacheControl": "max-age=5", "ContentDisposition": "attachment",
        "ContentEncoding": "gzip", "ContentLanguage": "de",
    }  # fmt: skip
    put = s3.put_object(Bucket=bucket, Key="ünï/日本 a+b.csv", Body=b"text", Metadata={"K": "V w"}, **headers)
    got = s3.get_object(Bucket=bucket, Key="ünï/日本 a+b.csv")
    assert got["Body"].read() == b"text"
    assert got["Metadata"] == {"k": "V w"}
    assert {name: got[name] for name in headers} == headers
    assert put["ETag"] == got["ETag"] == f'"{md5_of(b"text").hex()}"'
    head = s3.head_object(Bucket=bucket, Key="ünï/日本 a+b.csv")
    assert (head["ContentLength"], head["ContentType"]) == (4, "text/csv")
    assert keys_of([s3.list_objects_v2(Bucket=bucket)]) == ["ünï/日本 a+b.csv"]


def test_without_a_content_type_it_is_binary(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    assert s3.get_object(Bucket=bucket, Key="k")["ContentType"] == "binary/octet-stream"


@pytest.mark.parametrize(
    ("asked", "content", "told"),
    [
        ("bytes=0-2", b"012", "bytes 0-2/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=8-100", b"89", "bytes 8-9/10"),
        ("bytes=-100", b"0123456789", "bytes 0-9/10"),
    ],
)
def test_a_range(s3: Any, bucket: str, asked: str, content: bytes, told: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    got = s3.get_object(Bucket=bucket, Key="k", Range=asked)
    assert (got["Body"].read(), got["ContentRange"]) == (content, told)
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206


def test_a_range_behind_the_end_is_refused(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    with pytest.raises(ClientError) as raised:
        s3.get_object(Bucket=bucket, Key="k", Range="bytes=10-")
    assert code_of(raised) == ("InvalidRange", 416)


def test_pages_a_delimiter_and_a_beginning(s3: Any, bucket: str, server: S3Server) -> None:
    names = [f"{folder}/{number:04}" for folder in "abc" for number in range(5)] + ["top"]
    for name in names:
        s3.put_object(Bucket=bucket, Key=name, Body=b"")
    for call, size in (("list_objects_v2", 3), ("list_objects", 3), ("list_objects_v2", 1000)):
        pages = list(s3.get_paginator(call).paginate(Bucket=bucket, PaginationConfig={"PageSize": size}))
        assert keys_of(pages) == names
    found = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert [one["Prefix"] for one in found["CommonPrefixes"]] == ["a/", "b/", "c/"]
    assert (keys_of([found]), found["KeyCount"]) == (["top"], 4)
    assert keys_of([s3.list_objects_v2(Bucket=bucket, StartAfter="c/0001")]) == [*names[12:]]
    pages = list(
        s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 1})
    )
    assert len(pages) == 4


def test_an_upload_in_parts(s3: Any, bucket: str) -> None:
    content = os.urandom(17 * MIB + 3)
    s3.upload_fileobj(io.BytesIO(content), bucket, "big", ExtraArgs={"ContentType": "x/y", "Metadata": {"a": "b"}})
    back = io.BytesIO()
    s3.download_fileobj(bucket, "big", back)
    assert back.getvalue() == content
    head = s3.head_object(Bucket=bucket, Key="big")
    parts = [content[start : start + 8 * MIB] for start in range(0, len(content), 8 * MIB)]
    joined = md5_of(b"".join(md5_of(part) for part in parts)).hex()
    assert head["ETag"] == f'"{joined}-3"'
    assert (head["ContentType"], head["Metadata"], head["ContentLength"]) == ("x/y", {"a": "b"}, len(content))
    part = s3.get_object(Bucket=bucket, Key="big", PartNumber=2)
    assert (part["Body"].read(), part["PartsCount"]) == (parts[1], 3)


def test_uploads_are_listed_and_aborted(s3: Any, bucket: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=7, Body=b"part")
    [listed] = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert (listed["Key"], listed["UploadId"]) == ("k", upload)
    [found] = s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)["Parts"]
    assert (found["PartNumber"], found["Size"], found["ETag"]) == (7, 4, part["ETag"])
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=upload)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    with pytest.raises(ClientError) as raised:
        s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"part")
    assert code_of(raised) == ("NoSuchUpload", 404)


def test_an_upload_is_completed_only_as_its_parts_allow(s3: Any, bucket: str) -> None:
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    named = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    etags = [s3.upload_part(**named, PartNumber=number, Body=b"small")["ETag"] for number in (1, 2)]

    def complete(*parts: tuple[int, str]) -> Any:
        listed = [{"PartNumber": number, "ETag": etag} for number, etag in parts]
        return s3.complete_multipart_upload(**named, MultipartUpload={"Parts": listed})

    for parts, word in (
        (((1, etags[0]), (2, etags[1])), "EntityTooSmall"),
        (((2, etags[1]), (1, etags[0])), "InvalidPartOrder"),
        (((3, etags[0]),), "InvalidPart"),
        (((1, '"0123"'),), "InvalidPart"),
    ):
        with pytest.raises(ClientError) as raised:
            complete(*parts)
        assert code_of(raised) == (word, 400)
    assert complete((2, etags[1]))["ETag"].endswith('-1"')
    assert complete((2, etags[1]))["ETag"].endswith('-1"')  # by a client that did not hear the first answer
    with pytest.raises(ClientError) as raised:
        complete((1, etags[0]), (2, etags[1]))
    assert code_of(raised) == ("NoSuchUpload", 404)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"small"


def test_many_are_deleted_at_once(s3: Any, bucket: str) -> None:
    for key in ("a", "b", "c&<>"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    doomed = [{"Key": key} for key in ("a", "c&<>", "none")]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": doomed})
    assert answer["Deleted"] == doomed
    assert keys_of([s3.list_objects_v2(Bucket=bucket)]) == ["b"]
    assert "Deleted" not in s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "b"}], "Quiet": True})


def test_copies(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="from ü", Body=b"text", ContentType="a/b", Metadata={"m": "1"})
    source = {"Bucket": bucket, "Key": "from ü"}
    copied = s3.copy_object(Bucket=bucket, Key="to", CopySource=source)["CopyObjectResult"]
    assert copied["ETag"] == f'"{md5_of(b"text").hex()}"'
    s3.copy_object(Bucket=bucket, Key="from ü", CopySource=source, MetadataDirective="REPLACE", Metadata={"m": "2"})
    assert s3.head_object(Bucket=bucket, Key="to")["Metadata"] == {"m": "1"}
    again = s3.get_object(Bucket=bucket, Key="from ü")
    assert (again["Metadata"], again["ContentType"]) == ({"m": "2"}, "binary/octet-stream")
    assert again["Body"].read() == b"text"
    s3.delete_object(Bucket=bucket, Key="from ü")
    assert s3.get_object(Bucket=bucket, Key="to")["Body"].read() == b"text"
    with pytest.raises(ClientError) as raised:
        s3.copy_object(Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": "to"})
    assert code_of(raised) == ("InvalidRequest", 400)


def test_parts_are_copied(s3: Any, bucket: str) -> None:
    content = os.urandom(20 * MIB)
    s3.upload_fileobj(io.BytesIO(content), bucket, "source")
    s3.copy({"Bucket": bucket, "Key": "source"}, bucket, "managed")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="spliced")["UploadId"]
    parts = []
    for number, asked in enumerate(("bytes=1-6000000", "bytes=9000000-9000009"), 1):
        done = s3.upload_part_copy(
            Bucket=bucket, Key="spliced", UploadId=upload, PartNumber=number, CopySourceRange=asked,
            CopySource={"Bucket": bucket, "Key": "source"},
        )  # fmt: skip
        parts.append({"PartNumber": number, "ETag": done["CopyPartResult"]["ETag"]})
    s3.complete_multipart_upload(Bucket=bucket, Key="spliced", UploadId=upload, MultipartUpload={"Parts": parts})
    s3.delete_object(Bucket=bucket, Key="source")
    assert s3.get_object(Bucket=bucket, Key="managed")["Body"].read() == content
    spliced = s3.get_object(Bucket=bucket, Key="spliced")["Body"].read()
    assert spliced == content[1:6000001] + content[9000000:9000010]


def test_a_condition_on_writing(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")
    with pytest.raises(ClientError) as raised:
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    assert code_of(raised) == ("PreconditionFailed", 412)
    etag = s3.head_object(Bucket=bucket, Key="k")["ETag"]
    with pytest.raises(ClientError) as raised:
        s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch='"other"')
    assert code_of(raised) == ("PreconditionFailed", 412)
    with pytest.raises(ClientError) as raised:
        s3.put_object(Bucket=bucket, Key="absent", Body=b"2", IfMatch=etag)
    assert code_of(raised) == ("NoSuchKey", 404)
    s3.put_object(Bucket=bucket, Key="k", Body=b"3", IfMatch=etag)
    with pytest.raises(ClientError) as raised:
        s3.delete_object(Bucket=bucket, Key="k", IfMatch=etag)
    assert code_of(raised) == ("PreconditionFailed", 412)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"3"


def test_a_condition_on_completing_and_copying(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"2")
    listed = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    with pytest.raises(ClientError) as raised:
        s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload=listed, IfNoneMatch="*")
    assert code_of(raised) == ("PreconditionFailed", 412)
    with pytest.raises(ClientError) as raised:
        s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k"}, CopySourceIfMatch='"other"')
    assert code_of(raised) == ("PreconditionFailed", 412)


def test_a_condition_on_reading(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    when = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    for condition, status in (
        ({"IfNoneMatch": etag}, 304), ({"IfModifiedSince": when}, 304), ({"IfMatch": '"x"'}, 412),
        ({"IfUnmodifiedSince": when.replace(year=2000)}, 412),
    ):  # fmt: skip
        with pytest.raises(ClientError) as raised:
            s3.get_object(Bucket=bucket, Key="k", **condition)
        assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert s3.get_object(Bucket=bucket, Key="k", IfMatch=etag, IfUnmodifiedSince=when)["Body"].read() == b"1"


def test_wrong_credentials_are_refused(server: S3Server, s3: Any, bucket: str) -> None:
    for client, word in (
        (server.client(secret="wrong"), "SignatureDoesNotMatch"),
        (server.client("AKIDNOBODY", "any"), "InvalidAccessKeyId"),
    ):
        with pytest.raises(ClientError) as raised:
            client.put_object(Bucket=bucket, Key="k", Body=b"x")
        assert code_of(raised) == (word, 403)
    assert httpx2.get(f"{server.url}/{bucket}").status_code == 403
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("version", [None, "s3v4"])
def test_presigned_urls(server: S3Server, bucket: str, version: str | None) -> None:
    client = server.client(signature_version=version) if version else server.client()
    put = client.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "ü k"})
    assert httpx2.put(put, content=b"text").status_code == 200
    got = client.generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": "ü k", "ResponseContentType": "x/y"}
    )
    answer = httpx2.get(got)
    assert (answer.content, answer.headers["content-type"]) == (b"text", "x/y")
    for url in (got.replace("Signature=", "Signature=0"), got.replace(bucket, "other"), got.replace("x%2Fy", "x%2Fz")):
        assert httpx2.get(url).status_code == 403
        assert httpx2.delete(got).status_code == 403


def test_a_presigned_url_ends(server: S3Server, bucket: str) -> None:
    params = {"Bucket": bucket, "Key": "k"}
    url = server.client(signature_version="s3").generate_presigned_url("get_object", Params=params, ExpiresIn=-10)
    answer = httpx2.get(url)
    assert (answer.status_code, "Request has expired" in answer.text) == (403, True)


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_checksums_come_back(s3: Any, bucket: str, algorithm: str) -> None:
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"text", ChecksumAlgorithm=algorithm)
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert put[f"Checksum{algorithm}"] == got[f"Checksum{algorithm}"]
    assert got["Body"].read() == b"text"
    attributes = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["Checksum", "ObjectSize"])
    assert attributes["Checksum"][f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"]
    if algorithm == "SHA256":
        assert got["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(b"text").digest()).decode()
    with pytest.raises(ClientError) as raised:
        s3.put_object(Bucket=bucket, Key="k", Body=b"other", **{f"Checksum{algorithm}": put[f"Checksum{algorithm}"]})
    assert code_of(raised) == ("BadDigest", 400)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"text"


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [("CRC32", "FULL_OBJECT"), ("CRC32", "COMPOSITE"), ("CRC64NVME", "FULL_OBJECT"), ("SHA256", "COMPOSITE")],
)
def test_checksums_of_uploads_in_parts(s3: Any, bucket: str, algorithm: str, kind: str) -> None:
    parts = [os.urandom(5 * MIB), b"end"]
    named = {"Bucket": bucket, "Key": "k"}
    begun = s3.create_multipart_upload(**named, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    named["UploadId"] = begun["UploadId"]
    listed = []
    for number, part in enumerate(parts, 1):
        done = s3.upload_part(**named, PartNumber=number, Body=part, ChecksumAlgorithm=algorithm)
        field = f"Checksum{algorithm}"
        listed.append({"PartNumber": number, "ETag": done["ETag"], field: done[field]})
    done = s3.complete_multipart_upload(**named, MultipartUpload={"Parts": listed}, ChecksumType=kind)
    assert done["ChecksumType"] == kind
    whole = s3.put_object(Bucket=bucket, Key="whole", Body=b"".join(parts), ChecksumAlgorithm=algorithm)
    same = done[f"Checksum{algorithm}"] == whole[f"Checksum{algorithm}"]
    assert same == (kind == "FULL_OBJECT")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"".join(parts)


def test_versions(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    first, second = (s3.put_object(Bucket=bucket, Key="k", Body=body)["VersionId"] for body in (b"1", b"2"))
    marker = s3.delete_object(Bucket=bucket, Key="k")
    assert marker["DeleteMarker"] is True
    with pytest.raises(ClientError) as raised:
        s3.get_object(Bucket=bucket, Key="k")
    assert code_of(raised) == ("NoSuchKey", 404)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    for version, content in ((first, b"1"), (second, b"2"), ("null", b"before")):
        assert s3.get_object(Bucket=bucket, Key="k", VersionId=version)["Body"].read() == content
    pages = list(s3.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig={"PageSize": 1}))
    listed = [one["VersionId"] for page in pages for one in page.get("Versions", ())]
    assert listed == [second, first, "null"]
    assert [one["VersionId"] for page in pages for one in page.get("DeleteMarkers", ())] == [marker["VersionId"]]
    s3.delete_object(Bucket=bucket, Key="k", VersionId=marker["VersionId"])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"2"
    s3.delete_object(Bucket=bucket, Key="k", VersionId=second)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    s3.put_object(Bucket=bucket, Key="k", Body=b"after")
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"after"
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=first)["Body"].read() == b"1"
    with pytest.raises(ClientError) as raised:
        s3.delete_bucket(Bucket=bucket)
    assert code_of(raised) == ("BucketNotEmpty", 409)


def test_tags(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"", Tagging="a=1&b=%C3%BC")
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "ü"}]
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == tags
    assert s3.get_object(Bucket=bucket, Key="k")["TagCount"] == 2
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": tags[:1]})
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == tags[:1]
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags


@pytest.mark.parametrize(
    "asked",
    [{"ServerSideEncryption": "AES256"}, {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "arn:aws:kms:x:1:key/a"}],
)
def test_server_side_encryption(server: S3Server, s3: Any, bucket: str, asked: dict[str, str]) -> None:
    def plain_on_disk(needle: bytes) -> bool:
        found = (path for path in server.store.root.rglob("*") if path.is_file())
        return any(needle in path.read_bytes() for path in found)

    for size in (1, 20_000):
        needle = os.urandom(32)
        content = needle * size
        put = s3.put_object(Bucket=bucket, Key="k", Body=content, **asked)
        got = s3.get_object(Bucket=bucket, Key="k")
        assert got["Body"].read() == content
        for name, value in asked.items():
            assert put[name] == got[name] == value
        assert s3.get_object(Bucket=bucket, Key="k", Range="bytes=17-99")["Body"].read() == content[17:100]
        assert not plain_on_disk(needle)
        s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k"})
        assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == content
        assert not plain_on_disk(needle)
    needle = os.urandom(32)
    content = needle * (9 * MIB // 32)
    s3.upload_fileobj(io.BytesIO(content), bucket, "parts", ExtraArgs=asked)
    s3.put_object(Bucket=bucket, Key="plain", Body=content)
    assert plain_on_disk(needle)
    s3.copy({"Bucket": bucket, "Key": "plain"}, bucket, "again", ExtraArgs=asked)
    s3.delete_object(Bucket=bucket, Key="plain")
    assert not plain_on_disk(needle)
    for key in ("parts", "again"):
        got = s3.get_object(Bucket=bucket, Key=key)
        assert (got["Body"].read(), got["ServerSideEncryption"]) == (content, asked["ServerSideEncryption"])


def test_keys_of_the_client_are_refused(s3: Any, bucket: str) -> None:
    with pytest.raises(ClientError) as raised:
        s3.put_object(Bucket=bucket, Key="k", Body=b"", SSECustomerAlgorithm="AES256", SSECustomerKey=os.urandom(32))
    assert code_of(raised)[0] == "NotImplemented"


def test_buckets(server: S3Server, s3: Any, bucket: str) -> None:
    assert bucket in [one["Name"] for one in s3.list_buckets()["Buckets"]]
    assert s3.head_bucket(Bucket=bucket)["BucketRegion"] == "us-east-1"
    s3.create_bucket(Bucket=bucket)
    located = {"LocationConstraint": "eu-west-1"}
    s3.create_bucket(Bucket=f"{bucket}-eu", CreateBucketConfiguration=located)
    assert s3.get_bucket_location(Bucket=f"{bucket}-eu")["LocationConstraint"] == "eu-west-1"
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None
    with pytest.raises(ClientError) as raised:
        s3.create_bucket(Bucket=f"{bucket}-eu", CreateBucketConfiguration=located)
    assert code_of(raised) == ("BucketAlreadyOwnedByYou", 409)
    s3.delete_bucket(Bucket=bucket)
    for call in (s3.list_objects_v2, s3.list_objects, s3.get_bucket_location, s3.delete_bucket):
        with pytest.raises(ClientError) as raised:
            call(Bucket=bucket)
        assert code_of(raised) == ("NoSuchBucket", 404)
    with pytest.raises(ClientError) as raised:
        s3.head_bucket(Bucket=bucket)
    assert code_of(raised) == ("404", 404)


def test_a_tenant_sees_nothing_of_another(server: S3Server, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"mine")
    tenant = server.client("AKIDTENANT")
    tenant.create_bucket(Bucket=f"{bucket}-tenant")
    tenant.put_object(Bucket=f"{bucket}-tenant", Key="k", Body=b"theirs")
    assert [one["Name"] for one in tenant.list_buckets()["Buckets"]] == [f"{bucket}-tenant"]
    copied = {"Bucket": f"{bucket}-tenant", "Key": "c", "CopySource": {"Bucket": bucket, "Key": "k"}}
    calls = [
        lambda: tenant.get_object(Bucket=bucket, Key="k"),
        lambda: tenant.list_objects_v2(Bucket=bucket),
        lambda: tenant.put_object(Bucket=bucket, Key="k", Body=b""),
        lambda: tenant.delete_object(Bucket=bucket, Key="k"),
        lambda: tenant.copy_object(**copied),
        lambda: s3.get_object(Bucket=f"{bucket}-tenant", Key="k"),
        lambda: s3.head_bucket(Bucket=bucket, ExpectedBucketOwner="999999999999"),
    ]
    for call in calls:
        with pytest.raises(ClientError) as raised:
            call()
        assert code_of(raised)[1] == 403
    with pytest.raises(ClientError) as raised:
        tenant.create_bucket(Bucket=bucket)
    assert code_of(raised) == ("BucketAlreadyExists", 409)
    assert s3.get_object(Bucket=bucket, Key="k", ExpectedBucketOwner="000000000000")["Body"].read() == b"mine"


@pytest.mark.parametrize(
    "key", ["a", "a/b", "a/", "a//b", "/a", "//", "..", "../x", "./y", "a/../b", "\0", "\n", "\r", "&<>\"'", "x" * 1024]
)
def test_every_legal_key_is_kept(s3: Any, bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"beside")
    s3.put_object(Bucket=bucket, Key="A", Body=b"in another case")
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert keys_of([s3.list_objects_v2(Bucket=bucket)]) == sorted({"a", "A", key})
    assert keys_of([s3.list_objects(Bucket=bucket, Prefix=key)]) == sorted(
        one for one in {"a", "A", key} if one.startswith(key)
    )
    s3.delete_object(Bucket=bucket, Key=key)
    assert keys_of([s3.list_objects_v2(Bucket=bucket)]) == sorted({"a", "A"} - {key})


def test_a_key_that_is_too_long_is_refused(s3: Any, bucket: str) -> None:
    with pytest.raises(ClientError) as raised:
        s3.put_object(Bucket=bucket, Key="k" * 1025, Body=b"")
    assert code_of(raised) == ("KeyTooLongError", 400)


def test_what_is_not_configured_is_said_to_be_so(s3: Any, bucket: str) -> None:
    for call, word in (
        (s3.get_bucket_policy, "NoSuchBucketPolicy"), (s3.get_bucket_cors, "NoSuchCORSConfiguration"),
        (s3.get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration"),
        (s3.get_public_access_block, "NoSuchPublicAccessBlockConfiguration"),
        (s3.get_bucket_tagging, "NoSuchTagSet"),
    ):  # fmt: skip
        with pytest.raises(ClientError) as raised:
            call(Bucket=bucket)
        assert code_of(raised) == (word, 404)
    assert s3.get_bucket_acl(Bucket=bucket)["Grants"][0]["Permission"] == "FULL_CONTROL"


def test_what_is_not_built_is_refused(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    for call in (
        lambda: s3.put_object_legal_hold(Bucket=bucket, Key="k", LegalHold={"Status": "ON"}),
        lambda: s3.put_bucket_policy(Bucket=bucket, Policy="{}"),
        lambda: s3.restore_object(Bucket=bucket, Key="k", RestoreRequest={"Days": 1}),
    ):
        with pytest.raises(ClientError) as raised:
            call()
        assert code_of(raised)[0] == "NotImplemented"
    with pytest.raises(ClientError) as raised:
        s3.put_object(Bucket=bucket, Key="k", Body=b"", ACL="public-read")
    assert code_of(raised) == ("AccessControlListNotSupported", 400)
