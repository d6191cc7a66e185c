"""Pages of jobs by keyset, from the columns that stand beside each record: no spec is decoded for a list."""

from __future__ import annotations

import sqlite3

from trainyard.kit import tokens
from trainyard.model.errors import ValidationRefused
from trainyard.model.keys import JobKey, Scope
from trainyard.model.ledger import Page
from trainyard.model.listing import JobSummary, ListQuery
from trainyard.model.status import SecondaryStatus, TrainingJobStatus
from trainyard.stores.sqlite.database import Database

# Of unfinished jobs alone, which are few: it stands in the record.
_UNOBSERVED = "CASE WHEN unfinished = 1 THEN json_extract(record, '$.unobserved.since') END AS unobserved_since"
_COLUMNS = {"Name": "name", "CreationTime": "created_at", "Status": "status"}


async def page(database: Database, scope: Scope, query: ListQuery) -> Page[JobSummary]:
    """One page. Raises ValidationRefused for a token that is none of ours."""
    sql, values = _listing(scope, query)

    def work(connection: sqlite3.Connection) -> list[sqlite3.Row]:
        return connection.execute(sql, values).fetchall()

    rows = await database.read(work)
    shown = rows[: query.limit]
    token = tokens.token_of(shown[-1][_COLUMNS[query.sort_by]], shown[-1]["name"]) if len(rows) > query.limit else None
    return Page(tuple(_summary(row) for row in shown), token)


async def any_unfinished(database: Database) -> bool:
    """Whether a job is left that something must still be done for."""
    sql = "SELECT EXISTS (SELECT 1 FROM jobs WHERE unfinished = 1)"

    def work(connection: sqlite3.Connection) -> bool:
        return bool(connection.execute(sql).fetchone()[0])

    return await database.read(work)


def _listing(scope: Scope, query: ListQuery) -> tuple[str, list[object]]:
    column = _COLUMNS[query.sort_by]
    order = "DESC" if query.descending else "ASC"
    conditions, values = ["account = ?", "region = ?"], [scope.account, scope.region]
    filters: list[tuple[str, object]] = [
        ("instr(lower(name), lower(?)) > 0", query.name_contains),
        ("status = ?", str(query.status) if query.status else None),
        ("created_at > ?", query.created_after),
        ("created_at < ?", query.created_before),
        ("modified_at > ?", query.modified_after),
        ("modified_at < ?", query.modified_before),
    ]
    bound: list[object] = [*values]
    for condition, value in filters:
        if value is not None:
            conditions.append(condition)
            bound.append(value)
    if query.token is not None:
        conditions.append(f"({column}, name) {'<' if query.descending else '>'} (?, ?)")
        bound.extend(_position(query.token, float if column == "created_at" else str))
    sql = (
        "SELECT name, account, region, status, secondary, created_at, modified_at, ended_at, failure_reason, instance, "  # noqa: S608
        f"image, {_UNOBSERVED} FROM jobs WHERE {' AND '.join(conditions)} "
        f"ORDER BY {column} {order}, name {order} LIMIT ?"
    )
    return sql, [*bound, query.limit + 1]


def _summary(row: sqlite3.Row) -> JobSummary:
    return JobSummary(
        name=row["name"], arn=JobKey(row["account"], row["region"], row["name"]).arn,
        status=TrainingJobStatus(row["status"]), secondary=SecondaryStatus(row["secondary"]),
        created_at=row["created_at"], modified_at=row["modified_at"], ended_at=row["ended_at"],
        failure_reason=row["failure_reason"], instance=row["instance"], image=row["image"],
        unobserved_since=row["unobserved_since"],
    )  # fmt: skip


def _position(token: str, kind: type) -> tuple[object, ...]:
    try:
        return tokens.place_of(token, kind, str)
    except ValueError as error:
        raise ValidationRefused("The pagination token is invalid.") from error
