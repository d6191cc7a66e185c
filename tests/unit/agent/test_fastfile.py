"""FastFile: the tree, and which bytes are fetched for what is read."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.agent import fastfile
from trainyard.agent.fastfile import BLOCK, FURTHEST, KEPT, Blocks, Tree
from trainyard.agent.sources import Item
from trainyard.model.errors import Transient, ValidationRefused
from trainyard.objects.buckets import Buckets, Route
from trainyard.ports.objects import ObjectInfo


def item(path: str, size: int = 1) -> Item:
    return Item(path, (ObjectInfo(uri=f"s3://b/{path}", size=size),))


class Listed:
    """A listing of these items, as it is read."""

    def __init__(self, *items: Item) -> None:
        self._items = items

    def places(self, epoch: int) -> range:
        return range(len(self._items))

    def item(self, place: int) -> Item:
        return self._items[place]


def tree_of(*paths: str) -> Tree:
    tree = Tree()
    tree.add("c", Listed(*(item(path, size=0 if path.endswith("/") else 1) for path in paths)))  # type: ignore[arg-type]
    return tree


class Counting:
    """A store of one endless object, whose every byte tells its place."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []
        self.failing = 0

    async def read(self, info: ObjectInfo, start: int, stop: int) -> bytes:
        self.asked.append((start, stop))
        if self.failing:
            self.failing -= 1
            raise ValidationRefused("gone")
        return pattern(start, stop)

    @property
    def bytes(self) -> int:
        return sum(stop - start for start, stop in self.asked)


def pattern(start: int, stop: int) -> bytes:
    return bytes(place % 251 for place in range(start % 251, start % 251 + min(stop - start, 300))).ljust(stop - start)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop that runs beside the test, as it does beside libfuse's threads."""
    import threading

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def settled(loop: asyncio.AbstractEventLoop) -> None:
    """Until everything that was begun is over."""

    async def rest() -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(rest(), loop).result(30)


def test_folders_come_of_keys_and_markers() -> None:
    tree = tree_of("a", "x/y/b", "x/c", "empty/", "x/")
    assert tree.folders == {"": ["c"], "c": ["a", "x", "empty"], "c/x": ["y", "c"], "c/x/y": ["b"], "c/empty": []}
    assert sorted(tree.files) == ["c/a", "c/x/c", "c/x/y/b"]
    assert tree.object("c/x/c") == ObjectInfo(uri="s3://b/x/c", size=1)
    assert (tree.object("c/x"), tree.object("c"), tree.object("none")) == (None, None, None)


@pytest.mark.parametrize("paths", [("a", "a/b"), ("a/b", "a"), ("a", "a/"), ("a/", "a"), ("x/a/b", "x/a")])
def test_a_key_that_is_file_and_folder_is_refused(paths: tuple[str, ...]) -> None:
    with pytest.raises(ValidationRefused, match="one key is a file and a folder at once"):
        tree_of(*paths)


@pytest.mark.parametrize("path", ["..", "../x", "/x", "a//b", ".", "a/./b", "a\0", "n" * 256, "\ud800", "a/.."])
def test_a_key_that_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValidationRefused, match="cannot be a file below its channel's folder"):
        tree_of(path)


def test_a_folder_with_bytes_is_refused() -> None:
    with pytest.raises(ValidationRefused, match="has bytes and the key of a folder"):
        Tree().add("c", Listed(item("a/", size=3)))  # type: ignore[arg-type]


KEYS = st.lists(st.text("ab/.é\n", min_size=1, max_size=8), max_size=12, unique=True)


@given(KEYS)
def test_every_key_has_its_place_or_is_refused(keys: list[str]) -> None:
    try:
        tree = tree_of(*keys)
    except ValidationRefused:
        return
    assert set(tree.files) == {f"c/{key}" for key in keys if not key.endswith("/")}
    for path in (*tree.files, *tree.folders):
        above, _, name = path.rpartition("/")
        assert path == "" or name in tree.folders[above]


