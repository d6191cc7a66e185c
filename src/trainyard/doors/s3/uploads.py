"""Uploads in parts."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

from trainyard.doors.s3 import answers, conditions, documents, facts, listings, objects, ranges
from trainyard.doors.s3.answers import Answer
from trainyard.doors.s3.documents import Element, Node
from trainyard.doors.s3.errors import Refused
from trainyard.doors.s3.payloads import DEFAULT_ALGORITHM
from trainyard.doors.s3.requests import Request
from trainyard.doors.s3.world import World
from trainyard.kit import digests
from trainyard.model.buckets import (
    LARGEST_PAGE,
    MOST_PARTS,
    ChecksumType,
    Listing,
    Part,
    PartClaim,
    Upload,
)

_WHOLE_ONLY, _COMPOSITE_ONLY = ("CRC64NVME",), ("SHA1", "SHA256")


async def create(world: World, request: Request) -> Answer:
    """CreateMultipartUpload."""
    algorithm, kind = _checksums(request)
    kept = replace(facts.written(request.headers), checksum_type=kind)
    upload = await world.store.create_upload(request.bucket, request.key, kept, algorithm)
    headers = [("x-amz-checksum-algorithm", algorithm), ("x-amz-checksum-type", str(kind))] if algorithm else []
    headers += facts.encryption_headers(kept)
    holds = [("Bucket", request.bucket), ("Key", request.key), ("UploadId", upload.upload)]
    return answers.document("InitiateMultipartUploadResult", holds, headers)


def _checksums(request: Request) -> tuple[str, ChecksumType]:
    algorithm = request.headers.get("x-amz-checksum-algorithm", "").upper()
    kind = request.headers.get("x-amz-checksum-type", "").upper()
    if algorithm and algorithm not in digests.ALGORITHMS:
        raise Refused("InvalidRequest", "Checksum algorithm provided is unsupported.")
    if kind and not algorithm:
        raise Refused("InvalidRequest", "The x-amz-checksum-type header can only be used with an algorithm.")
    whole = not algorithm or algorithm in _WHOLE_ONLY
    try:
        chosen = ChecksumType(kind or (ChecksumType.WHOLE if whole else ChecksumType.COMPOSITE))
    except ValueError as error:
        raise Refused("InvalidRequest", "Value for x-amz-checksum-type header is invalid.") from error
    excluded = _COMPOSITE_ONLY if chosen is ChecksumType.WHOLE else _WHOLE_ONLY
    if algorithm in excluded:
        raise Refused("InvalidRequest", f"The {chosen} checksum type cannot be used with the {algorithm} algorithm.")
    return algorithm, chosen


async def put_part(world: World, request: Request) -> Answer:
    """UploadPart."""
    upload, number = await _upload(world, request), _number(request)
    promised = request.payload.promised()
    if promised.algorithm and upload.algorithm and promised.algorithm != upload.algorithm:
        raise Refused(
            "InvalidRequest",
            f"Checksum Type mismatch occurred, expected checksum Type: {upload.algorithm.lower()}, actual checksum "
            f"Type: {promised.algorithm.lower()}",
        )
    promised = replace(promised, algorithm=promised.algorithm or upload.algorithm)
    algorithm = promised.algorithm or DEFAULT_ALGORITHM
    kept = upload.algorithm or DEFAULT_ALGORITHM  # what the whole's checksum is made of
    async with world.store.incoming((*promised.algorithms, kept), facts.cipher_of(upload.facts)) as incoming:
        checksum = await request.payload.into(incoming, promised)
        checksums = {algorithm: checksum, kept: digests.text(incoming.digest(kept))}
        part = await world.store.put_part(request.bucket, upload, number, incoming, checksums)
    shown = (f"x-amz-checksum-{algorithm.lower()}", checksum)
    return Answer(headers=(("etag", answers.quoted(part.etag)), shown, *facts.encryption_headers(upload.facts)))


async def copy_part(world: World, request: Request) -> Answer:
    """UploadPartCopy."""
    upload, number = await _upload(world, request), _number(request)
    source = await objects.source_of(world, request)
    reading = await world.store.open(*source)
    objects.source_judge(request, source)(reading.version)
    span = ranges.copied(request.headers.get("x-amz-copy-source-range"), reading.version.size)
    algorithm = upload.algorithm or DEFAULT_ALGORITHM
    if facts.cipher_of(upload.facts) == facts.cipher_of(reading.version.facts):
        part = await world.store.copy_part(request.bucket, upload, number, reading, span, algorithm)
    else:
        part = await _part_encrypted_anew(world, request, upload, number, reading.pieces(*span))
    holds = [
        ("LastModified", answers.iso_date(part.modified)), ("ETag", answers.quoted(part.etag)),
        *((f"Checksum{name}", text) for name, text in part.checksums.items() if upload.algorithm),
    ]  # fmt: skip
    return answers.document("CopyPartResult", holds, objects.source_header(source))


async def _part_encrypted_anew(
    world: World, request: Request, upload: Upload, number: int, pieces: AsyncGenerator[bytes]
) -> Part:
    algorithm = upload.algorithm or DEFAULT_ALGORITHM
    async with world.store.incoming([algorithm], facts.cipher_of(upload.facts)) as incoming:
        async for piece in pieces:
            await incoming.write(piece)
        await incoming.finish()
        checksums = {algorithm: digests.text(incoming.digest(algorithm))}
        return await world.store.put_part(request.bucket, upload, number, incoming, checksums)


async def complete(world: World, request: Request) -> Answer:
    """CompleteMultipartUpload."""
    expected = conditions.of(request.headers)
    asked = documents.parse(await request.payload.document(of_body=False), "CompleteMultipartUpload")
    claims = [_claim(node) for node in asked.all("Part")]
    if not 0 < len(claims) <= MOST_PARTS:
        raise Refused("MalformedXML")
    said = {
        name: text
        for name in digests.ALGORITHMS
        if (text := request.headers.get(f"x-amz-checksum-{name.lower()}")) is not None
    }
    upload = request.query.get("uploadId", "")
    version = await world.store.complete(request.bucket, request.key, upload, claims, said, expected.expect_write)
    holds = [
        ("Location", request.resource), ("Bucket", request.bucket), ("Key", request.key),
        ("ETag", answers.quoted(version.etag)), *facts.checksum_elements(version.facts),
    ]  # fmt: skip
    headers = (*facts.version_header(version), *facts.encryption_headers(version.facts))
    return answers.document("CompleteMultipartUploadResult", holds, headers)


def _claim(node: Node) -> PartClaim:
    number, etag = node.get("PartNumber") or "", node.get("ETag")
    if not (number.isascii() and number.isdigit() and len(number) < 6) or etag is None:
        raise Refused("MalformedXML")
    checksums = {name: text for name in digests.ALGORITHMS if (text := node.get(f"Checksum{name}")) is not None}
    return PartClaim(number=int(number), etag=conditions.bare(etag), checksums=checksums)


async def abort(world: World, request: Request) -> Answer:
    """AbortMultipartUpload."""
    await world.store.abort(request.bucket, await _upload(world, request))
    return Answer(status=204)


async def list_parts(world: World, request: Request) -> Answer:
    """ListParts."""
    upload = await _upload(world, request)
    after = request.number("part-number-marker", 0)
    most = request.number("max-parts", LARGEST_PAGE, most=LARGEST_PAGE)
    page = await world.store.list_parts(request.bucket, upload, after, most)
    spell = listings.spelling(request)
    holds: list[Element] = [
        ("Bucket", request.bucket), ("Key", spell(request.key)), ("UploadId", upload.upload),
        listings.owner_element(world.account), ("Initiator", [("ID", world.account)]),
        ("StorageClass", upload.facts.headers.get("x-amz-storage-class", "STANDARD")),
        *_checksum_words(upload), ("PartNumberMarker", after), ("NextPartNumberMarker", page.last),
        ("MaxParts", most), ("IsTruncated", page.more), *(("Part", _part(part)) for part in page.entries),
    ]  # fmt: skip
    return answers.document("ListPartsResult", holds)


def _part(part: Part) -> list[Element]:
    return [
        ("PartNumber", part.number), ("LastModified", answers.iso_date(part.modified)),
        ("ETag", answers.quoted(part.etag)), ("Size", part.size),
        *((f"Checksum{name}", text) for name, text in part.checksums.items()),
    ]  # fmt: skip


def _checksum_words(upload: Upload) -> list[Element]:
    if not upload.algorithm:
        return []
    return [("ChecksumAlgorithm", upload.algorithm), ("ChecksumType", str(upload.facts.checksum_type))]


async def list_uploads(world: World, request: Request) -> Answer:
    """ListMultipartUploads."""
    spell, marker = listings.spelling(request), request.query.get("key-marker", "")
    begun = request.query.get("upload-id-marker", "") if marker else ""
    most = request.number("max-uploads", LARGEST_PAGE, most=LARGEST_PAGE)
    asked = Listing(
        prefix=request.query.get("prefix", ""), delimiter=request.query.get("delimiter", ""), after=marker,
        after_version=begun, limit=most,
    )  # fmt: skip
    page = await world.store.list_uploads(request.bucket, asked)
    following = [("NextKeyMarker", spell(page.last)), ("NextUploadIdMarker", page.last_version)]
    holds: list[Element] = [
        ("Bucket", request.bucket), ("KeyMarker", spell(marker)), ("UploadIdMarker", begun),
        *(one for one in following if page.more), ("Prefix", spell(asked.prefix)),
        ("Delimiter", spell(asked.delimiter)), ("MaxUploads", most), ("IsTruncated", page.more),
        *(("Upload", _begun(upload, spell, world.account)) for upload in page.entries),
        *listings.prefixes(page.prefixes, spell),
    ]  # fmt: skip
    return answers.document("ListMultipartUploadsResult", holds)


def _begun(upload: Upload, spell: listings.Spell, account: str) -> list[Element]:
    return [
        ("Key", spell(upload.key)), ("UploadId", upload.upload), ("Initiator", [("ID", account)]),
        listings.owner_element(account),
        ("StorageClass", upload.facts.headers.get("x-amz-storage-class", "STANDARD")),
        ("Initiated", answers.iso_date(upload.initiated)), *_checksum_words(upload),
    ]  # fmt: skip


async def _upload(world: World, request: Request) -> Upload:
    return await world.store.upload(request.bucket, request.key, request.query.get("uploadId", ""))


def _number(request: Request) -> int:
    number = request.number("partNumber", 0)
    if not 1 <= number <= MOST_PARTS:
        raise Refused("InvalidArgument", f"Part number must be an integer between 1 and {MOST_PARTS}, inclusive")
    return number
