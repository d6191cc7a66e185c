"""Other stock clients, and what clients do that boto3 does not: obstore, the AWS CLI, bare HTTP."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import socket
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import httpx2
import obstore
import pytest
from awscrt import auth, http, io
from awscrt import s3 as crt
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from obstore.store import S3Store
from tests.s3_server import DEADLINE, KEYS, S3Server, s3_server

MIB = 1 << 20
EMPTY = sha256().hexdigest()


@pytest.fixture(scope="module")
def open_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A server for its own user: nothing is signed, nothing is verified."""
    with s3_server(tmp_path_factory.mktemp("open"), verifies=False) as running:
        running.client("AKIDNOBODY", "any").create_bucket(Bucket="bucket")
        yield running


async def test_obstore(server: S3Server, bucket: str) -> None:
    key = "AKIDOWNER"
    store = S3Store(
        bucket, endpoint=server.url, region="us-east-1", access_key_id=key, secret_access_key=KEYS[key].secret,
        virtual_hosted_style_request=False, client_options={"allow_http": True},
    )  # fmt: skip
    content = os.urandom(12 * MIB)
    await obstore.put_async(store, "a/large", content, chunk_size=5 * MIB)
    await obstore.put_async(store, "a/ü &+%", b"small", attributes={"Content-Type": "x/y", "who": "me"})
    got = await obstore.get_async(store, "a/ü &+%")
    assert (bytes(await got.bytes_async()), got.attributes["Content-Type"]) == (b"small", "x/y")
    assert bytes(await obstore.get_range_async(store, "a/large", start=MIB, length=9)) == content[MIB : MIB + 9]
    assert bytes(await (await obstore.get_async(store, "a/large")).bytes_async()) == content
    listed = [meta["path"] for batch in obstore.list(store, prefix="a") for meta in batch]
    assert listed == ["a/large", "a/ü &+%"]
    with pytest.raises(obstore.exceptions.AlreadyExistsError):
        await obstore.put_async(store, "a/large", b"", mode="create")
    await obstore.copy_async(store, "a/large", "b/copy")
    await obstore.delete_async(store, ["a/large", "a/ü &+%"])
    assert [meta["path"] for batch in obstore.list(store) for meta in batch] == ["b/copy"]


def test_the_aws_cli(server: S3Server, bucket: str, tmp_path: Path) -> None:
    program = shutil.which("aws")
    if program is None:
        pytest.skip("the AWS CLI is not here: pip install awscli")
    key = "AKIDOWNER"
    variables = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "AWS_ENDPOINT_URL": server.url, "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": KEYS[key].secret, "AWS_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "1",
    }  # fmt: skip

    def aws(*arguments: str) -> str:
        done = subprocess.run(
            [program, "s3", *arguments], env=variables, cwd=tmp_path, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "large").write_bytes(os.urandom(9 * MIB))
    (folder / "smäll").write_bytes(b"small")
    aws("cp", "data", f"s3://{bucket}/data/", "--recursive")
    assert [line.split()[-2:] for line in aws("ls", f"s3://{bucket}/data/").splitlines()] == [
        [str(9 * MIB), "large"], ["5", "smäll"]
    ]  # fmt: skip
    aws("cp", f"s3://{bucket}/data/large", f"s3://{bucket}/again")
    aws("sync", f"s3://{bucket}/data/", "back")
    assert (tmp_path / "back" / "large").read_bytes() == (folder / "large").read_bytes()
    aws("rm", f"s3://{bucket}", "--recursive")
    assert aws("ls", f"s3://{bucket}") == ""
    aws("rb", f"s3://{bucket}")


