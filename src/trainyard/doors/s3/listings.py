"""Listings: objects in both versions of the call, and versions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from urllib.parse import quote

from trainyard.doors.s3 import answers
from trainyard.doors.s3.answers import Answer
from trainyard.doors.s3.documents import Element
from trainyard.doors.s3.errors import Refused
from trainyard.doors.s3.requests import Request
from trainyard.doors.s3.world import World
from trainyard.kit.tokens import place_of, token_of
from trainyard.model.buckets import LARGEST_PAGE, Listing, Version

Spell = Callable[[str], str]


async def list_objects(world: World, request: Request) -> Answer:
    """ListObjects."""
    spell, marker = spelling(request), request.query.get("marker", "")
    asked = _listing(request, marker)
    page = await world.store.list_objects(request.bucket, asked)
    holds: list[Element] = [
        ("Name", request.bucket), ("Prefix", spell(asked.prefix)), ("Marker", spell(marker)),
        *([("NextMarker", spell(page.last))] if page.more and asked.delimiter else []),
        *_common(asked, spell), ("IsTruncated", page.more),
        *_entries(page.entries, spell, owner=world.account), *prefixes(page.prefixes, spell),
    ]  # fmt: skip
    return answers.document("ListBucketResult", holds)


async def list_objects_v2(world: World, request: Request) -> Answer:
    """ListObjectsV2."""
    spell, token = spelling(request), request.query.get("continuation-token")
    start_after = request.query.get("start-after", "")
    asked = _listing(request, start_after if token is None else _continued(token))
    page = await world.store.list_objects(request.bucket, asked)
    owner = world.account if request.query.get("fetch-owner", "").lower() == "true" else None
    holds: list[Element] = [
        ("Name", request.bucket), ("Prefix", spell(asked.prefix)), *_common(asked, spell),
        ("KeyCount", len(page.entries) + len(page.prefixes)), ("IsTruncated", page.more),
        *([("ContinuationToken", token)] if token is not None else []),
        *([("NextContinuationToken", token_of(page.last))] if page.more else []),
        *([("StartAfter", spell(start_after))] if start_after else []),
        *_entries(page.entries, spell, owner=owner), *prefixes(page.prefixes, spell),
    ]  # fmt: skip
    return answers.document("ListBucketResult", holds)


async def list_versions(world: World, request: Request) -> Answer:
    """ListObjectVersions."""
    spell, marker = spelling(request), request.query.get("key-marker", "")
    version = request.query.get("version-id-marker", "")
    if version and not marker:
        raise Refused("InvalidArgument", "A version-id marker cannot be specified without a key marker.")
    asked = _listing(request, marker, version)
    page = await world.store.list_versions(request.bucket, asked)
    following = [("NextKeyMarker", spell(page.last)), ("NextVersionIdMarker", page.last_version)]
    holds: list[Element] = [
        ("Name", request.bucket), ("Prefix", spell(asked.prefix)), ("KeyMarker", spell(marker)),
        ("VersionIdMarker", version), *(one for one in following if page.more and one[1]),
        *_common(asked, spell), ("IsTruncated", page.more),
        *(_version(one, spell, world.account) for one in page.entries), *prefixes(page.prefixes, spell),
    ]  # fmt: skip
    return answers.document("ListVersionsResult", holds)


def spelling(request: Request) -> Spell:
    """How keys are written: as they are, or so that XML can hold all of them. Raises Refused."""
    encoding = request.query.get("encoding-type")
    if encoding not in (None, "url"):
        raise Refused("InvalidArgument", "Invalid Encoding Method specified in Request")
    return url_encoded if encoding == "url" else lambda text: text


def url_encoded(text: str) -> str:
    """A key as a URL's path writes it."""
    return quote(text, safe="/*-._", errors="surrogatepass")


def prefixes(found: Iterable[str], spell: Spell) -> list[Element]:
    """Common prefixes."""
    return [("CommonPrefixes", [("Prefix", spell(one))]) for one in found]


def owner_element(account: str) -> Element:
    """An owner."""
    return "Owner", [("ID", account), ("DisplayName", account)]


def _listing(request: Request, after: str, after_version: str = "") -> Listing:
    return Listing(
        prefix=request.query.get("prefix", ""), delimiter=request.query.get("delimiter", ""), after=after,
        after_version=after_version, limit=request.number("max-keys", LARGEST_PAGE, most=LARGEST_PAGE),
    )  # fmt: skip


def _continued(token: str) -> str:
    try:
        (after,) = place_of(token, str)
    except ValueError as error:
        raise Refused("InvalidArgument", "The continuation token provided is incorrect") from error
    return str(after)


def _common(asked: Listing, spell: Spell) -> list[Element]:
    return [
        ("MaxKeys", asked.limit),
        *([("Delimiter", spell(asked.delimiter))] if asked.delimiter else []),
        *([("EncodingType", "url")] if spell is url_encoded else []),
    ]


def _entries(found: Iterable[Version], spell: Spell, owner: str | None) -> list[Element]:
    return [("Contents", _entry(version, spell, owner)) for version in found]


def _entry(version: Version, spell: Spell, owner: str | None) -> list[Element]:
    checksums: list[Element] = [("ChecksumAlgorithm", algorithm) for algorithm in version.facts.checksums]
    if checksums:
        checksums.append(("ChecksumType", str(version.facts.checksum_type)))
    return [
        ("Key", spell(version.key)), ("LastModified", answers.iso_date(version.modified)),
        ("ETag", answers.quoted(version.etag)), *checksums, ("Size", version.size),
        *([owner_element(owner)] if owner is not None else []),
        ("StorageClass", version.facts.headers.get("x-amz-storage-class", "STANDARD")),
    ]  # fmt: skip


def _version(version: Version, spell: Spell, owner: str) -> Element:
    which: list[Element] = [("VersionId", version.version), ("IsLatest", version.is_latest)]
    if version.is_marker:
        named = [("Key", spell(version.key)), ("LastModified", answers.iso_date(version.modified))]
        return "DeleteMarker", [*named, owner_element(owner), *which]
    return "Version", [*_entry(version, spell, owner), *which]
