"""Pipe mode: a FIFO for each epoch of a channel, fed for as long as somebody reads.

/opt/ml/input/data/<channel>_<epoch>, from 0. The next one is there once the last was opened. A reader that closes early
ends its epoch and nothing else. That bytes may be read is on the disk before they can be, so that a feeder that is
killed between epochs is followed by another, and one that is killed within an epoch leaves a trace: its reader saw an
end that was none.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import select
import stat
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from pathlib import Path

from trainyard.model.errors import ServiceError, Transient, ValidationRefused

TIMED_OUT = "Platform Error: SageMaker pipe channel timed out."  # the service's words
CAPACITY = 1 << 20  # bytes that a pipe holds; a system may give less
AT_ONCE = 128 << 10  # bytes of one write
SOONEST, LATEST = 0.01, 0.1  # seconds between looks for a reader
_DIGITS = 20

Bytes = Callable[[int], AsyncGenerator[bytes, None]]
"""The bytes of an epoch."""


class PipeTimedOut(ValidationRefused):
    """A reader holds a pipe open and takes nothing from it."""


class Progress:
    """The epoch that a channel is in, and whether bytes of it may have been read: one write, whole or not at all."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._reached = int(os.pread(self._file, _DIGITS, 0) or b"0")
        if self._reached % 2:
            raise RuntimeError(f"{path}: somebody was killed while this was read; nobody can go on where he was.")

    @property
    def epoch(self) -> int:
        """The epoch that is read, or waits for its reader."""
        return self._reached // 2

    def begin(self) -> None:
        """From now on a reader may get bytes of the epoch."""
        self._write(2 * self.epoch + 1)

    def wait(self) -> None:
        """The epoch has no reader."""
        self._write(2 * self.epoch)

    def end(self) -> None:
        """The epoch is over; the next waits for its reader."""
        self._write(2 * self.epoch + 2)

    def _write(self, reached: int) -> None:
        self._reached = reached
        os.pwrite(self._file, f"{reached:0{_DIGITS}}".encode(), 0)


class Pipe:
    """The FIFOs of one channel, in a folder (its descriptor) that the program may have changed."""

    def __init__(self, folder: int, channel: str, progress: Progress, *, timeout: float) -> None:
        """Make the FIFO that is next. timeout: seconds for which a reader may take nothing."""
        self._folder, self._channel, self._progress, self._timeout = folder, channel, progress, timeout
        self._writing = ThreadPoolExecutor(1, f"pipe-{channel}")  # its own: others wait for their readers
        self._written = 0
        self._make(progress.epoch)

    async def feed(self, epoch_bytes: Bytes) -> None:
        """Feed epoch after epoch, without end. Raises PipeTimedOut, and whatever the bytes raise.

        An error leaves the pipe open: closed, it would read as the epoch's end.
        """
        while True:
            epoch = self._progress.epoch
            pipe = await self._opened(epoch)
            self._make(epoch + 1)
            try:
                await self._fill(pipe, epoch_bytes(epoch))
            except (ServiceError, Transient, BrokenPipeError):
                if _has_reader(pipe):
                    raise
            self._progress.end()
            os.close(pipe)
            with suppress(FileNotFoundError):
                os.unlink(self._name(epoch), dir_fd=self._folder)

    def _name(self, epoch: int) -> str:
        return f"{self._channel}_{epoch}"

    def _make(self, epoch: int) -> None:
        with suppress(FileExistsError):
            os.mkfifo(self._name(epoch), 0o644, dir_fd=self._folder)

    async def _opened(self, epoch: int) -> int:
        """The pipe, once it has a reader."""
        pause = SOONEST
        while (pipe := self._open(epoch)) is None:
            await asyncio.sleep(pause)
            pause = min(LATEST, 1.5 * pause)
        if not stat.S_ISFIFO(os.fstat(pipe).st_mode):
            os.close(pipe)
            raise _replaced(self._name(epoch))
        with suppress(OSError):  # as large as this user may have it
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, CAPACITY)
        os.set_blocking(pipe, True)
        return pipe

    def _open(self, epoch: int) -> int | None:
        """The pipe, if it has a reader, who from that moment on may read."""
        self._progress.begin()
        try:
            flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
            return os.open(self._name(epoch), flags, dir_fd=self._folder)
        except OSError as error:
            self._progress.wait()
            if error.errno == errno.ENOENT:
                self._make(epoch)
            elif error.errno != errno.ENXIO:  # ENXIO: no reader
                raise _replaced(self._name(epoch)) from error
        return None

    async def _fill(self, pipe: int, data: AsyncGenerator[bytes, None]) -> None:
        async with aclosing(data):
            async for piece in data:
                await self._write(pipe, piece)

    async def _write(self, pipe: int, piece: bytes) -> None:
        writing = asyncio.get_running_loop().run_in_executor(self._writing, self._write_all, pipe, piece)
        while not writing.done():
            before = self._written
            await asyncio.wait([writing], timeout=self._timeout)
            if not writing.done() and self._written == before:
                raise PipeTimedOut(TIMED_OUT)
        await writing

    def _write_all(self, pipe: int, piece: bytes) -> None:
        view = memoryview(piece)
        while view:
            done = os.write(pipe, view[:AT_ONCE])
            self._written += done
            view = view[done:]


def _has_reader(pipe: int) -> bool:
    """Whether somebody still reads; who has enough does not care for what went wrong behind it."""
    poll = select.poll()
    poll.register(pipe, 0)
    return not poll.poll(0)


def _replaced(name: str) -> ValidationRefused:
    return ValidationRefused(f"The program put something else in the place of its pipe /opt/ml/input/data/{name}.")
