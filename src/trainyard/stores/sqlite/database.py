"""The home's database: the file of records, with the migrations that lie beside this module."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from trainyard.database import file

_MIGRATIONS = file.migrations_of("trainyard.stores.sqlite")


class Database(file.Database):
    """The file at `path`, brought to this release's schema."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _MIGRATIONS)


def connect(path: Path) -> sqlite3.Connection:
    """A bare connection to such a file, with our settings."""
    return file.connect(path, newest=len(_MIGRATIONS))
