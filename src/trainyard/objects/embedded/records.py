"""Rows of the index as values, and back."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from trainyard.model.buckets import Bucket, ChecksumType, Facts, Part, Upload, Version, Versioning
from trainyard.model.errors import ObjectRefused, Refusal


def key_bytes(key: str) -> bytes:
    """A key as it is stored; file names that are no text have keys too."""
    return key.encode("utf-8", "surrogatepass")


def key_text(stored: bytes) -> str:
    """The key that was stored."""
    return stored.decode("utf-8", "surrogatepass")


def plain_json(value: Any) -> str:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":"))


def facts_text(facts: Facts) -> str:
    """Facts as they are stored; what is empty takes no room."""
    plain = {
        "headers": facts.headers, "metadata": facts.metadata, "tags": facts.tags, "checksums": facts.checksums,
        "type": "" if facts.checksum_type is ChecksumType.WHOLE else facts.checksum_type,
    }  # fmt: skip
    return plain_json({name: value for name, value in plain.items() if value})


_NO_FACTS = Facts()


def facts_of(text: str) -> Facts:
    """Stored facts."""
    if text == "{}":
        return _NO_FACTS
    plain = json.loads(text)
    return Facts(
        headers=plain.get("headers", {}),
        metadata=plain.get("metadata", {}),
        tags=plain.get("tags", {}),
        checksums=plain.get("checksums", {}),
        checksum_type=ChecksumType(plain.get("type") or ChecksumType.WHOLE),
    )


VERSION = "key, version, current, marker, size, etag, modified, facts"  # the columns of `version_of`


def version_of(row: sqlite3.Row) -> Version:
    """A row of versions."""
    return Version(
        key=key_text(row["key"]),
        version=row["version"],
        is_latest=bool(row["current"]),
        is_marker=bool(row["marker"]),
        size=row["size"],
        etag=row["etag"],
        modified=row["modified"],
        facts=facts_of(row["facts"]),
    )


def bucket_of(row: sqlite3.Row) -> Bucket:
    """A row of buckets."""
    return Bucket(
        name=row["name"],
        owner=row["owner"],
        region=row["region"],
        created=row["created"],
        versioning=Versioning(row["versioning"]),
        tags=json.loads(row["tags"]),
    )


def upload_of(row: sqlite3.Row) -> Upload:
    """A row of uploads."""
    return Upload(
        upload=row["id"],
        key=key_text(row["key"]),
        initiated=row["initiated"],
        algorithm=row["algorithm"],
        facts=facts_of(row["facts"]),
    )


def part_of(row: sqlite3.Row) -> Part:
    """A row of parts."""
    return Part(
        number=row["number"],
        size=row["size"],
        etag=row["etag"],
        modified=row["modified"],
        checksums=json.loads(row["checksums"]),
    )


def bucket_row(connection: sqlite3.Connection, name: str) -> sqlite3.Row:
    """The row of a bucket. Raises ObjectRefused."""
    row: sqlite3.Row | None = connection.execute("SELECT * FROM buckets WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise ObjectRefused(Refusal.NO_SUCH_BUCKET, f"There is no bucket {name}.")
    return row
