"""File mode: which object becomes which file."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainyard.agent.orders import ChannelOrder
from trainyard.agent.staging import local_path, stage
from trainyard.model.errors import ValidationRefused
from trainyard.objects.buckets import Buckets, Route
from trainyard.ports.objects import PARTIAL, ObjectInfo


class Counting(Buckets):
    """The embedded store, with every download counted, and one that may fail."""

    def __init__(self, root: Path) -> None:
        super().__init__({}, Route(embedded=str(root)))
        self.fetched: list[str] = []
        self.failing = ""

    async def download(self, info: ObjectInfo, target: Path) -> int:
        if self.failing and info.uri.endswith(self.failing):
            raise ConnectionError(info.uri)
        self.fetched.append(info.uri)
        return await super().download(info, target)


@pytest.fixture
def store(tmp_path: Path) -> Counting:
    return Counting(tmp_path / "store")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


async def _stage(store: Buckets, data: Path, uri: str) -> int:
    order = ChannelOrder(name="ch", uri=uri, folder=str(data / "ch"), manifest=str(data / "ch-manifest"))
    return await stage(store, order, lambda _: None)


async def _put(store: Buckets, *keys: str) -> None:
    for key in keys:
        await store.put(f"s3://b/{key}", b"" if key.endswith("/") else key.encode())


def _tree(data: Path) -> list[str]:
    root = data / "ch"
    return sorted(path.relative_to(root).as_posix() + "/" * path.is_dir() for path in root.rglob("*"))


async def test_a_prefix_without_a_slash_keeps_its_last_part(store: Counting, data: Path) -> None:
    await _put(store, "data/train-a.csv", "data/train/b.csv", "data/test.csv")
    assert await _stage(store, data, "s3://b/data/train") == 2
    assert _tree(data) == ["train-a.csv", "train/", "train/b.csv"]
    assert (data / "ch/train/b.csv").read_bytes() == b"data/train/b.csv"


async def test_a_prefix_with_a_slash_is_taken_off(store: Counting, data: Path) -> None:
    await _put(store, "data/train/a.csv", "data/train/x/b.csv", "data/train-a.csv")
    await _stage(store, data, "s3://b/data/train/")
    assert _tree(data) == ["a.csv", "x/", "x/b.csv"]


async def test_a_single_object_is_a_prefix_too(store: Counting, data: Path) -> None:
    await _put(store, "data/train.csv")
    assert await _stage(store, data, "s3://b/data/train.csv") == 1
    assert _tree(data) == ["train.csv"]


@pytest.mark.parametrize("uri", ["s3://b", "s3://b/", "https://s3.eu-west-1.amazonaws.com/b/"])
async def test_a_whole_bucket(store: Counting, data: Path, uri: str) -> None:
    await _put(store, "a.csv", "x/b.csv")
    await _stage(store, data, uri)
    assert _tree(data) == ["a.csv", "x/", "x/b.csv"]
    assert (data / "ch-manifest").read_text() == "\ns3://b/a.csv\ns3://b/x/b.csv"


async def test_markers_become_folders(store: Counting, data: Path) -> None:
    await _put(store, "data/", "data/empty/", "data/full/", "data/full/a")
    await _stage(store, data, "s3://b/data/")
    assert _tree(data) == ["empty/", "full/", "full/a"]


async def test_the_manifest_names_the_prefix_and_every_object(store: Counting, data: Path) -> None:
    await _put(store, "tests/state/b", "tests/state/a")
    await _stage(store, data, "s3://b/tests/state")
    assert (data / "ch-manifest").read_text() == "tests/state\ns3://b/tests/state/a\ns3://b/tests/state/b"
    assert sorted(path.name for path in data.iterdir()) == ["ch", "ch-manifest"]


async def test_an_empty_prefix_is_refused(store: Counting, data: Path) -> None:
    with pytest.raises(ValidationRefused, match='No S3 objects found under S3 URL "s3://b/none"'):
        await _stage(store, data, "s3://b/none")
    assert not (data / "ch-manifest").exists()


@pytest.mark.parametrize("key", ["../x", "a/../../../x", "/x", "a//x", "./x", "a/\0", "n" * 256])
async def test_a_hostile_key_never_leaves_the_folder(store: Counting, data: Path, tmp_path: Path, key: str) -> None:
    await _put(store, f"p/{key}")
    with pytest.raises(ValidationRefused, match="cannot be a file"):
        await _stage(store, data, "s3://b/p/")
    assert _tree(data) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "store"]


@pytest.mark.parametrize("key", ["..", "../x", "/etc/passwd", "a/..", "a/../..", ".", "", "a\0", "./a"])
def test_a_path_is_below_the_folder_or_nowhere(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValidationRefused):
        local_path(f"s3://b/p/{key}", "s3://b/p/", tmp_path)


@pytest.mark.parametrize("keys", [("p/a", "p/a/b"), ("p/a", "p/a/")])
async def test_a_key_that_is_file_and_folder_is_refused(store: Counting, data: Path, keys: tuple[str, str]) -> None:
    await _put(store, *keys)
    with pytest.raises(ValidationRefused):
        await _stage(store, data, "s3://b/p/")


async def test_a_run_that_failed_is_repeated(store: Counting, data: Path) -> None:
    await _put(store, "p/a", "p/b", "p/c")
    store.failing = "p/b"
    with pytest.raises(ConnectionError):
        await _stage(store, data, "s3://b/p/")
    assert not (data / "ch-manifest").exists()
    store.failing = ""
    assert await _stage(store, data, "s3://b/p/") == 3
    assert [(data / "ch" / name).read_bytes() for name in "abc"] == [b"p/a", b"p/b", b"p/c"]


async def test_only_what_is_missing_or_cut_short_is_fetched(store: Counting, data: Path) -> None:
    await _put(store, "p/a", "p/b", "p/c")
    (data / "ch").mkdir(parents=True)
    (data / "ch/a").write_bytes(b"p/a")
    (data / "ch/c").write_bytes(b"p")
    assert await _stage(store, data, "s3://b/p/") == 3
    assert sorted(store.fetched) == ["s3://b/p/b", "s3://b/p/c"]
    assert [(data / "ch" / name).read_bytes() for name in "abc"] == [b"p/a", b"p/b", b"p/c"]


async def test_many_objects_all_arrive(store: Counting, data: Path) -> None:
    await _put(store, *(f"p/{number:03}" for number in range(60)))
    assert await _stage(store, data, "s3://b/p/") == 60
    assert len(_tree(data)) == 60


async def test_what_a_killed_run_left_half_fetched_is_no_data(store: Counting, data: Path) -> None:
    await store.put("s3://b/train/sub/a", b"1")
    (data / "ch" / "sub").mkdir(parents=True)
    (data / "ch" / "sub" / f"{PARTIAL}0123").write_bytes(b"half")
    await _stage(store, data, "s3://b/train/")
    assert [path.name for path in data.rglob("*") if path.is_file() and path.parent != data] == ["a"]
