"""The embedded store as a whole: an index of names in SQLite, bytes in it or in files beside it.

Durable before it is answered: a file is synced before its name is committed; commits that wait share one sync.
Whole or not at all: the commit is what makes an object appear, change or go, for this process and for every other one.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from trainyard.database import file
from trainyard.kit import digests
from trainyard.model.buckets import (
    Bucket,
    Deleted,
    Doomed,
    Expectation,
    Facts,
    FactsOf,
    Listed,
    Listing,
    Part,
    PartClaim,
    Upload,
    Version,
    Versioning,
)
from trainyard.model.errors import ObjectRefused, Refusal, Transient
from trainyard.objects.embedded import extents, uploads, versions
from trainyard.objects.embedded.blobs import Blobs
from trainyard.objects.embedded.ciphers import Ciphers
from trainyard.objects.embedded.incoming import IncomingBytes
from trainyard.objects.embedded.reading import EmbeddedReading
from trainyard.objects.embedded.records import bucket_of, bucket_row, plain_json, version_of
from trainyard.ports.buckets import Incoming, Reading
from trainyard.ports.clock import Clock

T = TypeVar("T")

_THREADS = 8  # for files; the index has its own
_FEW = 32  # extents of an object that are read without a hop to a thread
_MIGRATIONS = file.migrations_of("trainyard.objects.embedded")


class EmbeddedStore:
    """ports.buckets.BucketStore over one folder. Any number of processes may use it at once."""

    def __init__(self, root: Path, clock: Clock) -> None:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root = root
        self._clock = clock
        self._index = file.Database(root / "index.db", _MIGRATIONS)
        self._blobs = Blobs(root / "blobs")
        self._ciphers = Ciphers(root / "master.key")
        self._pool = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="store-files")

    def close(self) -> None:
        """Finish what was asked for, then close."""
        self._index.close()
        self._pool.shutdown(wait=True)

    def now(self) -> float:
        """The time that its objects get."""
        return self._clock.now()

    async def buckets(self) -> Sequence[Bucket]:
        """All, by name."""
        return await self._index.read(
            lambda c: [bucket_of(row) for row in c.execute("SELECT * FROM buckets ORDER BY name")]
        )

    async def bucket(self, name: str) -> Bucket:
        """One."""
        return await self._index.glance(lambda c: bucket_of(bucket_row(c, name)))

    async def create_bucket(self, bucket: Bucket) -> None:
        """Make one."""

        def create(connection: sqlite3.Connection) -> None:
            there = connection.execute("SELECT owner FROM buckets WHERE name = ?", (bucket.name,)).fetchone()
            if there is not None:
                own = there["owner"] == bucket.owner
                raise ObjectRefused(Refusal.BUCKET_OWNED if own else Refusal.BUCKET_EXISTS)
            connection.execute(
                "INSERT INTO buckets (name, owner, region, created, versioning, tags) VALUES (?, ?, ?, ?, ?, ?)",
                (bucket.name, bucket.owner, bucket.region, bucket.created, bucket.versioning, plain_json(bucket.tags)),
            )

        await self._index.write(create)

    async def delete_bucket(self, name: str) -> None:
        """Remove an empty one."""

        def delete(connection: sqlite3.Connection) -> None:
            identity = bucket_row(connection, name)["id"]
            for table in ("versions", "uploads"):
                if connection.execute(f"SELECT 1 FROM {table} WHERE bucket = ? LIMIT 1", (identity,)).fetchone():  # noqa: S608 - our own tables
                    raise ObjectRefused(Refusal.BUCKET_NOT_EMPTY)
            connection.execute("DELETE FROM buckets WHERE id = ?", (identity,))

        await self._index.write(delete)

    async def set_versioning(self, name: str, versioning: Versioning) -> None:
        """Keep, or no longer keep, what is overwritten."""
        await self._index.write(lambda c: _set_bucket(c, name, "versioning", versioning))

    async def set_bucket_tags(self, name: str, tags: dict[str, str]) -> None:
        """Replace a bucket's tags."""
        await self._index.write(lambda c: _set_bucket(c, name, "tags", plain_json(tags)))

    async def list_objects(self, bucket: str, listing: Listing) -> Listed[Version]:
        """A page of keys."""
        return await self._index.read(lambda c: versions.list_current(c, bucket, listing))

    async def list_versions(self, bucket: str, listing: Listing) -> Listed[Version]:
        """A page of versions."""
        return await self._index.read(lambda c: versions.list_all(c, bucket, listing))

    async def head(self, bucket: str, key: str, version: str | None = None) -> Version:
        """One version."""
        return await self._index.glance(lambda c: version_of(versions.find(c, bucket, key, version)))

    async def open(self, bucket: str, key: str, version: str | None = None) -> EmbeddedReading:
        """One version, to be read."""
        found, content = await self._index.glance(lambda c: _found_at_once(c, bucket, key, version, most=_FEW + 1))
        if len(content) > _FEW:
            found, content = await self._index.read(lambda c: _found_at_once(c, bucket, key, version))
        return EmbeddedReading(self._blobs, self._pool, self._ciphers, found, content)

    @asynccontextmanager
    async def incoming(self, algorithms: Sequence[str] = (), cipher: str = "") -> AsyncIterator[IncomingBytes]:
        """Room for bytes to come."""
        incoming = IncomingBytes(self._blobs, self._pool, algorithms, self._ciphers, cipher)
        try:
            yield incoming
        finally:
            await incoming.close()

    async def put(self, bucket: str, key: str, incoming: Incoming, facts: Facts, expect: Expectation) -> Version:
        """Give finished bytes a name."""
        given = _own(incoming)
        version = Version(
            key=key, modified=self._clock.now(), size=given.size, etag=given.digest("MD5").hex(), facts=facts
        )
        return await self._named(given, lambda c: versions.put(c, bucket, key, version, given.extents(), expect))

    async def copy(
        self, source: tuple[str, str, str | None], bucket: str, key: str, facts: FactsOf, accept: Expectation,
        expect: Expectation,
    ) -> Version:  # fmt: skip
        """Give the bytes of a source another name."""

        def copied(connection: sqlite3.Connection) -> tuple[Version, list[str]]:
            found, content = _found(connection, *source)
            accept(found)
            version = replace(found, key=key, modified=self._clock.now(), is_latest=True, facts=facts(found.facts))
            return versions.put(connection, bucket, key, version, content, expect)

        return await self._changed(copied)

    async def delete(self, bucket: str, doomed: Sequence[Doomed]) -> Sequence[Deleted | ObjectRefused]:
        """Delete in one transaction."""
        now = self._clock.now()

        def delete(connection: sqlite3.Connection) -> tuple[list[Deleted | ObjectRefused], list[str]]:
            bucket_row(connection, bucket)
            answers: list[Deleted | ObjectRefused] = []
            freed: list[str] = []
            for one in doomed:
                try:
                    deleted, blobs = versions.delete(connection, bucket, one, now)
                except ObjectRefused as refused:
                    answers.append(refused)
                else:
                    answers.append(deleted)
                    freed += blobs
            return answers, freed

        return await self._changed(delete)

    async def set_tags(self, bucket: str, key: str, version: str | None, tags: dict[str, str]) -> Version:
        """Replace an object's tags."""

        def tagged(connection: sqlite3.Connection) -> Version:
            row = versions.find(connection, bucket, key, version)
            facts = versions.source_of(row, bucket).facts
            return versions.set_facts(connection, row, replace(facts, tags=tags))

        return await self._index.write(tagged)

    async def create_upload(self, bucket: str, key: str, facts: Facts, algorithm: str) -> Upload:
        """Begin an upload in parts."""
        upload = Upload(upload="", key=key, initiated=self._clock.now(), facts=facts, algorithm=algorithm)
        return await self._index.write(lambda c: uploads.begin(c, bucket, upload))

    async def upload(self, bucket: str, key: str, upload: str) -> Upload:
        """One that was begun."""
        return await self._index.read(lambda c: uploads.find(c, bucket, key, upload))

    async def list_uploads(self, bucket: str, listing: Listing) -> Listed[Upload]:
        """A page of them."""
        return await self._index.read(lambda c: uploads.list_begun(c, bucket, listing))

    async def put_part(
        self, bucket: str, upload: Upload, number: int, incoming: Incoming, checksums: Mapping[str, str]
    ) -> Part:
        """Finished bytes become a part."""
        given = _own(incoming)
        part = Part(
            number=number, size=given.size, etag=given.digest("MD5").hex(), modified=self._clock.now(),
            checksums=checksums,
        )  # fmt: skip
        await self._named(given, lambda c: (None, uploads.put_part(c, bucket, upload, part, given.extents())))
        return part

    async def copy_part(
        self, bucket: str, upload: Upload, number: int, source: Reading, span: tuple[int, int], algorithm: str
    ) -> Part:
        """A range of what is read becomes a part."""
        if not isinstance(source, EmbeddedReading):
            raise TypeError("a store copies what lies in it")
        taken = {name: digests.begin(name) for name in ("MD5", algorithm)}
        loop = asyncio.get_running_loop()
        async for piece in source.pieces(*span):
            await loop.run_in_executor(self._pool, _take_in, piece, taken.values())
        part = Part(
            number=number, size=span[1] - span[0], etag=taken["MD5"].digest().hex(), modified=self._clock.now(),
            checksums={algorithm: digests.text(taken[algorithm].digest())},
        )  # fmt: skip

        def shared(connection: sqlite3.Connection) -> tuple[None, list[str]]:
            content = source.extents(*span)
            gone = [extent for extent in content if extent.blob and not extents.is_named(connection, extent.blob)]
            if gone:
                raise Transient("The source was replaced or deleted while it was copied; copy again.")
            return None, uploads.put_part(connection, bucket, upload, part, content)

        await self._changed(shared)
        return part

    async def list_parts(self, bucket: str, upload: Upload, after: int, limit: int) -> Listed[Part]:
        """A page of its parts."""
        return await self._index.read(lambda c: uploads.list_parts(c, bucket, upload, after, limit))

    async def complete(
        self, bucket: str, key: str, upload: str, claims: Sequence[PartClaim], expected: Mapping[str, str],
        expect: Expectation,
    ) -> Version:  # fmt: skip
        """Make the object of its parts."""
        now = self._clock.now()

        def completed(connection: sqlite3.Connection) -> tuple[Version, list[str]]:
            try:
                begun = uploads.find(connection, bucket, key, upload)
            except ObjectRefused:
                return uploads.completed_before(connection, bucket, key, claims), []
            return uploads.complete(connection, bucket, begun, claims, expected, expect, now)

        return await self._changed(completed)

    async def abort(self, bucket: str, upload: Upload) -> None:
        """Forget it and its parts."""

        def abort(connection: sqlite3.Connection) -> tuple[None, list[str]]:
            uploads.find(connection, bucket, upload.key, upload.upload)
            return None, uploads.forget(connection, upload.upload)

        await self._changed(abort)

    async def collect(self, stale_after: float) -> int:
        """End uploads begun more than `stale_after` seconds ago; remove files left by processes that died.

        Returns how many files were left.
        """
        before = self._clock.now() - stale_after
        await self._changed(lambda c: (None, uploads.forget_stale(c, before)))

        def swept(connection: sqlite3.Connection) -> int:
            return self._blobs.sweep(lambda blob: extents.is_named(connection, blob))

        return await self._index.read(swept)

    async def _named(self, incoming: IncomingBytes, work: Callable[[sqlite3.Connection], tuple[T, list[str]]]) -> T:
        """Commit bytes to their name. The file stays locked until that is decided, also for a caller who leaves."""
        incoming.is_named = True
        committing = asyncio.ensure_future(self._changed(work))
        try:
            return await asyncio.shield(committing)
        except asyncio.CancelledError:
            await asyncio.wait([committing])
            raise
        except ObjectRefused:
            incoming.is_named = False
            raise

    async def _changed(self, work: Callable[[sqlite3.Connection], tuple[T, list[str]]]) -> T:
        """Commit, then remove the files that the commit left without a name."""
        answer, freed = await self._index.write(work)
        if freed:
            await asyncio.get_running_loop().run_in_executor(self._pool, self._blobs.remove, freed)
        return answer


