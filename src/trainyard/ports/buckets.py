"""Buckets of one store, with S3's meaning: what an S3 door needs beyond objects by URI."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

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
    PartRange,
    Upload,
    Version,
    Versioning,
)
from trainyard.model.errors import ObjectRefused


class Reading(Protocol):
    """One version, to be read as it was when it was asked for."""

    @property
    def version(self) -> Version:
        """What is read."""
        ...

    @property
    def parts(self) -> Sequence[PartRange]:
        """The parts that it was uploaded in; empty for what came whole."""
        ...

    def pieces(self, start: int, stop: int) -> AsyncGenerator[bytes]:
        """Its bytes from `start` to before `stop`, in pieces of at most 1 MiB.

        Raises Transient where the object is removed before its files could be opened.
        """
        ...


class Incoming(Protocol):
    """Bytes on their way into the store; nobody sees them until they are given a name."""

    @property
    def size(self) -> int:
        """Bytes so far."""
        ...

    async def write(self, piece: bytes) -> None:
        """Take in more; waits while the disk is slower than the client. Raises Transient on a full disk."""
        ...

    async def finish(self) -> None:
        """All is there, and durable. Digests are known from here on."""
        ...

    def digest(self, algorithm: str) -> bytes:
        """MD5, or one of the algorithms that were asked for."""
        ...


class BucketStore(Protocol):
    """Buckets and their objects. What is answered is durable, and whole or not at all.

    Raises ObjectRefused (with S3's word for it), Transient for faults of the disk.
    """

    async def buckets(self) -> Sequence[Bucket]:
        """All, by name."""
        ...

    async def bucket(self, name: str) -> Bucket:
        """One."""
        ...

    async def create_bucket(self, bucket: Bucket) -> None:
        """Make one. Refuses a name that is taken: BUCKET_OWNED where its owner asks, else BUCKET_EXISTS."""
        ...

    async def delete_bucket(self, name: str) -> None:
        """Remove one that is empty of objects, versions and unfinished uploads."""
        ...

    async def set_versioning(self, name: str, versioning: Versioning) -> None:
        """Keep, or no longer keep, what is overwritten."""
        ...

    async def set_bucket_tags(self, name: str, tags: dict[str, str]) -> None:
        """Replace a bucket's tags."""
        ...

    async def list_objects(self, bucket: str, listing: Listing) -> Listed[Version]:
        """A page of keys, in order. Its cost is that of the page, whatever the bucket holds."""
        ...

    async def list_versions(self, bucket: str, listing: Listing) -> Listed[Version]:
        """A page of versions and delete markers: keys in order, newest first."""
        ...

    async def head(self, bucket: str, key: str, version: str | None = None) -> Version:
        """The current version, or the one named; it may be a delete marker. NO_SUCH_KEY, NO_SUCH_VERSION."""
        ...

    async def open(self, bucket: str, key: str, version: str | None = None) -> Reading:
        """As `head`, to be read."""
        ...

    def incoming(self, algorithms: Sequence[str] = (), cipher: str = "") -> AbstractAsyncContextManager[Incoming]:
        """Room for bytes to come; what was given no name by the end of the block is removed.

        cipher: the label of the key that they are encrypted with; "" keeps them as they are.
        """
        ...

    async def put(self, bucket: str, key: str, incoming: Incoming, facts: Facts, expect: Expectation) -> Version:
        """Give finished bytes a name."""
        ...

    async def copy(
        self,
        source: tuple[str, str, str | None],
        bucket: str,
        key: str,
        facts: FactsOf,
        accept: Expectation,
        expect: Expectation,
    ) -> Version:
        """Give the bytes of a source (bucket, key, version) another name; they are shared, not copied.

        facts: what it keeps of the source's. accept: judges the source, which may be a delete marker.
        """
        ...

    async def delete(self, bucket: str, doomed: Sequence[Doomed]) -> Sequence[Deleted | ObjectRefused]:
        """Delete in one transaction; one's refusal leaves the others deleted. A key that is not there is no fault."""
        ...

    async def set_tags(self, bucket: str, key: str, version: str | None, tags: dict[str, str]) -> Version:
        """Replace an object's tags."""
        ...

    async def create_upload(self, bucket: str, key: str, facts: Facts, algorithm: str) -> Upload:
        """Begin an upload in parts."""
        ...

    async def upload(self, bucket: str, key: str, upload: str) -> Upload:
        """One that was begun and neither completed nor aborted."""
        ...

    async def list_uploads(self, bucket: str, listing: Listing) -> Listed[Upload]:
        """A page of them: by key, oldest first."""
        ...

    async def put_part(
        self, bucket: str, upload: Upload, number: int, incoming: Incoming, checksums: Mapping[str, str]
    ) -> Part:
        """Finished bytes become a part; one of the same number is replaced."""
        ...

    async def copy_part(
        self,
        bucket: str,
        upload: Upload,
        number: int,
        source: Reading,
        span: tuple[int, int],
        algorithm: str,
    ) -> Part:
        """A range of what is read becomes a part: its bytes are read for their digests, and shared."""
        ...

    async def list_parts(self, bucket: str, upload: Upload, after: int, limit: int) -> Listed[Part]:
        """A page of its parts, by number."""
        ...

    async def complete(
        self,
        bucket: str,
        key: str,
        upload: str,
        claims: Sequence[PartClaim],
        expected: Mapping[str, str],
        expect: Expectation,
    ) -> Version:
        """Make the object of its parts; asked again, by who did not hear the answer, it answers the same.

        expected: the whole's checksums as the client knows them.
        """
        ...

    async def abort(self, bucket: str, upload: Upload) -> None:
        """Forget it and its parts."""
        ...
