"""Pages of jobs by a part of their names: out of memory, of few and of many, as by a look at each."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from tests.fakes.records import a_record

from trainyard.model.keys import Scope
from trainyard.model.listing import ListQuery
from trainyard.stores.sqlite import listing
from trainyard.stores.sqlite.database import Database
from trainyard.stores.sqlite.names import Names
from trainyard.stores.sqlite.store import SqliteJobStore

KEY = a_record("any").key
SCOPE = Scope(KEY.account, KEY.region)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(tmp_path / "store.db")
    store = SqliteJobStore(database)
    for number in range(30):
        at = 100.0 - number if number % 7 == 0 else float(number)  # not all in the order of their making
        record = a_record(f"{'train' if 8 < number < 24 else 'Tune'}-{number:02}", at)
        await store.create(record)
    yield database
    database.close()


@pytest.mark.parametrize("text", ["train", "TRAIN-1", "t", "9", "-2", "none"])
@pytest.mark.parametrize("by", ["Name", "CreationTime", "LastModifiedTime", "Status"])
@pytest.mark.parametrize("few", [0, 5, 1000])
async def test_the_same_jobs_are_shown(
    database: Database, monkeypatch: pytest.MonkeyPatch,
    text: str, by: Literal["Name", "CreationTime", "LastModifiedTime", "Status"], few: int,
) -> None:  # fmt: skip
    monkeypatch.setattr(listing, "_FEW", few)
    names = Names()
    for descending in (False, True):
        query = ListQuery(limit=4, name_contains=text, sort_by=by, descending=descending, created_after=2.0)
        while True:
            shown = await listing.page(database, SCOPE, query, names)
            assert shown == await listing.page(database, SCOPE, query)
            if shown.token is None:
                break
            query = replace(query, token=shown.token)


async def test_rows_that_are_looked_at_one_by_one_are_found_by_their_numbers(database: Database) -> None:
    """A plan by the scope's index would look at all jobs to find three."""
    plans: list[str] = []

    def noting(connection: sqlite3.Connection) -> None:
        sql, values = listing.ordered(
            "*", SCOPE, listing.Order("Name", descending=True), None, listing._AMONG, by_row=True
        )
        plans.extend(row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", [*values, "[1, 2]", 9]))

    await database.read(noting)
    assert any("SEARCH jobs USING INTEGER PRIMARY KEY" in plan for plan in plans)
