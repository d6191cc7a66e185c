"""How the write-ahead log goes into its file: beside the writing, by a thread and a connection of its own.

SQLite does it within the commit that makes the log long enough, and whoever waits for that commit waits for all of it.
Here most of it is done while others are written, and the writer itself does only what came in meanwhile: then nothing
is left, and the log begins anew at its start. Where that fails, or lags behind, SQLite's own way is still there.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress

from trainyard.model.errors import TrainyardError

COMMITS = 128  # after which the log is taken into the file
_CHECKPOINT = "PRAGMA wal_checkpoint(PASSIVE)"  # waits for nobody, and nobody for it


class Checkpoints:
    """The thread, started once there is something to do, and what the writer does after each commit."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._commits = 0
        self._bell: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._is_busy = self._is_through = False

    def committed(self, connection: sqlite3.Connection) -> None:
        """The writer's connection has committed."""
        self._commits += 1
        if self._is_through:
            self._is_through = False
            with suppress(sqlite3.Error):
                connection.execute(_CHECKPOINT)
        elif self._commits >= COMMITS and not self._is_busy:
            self._commits, self._is_busy = 0, True
            self._ask()

    def close(self) -> None:
        """End, once what was begun is done."""
        if self._thread is not None:
            self._bell.put(False)
            self._thread.join()

    def _ask(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work_until_closed, name="store-checkpoints", daemon=True)
            self._thread.start()
        self._bell.put(True)

    def _work_until_closed(self) -> None:
        with suppress(TrainyardError, sqlite3.Error), closing(self._connect()) as connection:
            while self._bell.get():
                with suppress(sqlite3.Error):
                    connection.execute(_CHECKPOINT)
                    self._is_through = True
                self._is_busy = False
