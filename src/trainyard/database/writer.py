"""Durable writes with group commit: one thread, one connection.

Whatever is waiting when the writer is free goes into one transaction, and one fsync makes everyone durable. A caller's
refusal undoes the caller's part alone: most refuse before they have written anything, so that nothing is to be undone;
where one did write, the group is begun again with a savepoint around each part.

Parts of one kind that stand side by side may be written jointly, by few statements for all of them: each statement
hands Python's lock over and waits to have it back, which under load costs more than the writing.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any, NamedTuple, TypeVar

from trainyard.database.checkpoints import Checkpoints
from trainyard.model.errors import TrainyardError

T = TypeVar("T")
I = TypeVar("I")  # noqa: E741 - an item
Write = Callable[[sqlite3.Connection], Any]
Joint = Callable[[sqlite3.Connection, Sequence[Any]], Sequence[Any]]
"""Writes for several callers: an answer for each item in order, or the error that it is refused with."""

LARGEST_GROUP = 256  # writes per transaction; more only adds latency
CROWD = 8  # writes of the last transaction after which as many are expected, and
GATHER = 0.001  # seconds waited once for those that are not there yet: each transaction costs as much as many writes


class _Asked(NamedTuple):
    """A write, and who waits for it where. joint: what writes it, together with its neighbours, if anything does."""

    work: Any
    joint: Joint | None
    done: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


class _Refusal(NamedTuple):
    """An error in the place of a result."""

    error: Exception


class _HalfDoneError(Exception):
    """A part refused after it had written."""


class Writer:
    """The thread, and what is asked of it from one asyncio loop or several."""

    def __init__(
        self, connect: Callable[[], sqlite3.Connection], explained: Callable[[sqlite3.Error], TrainyardError]
    ) -> None:
        self._connect, self._explained = connect, explained
        self._checkpoints = Checkpoints(connect)
        self._closed = False
        self._last = 0  # writes of the last transaction
        self._inbox: deque[_Asked] = deque()
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._ringing: set[asyncio.AbstractEventLoop] = set()
        self._thread = threading.Thread(target=self._write_until_closed, name="store-writer", daemon=True)
        self._thread.start()

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` inside a transaction; return once it is durable."""
        written: T = await self._ask(work, None)
        return written

    async def write_jointly(
        self, work: Callable[[sqlite3.Connection, Sequence[I]], Sequence[T | Exception]], item: I
    ) -> T:
        """The same, of work that is done for all items at once that wait for it."""
        written: T = await self._ask(item, work)
        return written

    async def _ask(self, work: Any, joint: Joint | None) -> Any:
        if self._closed:
            raise TrainyardError("The store was closed.")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        self._inbox.append(_Asked(work, joint, done, loop))
        if loop not in self._ringing:  # once for all that is asked in this turn of the loop: waking a thread costs
            self._ringing.add(loop)
            loop.call_soon(self._ring, loop)
        return await done

    def close(self) -> None:
        """Finish every write that was asked for, then end."""
        self._closed = True
        self._bell.put(None)
        self._thread.join()
        self._checkpoints.close()

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        self._ringing.discard(loop)
        self._bell.put(None)

    def _write_until_closed(self) -> None:
        connection = self._connect()
        try:
            is_last = False
            while not is_last:
                self._bell.get()
                is_last = self._closed  # read first: all that was asked before is in the inbox now
                while group := self._next_group():
                    _answer(group, self._committed(connection, group))
                    self._checkpoints.committed(connection)
        finally:
            connection.close()

    def _next_group(self) -> list[_Asked]:
        if self._last > CROWD and 0 < len(self._inbox) < self._last and not self._closed:
            time.sleep(GATHER)
        self._last = min(LARGEST_GROUP, len(self._inbox)) or self._last
        return [self._inbox.popleft() for _ in range(min(LARGEST_GROUP, len(self._inbox)))]

    def _committed(self, connection: sqlite3.Connection, group: list[_Asked]) -> list[Any]:
        try:
            try:
                return _transaction(connection, group, _freely)
            except _HalfDoneError:
                return _transaction(connection, group, _in_savepoint)
        except sqlite3.Error as error:
            return [_Refusal(self._explained(error))] * len(group)


def _transaction(
    connection: sqlite3.Connection, group: list[_Asked], run: Callable[[sqlite3.Connection, Write], Any]
) -> list[Any]:
    try:
        connection.execute("BEGIN IMMEDIATE")
        answers = [answer for joint, parts in groupby(group, _joint) for answer in _run(connection, joint, parts, run)]
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    return answers


def _joint(asked: _Asked) -> Joint | None:
    return asked.joint


def _run(
    connection: sqlite3.Connection,
    joint: Joint | None,
    parts: Iterable[_Asked],
    run: Callable[[sqlite3.Connection, Write], Any],
) -> list[Any]:
    works = [asked.work for asked in parts]
    if joint is None:
        return [run(connection, work) for work in works]
    answers = run(connection, lambda connection: joint(connection, works))
    if isinstance(answers, _Refusal):
        return [answers] * len(works)
    return [_Refusal(answer) if isinstance(answer, Exception) else answer for answer in answers]


def _freely(connection: sqlite3.Connection, work: Write) -> Any:
    before = connection.total_changes
    try:
        return work(connection)
    except sqlite3.OperationalError:
        raise  # a full disk or a lost file concerns the whole group
    except Exception as error:
        if connection.total_changes != before:
            raise _HalfDoneError from error
        return _Refusal(error)  # the caller's own, handed back to the caller


def _in_savepoint(connection: sqlite3.Connection, work: Write) -> Any:
    connection.execute("SAVEPOINT one")
    try:
        result = work(connection)
    except sqlite3.OperationalError:
        raise
    except Exception as error:  # noqa: BLE001 - the caller's own, handed back to the caller
        connection.execute("ROLLBACK TO one")
        result = _Refusal(error)
    connection.execute("RELEASE one")
    return result


def _answer(group: list[_Asked], answers: list[Any]) -> None:
    """Tell each loop once: waking it is what costs."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for asked, answer in zip(group, answers, strict=True):
        by_loop.setdefault(asked.loop, []).append((asked.done, answer))
    for loop, told in by_loop.items():
        with suppress(RuntimeError):  # the loop was closed; nobody waits there
            loop.call_soon_threadsafe(_tell, told)


def _tell(answers: list[tuple[asyncio.Future[Any], Any]]) -> None:
    for done, answer in answers:
        if done.done():
            continue  # the caller was cancelled; what it asked for happened whole
        if isinstance(answer, _Refusal):
            done.set_exception(answer.error)
        else:
            done.set_result(answer)
