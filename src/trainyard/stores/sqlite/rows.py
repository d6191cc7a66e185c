"""Many rows by few statements, and many read as one.

Each statement, and each row that is read, hands Python's lock to another thread and waits to have it back, which under
load costs more than the row.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

_MOST = 64  # rows of one statement; powers of two below it are all that is ever prepared


def insert(connection: sqlite3.Connection, table: str, rows: Sequence[Sequence[object]], unless: str = "") -> int:
    """Insert rows into a table, named with its columns: `events (uid, at)`. How many went in.

    unless : what an ON CONFLICT clause says of rows that are there, `(name) DO NOTHING`.
    """
    written = first = 0
    while first < len(rows):
        size = min(_MOST, 1 << ((len(rows) - first).bit_length() - 1))
        part = rows[first : first + size]
        values = [value for row in part for value in row]
        written += connection.execute(_statement(table, len(rows[0]), size, unless), values).rowcount
        first += size
    return written


def fetch(connection: sqlite3.Connection, columns: str, rest: str, values: Sequence[object] = ()) -> list[list[Any]]:
    """All rows of `SELECT columns rest`, in no order. Of texts and integers alone: JSON would round other numbers."""
    sql = f"SELECT json_group_array(json_array({columns})) {rest}"
    (text,) = connection.execute(sql, values).fetchone()
    found: list[list[Any]] = json.loads(text)
    return found


@lru_cache
def _statement(table: str, columns: int, rows: int, unless: str) -> str:
    row = f"({', '.join('?' * columns)})"
    conflict = f" ON CONFLICT {unless}" if unless else ""
    return f"INSERT INTO {table} VALUES {', '.join([row] * rows)}{conflict}"  # noqa: S608 - our own words
