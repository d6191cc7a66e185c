"""Folders kept in step with a store while somebody writes them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from trainyard.agent.listing import write_listing
from trainyard.agent.orders import SyncOrder
from trainyard.agent.staging import stage
from trainyard.agent.syncing import COPY, Round, Syncing, as_channel, remove_copies
from trainyard.kit.clock import SystemClock
from trainyard.model.errors import Transient
from trainyard.objects.buckets import Buckets, Route

URI = "s3://b/ckpt"


class Later(SystemClock):
    """Ten seconds on: what was written just now was not."""

    def now(self) -> float:
        return super().now() + 10


class Failing(Buckets):
    """The embedded store, which refuses what it is told to refuse, and tells what it was asked."""

    def __init__(self, root: Path) -> None:
        super().__init__({}, Route(embedded=str(root)))
        self.refused = ""
        self.uploaded: list[str] = []

    async def upload(self, source: Path, uri: str) -> int:
        if self.refused and uri.endswith(self.refused):
            raise Transient("the store is busy")
        self.uploaded.append(uri.removeprefix(f"{URI}/"))
        return await super().upload(source, uri)


@pytest.fixture
def store(tmp_path: Path) -> Failing:
    return Failing(tmp_path / "store")


@pytest.fixture
def ml(tmp_path: Path) -> Path:
    folder = tmp_path / "ml"
    for name in ("checkpoints", "input/data"):
        (folder / name).mkdir(parents=True)
    return folder


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "attempt"
    folder.mkdir()
    return folder


def order_of(ml: Path, *, is_checkpoints: bool = True) -> SyncOrder:
    return SyncOrder(root=str(ml), folder="checkpoints", uri=URI, is_checkpoints=is_checkpoints)


@pytest.fixture
def syncing(store: Failing, ml: Path, scratch: Path) -> Syncing:
    return Syncing(store, order_of(ml), scratch, Later())


async def kept(store: Buckets) -> dict[str, bytes]:
    return {info.uri.removeprefix(f"{URI}/"): await store.get(info.uri) async for info in store.list(f"{URI}/")}


async def test_files_go_up_as_they_come_and_change(syncing: Syncing, store: Failing, ml: Path) -> None:
    (ml / "checkpoints/deep").mkdir()
    (ml / "checkpoints/deep/a").write_text("1")
    assert await syncing.look() == Round(uploaded=1)
    assert await syncing.look() == Round()
    (ml / "checkpoints/deep/a").write_text("2")
    (ml / "checkpoints/b").write_text("b")
    assert await syncing.look() == Round(uploaded=2)
    assert await kept(store) == {"b": b"b", "deep/a": b"2"}


async def test_a_file_of_the_same_length_and_time_is_another(syncing: Syncing, store: Failing, ml: Path) -> None:
    file = ml / "checkpoints/a"
    for text in ("1", "2"):
        file.write_text(text)
        os.utime(file, (1_600_000_000, 1_600_000_000))
        await syncing.look()
    assert await kept(store) == {"a": b"2"}


async def test_a_checkpoint_that_is_being_written_waits(syncing: Syncing, store: Failing, ml: Path) -> None:
    (ml / "checkpoints/a").write_text("whole")
    await syncing.look()
    with (ml / "checkpoints/a").open("w") as writing:
        writing.write("ha")
        writing.flush()
        assert await syncing.look() == Round(left=1)
        assert await kept(store) == {"a": b"whole"}
        writing.write("lf")
    assert await syncing.look() == Round(uploaded=1)
    assert await kept(store) == {"a": b"half"}


async def test_what_is_removed_is_deleted_once_all_else_is_there(syncing: Syncing, store: Failing, ml: Path) -> None:
    (ml / "checkpoints/old").write_text("old")
    await syncing.look()
    (ml / "checkpoints/old").unlink()
    (ml / "checkpoints/new").write_text("new")
    with (ml / "checkpoints/new").open("a"):
        assert await syncing.look() == Round(left=1)
    assert await kept(store) == {"old": b"old"}
    assert await syncing.look() == Round(uploaded=1, deleted=1)
    assert await kept(store) == {"new": b"new"}


async def test_a_folder_that_is_gone_deletes_nothing(syncing: Syncing, store: Failing, ml: Path) -> None:
    (ml / "checkpoints/a").write_text("a")
    await syncing.look()
    shutil.rmtree(ml / "checkpoints")
    assert await syncing.look() == Round()
    assert await kept(store) == {"a": b"a"}


async def test_objects_that_others_put_there_are_left_alone(syncing: Syncing, store: Failing, ml: Path) -> None:
    await store.put(f"{URI}/another", b"another host's")
    (ml / "checkpoints/a").write_text("a")
    await syncing.look()
    (ml / "checkpoints/a").unlink()
    await syncing.look()
    assert await kept(store) == {"another": b"another host's"}


async def test_a_fault_holds_nothing_else_up_and_is_told(syncing: Syncing, store: Failing, ml: Path) -> None:
    store.refused = "b"
    for name in "abc":
        (ml / "checkpoints" / name).write_text(name)
    with pytest.raises(Transient):
        await syncing.look()
    assert sorted(await kept(store)) == ["a", "c"]
    store.refused = ""
    assert await syncing.look() == Round(uploaded=1)


async def test_whoever_comes_after_a_killed_helper_knows_what_is_there(
    syncing: Syncing, store: Failing, ml: Path, scratch: Path
) -> None:
    for name in "ab":
        (ml / "checkpoints" / name).write_text(name)
    await syncing.look()
    (scratch / f"{COPY}x").write_text("half")
    (ml / "checkpoints/a").unlink()
    remove_copies(scratch)
    assert await Syncing(store, order_of(ml), scratch, Later()).look() == Round(deleted=1)
    assert await kept(store) == {"b": b"b"}
    assert not list(scratch.glob(f"{COPY}*"))


async def test_what_was_brought_back_is_not_uploaded_and_can_be_removed(
    syncing: Syncing, store: Failing, ml: Path, scratch: Path
) -> None:
    for key in ("a", "deep/b"):
        await store.put(f"{URI}/{key}", b"earlier")
    await store.put(f"{URI}-2/c", b"of another job")
    await bring_back(store, ml, scratch)
    assert syncing.brought_back() == 2
    assert (ml / "checkpoints/deep/b").read_bytes() == b"earlier"
    assert (ml / "input/data/checkpoints-manifest").read_text().splitlines()[0] == "ckpt/"
    assert await syncing.look() == Round()
    (ml / "checkpoints/a").unlink()
    assert await syncing.look() == Round(deleted=1)
    assert await kept(store) == {"deep/b": b"earlier"}


async def bring_back(store: Failing, ml: Path, scratch: Path) -> None:
    channel = as_channel(order_of(ml), scratch)
    await write_listing(store, channel)
    await stage(store, channel, lambda _: None)


async def test_nothing_to_bring_back_is_no_fault(store: Failing, ml: Path, scratch: Path) -> None:
    await bring_back(store, ml, scratch)
    assert not list((ml / "checkpoints").iterdir())


async def test_names_that_ask_for_it_stay_here(syncing: Syncing, store: Failing, ml: Path) -> None:
    (ml / "checkpoints/x.sagemaker-ignore").mkdir()
    for name in ("a", "a.sagemaker-ignore", "a.sagemaker-uploaded", "x.sagemaker-ignore/b"):
        (ml / "checkpoints" / name).write_text(name)
    await syncing.look()
    assert list(await kept(store)) == ["a"]


async def test_links_lead_no_further_than_the_folder(
    syncing: Syncing, store: Failing, ml: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret")
    (ml / "checkpoints/a").write_text("a")
    (ml / "checkpoints/latest").symlink_to("a")
    (ml / "checkpoints/absolute").symlink_to("/opt/ml/checkpoints/a")
    (ml / "checkpoints/out").symlink_to(tmp_path / "secret")
    (ml / "checkpoints/dangling").symlink_to("nothing")
    os.mkfifo(ml / "checkpoints/pipe")
    await syncing.look()
    assert await kept(store) == {"a": b"a", "absolute": b"a", "latest": b"a"}


async def test_a_file_that_grows_goes_up_as_far_as_it_is(store: Failing, ml: Path, scratch: Path) -> None:
    syncing = Syncing(store, order_of(ml, is_checkpoints=False), scratch, Later())
    with (ml / "checkpoints/events").open("w") as writing:
        for text in ("one ", "two "):
            writing.write(text)
            writing.flush()
            assert await syncing.look() == Round(uploaded=1)
    assert await kept(store) == {"events": b"one two "}
    (ml / "checkpoints/events").unlink()
    await syncing.look()
    assert await kept(store) == {"events": b"one two "}, "only checkpoints carry deletions over"


async def test_at_the_end_files_go_up_whatever_their_age(store: Failing, ml: Path, scratch: Path) -> None:
    syncing = Syncing(store, order_of(ml), scratch, SystemClock())
    (ml / "checkpoints/a").write_text("just now")
    assert await syncing.look(is_over=True) == Round(uploaded=1)
    assert await kept(store) == {"a": b"just now"}
