"""Copies of files that others may be writing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trainyard.kit import stillness
from trainyard.kit.stillness import copied, copied_if_still, is_written_to, looks

LATER = 1e12  # long after any file was written


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "model.bin"
    made.write_bytes(b"weights" * 1000)
    return made


def test_a_still_file_is_copied_whole(file: Path, tmp_path: Path) -> None:
    with file.open("rb") as opened:
        how = copied_if_still(opened.fileno(), tmp_path / "copy", now=LATER)
        assert how == looks(opened.fileno())
    assert (tmp_path / "copy").read_bytes() == file.read_bytes()


def test_a_file_that_is_open_for_writing_is_left_alone(file: Path, tmp_path: Path) -> None:
    with file.open("ab"), file.open("rb") as opened:
        assert is_written_to(opened.fileno())
        assert copied_if_still(opened.fileno(), tmp_path / "copy", now=LATER) is None
    assert not (tmp_path / "copy").exists()
    with file.open("rb") as opened:
        assert not is_written_to(opened.fileno())


def test_a_reader_is_not_taken_for_a_writer(file: Path) -> None:
    with file.open("rb"), file.open("rb") as opened:
        assert not is_written_to(opened.fileno())


def test_a_file_that_was_written_just_now_is_left_alone(file: Path, tmp_path: Path) -> None:
    with file.open("rb") as opened:
        now = looks(opened.fileno()).changed_ns / 1e9 + stillness.SETTLED / 2
        assert copied_if_still(opened.fileno(), tmp_path / "copy", now=now) is None


@pytest.mark.parametrize("writing", ["through", "after"])
def test_a_file_that_is_written_meanwhile_gives_no_copy(
    file: Path, tmp_path: Path, writing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = stillness._copy
    held = []

    def and_write(source: int, target: int, size: int) -> None:
        copy(source, target, size)
        if writing == "after":
            file.write_bytes(b"another")
        else:
            held.append(file.open("r+b"))

    monkeypatch.setattr(stillness, "_copy", and_write)
    with file.open("rb") as opened:
        assert copied_if_still(opened.fileno(), tmp_path / "copy", now=LATER) is None
    assert not (tmp_path / "copy").exists()
    for one in held:
        one.close()


def test_a_copy_has_the_length_that_the_file_had(file: Path, tmp_path: Path) -> None:
    with file.open("rb") as opened, file.open("ab"):
        how = copied(opened.fileno(), tmp_path / "copy")
    assert how.size == 7000
    assert (tmp_path / "copy").stat().st_size == 7000


def test_where_the_kernel_shares_no_blocks_bytes_are_copied(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object) -> int:
        raise OSError(18, os.strerror(18))

    monkeypatch.setattr(os, "copy_file_range", refuses)
    with file.open("rb") as opened:
        copied(opened.fileno(), tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == file.read_bytes()


def test_a_copy_that_breaks_off_leaves_nothing(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def is_full(*_: object) -> int:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "copy_file_range", is_full)
    with file.open("rb") as opened, pytest.raises(OSError, match="No space"):
        copied(opened.fileno(), tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
