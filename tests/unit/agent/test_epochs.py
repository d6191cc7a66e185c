"""What a reader of a pipe gets: every object of an epoch, framed and unpacked as its channel says."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import struct
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainyard.agent import epochs, recordio
from trainyard.agent.epochs import epoch_bytes, fetched
from trainyard.agent.gunzipping import LARGEST, Gunzip, NotGzip
from trainyard.agent.listing import Listing, write_listing
from trainyard.agent.orders import ChannelOrder
from trainyard.model.errors import Transient, ValidationRefused
from trainyard.objects.buckets import Buckets, Route
from trainyard.ports.objects import ObjectInfo


def records(content: bytes) -> Iterator[bytes]:
    """The records of a RecordIO file, by what MXNet says of its format."""
    file = io.BytesIO(content)
    while head := file.read(8):
        magic, length = struct.unpack("<II", head)
        assert magic == 0xCED7230A
        yield file.read(length)
        assert file.read(-length % 4) == bytes(-length % 4)


def order_of(root: Path, uri: str = "s3://b/p/", **more: Any) -> ChannelOrder:
    return ChannelOrder(
        name="c", uri=uri, folder=str(root / "c"), manifest=str(root / "c-manifest"), listing=str(root / "c.items"),
        mode="Pipe", **more,
    )  # fmt: skip


async def given_by(root: Path, objects: dict[str, bytes], epoch: int = 0, **more: Any) -> bytes:
    with closing(Buckets({}, Route(embedded=str(root / "store")))) as store:
        for key, content in objects.items():
            await store.put(f"s3://b/{key}", content)
        order = order_of(root, **more)
        await write_listing(store, order)
        data = epoch_bytes(store.read, Listing(order), order, epoch, root)
        return b"".join([piece async for piece in data])


@settings(max_examples=30)
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=8), st.integers(1, 16))
def test_objects_follow_one_another_whole(contents: list[bytes], piece: int) -> None:
    with tempfile.TemporaryDirectory() as root, pytest.MonkeyPatch.context() as patch:
        patch.setattr(epochs, "PIECE", piece)
        objects = {f"p/{number}": content for number, content in enumerate(contents)}
        assert asyncio.run(given_by(Path(root), objects)) == b"".join(contents)


@settings(max_examples=30)
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=8), st.integers(1, 16), st.booleans())
def test_each_object_is_a_record(contents: list[bytes], piece: int, is_gzip: bool) -> None:
    with tempfile.TemporaryDirectory() as root, pytest.MonkeyPatch.context() as patch:
        patch.setattr(epochs, "PIECE", piece)
        objects = {
            f"p/{number}": gzip.compress(content) if is_gzip else content for number, content in enumerate(contents)
        }
        whole = asyncio.run(given_by(Path(root), objects, is_recordio=True, is_gzip=is_gzip))
        assert list(records(whole)) == contents


@pytest.mark.case(58)
async def test_a_line_is_a_record_for_each_attribute_to_the_byte(tmp_path: Path) -> None:
    lines = [
        {"source-ref": "s3://b/p/cat.jpg", "is-a-cat": 1, "who": "Tom"},
        {"is-a-cat": 0, "other": None, "source-ref": "s3://b/p/dog.jpg", "who": "Rex é"},
    ]
    manifest = "\n".join(map(json.dumps, lines)).encode() + b"\n\n"
    objects = {"m": manifest, "p/cat.jpg": b"\xff\xd8cat", "p/dog.jpg": b""}
    whole = await given_by(
        tmp_path, objects, uri="s3://b/m", kind="AugmentedManifestFile",
        attributes=("source-ref", "is-a-cat", "who"), is_recordio=True,
    )  # fmt: skip
    magic = bytes.fromhex("0a23d7ce")
    assert whole == b"".join([
        magic, b"\5\0\0\0", b"\xff\xd8cat", b"\0\0\0",
        magic, b"\1\0\0\0", b"1", b"\0\0\0", magic, b"\3\0\0\0", b"Tom\0",
        magic, b"\0\0\0\0", magic, b"\1\0\0\0", b"0", b"\0\0\0", magic, b"\6\0\0\0", "Rex é".encode(), b"\0\0",
    ])  # fmt: skip


async def test_lines_without_frames_are_their_bytes(tmp_path: Path) -> None:
    objects = {"m": b'{"a-ref": "s3://b/x", "b": [1, 2]}\n{"b": "t", "a-ref": "s3://b/x"}', "x": b"X"}
    asked = {"uri": "s3://b/m", "kind": "AugmentedManifestFile", "attributes": ("b", "a-ref")}
    assert await given_by(tmp_path, objects, **asked) == b"[1,2]XtX"


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        (b'{"a-ref": "s3://b/x"}\n{"a-ref": "s3://b/gone"}', "line 2: a-ref names 's3://b/gone', and there is no such"),
        (b'{"a-ref": "s3://b/x"}\nnothing', "s3://b/m, line 2 is no JSON"),
        (b"\n\n", "No S3 objects found"),
    ],
)
async def test_a_line_that_cannot_be_read_is_told(tmp_path: Path, manifest: bytes, told: str) -> None:
    asked = {"uri": "s3://b/m", "kind": "AugmentedManifestFile", "attributes": ("a-ref",)}
    with pytest.raises(ValidationRefused, match=told):
        await given_by(tmp_path, {"m": manifest, "x": b"X"}, **asked)


async def test_folder_markers_are_no_data(tmp_path: Path) -> None:
    objects = {"p/": b"", "p/a": b"A", "p/x/": b"", "p/y": b""}
    assert list(records(await given_by(tmp_path, objects, is_recordio=True))) == [b"A", b""]


@pytest.mark.case(60)
async def test_each_epoch_is_shuffled_anew_and_again_the_same(tmp_path: Path) -> None:
    objects = {f"p/{number:02}": b"%02d " % number for number in range(20)}
    orders = [await given_by(tmp_path, objects, epoch=epoch, seed=5) for epoch in (0, 1, 0)]
    assert orders[0] == orders[2] != orders[1]
    assert {tuple(sorted(order.split())) for order in orders} == {tuple(sorted(b"%02d" % n for n in range(20)))}


async def test_hosts_share_an_epoch(tmp_path: Path) -> None:
    objects = {f"p/{number:02}": b"%02d " % number for number in range(20)}
    shares = [
        (await given_by(tmp_path, objects, epoch=3, seed=5, is_sharded=True, host=host, hosts=3)).split()
        for host in range(3)
    ]
    assert sorted(word for share in shares for word in share) == [b"%02d" % number for number in range(20)]


@pytest.mark.case(62)
async def test_packed_objects_come_unpacked(tmp_path: Path) -> None:
    two_members = gzip.compress(b"one ") + gzip.compress(b"two ") + b"\0" * 512
    objects = {"p/a": two_members, "p/b": gzip.compress(b"x" * 3_000_000), "p/c": gzip.compress(b"")}
    assert await given_by(tmp_path, objects, is_gzip=True) == b"one two " + b"x" * 3_000_000


@pytest.mark.parametrize(
    "content",
    [b"plain", gzip.compress(b"cut" * 99, mtime=0)[:-9], gzip.compress(b"a", mtime=0) + b"rest"],
    ids=["plain", "cut", "more"],
)
async def test_what_is_no_gzip_is_told_by_its_name(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ValidationRefused, match=r"The object s3://b/p/a cannot be unpacked"):
        await given_by(tmp_path, {"p/a": content}, is_gzip=True)


@given(st.lists(st.binary(max_size=200), max_size=4), st.integers(1, 64))
def test_gzip_is_taken_off_in_whatever_pieces_it_comes(members: list[bytes], size: int) -> None:
    packed = b"".join(map(gzip.compress, members))
    gunzip = Gunzip()
    found = [data for start in range(0, len(packed), size) for data in gunzip.feed(packed[start : start + size])]
    gunzip.end()
    assert b"".join(found) == b"".join(members)


def test_a_bomb_goes_off_in_small_pieces() -> None:
    found = list(Gunzip().feed(gzip.compress(bytes(50_000_000))))
    assert max(map(len, found)) <= LARGEST
    assert sum(map(len, found)) == 50_000_000


def test_a_file_that_ends_in_its_middle_is_no_file() -> None:
    gunzip = Gunzip()
    list(gunzip.feed(gzip.compress(b"abc")[:-1]))
    with pytest.raises(NotGzip):
        gunzip.end()


async def test_a_record_longer_than_a_frame_can_tell_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordio, "LONGEST", 9)
    for content, is_gzip in ((b"0123456789", False), (gzip.compress(b"0123456789"), True)):
        with pytest.raises(ValidationRefused, match=r"s3://b/p/a is longer than a RecordIO record can be \(9 bytes\)"):
            await given_by(tmp_path, {"p/a": content}, is_recordio=True, is_gzip=is_gzip)


async def test_an_object_that_is_another_by_now_is_refused(tmp_path: Path) -> None:
    with closing(Buckets({}, Route(embedded=str(tmp_path / "store")))) as store:
        await store.put("s3://b/p/a", b"old")
        order = order_of(tmp_path)
        await write_listing(store, order)
        await store.put("s3://b/p/a", b"new")
        with pytest.raises(ValidationRefused, match="is not what it was"):
            [piece async for piece in epoch_bytes(store.read, Listing(order), order, 0, tmp_path)]


async def test_what_the_world_refuses_is_asked_for_again_and_not_for_ever() -> None:
    tries: list[int] = []

    async def failing(info: ObjectInfo, start: int, stop: int) -> bytes:
        tries.append(start)
        if len(tries) < 3:
            raise Transient("slow down", after=0.0)
        return b"x" * (stop - start)

    assert await fetched(failing, ObjectInfo(uri="s3://b/k", size=9), 2, 5) == b"xxx"

    async def gone(info: ObjectInfo, start: int, stop: int) -> bytes:
        tries.append(start)
        raise Transient("slow down", after=0.0)

    tries.clear()
    with pytest.raises(Transient):
        await fetched(gone, ObjectInfo(uri="s3://b/k", size=9), 0, 5)
    assert len(tries) == epochs.TRIES


async def test_no_more_is_fetched_ahead_than_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epochs, "PIECE", 10)
    fetches: list[int] = []

    async def reading(info: ObjectInfo, start: int, stop: int) -> bytes:
        fetches.append(start)
        return bytes(stop - start)

    with closing(Buckets({}, Route(embedded=str(tmp_path / "store")))) as store:
        await store.put("s3://b/p/a", bytes(10_000))
        order = order_of(tmp_path)
        await write_listing(store, order)
    data = epoch_bytes(reading, Listing(order), order, 0, tmp_path)
    taken = [await anext(data) for _ in range(5)]
    await asyncio.sleep(0)
    assert len(taken) <= len(fetches) <= len(taken) + epochs.AHEAD
    await data.aclose()