def test_a_look_into_the_middle_of_ten_gib_fetches_little(loop: asyncio.AbstractEventLoop) -> None:
    store = Counting()
    info = ObjectInfo(uri="s3://b/big", size=10 << 30)
    reader = Blocks(store.read, loop).reader(info)
    offset = (5 << 30) + 12345
    for place in range(offset, offset + (1 << 20), 128 << 10):
        data = reader.read(128 << 10, place)
        assert len(data) == 128 << 10
    settled(loop)
    assert store.bytes < 32 << 20
    assert store.bytes <= 4 * BLOCK


def test_a_header_is_one_block_and_the_next(loop: asyncio.AbstractEventLoop) -> None:
    store = Counting()
    reader = Blocks(store.read, loop).reader(ObjectInfo(uri="s3://b/big", size=10 << 30))
    assert reader.read(4, 0) == bytes(range(4))
    settled(loop)
    assert store.asked == [(0, BLOCK), (BLOCK, 2 * BLOCK)]


def test_who_reads_in_order_finds_bytes_there_and_none_is_fetched_twice(loop: asyncio.AbstractEventLoop) -> None:
    store = Counting()
    size = 60 * BLOCK + 7
    reader = Blocks(store.read, loop).reader(ObjectInfo(uri="s3://b/k", size=size))
    read = 0
    while data := reader.read(BLOCK, read):
        read += len(data)
        settled(loop)
        assert max(stop for _, stop in store.asked) <= min(size, read + (FURTHEST + 1) * BLOCK)
    assert read == size
    assert sorted(store.asked) == [(start, min(size, start + BLOCK)) for start in range(0, size, BLOCK)]


@given(st.integers(0, 5 * 64), st.lists(st.tuples(st.integers(0, 400), st.integers(1, 300)), min_size=1, max_size=10))
def test_what_is_read_is_what_is_there(size: int, reads: list[tuple[int, int]]) -> None:
    content = os.urandom(size)

    async def reading(info: ObjectInfo, start: int, stop: int) -> bytes:
        return content[start:stop]

    async def all_read() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fastfile, "BLOCK", 64)
            reader = Blocks(reading, asyncio.get_running_loop()).reader(ObjectInfo(uri="s3://b/k", size=size))
            for offset, length in reads:
                assert await asyncio.to_thread(reader.read, length, offset) == content[offset : offset + length]

    asyncio.run(all_read())


def test_memory_is_bounded_whoever_reads(loop: asyncio.AbstractEventLoop) -> None:
    store = Counting()
    blocks = Blocks(store.read, loop)
    for number in range(3 * KEPT):
        blocks.bytes_of(ObjectInfo(uri=f"s3://b/{number}", size=10), 0)
    assert len(blocks._kept) == KEPT
    readers = [blocks.reader(ObjectInfo(uri="s3://b/k", size=1)) for _ in range(8)]
    assert blocks.furthest == KEPT // 16
    for reader in readers:
        reader.close()
    assert blocks.furthest == FURTHEST


def test_what_failed_is_fetched_again_by_who_asks_next(loop: asyncio.AbstractEventLoop) -> None:
    store = Counting()
    store.failing = 1
    reader = Blocks(store.read, loop).reader(ObjectInfo(uri="s3://b/k", size=10))
    with pytest.raises(ValidationRefused):
        reader.read(10, 0)
    assert reader.read(10, 0) == pattern(0, 10)


def test_the_world_is_asked_again_before_a_read_fails(loop: asyncio.AbstractEventLoop) -> None:
    tries: list[int] = []

    async def failing(info: ObjectInfo, start: int, stop: int) -> bytes:
        tries.append(start)
        if len(tries) < 3:
            raise Transient("slow down", after=0.0)
        return b"x" * (stop - start)

    assert Blocks(failing, loop).reader(ObjectInfo(uri="s3://b/k", size=3)).read(9, 0) == b"xxx"


async def test_a_sparse_file_of_ten_gib_is_read_where_it_is_asked(tmp_path: Path) -> None:
    with (tmp_path / "big").open("wb") as file:
        file.seek(5 << 30)
        file.write(b"here")
        file.truncate(10 << 30)
    store = Buckets({}, Route())
    [info] = [info async for info in store.list(f"file://{tmp_path}/big")]
    reader = Blocks(store.read, asyncio.get_running_loop()).reader(info)
    assert await asyncio.to_thread(reader.read, 6, 5 << 30) == b"here\0\0"
