"""Objects and their versions, in the index: what a write does to what was there. Runs inside a transaction."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace

from trainyard.model.buckets import (
    LONGEST_KEY,
    NULL_VERSION,
    Deleted,
    Doomed,
    Expectation,
    Facts,
    Listed,
    Listing,
    Version,
    Versioning,
)
from trainyard.model.errors import ObjectRefused, Refusal
from trainyard.objects.embedded import extents, listing
from trainyard.objects.embedded.extents import Extent
from trainyard.objects.embedded.records import (
    VERSION,
    bucket_row,
    facts_text,
    key_bytes,
    key_text,
    version_of,
)

_NOWHERE = -(1 << 63)  # before every turn


def find(connection: sqlite3.Connection, bucket: str, key: str, version: str | None = None) -> sqlite3.Row:
    """The row of a version, or of the current one; it may be a delete marker's. Raises ObjectRefused."""
    identity = bucket_row(connection, bucket)["id"]
    row = _row(connection, identity, key_bytes(key), version)
    if row is not None:
        return row
    if version is None:
        raise ObjectRefused(Refusal.NO_SUCH_KEY, f"There is no object s3://{bucket}/{key}.")
    raise ObjectRefused(Refusal.NO_SUCH_VERSION, f"s3://{bucket}/{key} has no version {version}.")


def put(
    connection: sqlite3.Connection, bucket: str, key: str, version: Version, content: Sequence[Extent],
    expect: Expectation,
) -> tuple[Version, list[str]]:  # fmt: skip
    """Write a version as its bucket keeps them; returns it, and the files that nobody needs any more."""
    row = bucket_row(connection, bucket)
    stored = key_bytes(key)
    if not 0 < len(stored) <= LONGEST_KEY:
        raise ObjectRefused(Refusal.KEY_TOO_LONG, f"The key of an object has 1 to {LONGEST_KEY:,} bytes.")
    expect(_current(connection, row["id"], stored))
    kept = Versioning(row["versioning"])
    named = replace(version, version=secrets.token_urlsafe(24) if kept is Versioning.ENABLED else NULL_VERSION)
    identity = extents.add(connection, content)  # before what it replaces goes: an object may be copied onto itself
    freed = [] if kept is Versioning.ENABLED else _remove(connection, row["id"], stored, NULL_VERSION)
    _insert(connection, row["id"], stored, named, identity)
    return named, freed


def delete(connection: sqlite3.Connection, bucket: str, doomed: Doomed, now: float) -> tuple[Deleted, list[str]]:
    """Delete as S3 does: a bucket that keeps versions gets a delete marker, unless a version is named."""
    row = bucket_row(connection, bucket)
    stored = key_bytes(doomed.key)
    if doomed.etag is not None:
        _expect_etag(_current(connection, row["id"], stored), doomed.etag)
    if doomed.version is not None:
        gone = _row(connection, row["id"], stored, doomed.version)
        marker = doomed.version if gone is not None and gone["marker"] else ""
        return Deleted(version=doomed.version, marker=marker), _remove(connection, row["id"], stored, doomed.version)
    kept = Versioning(row["versioning"])
    freed = [] if kept is Versioning.ENABLED else _remove(connection, row["id"], stored, NULL_VERSION)
    if kept is Versioning.NEVER:
        return Deleted(), freed
    name = secrets.token_urlsafe(24) if kept is Versioning.ENABLED else NULL_VERSION
    marker_row = Version(key=doomed.key, version=name, modified=now, is_marker=True)
    _insert(connection, row["id"], stored, marker_row, None)
    return Deleted(marker=name), freed


def set_facts(connection: sqlite3.Connection, row: sqlite3.Row, facts: Facts) -> Version:
    """Change what is kept with a version."""
    connection.execute(
        "UPDATE versions SET facts = ? WHERE bucket = ? AND key = ? AND turn = ?",
        (facts_text(facts), row["bucket"], row["key"], row["turn"]),
    )
    return replace(version_of(row), facts=facts)


