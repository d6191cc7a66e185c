"""One SQLite file: opened, migrated, written by one thread with group commit, read by others."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import TypeVar
from weakref import WeakKeyDictionary

from trainyard.database.stirrings import Stirrings
from trainyard.database.writer import Writer
from trainyard.kit.pool import Pool
from trainyard.model.errors import StoreTooNew, TrainyardError, Transient

T = TypeVar("T")
I = TypeVar("I")  # noqa: E741 - an item
Migrations = list[list[str]]  # the statements of each step, in order; a file has taken as many as its user_version

_WRITERS_CACHE = 16 * 1024  # KiB; whoever writes to several indexes of a large table meets its pages again and again
_LONGEST_LOG = 16_000  # pages of the log after which a commit takes them into the file, should nobody else have done so
BUSY_TIMEOUT = 30.0  # seconds to wait for another process's transaction


class Database:
    """Durable writes and consistent reads of one file, from one asyncio loop or several."""

    def __init__(self, path: Path, migrations: Migrations) -> None:
        self._path = path
        self._migrations = migrations
        self._migrate()
        self._writer = Writer(self._for_writing, lambda error: _explained(error, path))
        self._readers = Pool(2, "store-reader")
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._stirrings: WeakKeyDictionary[asyncio.AbstractEventLoop, Stirrings] = WeakKeyDictionary()

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` inside a transaction; return once it is durable. A cancelled caller's work still happens whole.

        It may be run twice, the first time without effect: of what it leaves in Python only the last counts.
        """
        return await self._writer.write(work)

    async def write_jointly(
        self, work: Callable[[sqlite3.Connection, Sequence[I]], Sequence[T | Exception]], item: I
    ) -> T:
        """As `write`, with work for all items at once that wait for it: an answer, or a refusal, for each in order.

        `work` is told apart by what it is, so it is a function of a module, not one made for each call.
        """
        return await self._writer.write_jointly(work, item)

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on a connection for reading. Raises TrainyardError for a file that cannot be read."""
        try:
            return await self._readers.run(lambda: work(self._connection("reading")))
        except sqlite3.Error as error:
            raise _explained(error, self._path) from error

    async def glance(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work`, a look at few rows by their keys, at once and here: a hop to a thread costs more than that.

        Where another process holds the file, which it does for moments, it is a `read` that waits in a thread.
        """
        try:
            return work(self._connection("glancing", timeout=0.0))
        except sqlite3.Error:
            return await self.read(work)

    async def again(self, hint: asyncio.Event | None = None) -> None:
        """Wait until it is time to look for others' writes again: see `database.stirrings`. A hint ends the wait."""
        loop = asyncio.get_running_loop()
        heard = self._stirrings.get(loop)
        if heard is None:
            await self.read(_version)  # while a connection is open that has read, there is a log
            heard = self._stirrings[loop] = Stirrings(self._path.with_name(f"{self._path.name}-wal"))
        await heard.again(hint)

    def close(self) -> None:
        """Finish every write that was asked for, then close."""
        for heard in self._stirrings.values():
            heard.close()
        self._writer.close()
        self._readers.close()
        for connection in self._opened:
            connection.close()

    def _connection(self, use: str, timeout: float = BUSY_TIMEOUT) -> sqlite3.Connection:
        """This thread's own connection for a use."""
        connection: sqlite3.Connection | None = getattr(self._local, use, None)
        if connection is None:
            connection = self._connect(timeout)
            setattr(self._local, use, connection)
            self._opened.append(connection)
        return connection

    def _for_writing(self) -> sqlite3.Connection:
        connection = self._connect()
        connection.execute(f"PRAGMA cache_size = -{_WRITERS_CACHE}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_LONGEST_LOG}")
        return connection

    def _connect(self, timeout: float = BUSY_TIMEOUT) -> sqlite3.Connection:
        return connect(self._path, newest=len(self._migrations), timeout=timeout)

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


def connect(path: Path, *, newest: int, timeout: float = BUSY_TIMEOUT) -> sqlite3.Connection:
    """A connection with our settings: every commit on the disk. Refuses a file of a later schema than `newest`.

    timeout : seconds to wait for another process's transaction.
    """
    connection = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
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