def _found_at_once(
    connection: sqlite3.Connection, bucket: str, key: str, version: str | None, most: int = -1
) -> tuple[Version, Sequence[extents.Extent]]:
    """The same, of one moment, where no transaction is open."""
    connection.execute("BEGIN")
    try:
        return _found(connection, bucket, key, version, most)
    finally:
        connection.execute("COMMIT")


def _found(
    connection: sqlite3.Connection, bucket: str, key: str, version: str | None, most: int = -1
) -> tuple[Version, Sequence[extents.Extent]]:
    """A version and where its bytes are; of its extents the first `most`."""
    row = versions.find(connection, bucket, key, version)
    return version_of(row), [] if row["content"] is None else extents.of(connection, row["content"], most)


def _set_bucket(connection: sqlite3.Connection, name: str, column: str, value: str) -> None:
    identity = bucket_row(connection, name)["id"]
    connection.execute(f"UPDATE buckets SET {column} = ? WHERE id = ?", (value, identity))  # noqa: S608 - our own columns


def _own(incoming: Incoming) -> IncomingBytes:
    if not isinstance(incoming, IncomingBytes):
        raise TypeError("a store takes the bytes that came into it")
    return incoming


def _take_in(piece: bytes, taken: Iterable[digests.Digest]) -> None:
    for digest in taken:
        digest.update(piece)
