"""File mode: which object becomes which file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from trainyard.agent import naming
from trainyard.agent.listing import write_listing
from trainyard.agent.naming import Names
from trainyard.agent.orders import ChannelOrder
from trainyard.agent.staging import stage
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


async def _stage(store: Buckets, data: Path, uri: str, **more: Any) -> int:
    order = ChannelOrder(
        name="ch", uri=uri, folder=str(data / "ch"), manifest=str(data / "ch-manifest"),
        listing=str(data.parent / "channels/ch.items"), **more,
    )  # fmt: skip
    written = await write_listing(store, order)
    await stage(store, order, lambda _: None)
    return written.items


async def _put(store: Buckets, *keys: str) -> None:
    for key in keys:
        await store.put(f"s3://b/{key}", b"" if key.endswith("/") else key.encode("utf-8", "surrogatepass"))


def _tree(data: Path) -> list[str]:
    root = data / "ch"
    return sorted(path.relative_to(root).as_posix() + "/" * path.is_dir() for path in root.rglob("*"))


async def test_a_prefix_without_a_slash_is_the_folder_of_that_name_and_what_lies_beside_it(
    store: Counting, data: Path
) -> None:
    await _put(store, "data/train-a.csv", "data/train/b.csv", "data/test.csv")
    assert await _stage(store, data, "s3://b/data/train") == 2
    assert _tree(data) == ["b.csv", "train-a.csv"]


async def test_two_objects_of_such_a_prefix_are_never_one_file(store: Counting, data: Path) -> None:
    await _put(store, "data/train-a.csv", "data/train/train-a.csv")
    with pytest.raises(ValidationRefused, match="would be the same file"):
        await _stage(store, data, "s3://b/data/train")


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


@pytest.mark.parametrize("key", ["../x", "a/../../../x", "/x", "a//x", "./x", "a/\0", "n" * 256, "ü" * 128, "\ud800"])
async def test_a_hostile_key_never_leaves_the_folder(store: Counting, data: Path, tmp_path: Path, key: str) -> None:
    await _put(store, f"p/{key}")
    with pytest.raises(ValidationRefused, match="cannot be a file"):
        await _stage(store, data, "s3://b/p/")
    assert _tree(data) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["channels", "data", "store"]


@pytest.mark.parametrize("key", ["..", "../x", "/etc/passwd", "a/..", "a/../..", ".", "", "a\0", "./a"])
def test_a_path_is_below_the_folder_or_nowhere(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValidationRefused):
        Names(tmp_path).path_of(key, f"s3://b/p/{key}")


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


async def _manifest(store: Buckets, *names: str, prefix: str = "s3://b/data/") -> None:
    await store.put("s3://b/lists/mine", json.dumps([{"prefix": prefix}, *names]).encode())


@pytest.mark.case(57)
@pytest.mark.parametrize("prefix", ["s3://b/data/", "https://b.s3.eu-west-1.amazonaws.com/data/"])
async def test_a_manifest_names_what_is_fetched(store: Counting, data: Path, prefix: str) -> None:
    await _put(store, "data/a.csv", "data/deep/b.csv", "data/c.csv")
    await _manifest(store, "deep/b.csv", "a.csv", "deep/b.csv", prefix=prefix)
    assert await _stage(store, data, "s3://b/lists/mine", kind="ManifestFile") == 3
    assert _tree(data) == ["a.csv", "deep/", "deep/b.csv"]
    assert sorted(store.fetched) == ["s3://b/data/a.csv", "s3://b/data/deep/b.csv"]
    assert (data / "ch-manifest").read_text().splitlines() == [
        "data/", "s3://b/data/deep/b.csv", "s3://b/data/a.csv", "s3://b/data/deep/b.csv",
    ]  # fmt: skip


async def test_a_prefix_may_leave_its_slash_to_the_names(store: Counting, data: Path) -> None:
    await _put(store, "data/a.csv")
    await _manifest(store, "/a.csv", prefix="s3://b/data")
    await _stage(store, data, "s3://b/lists/mine", kind="ManifestFile")
    assert _tree(data) == ["a.csv"]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["a.csv", "gone.csv"], r"The manifest s3://b/lists/mine, entry 3: it names 's3://b/data/gone.csv'"),
        (["../a.csv"], r"entry 2: it names 's3://b/data/../a.csv', and there is no such object"),
        ([], 'No S3 objects found under S3 URL "s3://b/lists/mine"'),
    ],
)
async def test_a_manifest_that_names_nothing_is_refused(
    store: Counting, data: Path, names: list[str], told: str
) -> None:
    await _put(store, "data/a.csv")
    await _manifest(store, *names)
    with pytest.raises(ValidationRefused, match=told):
        await _stage(store, data, "s3://b/lists/mine", kind="ManifestFile")


async def test_two_names_of_a_manifest_are_never_one_file(store: Counting, data: Path) -> None:
    await _put(store, "data/a", "dataa")
    await _manifest(store, "/a", "a", prefix="s3://b/data")
    with pytest.raises(ValidationRefused, match="'a' and '/a' would be the same file"):
        await _stage(store, data, "s3://b/lists/mine", kind="ManifestFile")


async def test_a_manifest_that_is_not_there_is_refused(store: Counting, data: Path) -> None:
    with pytest.raises(ValidationRefused, match="No S3 objects found under S3 URL"):
        await _stage(store, data, "s3://b/lists/mine", kind="ManifestFile")


async def test_hosts_share_a_channel_and_know_all_of_it(store: Counting, tmp_path: Path) -> None:
    keys = [f"p/{number:02}" for number in range(11)]
    await _put(store, *keys)
    shares = []
    for host in range(3):
        data = tmp_path / str(host) / "data"
        await _stage(store, data, "s3://b/p/", is_sharded=True, host=host, hosts=3, seed=None)
        shares.append([f"p/{name}" for name in _tree(data)])
        assert (data / "ch-manifest").read_text() == "\n".join(["p/", *(f"s3://b/{key}" for key in keys)])
    assert shares == [keys[0::3], keys[1::3], keys[2::3]]


async def test_a_host_may_get_nothing(store: Counting, data: Path) -> None:
    await _put(store, "p/a")
    assert await _stage(store, data, "s3://b/p/", is_sharded=True, host=1, hosts=2) == 0
    assert _tree(data) == []


async def test_a_seed_orders_the_list_and_deals(store: Counting, tmp_path: Path) -> None:
    await _put(store, *(f"p/{number:02}" for number in range(20)))
    lists, shares = [], []
    for number, (seed, host) in enumerate([(7, 0), (7, 1), (8, 0)]):
        data = tmp_path / str(number) / "data"
        await _stage(store, data, "s3://b/p/", is_sharded=True, host=host, hosts=2, seed=seed)
        lists.append((data / "ch-manifest").read_text())
        shares.append(set(_tree(data)))
    assert lists[0] == lists[1] != lists[2]
    assert (shares[0] & shares[1], len(shares[0] | shares[1])) == (set(), 20)
    assert shares[0] != shares[2]


async def test_every_legal_key_is_a_file_or_refused(store: Counting, data: Path) -> None:
    legal = ["new\nline", "cr\r", "A", "a", "\u00e9", "e\u0301", "sp ace", "*", "-rf", "\x7f", "%0A", "x/" * 510 + "xx"]
    await _put(store, *(f"p/{key}" for key in legal))
    await _stage(store, data, "s3://b/p/")
    for key in legal:
        assert (data / "ch" / key).read_bytes() == f"p/{key}".encode()
    assert len((data / "ch-manifest").read_text().split("\n")) == len(legal) + 1


async def test_spellings_that_a_file_system_takes_for_one_are_refused(
    store: Counting, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(naming, "_folds", lambda _root: True)
    for number, keys in enumerate([("A/x", "a/y"), ("\u00e9", "e\u0301"), ("k", "K")]):
        await _put(store, *(f"{number}/{key}" for key in keys))
        with pytest.raises(ValidationRefused, match="this file system takes both for one"):
            await _stage(store, data / str(number), f"s3://b/{number}/")
    await _put(store, "fine/A/x", "fine/A/y")
    await _stage(store, data, "s3://b/fine/")
    assert _tree(data) == ["A/", "A/x", "A/y"]


def test_a_file_system_that_keeps_spellings_apart_is_known_by_a_look(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert naming._folds(tmp_path) is (tmp_path / "A").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