def test_the_crt_client(server: S3Server, s3: Any, bucket: str, tmp_path: Path) -> None:
    """Amazon's C client: parts in parallel, with CRC64NVME in trailers."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(21 * MIB))
    key = "AKIDOWNER"
    loops = io.EventLoopGroup(1)
    credentials = auth.AwsCredentialsProvider.new_static(key, KEYS[key].secret)
    client = crt.S3Client(
        bootstrap=io.ClientBootstrap(loops, io.DefaultHostResolver(loops)), region="us-east-1", part_size=8 * MIB,
        signing_config=crt.create_default_s3_signing_config(region="us-east-1", credential_provider=credentials),
        tls_mode=crt.S3RequestTlsMode.DISABLED,
    )  # fmt: skip

    def ask(method: str, kind: crt.S3RequestType, checksums: crt.S3ChecksumConfig, **more: Any) -> None:
        headers = http.HttpHeaders([("host", server.url.removeprefix("http://"))])
        if method == "PUT":
            headers.add("content-length", str(source.stat().st_size))
        request = http.HttpRequest(method, f"/{bucket}/k", headers)
        client.make_request(request=request, type=kind, checksum_config=checksums, **more).finished_future.result(60)

    trailing = crt.S3ChecksumConfig(
        algorithm=crt.S3ChecksumAlgorithm.CRC64NVME, location=crt.S3ChecksumLocation.TRAILER, validate_response=True
    )
    ask("PUT", crt.S3RequestType.PUT_OBJECT, trailing, send_filepath=str(source))
    ask("GET", crt.S3RequestType.GET_OBJECT, crt.S3ChecksumConfig(validate_response=True), recv_filepath=str(target))
    assert target.read_bytes() == source.read_bytes()
    told = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (told["ChecksumType"], "ChecksumCRC64NVME" in told) == ("FULL_OBJECT", True)


@pytest.mark.parametrize("trailing", [True, False])
def test_signed_and_unsigned_chunks_over_plain_http(s3: Any, bucket: str, trailing: bool) -> None:
    """A body that cannot be rewound goes out in chunks with a trailing checksum."""

    class Unseekable:
        def __init__(self, content: bytes) -> None:
            self._left = content

        def read(self, size: int = -1) -> bytes:
            size = len(self._left) if size is None or size < 0 else size
            piece, self._left = self._left[:size], self._left[size:]
            return piece

    content = os.urandom(3 * MIB)
    if trailing:
        s3.upload_fileobj(Unseekable(content), bucket, "k", ExtraArgs={"ChecksumAlgorithm": "CRC32C"})
    else:
        s3.put_object(Bucket=bucket, Key="k", Body=content)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == content


class ChunkSigner(S3SigV4Auth):  # type: ignore[misc]
    """botocore's signer, saying that signed chunks follow; and those chunks."""

    word = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"

    def payload(self, _request: Any) -> str:
        return self.word

    def put(self, url: str, chunks: list[bytes], trailers: dict[str, str], spoilt: int = -1) -> httpx2.Response:
        self.word = f"{ChunkSigner.word}-TRAILER" if trailers else ChunkSigner.word
        size = sum(map(len, chunks))
        headers = {"x-amz-content-sha256": self.word, "x-amz-decoded-content-length": str(size)}
        if trailers:
            headers["x-amz-trailer"] = ",".join(trailers)
        request = AWSRequest("PUT", url, headers=headers)
        self.add_auth(request)
        last = request.headers["Authorization"].rpartition("Signature=")[2]
        body = b""
        for number, chunk in enumerate((*chunks, b"")):
            last = self._next(request, "PAYLOAD", last, f"{EMPTY}\n{sha256(chunk).hexdigest()}")
            told = chunk[::-1] if number == spoilt else chunk
            body += f"{len(chunk):x};chunk-signature={last}\r\n".encode() + told + (b"\r\n" if chunk else b"")
        lines = "".join(f"{name}:{value}\n" for name, value in sorted(trailers.items()))
        body += lines.replace("\n", "\r\n").encode()
        if trailers:
            signature = self._next(request, "TRAILER", last, sha256(lines.encode()).hexdigest())
            body += f"x-amz-trailer-signature:{signature}\r\n".encode()
        return httpx2.put(url, content=body + b"\r\n", headers=dict(request.headers.items()))

    def _next(self, request: AWSRequest, kind: str, last: str, rest: str) -> str:
        lines = (f"AWS4-HMAC-SHA256-{kind}", request.context["timestamp"], self.credential_scope(request), last, rest)
        return str(self.signature("\n".join(lines), request))


