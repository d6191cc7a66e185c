"""Objects: read, written, copied, deleted, tagged."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from urllib.parse import unquote

from trainyard.doors.s3 import answers, conditions, documents, facts, ranges
from trainyard.doors.s3.answers import Answer, Headers
from trainyard.doors.s3.errors import Refused, from_store
from trainyard.doors.s3.payloads import DEFAULT_ALGORITHM
from trainyard.doors.s3.requests import Request
from trainyard.doors.s3.world import World
from trainyard.kit import digests
from trainyard.model.buckets import Deleted, Doomed, Expectation, Facts, FactsOf, Version
from trainyard.model.errors import ObjectRefused, Refusal, Transient
from trainyard.ports.buckets import Reading

_MOST_DOOMED = 1000
_AT_ONCE = 1 << 20  # bytes that are answered in one piece
_TRIES = 3  # of a read whose object is replaced between its name and its files
Source = tuple[str, str, str | None]


async def get(world: World, request: Request) -> Answer:
    """GetObject, HeadObject."""
    for _ in range(_TRIES - 1):
        try:
            return await _got(world, request)
        except Transient:  # it was replaced between its name and its files: its new version is as good
            continue
    return await _got(world, request)


async def _got(world: World, request: Request) -> Answer:
    reading = await world.store.open(request.bucket, request.key, request.query.get("versionId"))
    answer = _found(request, reading)
    if request.method == "HEAD" or answer.stream is None:
        return replace(answer, stream=None)
    if answer.length is not None and answer.length <= _AT_ONCE:
        return replace(answer, stream=None, body=b"".join([piece async for piece in answer.stream]))
    return replace(answer, stream=await _begun(answer.stream))


def _found(request: Request, reading: Reading) -> Answer:
    version = reading.version
    if version.is_marker:
        raise _marker(version, request)
    base = facts.read(version, request.query)
    try:
        conditions.of(request.headers).expect_read(version)
    except ObjectRefused as refused:
        raise Refused(str(refused.reason), headers=tuple(base)) from None
    part = request.query.get("partNumber")
    span, more = _part(reading, part) if part else (ranges.span(request.headers.get("range"), version.size), ())
    if span is None and request.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
        more = (*more, *facts.checksum_headers(version.facts))
    start, stop = span or (0, version.size)
    if span is not None:
        more = (*more, ("content-range", f"bytes {start}-{stop - 1}/{version.size}"))
    return Answer(
        status=200 if span is None else 206, headers=(*base, *more), stream=reading.pieces(start, stop),
        length=stop - start,
    )  # fmt: skip


def _part(reading: Reading, text: str) -> tuple[tuple[int, int] | None, Headers]:
    """Where a part lies in its object; what came whole is its own first part. Raises Refused."""
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise Refused("InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive")
    parts = reading.parts
    if not parts and int(text) == 1:
        return None, ()
    place = int(text) - 1  # readers count the parts that there are, whatever their writer numbered them
    if not 0 <= place < len(parts):
        raise Refused("InvalidPartNumber")
    part = parts[place]
    return (part.start, part.start + part.size), (("x-amz-mp-parts-count", str(len(parts))),)


def _marker(version: Version, request: Request) -> Refused:
    headers = (("x-amz-delete-marker", "true"), *facts.version_header(version))
    if "versionId" in request.query:
        return Refused("MethodNotAllowed", headers=(*headers, ("allow", "DELETE")))
    return Refused("NoSuchKey", details={"Key": request.key}, headers=headers)


async def _begun(stream: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """The same pieces, the first of them here already: what cannot be read is known before an answer begins."""
    first = await anext(stream, b"")

    async def pieces() -> AsyncGenerator[bytes]:
        async with aclosing(stream):
            yield first
            async for piece in stream:
                yield piece

    return pieces()


async def put(world: World, request: Request) -> Answer:
    """PutObject. What must fail fails before the body is asked for, and again where it would be replaced."""
    expected = conditions.of(request.headers)
    kept, promised = facts.written(request.headers), request.payload.promised()
    if expected.on_writing:
        expected.expect_write(await current(world, request))
    async with world.store.incoming(promised.algorithms, facts.cipher_of(kept)) as incoming:
        checksum = await request.payload.into(incoming, promised)
        kept = facts.with_checksum(kept, promised.algorithm or DEFAULT_ALGORITHM, checksum)
        version = await world.store.put(request.bucket, request.key, incoming, kept, expected.expect_write)
    return Answer(headers=_written(version))


def _written(version: Version) -> Headers:
    return (
        ("etag", answers.quoted(version.etag)),
        *facts.checksum_headers(version.facts),
        *facts.version_header(version),
        *facts.encryption_headers(version.facts),
    )


async def current(world: World, request: Request) -> Version | None:
    """The object that is there. Raises ObjectRefused for a bucket that is not."""
    try:
        version = await world.store.head(request.bucket, request.key)
    except ObjectRefused as refused:
        if refused.reason is not Refusal.NO_SUCH_KEY:
            raise
        return None
    return None if version.is_marker else version


async def copy(world: World, request: Request) -> Answer:
    """CopyObject."""
    source = await source_of(world, request)
    kept = _copied_facts(request, source)
    accept = source_judge(request, source)
    expect = conditions.of(request.headers).expect_write
    if "x-amz-checksum-algorithm" in request.headers or facts.ENCRYPTION in request.headers:
        version = await _copied_anew(world, request, source, kept, accept)
    else:
        version = await world.store.copy(source, request.bucket, request.key, kept, accept, expect)
    holds = [
        ("LastModified", answers.iso_date(version.modified)), ("ETag", answers.quoted(version.etag)),
        *facts.checksum_elements(version.facts),
    ]  # fmt: skip
    headers = (*source_header(source), *facts.version_header(version), *facts.encryption_headers(version.facts))
    return answers.document("CopyObjectResult", holds, headers)


def _copied_facts(request: Request, source: Source) -> FactsOf:
    """What the copy keeps, of the source's own facts. Raises Refused."""
    headers = request.headers
    directives = [headers.get(f"x-amz-{kind}-directive", "COPY").upper() for kind in ("metadata", "tagging")]
    if any(directive not in ("COPY", "REPLACE") for directive in directives):
        raise Refused("InvalidArgument", "Unknown metadata directive.")
    replaces_metadata, replaces_tags = (directive == "REPLACE" for directive in directives)
    given = facts.written(headers)
    if source == (request.bucket, request.key, None) and not (replaces_metadata or given.headers):
        raise Refused(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes.",
        )

    def kept(own: Facts) -> Facts:
        lasting = {name: given.headers[name] for name in _OF_THE_COPY if name in given.headers}
        base = {name: text for name, text in own.headers.items() if name not in _OF_THE_COPY}
        return replace(
            own,
            headers=facts.encrypted_as(given, own, given.headers if replaces_metadata else {**base, **lasting}),
            metadata=given.metadata if replaces_metadata else own.metadata,
            tags=given.tags if replaces_tags else own.tags,
        )

    return kept


