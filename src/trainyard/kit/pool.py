"""Threads for blocking work that is short and frequent: what one hop costs is mostly the waking of a loop."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


class _Asked(NamedTuple):
    """A piece of work, and who waits for it where."""

    work: Callable[[], Any]
    done: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


class _Answer(NamedTuple):
    """What came of it: a result, or an error."""

    done: asyncio.Future[Any]
    result: Any
    error: BaseException | None

    def tell(self) -> None:
        """Hand it to the caller, if it still waits."""
        if self.done.done():
            return
        if self.error is not None:
            self.done.set_exception(self.error)
        else:
            self.done.set_result(self.result)


class Pool:
    """At most `threads` threads, started as they are needed, for one asyncio loop or several.

    Answers that are ready before their loop has a turn wake it once. Work goes to the end also where its caller was
    cancelled.
    """

    def __init__(self, threads: int, name: str) -> None:
        self._most, self._name = threads, name
        self._inbox: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._turn = threading.Lock()
        self._answers: dict[asyncio.AbstractEventLoop, list[_Answer]] = {}
        self._closed = False

    async def run(self, work: Callable[[], T]) -> T:
        """What `work` answers or raises, done in one of the threads."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        with self._turn:
            if self._closed:
                raise RuntimeError(f"the threads of {self._name} have ended")
            self._inbox.put(_Asked(work, done, loop))
            if len(self._threads) < self._most:
                self._start()
        return await done

    def close(self) -> None:
        """Finish what was asked for, then end."""
        with self._turn:
            self._closed = True
        for _ in self._threads:
            self._inbox.put(None)
        for thread in self._threads:
            thread.join()

    def _start(self) -> None:
        name = f"{self._name}-{len(self._threads)}"
        thread = threading.Thread(target=self._work_until_closed, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work_until_closed(self) -> None:
        while (asked := self._inbox.get()) is not None:
            try:
                answer = _Answer(asked.done, asked.work(), None)
            except BaseException as error:  # noqa: BLE001 - the caller's, whatever it is
                answer = _Answer(asked.done, None, error)
            self._hand_over(answer, asked.loop)
            del asked, answer  # nothing is held while we wait

    def _hand_over(self, answer: _Answer, loop: asyncio.AbstractEventLoop) -> None:
        with self._turn:
            waiting = self._answers.setdefault(loop, [])
            waiting.append(answer)
            is_first = len(waiting) == 1
        if is_first:
            try:
                loop.call_soon_threadsafe(self._tell, loop)
            except RuntimeError:  # the loop was closed; nobody waits there
                with self._turn:
                    self._answers.pop(loop, None)

    def _tell(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._turn:
            answers = self._answers.pop(loop, [])
        for answer in answers:
            with suppress(asyncio.InvalidStateError):
                answer.tell()
