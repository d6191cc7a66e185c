"""A home on a disk that fills up, in each phase: the job's end is told, the store stays whole, and room heals all."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.jobs import DEADLINE, channel, ended, python, request, shell, training

from trainyard.model.errors import Transient
from trainyard.wiring.session import Session, open_session

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(
        os.geteuid() != 0 or not sys.platform.startswith("linux"), reason="only root mounts a small disk"
    ),
]
SIZE = 6 << 20  # bytes of the home's disk


@pytest.fixture
def small_home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=700", "trainyard-test", home],
        capture_output=True,
        check=False,
    )
    if made.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {made.stderr.decode()}")
    try:
        yield home
        _assert_sound(home / "jobs.db")
    finally:
        subprocess.run(["umount", "--lazy", home], check=True)


def _assert_sound(store: Path) -> None:
    with sqlite3.connect(store) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


@contextmanager
def filled(home: Path) -> Iterator[None]:
    """A disk without a free block for as long as the block lasts."""
    filler = home / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    yield
    filler.unlink()


async def _job(session: Session, tmp_path: Path, name: str, algorithm: dict[str, Any], **more: Any) -> None:
    await session.service.create(request(tmp_path, name, algorithm, **more))


async def _done(session: Session) -> None:
    async with asyncio.timeout(DEADLINE):
        while await session.engine.unfinished():
            await asyncio.sleep(0.02)


async def _another_job_runs(session: Session, tmp_path: Path) -> None:
    await _job(session, tmp_path, "after", shell("echo w > /opt/ml/model/w"))
    assert (await ended(session, tmp_path, "after")).files() == {"w": b"w\n"}


async def test_inputs_larger_than_the_disk(small_home: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for number in range(4):
        (tmp_path / "data" / f"{number}").write_bytes(os.urandom(SIZE // 3))
    async with open_session(str(small_home), lead=True) as session:
        inputs = [channel("train", f"file://{tmp_path}/data/")]
        await _job(session, tmp_path, "job", shell("true"), InputDataConfig=inputs)
        ran = await ended(session, tmp_path)
        assert ran.told["FailureReason"].startswith("ClientError: Data download failed:The disk that holds ")
        assert ran.told["FailureReason"].rstrip(".").endswith("is full")
        await _done(session)
        await _another_job_runs(session, tmp_path)


async def test_a_program_that_fills_the_disk_with_its_model(small_home: Path, tmp_path: Path) -> None:
    write = "import os\nwith open('/opt/ml/model/w', 'wb') as file:\n    while True: file.write(os.urandom(65536))"
    async with open_session(str(small_home), lead=True) as session:
        await _job(session, tmp_path, "job", python(write))
        ran = await ended(session, tmp_path)
        assert ran.ended == ("Failed", "Failed")
        assert "full" in ran.told["FailureReason"] or ran.told["FailureReason"].endswith("Exit Code: 1")
        await _done(session)
        await _another_job_runs(session, tmp_path)


async def test_a_program_that_fills_the_disk_with_its_log(small_home: Path, tmp_path: Path) -> None:
    async with open_session(str(small_home), lead=True) as session:
        await _job(session, tmp_path, "job", shell("yes 'all work and no play' || exit 3"))
        ran = await ended(session, tmp_path)
        assert ran.ended == ("Failed", "Failed")
        assert "all work and no play" in ran.log
        await session.service.delete("job")
        await _another_job_runs(session, tmp_path)


async def test_a_model_whose_archive_finds_no_room(small_home: Path, tmp_path: Path) -> None:
    write = f"import os; open('/opt/ml/model/w', 'wb').write(os.urandom({SIZE * 2 // 3}))"
    async with open_session(str(small_home), lead=True) as session:
        await _job(session, tmp_path, "job", python(write))
        ran = await ended(session, tmp_path)
        assert ran.told["FailureReason"].startswith("ClientError: Artifact upload failed:The disk that holds ")
        assert not list(tmp_path.glob("out/**/*.gz"))
        await _done(session)
        await _another_job_runs(session, tmp_path)


async def test_an_exit_on_a_full_disk_keeps_its_code(small_home: Path, tmp_path: Path) -> None:
    """The disk is full when the program ends: what it ended with is known all the same."""
    go = tmp_path / "go"
    async with open_session(str(small_home), lead=True) as session:
        await _job(session, tmp_path, "job", shell(f"while [ ! -e {go} ]; do sleep .05; done; exit 7"))
        await training(session, "job")
        (attempt,) = small_home.glob("attempts/*/*-1")
        with filled(small_home):
            go.touch()
            async with asyncio.timeout(DEADLINE):
                while not (attempt / "exit.json").exists():
                    await asyncio.sleep(0.02)
        ran = await ended(session, tmp_path)
    assert ran.ended == ("Failed", "Failed")
    assert "InternalServerError" not in ran.told["FailureReason"]


async def test_a_full_disk_before_the_start_is_waited_out(small_home: Path, tmp_path: Path) -> None:
    async with open_session(str(small_home), lead=True) as session:
        session.engine.placing = False
        await _job(session, tmp_path, "job", shell("echo w > /opt/ml/model/w"))
        with filled(small_home):
            session.engine.placing = True
            session.engine._schedule_wanted.set()
            for _ in range(5):  # rounds that find no room
                session.engine._schedule_wanted.set()
                await asyncio.sleep(0.1)
            assert (await session.service.describe("job")).description.training_job_status == "InProgress"
        assert (await ended(session, tmp_path)).files() == {"w": b"w\n"}


async def test_a_stop_on_a_full_disk_comes_when_there_is_room(small_home: Path, tmp_path: Path) -> None:
    async with open_session(str(small_home), lead=True) as session:
        await _job(session, tmp_path, "job", shell("echo w > /opt/ml/model/w; exec sleep 600"))
        await training(session, "job")
        with filled(small_home):
            with pytest.raises(Transient, match="is full; free some space"):
                await session.service.stop("job")
            assert (await session.service.describe("job")).description.secondary_status == "Training"
        await session.service.stop("job")
        assert (await ended(session, tmp_path)).ended == ("Stopped", "Stopped")


async def test_a_full_store_takes_nothing_and_shows_everything(small_home: Path, tmp_path: Path) -> None:
    async with open_session(str(small_home), lead=True) as session:
        await _job(session, tmp_path, "old", shell("echo seen"))
        await ended(session, tmp_path, "old")
        await _done(session)
        with filled(small_home):
            with pytest.raises(Transient, match="is full; free some space and try again"):
                await _job(session, tmp_path, "new", shell("true"))
            assert (await ended(session, tmp_path, "old")).log == "seen"
        await _another_job_runs(session, tmp_path)


def test_commands_on_a_full_disk_say_so_and_leave_nothing_behind(small_home: Path, tmp_path: Path) -> None:
    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        variables = {**os.environ, "TRAINYARD_HOME": str(small_home), "NO_COLOR": "1"}
        program = str(Path(sys.executable).with_name("trainyard"))
        return subprocess.run(
            [program, *arguments], env=variables, capture_output=True, text=True, timeout=DEADLINE, check=False
        )

    assert command("list").returncode == 0
    script = tmp_path / "train.py"
    script.write_text("print('hello')")
    with filled(small_home):
        refused = command("run", "--name", "job", str(script))
        assert refused.returncode != 0
        assert "full" in refused.stderr or "No space left" in refused.stderr
        assert "Traceback" not in refused.stderr
        listed = command("list")
        assert listed.returncode == 0 or "is full; free some space" in listed.stderr
    assert command("run", "--name", "job", str(script)).returncode == 0
