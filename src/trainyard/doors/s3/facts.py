"""What is kept with an object: the headers that a writer sends, and that a reader gets back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import parse_qsl

from trainyard.doors.s3.answers import Headers, http_date, quoted
from trainyard.doors.s3.errors import Refused
from trainyard.model.buckets import NULL_VERSION, ChecksumType, Facts, Version

LARGEST_METADATA = 2048  # bytes, names and values together
MOST_TAGS = 10
_KEPT = (
    "content-type", "cache-control", "content-disposition", "content-encoding", "content-language", "expires",
    "x-amz-website-redirect-location", "x-amz-storage-class", "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id", "x-amz-server-side-encryption-context",
)  # fmt: skip
_METADATA = "x-amz-meta-"
_CLASSES = ("STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR")
_OVERRIDES = ("content-type", "content-language", "expires", "cache-control", "content-disposition", "content-encoding")
ENCRYPTION, _KEY_ID = "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id"
_CONTEXT = "x-amz-server-side-encryption-context"  # part of the key, and never told again
_ENCRYPTIONS = ("AES256", "aws:kms", "aws:kms:dsse")
DEFAULT_TYPE = "binary/octet-stream"


def written(headers: Mapping[str, str]) -> Facts:
    """What a writer's headers say, its checksum apart. Raises Refused for what is not honoured."""
    refuse_unknown(headers)
    metadata = {name[len(_METADATA) :]: text for name, text in headers.items() if name.startswith(_METADATA)}
    if sum(len(name) + len(text) for name, text in metadata.items()) > LARGEST_METADATA:
        raise Refused("MetadataTooLarge")
    kept = {name: headers[name] for name in _KEPT if name in headers}
    if "content-encoding" in kept:
        kept["content-encoding"] = _without_chunks(kept["content-encoding"])
    kept = {name: text for name, text in kept.items() if text and (name, text) != ("x-amz-storage-class", "STANDARD")}
    return Facts(headers=kept, metadata=metadata, tags=tags_of(headers.get("x-amz-tagging", "")))


def refuse_unknown(headers: Mapping[str, str]) -> None:
    """What is asked for and would not happen is refused. Raises Refused."""
    if headers.get("x-amz-storage-class", "STANDARD") not in _CLASSES:
        raise Refused("InvalidStorageClass")
    if headers.get("x-amz-acl", "private") not in ("private", "bucket-owner-full-control"):
        raise Refused("AccessControlListNotSupported")
    if any(name.startswith("x-amz-grant-") for name in headers):
        raise Refused("AccessControlListNotSupported")
    if any(name.startswith("x-amz-object-lock-") for name in headers):
        raise Refused("InvalidRequest", "Bucket is missing Object Lock Configuration")
    if any(name.startswith("x-amz-server-side-encryption-customer") for name in headers):
        raise Refused("NotImplemented", "Encryption with keys that come with the request is not implemented.")
    if headers.get(ENCRYPTION, "AES256") not in _ENCRYPTIONS:
        raise Refused("InvalidArgument", "The encryption method specified is not supported")
    if _KEY_ID in headers and headers.get(ENCRYPTION, "AES256") == "AES256":
        raise Refused("InvalidArgument", "A key id goes with the encryption aws:kms or aws:kms:dsse only")


def cipher_of(facts: Facts) -> str:
    """The label of the key that a content with these facts is encrypted with; "" for none."""
    words = [facts.headers[name] for name in (ENCRYPTION, _KEY_ID, _CONTEXT) if name in facts.headers]
    return " ".join(words)


def encrypted_as(given: Facts, own: Facts, headers: Mapping[str, str]) -> dict[str, str]:
    """Headers of a copy: encrypted as the request says, and as its source is where that says nothing."""
    said = given if ENCRYPTION in given.headers else own
    names = (ENCRYPTION, _KEY_ID, _CONTEXT)
    rest = {name: text for name, text in headers.items() if name not in names}
    return rest | {name: said.headers[name] for name in names if name in said.headers}


def encryption_headers(facts: Facts) -> Headers:
    """How it is encrypted, as an answer to who wrote it says."""
    return tuple((name, facts.headers[name]) for name in (ENCRYPTION, _KEY_ID) if name in facts.headers)


def with_checksum(facts: Facts, algorithm: str, checksum: str) -> Facts:
    """The same, with a checksum of all bytes."""
    return replace(facts, checksums={algorithm: checksum}, checksum_type=ChecksumType.WHOLE)


def tags_of(text: str) -> dict[str, str]:
    """Tags as a header writes them: a query. Raises Refused."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), max_num_fields=2 * MOST_TAGS)
    except ValueError as error:
        raise Refused(
            "InvalidArgument", "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query "
            "parameters without tag name duplicates.",
        ) from error  # fmt: skip
    return sound_tags(pairs, MOST_TAGS)


def sound_tags(pairs: list[tuple[str, str]], most: int) -> dict[str, str]:
    """Tags, if they are S3's kind. Raises Refused."""
    tags = dict(pairs)
    if len(tags) != len(pairs):
        raise Refused("InvalidTag", "Cannot provide multiple Tags with the same key")
    if len(tags) > most:
        raise Refused("InvalidTag", f"Object tags cannot be greater than {most}")
    for name, text in tags.items():
        if not 0 < len(name) <= 128:
            raise Refused("InvalidTag", "The TagKey you have provided is invalid")
        if len(text) > 256:
            raise Refused("InvalidTag", "The TagValue you have provided is invalid")
    return tags


def read(version: Version, query: Mapping[str, str]) -> Headers:
    """What a reader gets: the query may replace some."""
    replaced = {name: _header_text(query[f"response-{name}"]) for name in _OVERRIDES if f"response-{name}" in query}
    kept = {"content-type": DEFAULT_TYPE, **version.facts.headers, **replaced}
    tags = [("x-amz-tagging-count", str(len(version.facts.tags)))] if version.facts.tags else []
    return (
        *((name, text) for name, text in kept.items() if name != _CONTEXT),
        *((_METADATA + name, text) for name, text in version.facts.metadata.items()),
        *tags,
        ("etag", quoted(version.etag)),
        ("last-modified", http_date(version.modified)),
        ("accept-ranges", "bytes"),
        *version_header(version),
    )


def _header_text(text: str) -> str:
    """A text of the query as a header. Raises Refused for what could end the header."""
    if any(ord(letter) < 0x20 or ord(letter) == 0x7F for letter in text):
        raise Refused("InvalidArgument", "A response header cannot hold control characters.")
    return text.encode("utf-8", "replace").decode("latin-1")


def version_header(version: Version) -> Headers:
    """Which version it is, where there are versions."""
    return () if version.version == NULL_VERSION else (("x-amz-version-id", version.version),)


def checksum_headers(facts: Facts) -> Headers:
    """Its checksums."""
    found = [(f"x-amz-checksum-{algorithm.lower()}", text) for algorithm, text in facts.checksums.items()]
    return (*found, ("x-amz-checksum-type", str(facts.checksum_type))) if found else ()


def checksum_elements(facts: Facts) -> list[tuple[str, str]]:
    """The same in a document."""
    found = [(f"Checksum{algorithm}", text) for algorithm, text in facts.checksums.items()]
    return [*found, ("ChecksumType", str(facts.checksum_type))] if found else []


def _without_chunks(encoding: str) -> str:
    """How the content is encoded, the way that its chunks came left out."""
    return ",".join(part for part in (one.strip() for one in encoding.split(",")) if part != "aws-chunked")
