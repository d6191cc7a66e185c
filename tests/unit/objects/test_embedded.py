"""The embedded store: whole or nothing whatever dies, nothing left over, one truth for several processes."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from trainyard.kit.clock import SystemClock
from trainyard.model.buckets import Bucket, Doomed, Facts, Listing, PartClaim, Upload, Version, anything
from trainyard.model.errors import ObjectRefused, Refusal, Transient
from trainyard.objects.embedded import reading
from trainyard.objects.embedded.incoming import LARGEST_BODY
from trainyard.objects.embedded.store import EmbeddedStore

MIB = 1 << 20
SMALL, LARGE = b"s" * 100, b"l" * (3 * MIB)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "s3"


@pytest.fixture
async def store(root: Path) -> AsyncIterator[EmbeddedStore]:
    with closing(await opened(root)) as found:
        yield found


async def opened(root: Path) -> EmbeddedStore:
    store = EmbeddedStore(root, SystemClock())
    with suppress(ObjectRefused):
        await store.create_bucket(Bucket(name="b", owner="", region="us-east-1", created=0.0))
    return store


async def put(store: EmbeddedStore, key: str, *pieces: bytes) -> Version:
    async with store.incoming() as incoming:
        for piece in pieces:
            await incoming.write(piece)
        await incoming.finish()
        return await store.put("b", key, incoming, Facts(), anything)


async def get(store: EmbeddedStore, key: str) -> bytes:
    found = await store.open("b", key)
    return b"".join([piece async for piece in found.pieces(0, found.version.size)])


def files(root: Path) -> list[Path]:
    return [path for path in (root / "blobs").rglob("*") if path.is_file()]


async def parts_of(store: EmbeddedStore, key: str, *parts: bytes) -> tuple[Upload, list[PartClaim]]:
    upload = await store.create_upload("b", key, Facts(), "")
    claims = []
    for number, content in enumerate(parts, 1):
        async with store.incoming(["CRC64NVME"]) as incoming:
            await incoming.write(content)
            await incoming.finish()
            part = await store.put_part("b", upload, number, incoming, {})
            claims.append(PartClaim(number=number, etag=part.etag))
    return upload, claims


@pytest.mark.parametrize("size", [0, 1, LARGEST_BODY, LARGEST_BODY + 1, MIB, 3 * MIB + 5])
async def test_bytes_come_back_at_any_size_and_from_any_place(store: EmbeddedStore, size: int) -> None:
    content = os.urandom(size)
    version = await put(store, "k", *(content[start : start + 70_000] for start in range(0, size, 70_000)))
    assert version.size == size
    assert await get(store, "k") == content
    found = await store.open("b", "k")
    start, stop = size // 3, size - size // 4
    assert b"".join([piece async for piece in found.pieces(start, stop)]) == content[start:stop]


async def test_what_is_replaced_deleted_or_refused_leaves_no_file(store: EmbeddedStore, root: Path) -> None:
    def never(_current: Version | None) -> None:
        raise ObjectRefused(Refusal.PRECONDITION)

    await put(store, "k", LARGE)
    await put(store, "k", LARGE + b"2")
    async with store.incoming() as incoming:
        await incoming.write(LARGE)
    async with store.incoming() as incoming:
        await incoming.write(LARGE)
        await incoming.finish()
        with pytest.raises(ObjectRefused):
            await store.put("b", "k", incoming, Facts(), never)
    assert len(files(root)) == 1
    assert await get(store, "k") == LARGE + b"2"
    await store.delete("b", [Doomed(key="k")])
    assert files(root) == []


async def test_copies_share_their_bytes_until_the_last_goes(store: EmbeddedStore, root: Path) -> None:
    await put(store, "one", LARGE)
    for target in ("two", "one"):
        await store.copy(("b", "one", None), "b", target, lambda own: own, anything, anything)
    assert len(files(root)) == 1
    await store.delete("b", [Doomed(key="one")])
    assert await get(store, "two") == LARGE
    await store.delete("b", [Doomed(key="two")])
    assert files(root) == []


async def test_an_upload_moves_no_byte_when_it_is_completed(store: EmbeddedStore, root: Path) -> None:
    parts = (b"1" * (5 * MIB), b"2" * (5 * MIB), b"end")
    upload, claims = await parts_of(store, "k", *parts)
    before = {path: path.stat().st_ino for path in files(root)}
    await store.complete("b", "k", upload.upload, [claims[0], claims[2]], {}, anything)
    assert await get(store, "k") == parts[0] + parts[2]
    left = {path: path.stat().st_ino for path in files(root)}
    assert left.items() < before.items()
    assert len(left) == 1  # the part that was not claimed is gone, the last lies in the index


async def test_a_read_that_began_goes_on_when_its_object_is_deleted(store: EmbeddedStore) -> None:
    await put(store, "k", LARGE)
    pieces = (await store.open("b", "k")).pieces(0, len(LARGE))
    got = [await anext(pieces)]
    await store.delete("b", [Doomed(key="k")])
    got += [piece async for piece in pieces]
    assert b"".join(got) == LARGE


async def test_a_read_that_had_not_begun_says_so(store: EmbeddedStore) -> None:
    await put(store, "k", LARGE)
    found = await store.open("b", "k")
    await store.delete("b", [Doomed(key="k")])
    with pytest.raises(Transient, match="read again"):
        await anext(found.pieces(0, 10))


async def test_many_parts_are_opened_as_they_come(store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_OPENED_FIRST", 1)
    parts = (b"1" * (5 * MIB), b"2" * (5 * MIB), b"3" * MIB)
    upload, claims = await parts_of(store, "k", *parts)
    await store.complete("b", "k", upload.upload, claims, {}, anything)
    assert await get(store, "k") == b"".join(parts)


async def test_of_many_who_expect_nothing_there_one_wins(store: EmbeddedStore) -> None:
    def nothing(current: Version | None) -> None:
        if current is not None:
            raise ObjectRefused(Refusal.PRECONDITION)

    async def write(number: int) -> bool:
        async with store.incoming() as incoming:
            await incoming.write(b"%d" % number)
            await incoming.finish()
            with suppress(ObjectRefused):
                await store.put("b", "k", incoming, Facts(), nothing)
                return True
        return False

    assert sum(await asyncio.gather(*map(write, range(20)))) == 1


async def test_two_processes_see_one_store(store: EmbeddedStore, root: Path) -> None:
    with closing(await opened(root)) as other:
        await put(other, "k", LARGE)
        assert await get(store, "k") == LARGE
        await put(store, "k", SMALL)
        assert await get(other, "k") == SMALL


async def test_a_sweep_takes_what_nobody_names_and_nobody_writes(store: EmbeddedStore, root: Path) -> None:
    await put(store, "k", LARGE)
    (root / "blobs" / "00").mkdir(exist_ok=True)
    (root / "blobs" / "00" / ("0" * 32)).write_bytes(b"left by one that died")
    async with store.incoming() as incoming:
        await incoming.write(LARGE)
        await incoming.write(LARGE)
        assert await store.collect(3600.0) == 1
        await incoming.finish()
        await store.put("b", "new", incoming, Facts(), anything)
    assert (await get(store, "k"), await get(store, "new")) == (LARGE, LARGE + LARGE)


async def test_stale_uploads_are_ended(store: EmbeddedStore, root: Path) -> None:
    upload, _ = await parts_of(store, "k", LARGE)
    await store.collect(3600.0)
    assert await store.upload("b", "k", upload.upload) == upload
    await store.collect(-1.0)
    with pytest.raises(ObjectRefused):
        await store.upload("b", "k", upload.upload)
    assert files(root) == []


async def test_a_caller_who_leaves_while_it_is_committed_loses_nothing(store: EmbeddedStore) -> None:
    async with store.incoming() as incoming:
        await incoming.write(LARGE)
        await incoming.finish()
        putting = asyncio.ensure_future(store.put("b", "k", incoming, Facts(), anything))
        await asyncio.sleep(0)
        putting.cancel()
        with suppress(asyncio.CancelledError):
            await putting
    with suppress(ObjectRefused):  # it may have left before it asked
        assert await get(store, "k") == LARGE


def killed(root: Path, enough: int) -> list[str]:
    """What a writing process acknowledged until it was killed, some time after `enough` lines."""
    variables = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    command = [sys.executable, __file__, str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=variables) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(enough)]
        os.kill(child.pid, signal.SIGKILL)
        lines += [line for line in child.stdout if line.endswith("\n")]
    return lines


@pytest.mark.parametrize("enough", [3, 17, 40])
async def test_after_kill_9_every_object_is_whole_and_as_it_was_acknowledged(root: Path, enough: int) -> None:
    last: dict[str, str] = {}
    for line in await asyncio.to_thread(killed, root, enough):
        key, state = line.split()
        last[key] = state
    with closing(await opened(root)) as store:
        for key, state in last.items():
            try:
                content = await get(store, key)
            except ObjectRefused:
                assert state in ("gone", "2")  # deleted, or the deletion that was under way had come through
                continue
            assert content == content[:1] * len(content)
            assert len(content) == SIZES[int(content[:1])]
            assert state == "gone" or int(content[:1]) >= int(state)  # what was under way may have come through
        await store.collect(3600.0)
        listed = await store.list_objects("b", Listing())
        for version in listed.entries:
            assert len(await get(store, version.key)) == version.size
        await store.delete("b", [Doomed(key=version.key) for version in listed.entries])
        for upload in (await store.list_uploads("b", Listing())).entries:
            await store.abort("b", upload)
    assert files(root) == []


SIZES = {0: 100, 1: 200_000, 2: 6 * MIB}


async def write_for_ever(root: Path) -> None:
    """Objects through three states, the last of them of two parts, then deleted; each acknowledged once it holds."""
    store = await opened(root)

    async def turn(lane: int) -> None:
        for number in range(1_000_000):
            key = f"{lane}/{number}"
            for state in (0, 1):
                await put(store, key, b"%d" % state * SIZES[state])
                os.write(1, f"{key} {state}\n".encode())
            upload, claims = await parts_of(store, key, b"2" * (5 * MIB), b"2" * MIB)
            await store.complete("b", key, upload.upload, claims, {}, anything)
            os.write(1, f"{key} 2\n".encode())
            if number % 2:
                await store.delete("b", [Doomed(key=key)])
                os.write(1, f"{key} gone\n".encode())

    await asyncio.gather(*map(turn, range(3)))


if __name__ == "__main__":
    asyncio.run(write_for_ever(Path(sys.argv[1])))
