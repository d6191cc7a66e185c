"""Archives as the service lays them out."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from trainyard.agent import outputs
from trainyard.agent.orders import OutputOrder
from trainyard.agent.outputs import upload
from trainyard.kit import beneath
from trainyard.model.errors import ValidationRefused
from trainyard.objects.buckets import Buckets, Route


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    return made


@pytest.fixture
def store(tmp_path: Path) -> Buckets:
    return Buckets({}, Route(embedded=str(tmp_path / "store")))


async def _uris(store: Buckets) -> list[str]:
    return [info.uri async for info in store.list("s3://b/")]


def _order(folder: Path, *, archive: bool) -> OutputOrder:
    uri = "s3://b/job/output/model" + ".tar.gz" * archive
    return OutputOrder(root=str(folder.parent), folder=folder.name, uri=uri, archive=archive, is_model=True)


def pack(folder: Path, archive: Path) -> tuple[str, ...]:
    with beneath.folder(folder, "") as descriptor:
        return outputs.pack(descriptor, archive)


def test_members_are_named_owned_and_dated_as_recorded(folder: Path, tmp_path: Path) -> None:
    (folder / "code").mkdir(mode=0o750)
    (folder / "code/inference.py").write_text("pass")
    (folder / "model.bin").write_bytes(b"\0" * 1000)
    (folder / "model.bin").chmod(0o640)
    (folder / "code").chmod(0o750)
    os.utime(folder / "model.bin", (1_600_000_000.9, 1_600_000_000.9))
    assert pack(folder, tmp_path / "a.tar.gz") == ()
    with tarfile.open(tmp_path / "a.tar.gz") as tar:
        members = {member.name: member for member in tar}
    assert list(members) == ["code", "code/inference.py", "model.bin"]
    assert all((one.uid, one.gid, one.uname, one.gname) == (0, 0, "", "") for one in members.values())
    assert (members["model.bin"].mode, members["model.bin"].mtime) == (0o640, 1_600_000_000)
    assert members["model.bin"].size == 1000
    assert members["code"].isdir()
    assert members["code"].mode == 0o750


def test_the_same_folder_makes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    (folder / "a").write_text("a")
    pack(folder, tmp_path / "1")
    pack(folder, tmp_path / "2")
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_links_stay_links(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/key").write_text("hidden")
    (folder / "away").symlink_to(tmp_path / "secret")
    (folder / "broken").symlink_to("nowhere")
    assert pack(folder, tmp_path / "a.tar.gz") == ()
    with tarfile.open(tmp_path / "a.tar.gz") as tar:
        found = [(member.name, member.issym(), member.linkname) for member in tar]
    assert found == [("away", True, str(tmp_path / "secret")), ("broken", True, "nowhere")]


def test_a_pipe_is_left_out_with_a_notice(folder: Path, tmp_path: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "z").write_text("z")
    [notice] = pack(folder, tmp_path / "a.tar.gz")
    assert notice.startswith("pipe ")
    with tarfile.open(tmp_path / "a.tar.gz") as tar:
        assert tar.getnames() == ["z"]


def test_names_may_be_long_or_no_text(folder: Path, tmp_path: Path) -> None:
    odd = os.fsdecode(b"caf\xe9")
    (folder / ("ü" * 120)).write_text("1")
    (folder / odd).write_text("2")
    pack(folder, tmp_path / "a.tar.gz")
    with tarfile.open(tmp_path / "a.tar.gz") as tar:
        assert set(tar.getnames()) == {"ü" * 120, odd}


async def test_an_archive_is_uploaded_and_nothing_stays_behind(folder: Path, store: Buckets, tmp_path: Path) -> None:
    (folder / "model.bin").write_bytes(b"weights")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    assert await upload(store, _order(folder, archive=True), scratch) == ()
    assert await _uris(store) == ["s3://b/job/output/model.tar.gz"]
    assert (await store.get("s3://b/job/output/model.tar.gz"))[:2] == b"\x1f\x8b"
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("archive", [True, False])
async def test_an_empty_folder_makes_no_object(folder: Path, store: Buckets, tmp_path: Path, archive: bool) -> None:
    assert await upload(store, _order(folder, archive=archive), tmp_path) == ()
    folder.rmdir()
    assert await upload(store, _order(folder, archive=archive), tmp_path) == ()
    assert await _uris(store) == []


async def test_without_compression_every_file_is_an_object(folder: Path, store: Buckets, tmp_path: Path) -> None:
    (folder / "code").mkdir()
    (folder / "code/a.py").write_text("a")
    (folder / "model.bin").write_text("m")
    os.mkfifo(folder / "pipe")
    [notice] = await upload(store, _order(folder, archive=False), tmp_path)
    assert notice.startswith("pipe ")
    assert await _uris(store) == ["s3://b/job/output/model/code/a.py", "s3://b/job/output/model/model.bin"]
    assert await store.get("s3://b/job/output/model/code/a.py") == b"a"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    made = tmp_path / "secret"
    made.mkdir()
    (made / "key").write_text("hidden")
    return made


@pytest.mark.parametrize("archive", [True, False])
async def test_a_link_in_the_folders_place_is_refused(
    folder: Path, secret: Path, store: Buckets, tmp_path: Path, archive: bool
) -> None:
    folder.rmdir()
    folder.symlink_to(secret)
    with pytest.raises(ValidationRefused, match="/opt/ml/model is no folder but a link"):
        await upload(store, _order(folder, archive=archive), tmp_path)
    assert await _uris(store) == []


async def test_a_link_on_the_way_to_the_folder_is_refused(tmp_path: Path, secret: Path, store: Buckets) -> None:
    (secret / "data").mkdir()
    (secret / "data/key").write_text("hidden")
    (tmp_path / "output").symlink_to(secret)
    order = OutputOrder(root=str(tmp_path), folder="output/data", uri="s3://b/o.tar.gz", archive=True, is_model=False)
    with pytest.raises(ValidationRefused, match="/opt/ml/output/data is no folder"):
        await upload(store, order, tmp_path)


async def test_without_archive_only_links_that_stay_inside_are_followed(
    folder: Path, secret: Path, store: Buckets, tmp_path: Path
) -> None:
    (folder / "blobs").mkdir()
    (folder / "blobs/w").write_text("weights")
    (folder / "deep").mkdir()
    (folder / "deep/relative").symlink_to("../blobs/w")
    (folder / "absolute").symlink_to("/opt/ml/model/blobs/w")
    (folder / "by-folder").symlink_to("blobs")
    (folder / "away").symlink_to(secret / "key")
    (folder / "up").symlink_to("../secret/key")
    (folder / "round").symlink_to("round")
    (folder / "through").symlink_to("way/key")
    (folder / "way").symlink_to(secret)
    notices = await upload(store, _order(folder, archive=False), tmp_path)
    base = "s3://b/job/output/model/"
    assert [uri.removeprefix(base) for uri in await _uris(store)] == ["absolute", "blobs/w", "deep/relative"]
    assert await store.get(base + "deep/relative") == await store.get(base + "absolute") == b"weights"
    assert sorted(notice.split(" ")[0] for notice in notices) == ["away", "by-folder", "round", "through", "up", "way"]
    assert sum("its link leads out of the folder" in notice for notice in notices) == 4


async def test_a_file_that_becomes_a_link_after_the_look_is_not_read(
    folder: Path, secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "w").write_text("weights")
    (folder / "x").write_text("more")
    opened = beneath.open_file

    def swapped(parent: int, name: str) -> int:
        if name == "w":
            (folder / "w").unlink()
            (folder / "w").symlink_to(secret / "key")
        return opened(parent, name)

    monkeypatch.setattr(beneath, "open_file", swapped)
    [notice] = pack(folder, tmp_path / "a.tar.gz")
    assert notice.startswith("w could not be read")
    with tarfile.open(tmp_path / "a.tar.gz") as tar:
        assert tar.getnames() == ["x"]


@pytest.mark.parametrize("archive", [True, False])
async def test_what_lies_too_deep_or_is_odd_is_told_in_few_words(
    folder: Path, store: Buckets, tmp_path: Path, archive: bool
) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    for _ in range(beneath.DEEPEST + 5):
        os.mkdir("d", dir_fd=descriptor)
        deeper = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = deeper
    os.close(descriptor)
    for number in range(50):
        os.mkfifo(os.fsencode(folder) + b"/pipe-\xff-%d" % number)
    notices = await upload(store, _order(folder, archive=archive), tmp_path)
    assert len(notices) == outputs.MOST_NOTICES + 1
    assert "lies more than 200 folders deep" in notices[0]
    assert notices[-1] == "31 more files or folders were left out."
    assert all(notice.encode() and len(notice) < 400 for notice in notices)
