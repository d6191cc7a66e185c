"""Uploads in parts, in the index. Runs inside a transaction."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from trainyard.model.buckets import (
    LONGEST_KEY,
    Expectation,
    Listed,
    Listing,
    Part,
    PartClaim,
    Upload,
    Version,
)
from trainyard.model.errors import ObjectRefused, Refusal
from trainyard.objects.embedded import assembling, extents, listing, versions
from trainyard.objects.embedded.extents import Extent
from trainyard.objects.embedded.records import (
    bucket_row,
    facts_text,
    key_bytes,
    part_of,
    plain_json,
    upload_of,
    version_of,
)

DEFAULT_ALGORITHM = "CRC64NVME"  # what the service takes of parts that came without a checksum
_AT_MOST = 500  # uploads that one sweep ends


def begin(connection: sqlite3.Connection, bucket: str, upload: Upload) -> Upload:
    """A new upload; it gets its id here."""
    identity = bucket_row(connection, bucket)["id"]
    stored = key_bytes(upload.key)
    if not 0 < len(stored) <= LONGEST_KEY:
        raise ObjectRefused(Refusal.KEY_TOO_LONG, f"The key of an object has 1 to {LONGEST_KEY:,} bytes.")
    named = replace(upload, upload=secrets.token_urlsafe(48))
    connection.execute(
        "INSERT INTO uploads (id, bucket, key, initiated, algorithm, facts) VALUES (?, ?, ?, ?, ?, ?)",
        (named.upload, identity, stored, named.initiated, named.algorithm, facts_text(named.facts)),
    )
    return named


def find(connection: sqlite3.Connection, bucket: str, key: str, upload: str) -> Upload:
    """One. Raises ObjectRefused."""
    identity = bucket_row(connection, bucket)["id"]
    row = connection.execute(
        "SELECT * FROM uploads WHERE id = ? AND bucket = ? AND key = ?", (upload, identity, key_bytes(key))
    ).fetchone()
    if row is None:
        raise ObjectRefused(Refusal.NO_SUCH_UPLOAD, f"There is no such upload of s3://{bucket}/{key}.")
    return upload_of(row)


def list_begun(connection: sqlite3.Connection, bucket: str, asked: Listing) -> Listed[Upload]:
    """A page: by key, oldest first."""
    identity = bucket_row(connection, bucket)["id"]

    def rows(low: bytes, label: str) -> Iterable[tuple[bytes, str, Upload]]:
        behind = connection.execute("SELECT initiated FROM uploads WHERE id = ?", (label,)).fetchone()
        found = connection.execute(
            "SELECT * FROM uploads WHERE bucket = ? AND (key, initiated, id) > (?, ?, ?) ORDER BY key, initiated, id",
            (identity, low, -1.0 if behind is None else behind["initiated"], label if behind is not None else ""),
        )
        for row in found:
            yield row["key"], row["id"], upload_of(row)

    return listing.page(asked, rows)


def put_part(
    connection: sqlite3.Connection, bucket: str, upload: Upload, part: Part, content: Sequence[Extent]
) -> list[str]:
    """A part, in the place of one of the same number; returns the files that nobody needs any more."""
    find(connection, bucket, upload.key, upload.upload)
    old = connection.execute(
        "SELECT content FROM parts WHERE upload = ? AND number = ?", (upload.upload, part.number)
    ).fetchone()
    connection.execute(
        "INSERT OR REPLACE INTO parts (upload, number, content, size, etag, modified, checksums) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            upload.upload, part.number, extents.add(connection, extents.renumbered(content, part.number)), part.size,
            part.etag, part.modified, plain_json(part.checksums),
        ),
    )  # fmt: skip
    return [] if old is None else extents.remove(connection, old["content"])


def list_parts(connection: sqlite3.Connection, bucket: str, upload: Upload, after: int, limit: int) -> Listed[Part]:
    """A page of parts, by number."""
    find(connection, bucket, upload.key, upload.upload)
    rows = connection.execute(
        "SELECT * FROM parts WHERE upload = ? AND number > ? ORDER BY number LIMIT ?",
        (upload.upload, after, limit + 1),
    ).fetchall()
    shown = [part_of(row) for row in rows[:limit]]
    return Listed(entries=shown, more=len(rows) > limit, last=str(shown[-1].number if shown else after))


def complete(
    connection: sqlite3.Connection, bucket: str, upload: Upload, claims: Sequence[PartClaim],
    expected: Mapping[str, str], expect: Expectation, now: float,
) -> tuple[Version, list[str]]:  # fmt: skip
    """Make the object of the parts that are claimed and forget the others; no byte is moved."""
    rows = connection.execute("SELECT * FROM parts WHERE upload = ?", (upload.upload,)).fetchall()
    contents = {row["number"]: row["content"] for row in rows}
    parts = assembling.chosen({row["number"]: part_of(row) for row in rows}, claims)
    algorithm = upload.algorithm or DEFAULT_ALGORITHM
    checksum = assembling.checksum_of(parts, algorithm, upload.facts.checksum_type)
    if any(name != algorithm or value != checksum for name, value in expected.items()):
        raise ObjectRefused(Refusal.BAD_DIGEST)
    whole = Version(
        key=upload.key, modified=now, size=sum(part.size for part in parts), etag=assembling.etag_of(parts),
        facts=replace(upload.facts, checksums={} if checksum is None else {algorithm: checksum}),
    )  # fmt: skip
    content = [extent for part in parts for extent in extents.of(connection, contents[part.number])]
    named, freed = versions.put(connection, bucket, upload.key, whole, content, expect)
    return named, freed + forget(connection, upload.upload)


def completed_before(connection: sqlite3.Connection, bucket: str, key: str, claims: Sequence[PartClaim]) -> Version:
    """The object that these parts made, if it is there. Raises ObjectRefused."""
    refusal = ObjectRefused(Refusal.NO_SUCH_UPLOAD, f"There is no such upload of s3://{bucket}/{key}.")
    try:
        found, made = version_of(versions.find(connection, bucket, key)), assembling.etag_of(claims)
    except (ObjectRefused, ValueError):  # ValueError: an ETag that no part ever had
        raise refusal from None
    if found.etag != made:
        raise refusal
    return found


def forget(connection: sqlite3.Connection, upload: str) -> list[str]:
    """Remove an upload and its parts; returns the files that nobody needs any more."""
    contents = connection.execute("SELECT content FROM parts WHERE upload = ?", (upload,)).fetchall()
    connection.execute("DELETE FROM parts WHERE upload = ?", (upload,))
    connection.execute("DELETE FROM uploads WHERE id = ?", (upload,))
    return [blob for row in contents for blob in extents.remove(connection, row["content"])]


def forget_stale(connection: sqlite3.Connection, before: float) -> list[str]:
    """End uploads that were begun before a moment, some of them; returns the files that nobody needs any more."""
    stale = connection.execute("SELECT id FROM uploads WHERE initiated < ? LIMIT ?", (before, _AT_MOST)).fetchall()
    return [blob for row in stale for blob in forget(connection, row["id"])]
