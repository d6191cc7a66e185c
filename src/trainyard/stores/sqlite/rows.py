"""Many rows by few statements, and many read as one.

Each statement, and each row that is read, hands Python's lock to another thread and waits to have it back, which under
load costs more than the row.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

_MOST = 64  # rows of one statement; powers of two up to it are all that is ever prepared


class Inserted(NamedTuple):
    """How many rows went in, and the number of the last one; 0 where none did."""

    rows: int = 0
    last: int = 0


def insert(connection: sqlite3.Connection, table: str, rows: Sequence[Sequence[object]], unless: str = "") -> Inserted:
    """Insert rows into a table, named with its columns: `events (uid, at)`. The first of them is never null.

    unless : what an ON CONFLICT clause says of rows that are there, `(name) DO NOTHING`.
    """
    done = Inserted()
    for first in range(0, len(rows), _MOST):
        part = rows[first : first + _MOST]
        size, width = 1 << (len(part) - 1).bit_length(), len(part[0])
        values = [value for row in part for value in row]
        values += [None] * (size * width - len(values))
        cursor = connection.execute(_statement(table, width, size, unless), values)
        if cursor.rowcount > 0:
            done = Inserted(done.rows + cursor.rowcount, cursor.lastrowid or 0)
    return done


def fetch(connection: sqlite3.Connection, columns: str, rest: str, values: Sequence[object] = ()) -> list[list[Any]]:
    """All rows of `SELECT columns rest`, in no order. Of texts and integers alone: JSON would round other numbers."""
    sql = f"SELECT json_group_array(json_array({columns})) {rest}"
    (text,) = connection.execute(sql, values).fetchone()
    found: list[list[Any]] = json.loads(text)
    return found


@lru_cache
def _statement(table: str, columns: int, rows: int, unless: str) -> str:
    row = f"({', '.join('?' * columns)})"
    given = f"(VALUES {', '.join([row] * rows)}) WHERE column1 IS NOT NULL"  # what fills it up to its size is null
    conflict = f" ON CONFLICT {unless}" if unless else ""
    return f"INSERT INTO {table} SELECT * FROM {given}{conflict}"  # noqa: S608 - our own words