_OF_THE_COPY = ("x-amz-storage-class", "x-amz-website-redirect-location")  # never the source's


async def _copied_anew(world: World, request: Request, source: Source, kept: FactsOf, accept: Expectation) -> Version:
    """A copy for which a checksum must be taken, or that is to be encrypted otherwise: its bytes are read."""
    reading = await world.store.open(*source)
    accept(reading.version)
    own = kept(reading.version.facts)
    wanted = request.headers.get("x-amz-checksum-algorithm", "").upper()
    algorithm = wanted or next(iter(own.checksums), DEFAULT_ALGORITHM)
    if algorithm not in digests.ALGORITHMS:
        raise Refused("InvalidRequest", "Checksum algorithm provided is unsupported.")
    expect = conditions.of(request.headers).expect_write
    async with world.store.incoming([algorithm], facts.cipher_of(own)) as incoming:
        async for piece in reading.pieces(0, reading.version.size):
            await incoming.write(piece)
        await incoming.finish()
        own = facts.with_checksum(own, algorithm, digests.text(incoming.digest(algorithm)))
        return await world.store.put(request.bucket, request.key, incoming, own, expect)


async def source_of(world: World, request: Request) -> Source:
    """What x-amz-copy-source names: bucket, key, version. Raises Refused."""
    path, _, query = request.headers["x-amz-copy-source"].partition("?")
    try:
        bucket, _, key = unquote(path, errors="strict").removeprefix("/").partition("/")
    except ValueError as error:
        raise Refused("InvalidArgument", "Invalid copy source encoding.") from error
    version = query.removeprefix("versionId=") if query.startswith("versionId=") else None
    if not bucket or not key:
        raise Refused("InvalidArgument", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
    await world.admit(request, bucket, reads=True)
    return bucket, key, version


def readable(version: Version, source: Source) -> Version:
    """A source's version, unless it is a delete marker. Raises Refused."""
    if version.is_marker and source[2]:
        raise Refused("InvalidRequest", "The source of a copy may not be a delete marker.")
    if version.is_marker:
        raise Refused("NoSuchKey", details={"Key": source[1]})
    return version


def source_judge(request: Request, source: Source) -> Expectation:
    """The expectations of a source."""
    expected = conditions.of(request.headers, "x-amz-copy-source-")

    def judge(version: Version | None) -> None:
        expected.expect_source(None if version is None else readable(version, source))

    return judge


def source_header(source: Source) -> Headers:
    """Which version of the source it was, if one was named."""
    return (("x-amz-copy-source-version-id", source[2]),) if source[2] else ()


async def delete(world: World, request: Request) -> Answer:
    """DeleteObject."""
    etag = request.headers.get("if-match")
    doomed = Doomed(
        key=request.key, version=request.query.get("versionId"), etag=None if etag is None else conditions.bare(etag)
    )
    [deleted] = await world.store.delete(request.bucket, [doomed])
    if isinstance(deleted, ObjectRefused):
        raise deleted
    headers = [("x-amz-delete-marker", "true")] if deleted.marker else []
    if named := deleted.version or deleted.marker:
        headers.append(("x-amz-version-id", named))
    return Answer(status=204, headers=headers)


async def delete_many(world: World, request: Request) -> Answer:
    """DeleteObjects."""
    asked = documents.parse(await request.payload.document(), "Delete")
    nodes = asked.all("Object")
    if not 0 < len(nodes) <= _MOST_DOOMED or any(node.get("Key") is None for node in nodes):
        raise Refused("MalformedXML")
    doomed = [_doomed(node) for node in nodes]
    answers_ = await world.store.delete(request.bucket, doomed)
    quiet = (asked.get("Quiet") or "").lower() == "true"
    told = [_told(one, answer) for one, answer in zip(doomed, answers_, strict=True)]
    return answers.document("DeleteResult", [one for one in told if one[0] == "Error" or not quiet])


def _doomed(node: documents.Node) -> Doomed:
    etag = node.get("ETag")
    return Doomed(
        key=node.get("Key") or "", version=node.get("VersionId"), etag=None if etag is None else conditions.bare(etag)
    )


def _told(doomed: Doomed, answer: Deleted | ObjectRefused) -> documents.Element:
    named = [("Key", doomed.key), *([("VersionId", doomed.version)] if doomed.version else [])]
    if isinstance(answer, ObjectRefused):
        refused = from_store(answer)
        return "Error", [*named, ("Code", refused.code), ("Message", refused.message)]
    if answer.marker:
        named += [("DeleteMarker", "true"), ("DeleteMarkerVersionId", answer.marker)]
    return "Deleted", named


async def attributes(world: World, request: Request) -> Answer:
    """GetObjectAttributes."""
    reading = await world.store.open(request.bucket, request.key, request.query.get("versionId"))
    version = reading.version
    if version.is_marker:
        raise _marker(version, request)
    wanted = {one.strip() for one in request.headers.get("x-amz-object-attributes", "").split(",")}
    checksums = facts.checksum_elements(version.facts)
    known: dict[str, documents.Element | None] = {
        "ETag": ("ETag", version.etag),
        "Checksum": ("Checksum", checksums) if checksums else None,
        "ObjectParts": ("ObjectParts", [("PartsCount", len(reading.parts))]) if reading.parts else None,
        "StorageClass": ("StorageClass", version.facts.headers.get("x-amz-storage-class", "STANDARD")),
        "ObjectSize": ("ObjectSize", version.size),
    }
    if not wanted <= known.keys():
        raise Refused("InvalidArgument", "Invalid attribute name specified.")
    holds = [element for name, element in known.items() if name in wanted and element is not None]
    headers = (("last-modified", answers.http_date(version.modified)), *facts.version_header(version))
    return answers.document("GetObjectAttributesResponse", holds, headers)


async def get_tags(world: World, request: Request) -> Answer:
    """GetObjectTagging."""
    version = await world.store.head(request.bucket, request.key, request.query.get("versionId"))
    if version.is_marker:
        raise _marker(version, request)
    return answers.document("Tagging", tag_set(version.facts.tags), facts.version_header(version))


async def put_tags(world: World, request: Request) -> Answer:
    """PutObjectTagging."""
    tags = tags_in(await request.payload.document(), facts.MOST_TAGS)
    version = await world.store.set_tags(request.bucket, request.key, request.query.get("versionId"), tags)
    return Answer(headers=facts.version_header(version))


async def delete_tags(world: World, request: Request) -> Answer:
    """DeleteObjectTagging."""
    version = await world.store.set_tags(request.bucket, request.key, request.query.get("versionId"), {})
    return Answer(status=204, headers=facts.version_header(version))


def tag_set(tags: Mapping[str, str]) -> list[documents.Element]:
    """Tags in a document."""
    return [("TagSet", [("Tag", [("Key", name), ("Value", text)]) for name, text in tags.items()])]


def tags_in(body: bytes, most: int) -> dict[str, str]:
    """Tags of a document. Raises Refused."""
    found = documents.parse(body, "Tagging").find("TagSet")
    if found is None:
        raise Refused("MalformedXML")
    return facts.sound_tags([(node.get("Key") or "", node.get("Value") or "") for node in found.all("Tag")], most)


async def get_acl(world: World, request: Request) -> Answer:
    """GetObjectAcl, GetBucketAcl: the owner has full control, and nobody else any."""
    bucket = await world.store.bucket(request.bucket)
    if request.key:
        await world.store.head(request.bucket, request.key, request.query.get("versionId"))
    owner = ("ID", world.owner_of(bucket, request.account))
    grantee = ("Grantee", [owner])
    holds: list[documents.Element] = [
        ("Owner", [owner]), ("AccessControlList", [("Grant", [grantee, ("Permission", "FULL_CONTROL")])])
    ]  # fmt: skip
    return answers.document("AccessControlPolicy", holds)
