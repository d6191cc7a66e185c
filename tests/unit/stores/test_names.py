"""Names in memory find what SQLite's LIKE finds, whatever was made and deleted between two looks."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing

from hypothesis import given
from hypothesis import strategies as st

from trainyard.model.keys import Scope
from trainyard.stores.sqlite.names import Names

HERE, THERE = Scope("111111111111", "us-east-1"), Scope("222222222222", "us-east-1")
TABLE = (
    "CREATE TABLE jobs (id INTEGER PRIMARY KEY, account TEXT, region TEXT, name TEXT, created_at REAL, "
    "UNIQUE (account, region, name))"
)
INSERT = "INSERT INTO jobs (account, region, name, created_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
LIKE = "SELECT id FROM jobs WHERE account = ? AND region = ? AND name LIKE ?"

_name = st.text("aB-1", min_size=1, max_size=3)
_create = st.tuples(st.just("create"), st.sampled_from([HERE, THERE]), _name)
_delete_newest = st.tuples(st.just("delete"), st.integers(1, 4), st.just(""))
_delete_one = st.tuples(st.just("delete one"), st.integers(1, 8), st.just(""))
_look = st.tuples(st.just("look"), st.sampled_from([HERE, THERE]), st.text("aAbB-1", min_size=1, max_size=2))


def _rows(connection: sqlite3.Connection, scope: Scope, text: str) -> set[int]:
    return {row for (row,) in connection.execute(LIKE, (scope.account, scope.region, f"%{text}%"))}


@given(st.lists(st.one_of(_create, _create, _delete_newest, _delete_one, _look), max_size=60))
def test_nothing_is_missed_that_there_is(deeds: Sequence[tuple[str, Scope | int, str]]) -> None:
    names, now = Names(), 0.0
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(TABLE)
        for deed, what, text in deeds:
            now += 1.0
            if isinstance(what, Scope) and deed == "create":
                connection.execute(INSERT, (what.account, what.region, text, now))
            elif isinstance(what, Scope):
                found = names.holding(connection, what, text, most=1000)
                assert found is not None
                assert _rows(connection, what, text) <= set(found)
                assert len(found) == len(set(found))
            elif deed == "delete":
                connection.execute("DELETE FROM jobs WHERE id > (SELECT max(id) FROM jobs) - ?", (what,))
            else:
                connection.execute("DELETE FROM jobs WHERE id = ?", (what,))


def test_many_are_told_as_many_and_between_which_times() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(TABLE)
        for number, at in enumerate((5.0, 3.0, 4.0, 9.0, 8.0)):
            connection.execute(INSERT, (HERE.account, HERE.region, f"{'xyyxx'[number]}{number}", at))
        names = Names()
        assert names.holding(connection, HERE, "Y", most=2) == [2, 3]
        assert names.holding(connection, HERE, "y", most=1) is None
        assert names.created(HERE, "Y", first=True) <= 3.0
        assert names.created(HERE, "y", first=False) >= 4.0
        assert names.holding(connection, THERE, "x", most=2) == []


def test_scopes_that_are_asked_for_rarely_are_read_again() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(TABLE)
        names = Names()
        for number in range(40):
            scope = Scope(f"{number:012}", "us-east-1")
            connection.execute(INSERT, (scope.account, scope.region, "job", 1.0))
            assert names.holding(connection, scope, "job", most=9) == [number + 1]
        assert names.holding(connection, Scope(f"{0:012}", "us-east-1"), "O", most=9) == [1]
        assert len(names._scopes) < 40
