"""Folders that others may have rewritten: what is read, walked and removed is what lies in them, and nothing else."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.kit import beneath


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    made = tmp_path / "ours"
    made.mkdir()
    return made


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    made = tmp_path / "theirs"
    (made / "data").mkdir(parents=True)
    (made / "data" / "key").write_text("hidden")
    return made


def test_a_file_is_read_by_a_way_without_links(ours: Path) -> None:
    (ours / "a/b").mkdir(parents=True)
    (ours / "a/b/c").write_text("text")
    with beneath.file(ours, "a/b/c") as opened:
        assert opened.read() == b"text"


@pytest.mark.parametrize("name", ["data/key", "link", "pipe", "folder", "none", "none/key"])
def test_anything_else_is_an_error(ours: Path, theirs: Path, name: str) -> None:
    (ours / "data").symlink_to(theirs / "data")
    (ours / "link").symlink_to(theirs / "data/key")
    os.mkfifo(ours / "pipe")
    (ours / "folder").mkdir()
    with pytest.raises(OSError), beneath.file(ours, name):  # noqa: PT011 - which one differs
        pass


def test_emptiness_asks_nothing_of_what_a_link_leads_to(ours: Path, theirs: Path) -> None:
    (ours / "empty").mkdir()
    (ours / "link").symlink_to(theirs)
    assert beneath.is_empty(ours, "none")
    assert beneath.is_empty(ours, "empty")
    assert not beneath.is_empty(ours, "link")
    assert not beneath.is_empty(ours, "link/data")


@pytest.mark.parametrize("name", ["input/data", "input"])
def test_removing_never_follows_a_link(ours: Path, theirs: Path, name: str) -> None:
    (ours / "input").symlink_to(theirs)
    beneath.remove(ours, name)
    assert (theirs / "data/key").read_text() == "hidden"


def test_removing_takes_links_for_what_they_are(ours: Path, theirs: Path) -> None:
    (ours / "tree/deep").mkdir(parents=True)
    (ours / "tree/deep/link").symlink_to(theirs)
    os.mkfifo(ours / "tree/pipe")
    beneath.remove(ours, "tree")
    assert list(ours.iterdir()) == []
    assert (theirs / "data/key").exists()


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    in_use = max(map(int, os.listdir("/proc/self/fd")))  # by whatever else this process tests
    resource.setrlimit(resource.RLIMIT_NOFILE, (in_use + 256, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_depth_costs_neither_descriptors_nor_stack(ours: Path, few_descriptors: None) -> None:
    (ours / "tree").mkdir()
    descriptor = os.open(ours / "tree", os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d", dir_fd=descriptor)
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
        deeper = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = deeper
    os.close(descriptor)
    with beneath.folder(ours, "tree") as folder:
        entries = list(beneath.walk(folder))
    assert [entry.fault for entry in entries if entry.fault] == ["lies more than 200 folders deep"]
    beneath.remove(ours, "tree")
    assert list(ours.iterdir()) == []


def test_closed_folders_are_opened_up_and_removed(ours: Path) -> None:
    (ours / "tree/closed/inner").mkdir(parents=True)
    (ours / "tree/closed/inner/file").write_text("x")
    for name in ("tree/closed/inner", "tree/closed", "tree"):
        (ours / name).chmod(0)
    beneath.remove(ours, "tree")
    assert list(ours.iterdir()) == []


names = st.sampled_from(["a", "b", "c"])
targets = st.lists(st.sampled_from(["a", "b", "c", "..", "."]), min_size=1, max_size=6).map("/".join)


@given(links=st.dictionaries(names, targets), start=names)
def test_following_agrees_with_the_system_as_long_as_it_stays_inside(
    tmp_path_factory: pytest.TempPathFactory, links: dict[str, str], start: str
) -> None:
    """Whatever links there are: the file that the system finds, or an error; never a file of the outside."""
    outside = tmp_path_factory.mktemp("outside")
    for name in "abc":
        (outside / name).write_text("outside")
    root = outside / "root"
    root.mkdir()
    for name in "abc":
        if name in links:
            (root / name).symlink_to(links[name])
        elif name == "c":
            (root / name).mkdir()
            (root / name / "a").write_text("deep")
        else:
            (root / name).write_text(name)
    descriptor = os.open(root, os.O_RDONLY)
    try:
        found = beneath.follow(descriptor, start, seen_at="/seen")
    except OSError:
        return
    else:
        with open(found, "rb") as opened:
            content = opened.read()
        assert content != b"outside"
        with suppress(NotADirectoryError):  # the system refuses `file/.`, where we find the file
            assert content == (root / start).read_bytes()
    finally:
        os.close(descriptor)
