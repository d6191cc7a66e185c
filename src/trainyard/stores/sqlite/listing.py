"""Jobs in order, by keyset, from the columns that stand beside each record: no spec is decoded for a list."""

from __future__ import annotations

import json
import re
import sqlite3

from trainyard.lifecycle.paging import Order, Place, place_in, place_of, token_of
from trainyard.model.keys import JobKey, Scope
from trainyard.model.ledger import Page
from trainyard.model.listing import JobSummary, ListQuery
from trainyard.model.status import SecondaryStatus, TrainingJobStatus
from trainyard.stores.sqlite.database import Database
from trainyard.stores.sqlite.names import Names

# Of unfinished jobs alone, which are few: it stands in the record.
_UNOBSERVED = "CASE WHEN unfinished = 1 THEN json_extract(record, '$.unobserved.since') END AS unobserved_since"
_FEW = 1000  # names that hold a text: of more, enough are met on the way through an index
_AMONG = "id IN (SELECT value FROM json_each(?))"
_SPECIAL = re.compile(r"[%_\\]")
_COLUMNS = {"Name": "name", "CreationTime": "created_at", "LastModifiedTime": "modified_at", "Status": "status"}
_SUMMARY = (
    "name, account, region, status, secondary, created_at, modified_at, ended_at, failure_reason, instance, image, "
    + _UNOBSERVED
)


async def page(database: Database, scope: Scope, query: ListQuery, names: Names | None = None) -> Page[JobSummary]:
    """One page. Raises ValidationRefused for a token that is none of ours.

    names : parts of names are found by them, if there are any: whoever asks often keeps them.
    """
    order = Order(query.sort_by, query.descending)
    place = place_in(query.token, order)
    rows = await database.read(lambda connection: _rows(connection, scope, query, order, place, names))
    shown = [_summary(row) for row in rows[: query.limit]]
    token = token_of(order, place_of(shown[-1], order.by)) if len(rows) > query.limit else None
    return Page(tuple(shown), token)


def _rows(
    connection: sqlite3.Connection,
    scope: Scope,
    query: ListQuery,
    order: Order,
    place: Place | None,
    names: Names | None,
) -> list[sqlite3.Row]:
    """A page's rows, and one more where there is one."""
    conditions, values = _filters(query)
    by_row = bool(names is not None and query.name_contains)
    if names is not None and query.name_contains:
        rows = names.holding(connection, scope, query.name_contains, most=_FEW)
        if rows is None:
            rows = _page_of_many(connection, scope, query, order, place, names)
        conditions, values = [_AMONG, *conditions], [json.dumps(rows), *values]
    sql, bound = ordered(_SUMMARY, scope, order, place, *conditions, by_row=by_row)
    return connection.execute(sql, [*bound, *values, query.limit + 1]).fetchall()


def _page_of_many(
    connection: sqlite3.Connection, scope: Scope, query: ListQuery, order: Order, place: Place | None, names: Names
) -> list[int]:
    """The numbers of a page's rows where many hold a text, out of an index alone, begun where the first may be."""
    conditions, values = _filters(query)
    if order.by == "CreationTime" and query.name_contains:
        conditions.append("created_at <= ?" if order.descending else "created_at >= ?")
        values.append(names.created(scope, query.name_contains, first=not order.descending))
    sql, bound = ordered("id", scope, order, place, *conditions)
    return [row for (row,) in connection.execute(sql, [*bound, *values, query.limit + 1])]


async def any_unfinished(database: Database) -> bool:
    """Whether a job is left that something must still be done for."""
    sql = "SELECT EXISTS (SELECT 1 FROM jobs WHERE unfinished = 1)"

    def work(connection: sqlite3.Connection) -> bool:
        return bool(connection.execute(sql).fetchone()[0])

    return await database.read(work)


def ordered(
    columns: str, scope: Scope, order: Order, after: Place | None, *conditions: str, by_row: bool = False
) -> tuple[str, list[object]]:
    """A SELECT behind a place, and its values but for those of `conditions` and the limit, which follow.

    by_row : the conditions name the rows, few enough to be looked at one by one; else an index has the order.
    """
    column, way = _COLUMNS[order.by], "DESC" if order.descending else "ASC"
    where = ["+account = ?", "+region = ?"] if by_row else ["account = ?", "region = ?"]
    values = [scope.account, scope.region]
    bound: list[object] = [*values]
    by_name = column == "name"  # a second time it would keep SQLite from the index that has the names of one status
    if after is not None:
        behind = "<" if order.descending else ">"
        where.append(f"name {behind} ?" if by_name else f"({column}, name) {behind} (?, ?)")
        bound += after[1:] if by_name else after
    where += conditions
    keys = f"name {way}" if by_name else f"{column} {way}, name {way}"
    sql = f"SELECT {columns} FROM jobs WHERE {' AND '.join(where)} ORDER BY {keys} LIMIT ?"  # noqa: S608 - our own words
    return sql, bound


def _filters(query: ListQuery) -> tuple[list[str], list[object]]:
    filters: list[tuple[str, object]] = [
        ("name LIKE ? ESCAPE '\\'", None if query.name_contains is None else _somewhere(query.name_contains)),
        ("status = ?", str(query.status) if query.status else None),
        ("created_at > ?", query.created_after),
        ("created_at < ?", query.created_before),
        ("modified_at > ?", query.modified_after),
        ("modified_at < ?", query.modified_before),
    ]
    given = [(condition, value) for condition, value in filters if value is not None]
    return [condition for condition, _ in given], [value for _, value in given]


def _somewhere(text: str) -> str:
    """What is LIKE a name that holds a text, in whatever case; twice as fast as to look for it in lower case."""
    return f"%{_SPECIAL.sub(_escaped, text)}%"


def _escaped(found: re.Match[str]) -> str:
    return f"\\{found[0]}"


def _summary(row: sqlite3.Row) -> JobSummary:
    return JobSummary(
        name=row["name"], arn=JobKey(row["account"], row["region"], row["name"]).arn,
        status=TrainingJobStatus(row["status"]), secondary=SecondaryStatus(row["secondary"]),
        created_at=row["created_at"], modified_at=row["modified_at"], ended_at=row["ended_at"],
        failure_reason=row["failure_reason"], instance=row["instance"], image=row["image"],
        unobserved_since=row["unobserved_since"],
    )  # fmt: skip