@pytest.mark.case(11)
@pytest.mark.parametrize("trailers", [{}, {"x-amz-checksum-crc32": "SYMBwA=="}])
def test_signed_chunks(server: S3Server, s3: Any, bucket: str, trailers: dict[str, str]) -> None:
    key = "AKIDOWNER"
    signer = ChunkSigner(Credentials(key, KEYS[key].secret), "s3", "us-east-1")
    chunks = [bytes(range(256)) * 256, b"the end"]
    if trailers:
        trailers["x-amz-checksum-crc32"] = base64.b64encode(zlib.crc32(b"".join(chunks)).to_bytes(4, "big")).decode()
    answer = signer.put(f"{server.url}/{bucket}/k", chunks, trailers)
    assert answer.status_code == 200, answer.text
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"".join(chunks)
    for spoilt in (0, 1):
        refused = signer.put(f"{server.url}/{bucket}/spoilt", chunks, trailers, spoilt)
        assert (refused.status_code, "SignatureDoesNotMatch" in refused.text) == (403, True)
    assert "spoilt" not in str(s3.list_objects_v2(Bucket=bucket))


def chunked(content: bytes, trailer: str) -> bytes:
    chunks = [content[start : start + 8192] for start in range(0, len(content), 8192)]
    body = b"".join(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n" for chunk in chunks)
    return body + f"0\r\n{trailer}\r\n\r\n".encode()


def test_unsigned_chunks_with_a_trailer(open_server: S3Server) -> None:
    content, url = b"x" * 20_000, f"{open_server.url}/bucket/chunks"
    headers = {
        "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "content-encoding": "aws-chunked,gzip",
        "x-amz-decoded-content-length": "20000", "x-amz-trailer": "x-amz-checksum-crc32",
    }  # fmt: skip
    put = httpx2.put(url, content=chunked(content, "x-amz-checksum-crc32:hm1gQA=="), headers=headers)
    assert (put.status_code, "BadDigest" in put.text) == (400, True)
    true = open_server.client("x", "y").put_object(Bucket="bucket", Key="whole", Body=content)["ChecksumCRC32"]
    put = httpx2.put(url, content=chunked(content, f"x-amz-checksum-crc32:{true}"), headers=headers)
    assert (put.status_code, put.headers["x-amz-checksum-crc32"]) == (200, true)
    got = httpx2.head(url)
    assert (got.headers["content-length"], got.headers["content-encoding"]) == ("20000", "gzip")
    for broken, word in (
        (chunked(content[1:], f"x-amz-checksum-crc32:{true}"), "IncompleteBody"),
        (chunked(content, "x-other:1"), "MalformedTrailerError"),
        (chunked(content, f"x-amz-checksum-crc32:{true}")[:-40], "IncompleteBody"),
        (content, "IncompleteBody"),
    ):
        refused = httpx2.put(f"{url}-broken", content=broken, headers=headers)
        assert (refused.status_code, word in refused.text) == (400, True), refused.text
    assert httpx2.head(f"{url}-broken").status_code == 404


def raw(server: S3Server, *pieces: bytes) -> tuple[int, bytes]:
    """What a server answers to bytes; its body."""
    host, port = server.url.removeprefix("http://").split(":")
    with closing(socket.create_connection((host, int(port)), DEADLINE)) as connection:
        for piece in pieces:
            connection.sendall(piece)
        answer = HTTPResponse(connection)
        answer.begin()
        return answer.status, answer.read()


def test_a_body_is_asked_for_only_where_it_is_wanted(open_server: S3Server) -> None:
    head = b"PUT /bucket/%b HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\nexpect: 100-continue\r\n%b\r\n"
    assert raw(open_server, head % (b"k", b""), b"12345")[0] == 200
    status, body = raw(open_server, head % (b"k", b"if-none-match: *\r\n"))
    assert (status, b"PreconditionFailed" in body) == (412, True)


def test_a_put_without_a_length_is_refused(open_server: S3Server) -> None:
    request = b"PUT /bucket/k HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
    status, body = raw(open_server, request)
    assert (status, b"MissingContentLength" in body) == (411, True)


def test_a_client_that_leaves_in_the_middle_leaves_nothing(open_server: S3Server) -> None:
    host, port = open_server.url.removeprefix("http://").split(":")
    with closing(socket.create_connection((host, int(port)), DEADLINE)) as connection:
        connection.sendall(b"PUT /bucket/left HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9000000\r\n\r\n")
        connection.sendall(b"x" * 4_000_000)
    assert httpx2.head(f"{open_server.url}/bucket/left").status_code == 404


@pytest.mark.parametrize(
    ("method", "target", "status", "word"),
    [
        ("GET", "/bucket/%ff", 400, "InvalidURI"),
        ("GET", "/bucket?max-keys=x", 400, "InvalidArgument"),
        ("GET", "/bucket?max-keys=99999999999", 400, "InvalidArgument"),
        ("GET", "/bucket?list-type=2&continuation-token=x", 400, "InvalidArgument"),
        ("GET", "/bucket?encoding-type=x", 400, "InvalidArgument"),
        ("GET", "/bucket/k?uploadId=x", 404, "NoSuchUpload"),
        ("GET", "/none", 404, "NoSuchBucket"),
        ("GET", "/bucket/none", 404, "NoSuchKey"),
        ("GET", "/bucket/none?versionId=x", 404, "NoSuchVersion"),
        ("GET", "/bucket/k?torrent", 501, "NotImplemented"),
        ("PATCH", "/bucket/k", 405, "MethodNotAllowed"),
        ("PUT", "/UPPER", 400, "InvalidBucketName"),
        ("PUT", "/ab", 400, "InvalidBucketName"),
        ("PUT", "/127.0.0.1", 400, "InvalidBucketName"),
        ("PUT", "/bucket/k?partNumber=0&uploadId=x", 404, "NoSuchUpload"),
        ("POST", "/bucket?delete", 400, "MalformedXML"),
        ("POST", "/bucket", 501, "NotImplemented"),
        ("DELETE", "/", 405, "MethodNotAllowed"),
    ],
)
def test_errors_have_their_words(open_server: S3Server, method: str, target: str, status: int, word: str) -> None:
    answer = httpx2.request(method, open_server.url + target, content=b"")
    assert (answer.status_code, f"<Code>{word}</Code>" in answer.text) == (status, True), answer.text
    assert answer.headers["x-amz-request-id"] in answer.text


def test_a_reader_changes_nothing(server: S3Server, s3: Any, bucket: str) -> None:
    from botocore.exceptions import ClientError

    s3.put_object(Bucket=bucket, Key="k", Body=b"text")
    reader = server.client("AKIDREADER")
    assert reader.get_object(Bucket=bucket, Key="k")["Body"].read() == b"text"
    for call in (
        lambda: reader.put_object(Bucket=bucket, Key="k", Body=b""),
        lambda: reader.delete_object(Bucket=bucket, Key="k"),
        lambda: reader.create_bucket(Bucket=f"{bucket}-new"),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            call()


async def test_many_readers_and_writers_at_once_see_whole_objects(open_server: S3Server) -> None:
    async with httpx2.AsyncClient(base_url=open_server.url, timeout=DEADLINE) as client:

        async def write(number: int) -> None:
            body = b"%d" % (number % 10) * (200_000 + number)
            assert (await client.put("/bucket/shared", content=body)).status_code == 200

        async def read() -> None:
            body = (await client.get("/bucket/shared")).content
            assert body == body[:1] * len(body)

        await write(0)
        await asyncio.gather(*(write(number) for number in range(10)), *(read() for _ in range(30)))
