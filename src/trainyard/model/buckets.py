"""Buckets and what lies in them, with S3's meaning: versions of objects, uploads in parts, pages of listings.

Keys are text; their order is that of their UTF-8 bytes, which is that of their code points. Times are seconds since the
epoch, sizes bytes. Names of headers and of user metadata are in lower case; a header's text is its bytes as latin-1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

NULL_VERSION = "null"  # the version of what was written while versioning was not enabled
LONGEST_KEY = 1024  # bytes
LARGEST_PAGE = 1000
SMALLEST_PART = 5 * 1024 * 1024  # bytes, but for the last
MOST_PARTS = 10_000

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")

E = TypeVar("E")


class Versioning(StrEnum):
    """Whether a bucket keeps what is overwritten and deleted."""

    NEVER = ""
    ENABLED = "Enabled"
    SUSPENDED = "Suspended"


class ChecksumType(StrEnum):
    """Of all the bytes, or of the checksums of the parts."""

    WHOLE = "FULL_OBJECT"
    COMPOSITE = "COMPOSITE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A bucket. owner: the account it belongs to; "" where this home's own user made it by writing to it."""

    name: str
    owner: str
    region: str
    created: float
    versioning: Versioning = Versioning.NEVER
    tags: Mapping[str, str] = field(default_factory=dict)


def is_bucket_name(name: str) -> bool:
    """Whether a new bucket may be called so."""
    return bool(_NAME.fullmatch(name)) and ".." not in name and not _ADDRESS.fullmatch(name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """Whose buckets are reached: those of one account. takes_unowned: and those that no account made."""

    account: str
    takes_unowned: bool = True

    def owns(self, bucket: Bucket) -> bool:
        """Whether a bucket is his."""
        return bucket.owner == self.account or (self.takes_unowned and not bucket.owner)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is kept with an object.

    headers   : those that come back with it: content-type, cache-control, …
    checksums : base64 by algorithm; of a composite one with its "-N".
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    checksums: Mapping[str, str] = field(default_factory=dict)
    checksum_type: ChecksumType = ChecksumType.WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of an object, or a delete marker. etag: in hex, "-N" behind it for one of N parts; no quotes."""

    key: str
    modified: float
    version: str = NULL_VERSION
    size: int = 0
    etag: str = ""
    is_latest: bool = True
    is_marker: bool = False
    facts: Facts = field(default_factory=Facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRange:
    """Where a part of an object's upload lies in the whole."""

    number: int
    start: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """An upload in parts that was begun. algorithm: its parts' checksums; "" where the client named none."""

    upload: str
    key: str
    initiated: float
    facts: Facts = field(default_factory=Facts)
    algorithm: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part that is there. checksums: base64 by algorithm."""

    number: int
    size: int
    etag: str
    modified: float
    checksums: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartClaim:
    """A part that the client says an object is to be made of."""

    number: int
    etag: str
    checksums: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What to list: keys that begin with `prefix` and come after `after`.

    delimiter : keys that hold it behind the prefix are told as one common prefix, which ends with it.
    after     : a key or a common prefix, itself left out; `after_version` of that key where versions are listed: only
                those older are left, and an upload's id where uploads are listed.
    limit     : entries and common prefixes, together.
    """

    prefix: str = ""
    delimiter: str = ""
    after: str = ""
    after_version: str = ""
    limit: int = LARGEST_PAGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed(Generic[E]):
    """A page. last, last_version: where the next one begins, if there is `more`."""

    entries: Sequence[E] = ()
    prefixes: Sequence[str] = ()
    more: bool = False
    last: str = ""
    last_version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """What a deletion did. marker: the delete marker's version, made by it or removed by it; "" where there is none."""

    version: str = ""
    marker: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doomed:
    """A key, or one version of it, that is to be deleted."""

    key: str
    version: str | None = None
    etag: str | None = None


Expectation = Callable[[Version | None], None]
"""Judges what is there, inside the transaction that would replace it; raises ObjectRefused."""


FactsOf = Callable[[Facts], Facts]
"""What a copy keeps of its source's facts."""


def anything(_current: Version | None) -> None:
    """The expectation of a request without conditions."""
