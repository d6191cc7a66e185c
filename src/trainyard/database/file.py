"""One SQLite file: opened, migrated, written by one thread with group commit, read by another.

Whatever is waiting when the writer is free goes into one transaction, each statement group in a savepoint of its own:
a caller's refusal undoes the caller's part alone, and one fsync makes everyone durable.
"""

from __future__ import annotations

import asyncio
import os
import queue
import re
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from trainyard.model.errors import StoreTooNew, TrainyardError, Transient

T = TypeVar("T")
Write = Callable[[sqlite3.Connection], Any]
Migrations = list[list[str]]  # the statements of each step, in order; a file has taken as many as its user_version


class _Asked(NamedTuple):
    """A write, and who waits for it where."""

    work: Write
    done: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


LARGEST_GROUP = 256  # writes per transaction; more only adds latency
BUSY_TIMEOUT = 30.0  # seconds to wait for another process's transaction


class Database:
    """Durable writes and consistent reads of one file, from one asyncio loop or several."""

    def __init__(self, path: Path, migrations: Migrations) -> None:
        self._path = path
        self._migrations = migrations
        self._closed = False
        self._migrate()
        self._inbox: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_for_ever, name="store-writer", daemon=True)
        self._writer.start()
        self._readers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="store-reader")
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` inside a transaction; return once it is durable. A cancelled caller's work still happens whole."""
        if self._closed:
            raise TrainyardError(f"{self._path} was closed.")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._inbox.put(_Asked(work, done, loop))
        return await done

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on a connection for reading. Raises TrainyardError for a file that cannot be read."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._readers, lambda: work(self._reader()))
        except sqlite3.Error as error:
            raise _explained(error, self._path) from error

    def close(self) -> None:
        """Finish every write that was asked for, then close."""
        self._closed = True
        self._inbox.put(None)
        self._writer.join()
        self._readers.shutdown(wait=True)
        for connection in self._opened:
            connection.close()

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
            self._opened.append(connection)
        return connection

    def _connect(self) -> sqlite3.Connection:
        return connect(self._path, newest=len(self._migrations))

    def _write_for_ever(self) -> None:
        connection = self._connect()
        try:
            while (first := self._inbox.get()) is not None:
                group = [first]
                ended = False
                with suppress(queue.Empty):
                    while len(group) < LARGEST_GROUP:
                        item = self._inbox.get_nowait()
                        if item is None:
                            ended = True
                            break
                        group.append(item)
                _commit(connection, group, self._path)
                if ended:
                    return
        finally:
            connection.close()

    def _migrate(self) -> None:
        try:
            connection = self._connect()
        except sqlite3.OperationalError as error:
            raise _explained(error, self._path) from error
        except sqlite3.DatabaseError as error:
            raise _explained(error, self._path) from error
        try:
            _write_ahead(connection)
            _migrate(connection, self._migrations)
        except sqlite3.DatabaseError as error:
            raise _explained(error, self._path) from error
        finally:
            connection.close()


def connect(path: Path, *, newest: int) -> sqlite3.Connection:
    """A connection with our settings: every commit on the disk. Refuses a file of a later schema than `newest`."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    _refuse_newer(connection, path, newest)
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Give the file its write-ahead log, for good. SQLite does not wait here: who meets another opener tries again."""
    deadline = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def _migrate(connection: sqlite3.Connection, steps: Migrations) -> None:
    """Bring the schema to this release's, one step at a time, each in one transaction."""
    for number in range(_version(connection) + 1, len(steps) + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            if _version(connection) < number:  # another process may have been faster
                for statement in steps[number - 1]:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise


def _refuse_newer(connection: sqlite3.Connection, path: Path, newest: int) -> None:
    current = _version(connection)
    if current > newest:
        connection.close()
        raise StoreTooNew(
            f"{path} was written by a newer release (schema {current}, this one knows {newest}); "
            "nothing was touched. Use that release, or another home."
        )


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrations_of(package: str) -> Migrations:
    """The statements of every migration file in a package's folder `migrations`, in order."""
    folder = resources.files(package) / "migrations"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return [_statements(file.read_text(encoding="utf-8")) for file in files]


def _statements(text: str) -> list[str]:
    bare = re.sub(r"^\s*--.*$", "", text, flags=re.MULTILINE)
    return [statement.strip() for statement in bare.split(";") if statement.strip()]


def _commit(connection: sqlite3.Connection, group: list[_Asked], path: Path) -> None:
    try:
        connection.execute("BEGIN IMMEDIATE")
        answers = [_attempt(connection, asked.work) for asked in group]
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        answers = [_Refusal(_explained(error, path))] * len(group)
    _answer(group, answers)


class _Refusal(NamedTuple):
    """An error in the place of a result."""

    error: Exception


def _attempt(connection: sqlite3.Connection, work: Write) -> Any:
    connection.execute("SAVEPOINT one")
    try:
        result = work(connection)
    except sqlite3.OperationalError:
        raise  # a full disk or a lost file concerns the whole group
    except Exception as error:  # noqa: BLE001 - the caller's own refusal, handed back to the caller
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


def _explained(error: sqlite3.Error, path: Path) -> TrainyardError:
    text = str(error)
    if "full" in text or ("I/O" in text and os.statvfs(path.parent).f_bavail == 0):
        return Transient(f"The disk that holds {path.parent} is full; free some space and try again.", after=5.0)
    if "locked" in text or "busy" in text:
        return Transient(f"{path} is held by another process; try again.", after=1.0)
    if "malformed" in text or "not a database" in text:
        return TrainyardError(
            f"{path} is no store of ours, or it is damaged ({text}). Nothing was touched. Put a copy back, or move it "
            f"and {path.name}-wal away to begin anew: models and data stay where they are."
        )
    if "readonly" in text or "unable to open" in text:
        return TrainyardError(
            f"{path} cannot be opened for writing ({text}). Look at the permissions of {path.parent}, or name another "
            "home: --home, or TRAINYARD_HOME."
        )
    return TrainyardError(f"{path} cannot be used: {text}")
