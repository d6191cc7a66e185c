"""What the kernel tells of a file."""

from __future__ import annotations

import os
import select
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


def test_a_write_is_told_until_it_is_taken_in(path: Path) -> None:
    watch = inotify.watching(path)
    if watch is None:
        pytest.skip("this system tells nothing")
    try:
        assert not _is_readable(watch)
        path.write_bytes(b"1")
        assert _is_readable(watch)
        inotify.drain(watch)
        assert not _is_readable(watch)
        inotify.drain(watch)  # there is nothing
    finally:
        os.close(watch)


def test_what_cannot_be_watched_is_told_so(tmp_path: Path) -> None:
    assert inotify.watching(tmp_path / "none") is None
