"""Whatever goes wrong is a sentence that says what to do, never a traceback."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fakes.shell import COMMAND, PATIENCE, Shell

from trainyard.cli import errors
from trainyard.model.errors import Transient


def test_a_bug_is_told_and_its_traceback_kept(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(KeyError) as raised:
        {}["nobody caught me"]
    assert errors.explain(raised.value) == errors.BUG
    told = capsys.readouterr().err
    assert "Traceback" not in told
    (kept,) = tmp_path.iterdir()
    assert str(kept) in told
    assert "nobody caught me" in kept.read_text()


def test_a_group_of_errors_is_told_once_each(capsys: pytest.CaptureFixture[str]) -> None:
    full = Transient("The disk is full.")
    group = ExceptionGroup("tasks", [full, ExceptionGroup("more", [full, Transient("The door is shut.")])])
    assert errors.explain(group) == errors.REFUSED
    assert capsys.readouterr().err == "error: The disk is full.\nerror: The door is shut.\n"


def test_an_error_of_the_system_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert errors.explain(OSError(errno.ENOSPC, "No space left on device", "/data/x")) == errors.REFUSED
    told = capsys.readouterr().err
    assert "/data/x: No space left on device" in told
    assert "trainyard prune" in told


def test_a_damaged_store_is_a_sentence(shell: Shell) -> None:
    shell("list")
    (shell.home / "jobs.db").write_bytes(b"this is no database at all, and long enough to be read as one" * 100)
    for command in (["list"], ["describe", "any"], ["run", shell.job("any", "true")]):
        told = shell(*command, want=2).stderr
        assert "damaged" in told
        assert "begin anew" in told


def test_a_store_that_is_damaged_inside_is_a_sentence(shell: Shell) -> None:
    shell("run", shell.job("some", "true"))
    database = shell.home / "jobs.db"
    whole = database.read_bytes()
    (shell.home / "jobs.db-wal").unlink(missing_ok=True)
    database.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    assert "damaged" in shell("list", want=2).stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[defaults", "trainyard.toml"),
        ("defualts = 1", "did you mean defaults?"),
        ("default_store = 3", "default_store"),
    ],
)
def test_wrong_settings_are_named(shell: Shell, text: str, told: str) -> None:
    shell("list")
    (shell.home / "trainyard.toml").write_text(text)
    assert told in shell("list", want=2).stderr
    assert told in shell("doctor", want=2).stderr


def test_a_home_that_cannot_be_made_names_the_way_out(shell: Shell) -> None:
    (shell.folder / "file").write_text("")
    told = shell("--home", shell.folder / "file" / "home", "list", want=2).stderr
    assert "TRAINYARD_HOME" in told


def test_a_reader_that_leaves_is_no_error(done: Shell) -> None:
    for form in ("table", "json", "yaml"):
        arguments = [*COMMAND, "describe", "good", "-o", form]
        with subprocess.Popen(
            arguments, env=done.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            process.stdout.close()
            assert process.stderr is not None
            assert process.stderr.read() == ""
            assert process.wait(PATIENCE) == 141


def test_a_misspelt_name_is_told_the_nearest(done: Shell) -> None:
    assert "Did you mean good?" in done("describe", "goood", want=2).stderr
    assert "Did you mean good?" in done("logs", "goood", want=2).stderr
    assert "Did you mean 'list'?" in done("lsit", want=2).stderr


def test_list_imports_no_engine(done: Shell) -> None:
    arguments = [sys.executable, "-X", "importtime", *COMMAND[1:], "list"]
    told = subprocess.run(arguments, env=done.environment, capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert "good" in told.stdout
    imported = {line.rpartition("|")[2].strip() for line in told.stderr.splitlines()}
    assert "trainyard.stores.sqlite.listing" in imported
    assert not imported & {"pydantic", "rich", "obstore", "re2", "trainyard.yard.engine", "ruamel"}