def list_current(connection: sqlite3.Connection, bucket: str, asked: Listing) -> Listed[Version]:
    """A page of objects."""
    identity = bucket_row(connection, bucket)["id"]

    def rows(low: bytes, _label: str) -> Iterable[tuple[bytes, str, Version]]:
        found = connection.execute(
            f"SELECT {VERSION} FROM versions INDEXED BY versions_current "  # noqa: S608 - our own columns
            "WHERE bucket = ? AND key >= ? AND current AND NOT marker ORDER BY key",
            (identity, low),
        )
        for row in found:
            yield row["key"], "", version_of(row)

    return listing.page(asked, rows)


def list_all(connection: sqlite3.Connection, bucket: str, asked: Listing) -> Listed[Version]:
    """A page of versions and delete markers, newest first within a key."""
    identity = bucket_row(connection, bucket)["id"]

    def rows(low: bytes, label: str) -> Iterable[tuple[bytes, str, Version]]:
        behind = _row(connection, identity, low, label) if label else None
        found = connection.execute(
            f"SELECT {VERSION} FROM versions "  # noqa: S608 - our own columns
            "WHERE bucket = ? AND (key, turn) > (?, ?) ORDER BY key, turn",
            (identity, low, _NOWHERE if behind is None else behind["turn"]),
        )
        for row in found:
            yield row["key"], row["version"], version_of(row)

    return listing.page(asked, rows)


def _row(connection: sqlite3.Connection, bucket: int, key: bytes, version: str | None) -> sqlite3.Row | None:
    which = "current" if version is None else "version = ?"
    found = connection.execute(
        f"SELECT * FROM versions WHERE bucket = ? AND key = ? AND {which}",  # noqa: S608 - one of two texts of ours
        (bucket, key) if version is None else (bucket, key, version),
    )
    row: sqlite3.Row | None = found.fetchone()
    return row


def _current(connection: sqlite3.Connection, bucket: int, key: bytes) -> Version | None:
    """The object that is there; a delete marker is none."""
    row = _row(connection, bucket, key, None)
    return None if row is None or row["marker"] else version_of(row)


def _expect_etag(current: Version | None, etag: str) -> None:
    if current is None:
        raise ObjectRefused(Refusal.NO_SUCH_KEY)
    if etag not in ("*", current.etag):
        raise ObjectRefused(Refusal.PRECONDITION)


def _insert(connection: sqlite3.Connection, bucket: int, key: bytes, version: Version, content: int | None) -> None:
    """A new current version before all others of its key."""
    connection.execute("UPDATE versions SET current = 0 WHERE bucket = ? AND key = ? AND current", (bucket, key))
    connection.execute(
        "INSERT INTO versions (bucket, key, turn, version, current, marker, size, etag, modified, content, facts) "
        "SELECT ?1, ?2, COALESCE(MIN(turn), 0) - 1, ?3, 1, ?4, ?5, ?6, ?7, ?8, ?9 "
        "FROM versions WHERE bucket = ?1 AND key = ?2",
        (
            bucket, key, version.version, version.is_marker, version.size, version.etag, version.modified, content,
            facts_text(version.facts),
        ),
    )  # fmt: skip


def _remove(connection: sqlite3.Connection, bucket: int, key: bytes, version: str) -> list[str]:
    """Forget a version, if it is there; the newest of those left is current then. Returns the files it leaves."""
    row = _row(connection, bucket, key, version)
    if row is None:
        return []
    connection.execute("DELETE FROM versions WHERE bucket = ? AND key = ? AND turn = ?", (bucket, key, row["turn"]))
    connection.execute(
        "UPDATE versions SET current = 1 WHERE bucket = ?1 AND key = ?2 "
        "AND turn = (SELECT MIN(turn) FROM versions WHERE bucket = ?1 AND key = ?2)",
        (bucket, key),
    )
    return [] if row["content"] is None else extents.remove(connection, row["content"])


def source_of(row: sqlite3.Row, bucket: str) -> Version:
    """A version whose bytes can be read. Raises ObjectRefused for a delete marker."""
    if row["marker"]:
        raise ObjectRefused(Refusal.MARKER, f"s3://{bucket}/{key_text(row['key'])} was deleted.")
    return version_of(row)
