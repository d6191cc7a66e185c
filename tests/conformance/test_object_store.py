"""One suite over every place that objects can lie in: a folder, the embedded store, `file://`, an endpoint."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import boto3
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer
from tests.s3_server import KEYS as OWNER
from tests.s3_server import s3_server

from trainyard.model.errors import ValidationRefused
from trainyard.objects.buckets import Buckets, Route
from trainyard.objects.folders import path_of
from trainyard.ports.objects import ObjectInfo

KEYS = {"access_key_id": "test", "secret_access_key": "test"}
UNICODE = "ünï/日本 a+b%41&c=#?.csv"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def _client(endpoint: str) -> boto3.client:
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


@pytest.fixture
def bucket(endpoint: str) -> Iterator[str]:
    client = _client(endpoint)
    client.create_bucket(Bucket="remote")
    yield "remote"
    for entry in client.list_objects_v2(Bucket="remote").get("Contents", ()):
        client.delete_object(Bucket="remote", Key=entry["Key"])
    client.delete_bucket(Bucket="remote")


@pytest.fixture(params=["folder", "embedded", "file", "endpoint"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Buckets, str]]:
    """A router, and the URI that keys are put behind."""
    store, base = _place(request, tmp_path)
    with closing(store):
        yield store, base


def _place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Buckets, str]:
    root = tmp_path / "objects"
    root.mkdir()
    if request.param == "file":
        return Buckets({}, Route()), f"file://{root}/"
    if request.param == "endpoint":
        request.getfixturevalue("bucket")
        route = Route(endpoint=request.getfixturevalue("endpoint"), credentials=KEYS)
        return Buckets({"remote": route}, Route()), "s3://remote/"
    route = Route(folder=str(root)) if request.param == "folder" else Route(embedded=str(root))
    return Buckets({"mine": route}, Route()), "s3://mine/"


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Buckets]:
    with closing(Buckets({}, Route(embedded=str(tmp_path)))) as store:
        yield store


async def _listed(store: Buckets, uri: str) -> list[ObjectInfo]:
    return [info async for info in store.list(uri)]


async def test_what_is_put_is_there(place: tuple[Buckets, str]) -> None:
    store, base = place
    await store.put(base + "a/b.txt", b"hello")
    await store.put(base + "a/b.txt", b"hello again")
    assert await store.get(base + "a/b.txt") == b"hello again"
    info = await store.head(base + "a/b.txt")
    assert info is not None
    assert (info.uri, info.size) == (base + "a/b.txt", 11)
    assert info.etag
    assert info.modified > 1_500_000_000


async def test_a_missing_object_is_none_or_a_refusal(place: tuple[Buckets, str], tmp_path: Path) -> None:
    store, base = place
    assert await store.head(base + "none") is None
    with pytest.raises(ValidationRefused):
        await store.get(base + "none")
    assert await _listed(store, base + "none/") == []
    await store.delete(base + "none")
    target = tmp_path / "target"
    with pytest.raises((ValidationRefused, FileNotFoundError)):
        await store.download(ObjectInfo(uri=base + "none", size=1), target)
    assert not target.exists()


async def test_a_prefix_is_a_string_and_keys_come_in_order(place: tuple[Buckets, str]) -> None:
    store, base = place
    for key in ("data/train/2", "data/train-a", "data/test", "data/train/10", "data/trainer", "other"):
        await store.put(base + key, b"x")
    found = [info.uri.removeprefix(base) for info in await _listed(store, base + "data/train")]
    assert found == ["data/train-a", "data/train/10", "data/train/2", "data/trainer"]
    assert [info.uri for info in await _listed(store, base + "data/train/2")] == [base + "data/train/2"]
    assert len(await _listed(store, base)) == 6


async def test_what_lies_beside_a_prefix_is_not_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("data", "data-old", "disk"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"x")
    looked: list[str] = []
    real = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: looked.append(os.path.basename(path)) or real(path))
    found = await _listed(Buckets({}, Route()), f"file://{tmp_path}/data")
    assert [info.uri.removeprefix(f"file://{tmp_path}/") for info in found] == ["data-old/file", "data/file"]
    assert "disk" not in looked


async def test_a_file_goes_up_and_comes_down(place: tuple[Buckets, str], tmp_path: Path) -> None:
    store, base = place
    source, target = tmp_path / "source", tmp_path / "target"
    content = os.urandom(3_000_000)
    source.write_bytes(content)
    assert await store.upload(source, base + "big/one.bin") == len(content)
    [info] = await _listed(store, base + "big/")
    assert await store.download(info, target) == len(content)
    assert target.read_bytes() == content
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["source", "target"]


async def test_any_part_of_an_object_can_be_read(place: tuple[Buckets, str]) -> None:
    store, base = place
    content = os.urandom(2_500_000)
    await store.put(base + "big", content)
    [info] = await _listed(store, base)
    for start, stop in ((0, 10), (1_048_570, 1_048_590), (2_499_999, 2_500_000), (0, 2_500_000), (7, 7)):
        assert await store.read(info, start, stop) == content[start:stop]
    assert await store.read(replace(info, etag=""), 1, 3) == content[1:3]


async def test_a_part_is_of_that_very_object_or_refused(place: tuple[Buckets, str]) -> None:
    store, base = place
    await store.put(base + "k", b"first")
    [info] = await _listed(store, base)
    await store.put(base + "k", b"other one")
    with pytest.raises(ValidationRefused, match="is not what it was"):
        await store.read(info, 0, 3)
    await store.delete(base + "k")
    with pytest.raises(ValidationRefused):
        await store.read(info, 0, 3)


async def test_a_file_name_may_be_as_long_as_files_allow(place: tuple[Buckets, str], tmp_path: Path) -> None:
    store, base = place
    key = "ü" * 127
    await store.put(base + key, b"long")
    [info] = await _listed(store, base)
    await store.download(info, tmp_path / key)
    assert (tmp_path / key).read_bytes() == b"long"


async def test_deleting_removes_one_object(place: tuple[Buckets, str]) -> None:
    store, base = place
    await store.put(base + "a/1", b"1")
    await store.put(base + "a/2", b"2")
    await store.delete(base + "a/1")
    assert await store.head(base + "a/1") is None
    assert [info.uri for info in await _listed(store, base)] == [base + "a/2"]


async def test_keys_are_any_text(place: tuple[Buckets, str]) -> None:
    store, base = place
    await store.put(base + UNICODE, b"text")
    assert await store.get(base + UNICODE) == b"text"
    assert [info.uri for info in await _listed(store, base + "ünï/日")] == [base + UNICODE]


async def test_a_router_is_rebuilt_of_plain_values(place: tuple[Buckets, str]) -> None:
    store, base = place
    await store.put(base + "k", b"v")
    again = Buckets.from_plain(store.to_plain())
    assert await again.get(base + "k") == b"v"
    assert again.place_of(base + "k") == store.place_of(base + "k")


@pytest.mark.parametrize("uri", ["http://x/y", "s3://", "s3:///key", "s3://../key", "file://relative", "nothing"])
async def test_what_is_no_uri_is_refused(uri: str) -> None:
    with pytest.raises(ValidationRefused):
        await Buckets({}, Route(embedded="/nonexistent")).head(uri)


async def test_https_names_the_same_object(embedded: Buckets) -> None:
    await embedded.put("s3://mine/a", b"1")
    assert await embedded.get("https://s3.eu-west-1.amazonaws.com/mine/a") == b"1"


async def test_the_embedded_store_keeps_every_legal_key(embedded: Buckets, tmp_path: Path) -> None:
    keys = ["a", "a/b", "a/", "a//b", "/a", "../x", "a/../../b", ".", "c/./d", "\0", "x" * 200 + "/..", "e%2F", "%00/f"]
    keys += ["y" * 200 + "./z", "y" * 200 + "/z", "/", "//"]
    for key in keys:
        await embedded.put(f"s3://mine/{key}", key.encode())
    for key in keys:
        assert await embedded.get(f"s3://mine/{key}") == key.encode()
    assert [info.uri.removeprefix("s3://mine/") for info in await _listed(embedded, "s3://mine/")] == sorted(keys)
    found = [info.uri.removeprefix("s3://mine/") for info in await _listed(embedded, "s3://mine/a/")]
    assert found == sorted(key for key in keys if key.startswith("a/"))
    assert {path.name for path in tmp_path.iterdir()} <= {"index.db", "index.db-shm", "index.db-wal", "blobs"}
    await embedded.delete("s3://mine/a")
    assert await embedded.get("s3://mine/a/b") == b"a/b"


@pytest.mark.parametrize("key", ["", "k" * 1025])
async def test_the_embedded_store_refuses_keys_that_no_object_has(embedded: Buckets, key: str) -> None:
    with pytest.raises(ValidationRefused):
        await embedded.put(f"s3://mine/{key}", b"")


KEYS_OF_ALL_KINDS = st.lists(
    st.one_of(st.text(max_size=12), st.sampled_from(["", ".", "..", "\0", "a", "\n", "x" * 300, "\udce9"])),
    min_size=1, max_size=4,
).map("/".join).filter(bool)  # fmt: skip


@settings(deadline=None, max_examples=20)
@given(st.lists(KEYS_OF_ALL_KINDS, max_size=30), KEYS_OF_ALL_KINDS)
def test_the_embedded_store_lists_by_prefix_as_sorted_text_does(keys: list[str], prefix: str) -> None:
    async def listed(root: str) -> list[str]:
        with closing(Buckets({}, Route(embedded=root))) as store:
            for key in keys:
                await store.put(f"s3://mine/{key}", b"")
            return [info.uri.removeprefix("s3://mine/") async for info in store.list(f"s3://mine/{prefix}")]

    with tempfile.TemporaryDirectory() as root:
        assert asyncio.run(listed(root)) == sorted({key for key in keys if key.startswith(prefix)})


@pytest.mark.parametrize("key", ["", "/", "a/", "/a", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a\0b", "n" * 256])
async def test_a_folder_refuses_keys_that_are_no_files(tmp_path: Path, key: str) -> None:
    store = Buckets({}, Route(folder=str(tmp_path)))
    for attempt in (store.put(f"s3://mine/{key}", b"x"), store.get(f"s3://mine/{key}"), store.head(f"s3://mine/{key}")):
        with pytest.raises(ValidationRefused):
            await attempt
    with pytest.raises(ValidationRefused):
        path_of(key)
    assert list(tmp_path.iterdir()) == []


async def test_a_folder_refuses_a_key_below_a_file(tmp_path: Path) -> None:
    store = Buckets({}, Route(folder=str(tmp_path)))
    await store.put("s3://mine/a", b"1")
    with pytest.raises(ValidationRefused):
        await store.put("s3://mine/a/b", b"2")


async def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    store = Buckets({}, Route(folder=str(tmp_path / "gone")))
    with pytest.raises(ValidationRefused, match="does not exist"):
        await store.put("s3://mine/a", b"1")
    assert not (tmp_path / "gone").exists()


async def test_a_folder_may_hold_names_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.csv")).write_bytes(b"1")
    [info] = await _listed(Buckets({}, Route(folder=str(tmp_path))), "s3://mine/")
    assert info.size == 1


async def test_an_endpoints_folder_markers_keep_their_slash(endpoint: str, bucket: str) -> None:
    client = _client(endpoint)
    for key, body in (("d/", b""), ("d/sub/", b""), ("d/sub/x", b"1"), ("d/empty", b"")):
        client.put_object(Bucket=bucket, Key=key, Body=body)
    store = Buckets({}, Route(endpoint=endpoint, credentials=KEYS))
    found = [info.uri.removeprefix("s3://remote/") for info in await _listed(store, "s3://remote/d")]
    assert found == ["d/", "d/empty", "d/sub/", "d/sub/x"]


HOSTILE = [
    "a//b", "/a", "../x", "a/../b", "./x", "a/.", "n\nl", "r\rl", "t\tt", "\x01", "\x7f", "sp ace ", "\u00e9",
    "e\u0301", "A", "%41", "a%2Fb", "*", "q?x=1&y", "#h", "x/" * 505 + "y", "folder/", "日本", "~", "a\\b", "a:b", "|",
    "{}", "^`", "[x]",
]  # fmt: skip


async def test_no_key_of_an_endpoint_is_lost_or_taken_for_another(tmp_path: Path) -> None:
    with s3_server(tmp_path) as server:
        client = server.client()
        client.create_bucket(Bucket="remote")
        for number, key in enumerate(HOSTILE):
            client.put_object(Bucket="remote", Key=f"{number}/{key}", Body=b"" if key.endswith("/") else b"x")
        keys = {"access_key_id": "AKIDOWNER", "secret_access_key": OWNER["AKIDOWNER"].secret}
        store = Buckets({"remote": Route(endpoint=server.url, credentials=keys)}, Route())
        for number, key in enumerate(HOSTILE):
            assert await _told(store, f"s3://remote/{number}/") in ([key], "refused")


async def _told(store: Buckets, uri: str) -> list[str] | str:
    """The keys under a prefix, each of which can be read; or that they are refused with a reason."""
    try:
        found = await _listed(store, uri)
    except ValidationRefused as refused:
        return "refused" if f"A key at {uri} cannot be served" in str(refused) else str(refused)
    assert [len(await store.read(info, 0, info.size)) for info in found] == [info.size for info in found]
    return [info.uri.removeprefix(uri) for info in found]


@pytest.mark.parametrize("body", [b"", b"x"])
async def test_an_endpoints_marker_is_not_taken_for_the_file_of_its_name(
    endpoint: str, bucket: str, body: bytes
) -> None:
    client = _client(endpoint)
    for key, content in (("d/k", body), ("d/k!", b"other"), ("d/k/", b"")):
        client.put_object(Bucket=bucket, Key=key, Body=content)
    store = Buckets({}, Route(endpoint=endpoint, credentials=KEYS))
    assert [info.uri.removeprefix("s3://remote/d/") for info in await _listed(store, "s3://remote/d/")] == [
        "k", "k!", "k/",
    ]  # fmt: skip


@pytest.mark.parametrize("key", ["a//b", "../a", "a/../b"])
async def test_an_endpoint_refuses_keys_that_it_cannot_be_asked_for(endpoint: str, bucket: str, key: str) -> None:
    store = Buckets({}, Route(endpoint=endpoint, credentials=KEYS))
    with pytest.raises(ValidationRefused):
        await store.get(f"s3://{bucket}/{key}")


async def test_a_missing_bucket_is_a_refusal(endpoint: str) -> None:
    store = Buckets({}, Route(endpoint=endpoint, credentials=KEYS))
    with pytest.raises(ValidationRefused):
        await _listed(store, "s3://nowhere/")
    with pytest.raises(ValidationRefused):
        await store.put("s3://nowhere/a", b"1")
