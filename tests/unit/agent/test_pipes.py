"""FIFOs: one an epoch, fed as long as somebody reads, and never an end that is none."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from trainyard.agent.pipes import TIMED_OUT, Pipe, PipeTimedOut, Progress
from trainyard.model.errors import ValidationRefused

DEADLINE = 30.0


async def words(epoch: int) -> AsyncGenerator[bytes, None]:
    for word in (b"epoch ", str(epoch).encode()):
        yield word


async def much(epoch: int) -> AsyncGenerator[bytes, None]:
    for _ in range(64):
        yield bytes([epoch]) * (1 << 18)


async def failing(epoch: int) -> AsyncGenerator[bytes, None]:
    yield b"some"
    raise ValidationRefused("There is no object s3://b/k any more.")


@asynccontextmanager
async def fed(folder: Path, data: object = words, patience: float = DEADLINE) -> AsyncIterator[asyncio.Task[None]]:
    """A channel that is fed for as long as the block lasts."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    pipe = Pipe(descriptor, "c", Progress(folder / ".progress"), timeout=patience)
    task = asyncio.ensure_future(pipe.feed(data))  # type: ignore[arg-type]
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, ValidationRefused):
            await task
        os.close(descriptor)


def names(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if not name.startswith("."))


async def read(folder: Path, epoch: int, size: int = -1) -> bytes:
    def whole() -> bytes:
        with (folder / f"c_{epoch}").open("rb") as file:
            return file.read(size)

    async with asyncio.timeout(DEADLINE):
        while not (folder / f"c_{epoch}").exists():
            await asyncio.sleep(0.005)
        return await asyncio.to_thread(whole)


def reached(folder: Path) -> int:
    return int((folder / ".progress").read_bytes() or b"0")


async def until(found: object) -> None:
    async with asyncio.timeout(DEADLINE):
        while not found():  # type: ignore[operator]
            await asyncio.sleep(0.005)


@pytest.mark.case(59)
async def test_epochs_follow_one_another(tmp_path: Path) -> None:
    async with fed(tmp_path):
        assert names(tmp_path) == ["c_0"]
        for epoch in range(3):
            assert await read(tmp_path, epoch) == f"epoch {epoch}".encode()
        await until(lambda: names(tmp_path) == ["c_3"])


async def test_the_next_pipe_is_there_while_the_last_is_read(tmp_path: Path) -> None:
    async with fed(tmp_path, much):
        reader = await asyncio.to_thread(os.open, tmp_path / "c_0", os.O_RDONLY)
        await until(lambda: "c_1" in names(tmp_path))
        assert names(tmp_path) == ["c_0", "c_1"]
        os.close(reader)


@pytest.mark.case(59)
async def test_a_reader_that_closes_early_ends_its_epoch_alone(tmp_path: Path) -> None:
    async with fed(tmp_path, much) as task:
        assert await read(tmp_path, 0, 3) == b"\0\0\0"
        assert await read(tmp_path, 1) == b"\1" * (64 << 18)
        assert not task.done()


async def test_a_reader_that_had_enough_is_not_failed_by_what_comes_behind(tmp_path: Path) -> None:
    gone = asyncio.Event()

    async def failing_late(epoch: int) -> AsyncGenerator[bytes, None]:
        yield b"some"
        await gone.wait()
        raise ValidationRefused("There is no object s3://b/k any more.")

    async with fed(tmp_path, failing_late) as task:
        assert await read(tmp_path, 0, 4) == b"some"
        gone.set()
        await until(lambda: reached(tmp_path) == 2)
        assert not task.done()


async def test_a_failure_leaves_the_pipe_open(tmp_path: Path) -> None:
    async with fed(tmp_path, failing) as task:
        reader = await asyncio.to_thread(os.open, tmp_path / "c_0", os.O_RDONLY)
        async with asyncio.timeout(DEADLINE):
            await asyncio.wait([task])
        with pytest.raises(ValidationRefused, match="any more"):
            task.result()
        assert os.read(reader, 100) == b"some"
        os.set_blocking(reader, False)
        with pytest.raises(BlockingIOError):
            os.read(reader, 1)
        assert reached(tmp_path) == 1
        os.close(reader)


async def test_a_reader_that_takes_nothing_is_given_up_in_the_services_words(tmp_path: Path) -> None:
    async with fed(tmp_path, much, patience=0.05) as task:
        reader = await asyncio.to_thread(os.open, tmp_path / "c_0", os.O_RDONLY)
        async with asyncio.timeout(DEADLINE):
            await asyncio.wait([task])
        with pytest.raises(PipeTimedOut) as refused:
            task.result()
        assert str(refused.value) == TIMED_OUT == "Platform Error: SageMaker pipe channel timed out."
        os.close(reader)


async def test_a_slow_reader_is_not_given_up(tmp_path: Path) -> None:
    async with fed(tmp_path, much, patience=0.2) as task:
        reader = await asyncio.to_thread(os.open, tmp_path / "c_0", os.O_RDONLY)
        for _ in range(20):
            await asyncio.to_thread(os.read, reader, 1 << 18)
            await asyncio.sleep(0.03)
        assert not task.done()
        os.close(reader)


async def test_nobody_that_reads_is_waited_for_without_end(tmp_path: Path) -> None:
    async with fed(tmp_path, patience=0.01) as task:
        await asyncio.sleep(0.1)
        assert not task.done()
        assert reached(tmp_path) == 0


async def test_another_feeder_goes_on_between_epochs(tmp_path: Path) -> None:
    async with fed(tmp_path):
        assert await read(tmp_path, 0) == b"epoch 0"
        await until(lambda: reached(tmp_path) == 2)
    async with fed(tmp_path):
        assert await read(tmp_path, 1) == b"epoch 1"


def test_no_feeder_goes_on_within_an_epoch(tmp_path: Path) -> None:
    Progress(tmp_path / "p").begin()
    with pytest.raises(RuntimeError, match="nobody can go on"):
        Progress(tmp_path / "p")


def test_progress_is_a_number_that_every_look_reads_whole(tmp_path: Path) -> None:
    progress = Progress(tmp_path / "p")
    seen = [(progress.epoch, int((tmp_path / "p").read_bytes() or b"0"))]
    for step in (progress.begin, progress.wait, progress.begin, progress.end):
        step()
        seen.append((progress.epoch, int((tmp_path / "p").read_bytes())))
    assert seen == [(0, 0), (0, 1), (0, 0), (0, 1), (1, 2)]


async def test_what_the_program_puts_in_a_pipes_place_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    victim = tmp_path / "victim"
    for put in (lambda pipe: pipe.symlink_to(victim), lambda pipe: os.link(victim, pipe), Path.mkdir):
        victim.write_text("mine")
        async with fed(tmp_path / "in") as task:
            (tmp_path / "in/c_0").unlink(missing_ok=True)
            put(tmp_path / "in/c_0")
            async with asyncio.timeout(DEADLINE):
                await asyncio.wait([task])
            with pytest.raises(ValidationRefused, match="put something else in the place of its pipe"):
                task.result()
        assert victim.read_text() == "mine"
        (tmp_path / "in/.progress").unlink()
        (tmp_path / "in/c_0").rmdir() if (tmp_path / "in/c_0").is_dir() else (tmp_path / "in/c_0").unlink()


async def test_a_pipe_that_was_removed_is_made_again(tmp_path: Path) -> None:
    async with fed(tmp_path):
        (tmp_path / "c_0").unlink()
        assert await read(tmp_path, 0) == b"epoch 0"
