"""Whatever an archive says, nothing is written outside of the folder."""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.kit.unpacking import UnsafeArchive, unpack


def entry(
    name: str, kind: bytes = tarfile.REGTYPE, *, link: str = "", content: bytes = b""
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(content)
    return info, content


def archive(folder: Path, *entries: tuple[tarfile.TarInfo, bytes]) -> Path:
    path = folder / "made.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for info, content in entries:
            tar.addfile(info, io.BytesIO(content))
    return path


def test_files_folders_and_links_inside_are_unpacked(tmp_path: Path) -> None:
    made = archive(
        tmp_path,
        entry("deep", tarfile.DIRTYPE),
        entry("deep/weights", content=b"42"),
        entry("current", tarfile.SYMTYPE, link="deep/weights"),
        entry("same", tarfile.LNKTYPE, link="deep/weights"),
    )
    read: list[int] = []
    written = unpack(made, tmp_path / "out", read.append)
    assert sorted(path.name for path in written) == ["current", "same", "weights"]
    assert (tmp_path / "out" / "current").read_bytes() == (tmp_path / "out" / "same").read_bytes() == b"42"
    assert read


HOSTILE = {
    "absolute": lambda: [entry("/evil", content=b"x"), entry("../evil", content=b"x")],
    "above": lambda: [entry("a/../../evil", content=b"x")],
    "through its own link": lambda: [
        entry("a", tarfile.DIRTYPE), entry("l", tarfile.SYMTYPE, link="a"), entry("l/evil", content=b"x"),
    ],
    "a link out": lambda: [entry("l", tarfile.SYMTYPE, link=".."), entry("l/evil", content=b"x")],
    "a hard link out": lambda: [entry("l", tarfile.LNKTYPE, link="../outside"), entry("l", content=b"x")],
    "a device": lambda: [entry("dev", tarfile.CHRTYPE)],
}  # fmt: skip


@pytest.mark.parametrize("how", HOSTILE)
def test_what_would_leave_the_folder_is_refused(tmp_path: Path, how: str) -> None:
    make: Callable[[], list[tuple[tarfile.TarInfo, bytes]]] = HOSTILE[how]
    out = tmp_path / "out"
    out.mkdir()
    outside = tmp_path / "outside"
    outside.write_bytes(b"mine")
    made = archive(tmp_path, *make())
    with pytest.raises(UnsafeArchive):
        unpack(made, out)
    assert outside.read_bytes() == b"mine"
    assert not (tmp_path / "evil").exists()


def test_a_link_that_lay_there_is_not_written_through(tmp_path: Path) -> None:
    out, outside = tmp_path / "out", tmp_path / "outside"
    out.mkdir()
    outside.mkdir()
    (outside / "file").write_bytes(b"mine")
    (out / "file").symlink_to(outside / "file")
    (out / "folder").symlink_to(outside)
    unpack(archive(tmp_path, entry("file", content=b"new")), out)
    assert (out / "file").read_bytes() == b"new"
    assert not (out / "file").is_symlink()
    with pytest.raises(UnsafeArchive, match="folder"):
        unpack(archive(tmp_path, entry("folder/file", content=b"new")), out)
    assert (outside / "file").read_bytes() == b"mine"


@pytest.mark.parametrize("how", HOSTILE)
def test_of_an_archive_with_a_bad_member_nothing_is_left(tmp_path: Path, how: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "weights").write_bytes(b"of the last job")
    made = archive(tmp_path, entry("weights", content=b"new"), entry("more/first", content=b"new"), *HOSTILE[how]())
    with pytest.raises(UnsafeArchive):
        unpack(made, out)
    assert [path.name for path in out.iterdir()] == ["weights"]
    assert (out / "weights").read_bytes() == b"of the last job"


@pytest.mark.parametrize("lying", ["file", "folder"])
def test_what_is_in_the_way_refuses_all_of_it(tmp_path: Path, lying: str) -> None:
    out = tmp_path / "out"
    (out / "thing").mkdir(parents=True)
    (out / "plain").write_bytes(b"mine")
    new = entry("thing", content=b"x") if lying == "folder" else entry("plain/below", content=b"x")
    with pytest.raises(UnsafeArchive, match=r"in the way|is a link or a file"):
        unpack(archive(tmp_path, entry("first", content=b"new"), new), out)
    assert sorted(path.name for path in out.iterdir()) == ["plain", "thing"]


def test_a_second_archive_goes_over_the_first(tmp_path: Path) -> None:
    for content in (b"old", b"new"):
        made = archive(tmp_path, entry("deep", tarfile.DIRTYPE), entry("deep/weights", content=content))
        assert unpack(made, tmp_path / "out") == [tmp_path / "out" / "deep" / "weights"]
    assert (tmp_path / "out" / "deep" / "weights").read_bytes() == b"new"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["deep"]


def test_a_damaged_archive_is_told(tmp_path: Path) -> None:
    made = archive(tmp_path, entry("weights", content=bytes(range(256)) * 400))
    made.write_bytes(made.read_bytes()[:-200])
    with pytest.raises(UnsafeArchive):
        unpack(made, tmp_path / "out")


@given(st.binary(max_size=2000))
def test_noise_is_never_anything_but_refused(noise: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "noise"
        path.write_bytes(noise)
        try:
            assert unpack(path, Path(folder) / "out") == []
        except UnsafeArchive:
            assert True
