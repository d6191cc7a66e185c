"""What the kernel tells of a file."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from trainyard.kit import inotify


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"")
    return path


def _is_readable(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0)[0])


@pytest.fixture
def ear() -> Iterator[int]:
    ear = inotify.opened()
    if ear is None:
        pytest.skip("this system tells nothing")
    yield ear
    os.close(ear)


def test_one_write_is_told_each_time_that_it_is_asked_for(ear: int, path: Path) -> None:
    for _ in range(2):
        assert inotify.listen(ear, path)
        assert not _is_readable(ear)
        path.write_bytes(b"1")
        assert _is_readable(ear)
        inotify.drain(ear)
        path.write_bytes(b"2")
        assert not _is_readable(ear)
        inotify.drain(ear)  # there is nothing


def test_a_file_that_is_not_there_cannot_be_listened_to(ear: int, tmp_path: Path) -> None:
    assert not inotify.listen(ear, tmp_path / "none")
