"""One bucket of the embedded store as jobs see it: objects by URI. What is written to is there from then on."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

from trainyard.model.buckets import Bucket, Doomed, Facts, Listing, Tenant, Version, anything
from trainyard.model.errors import ObjectRefused, Refusal, ValidationRefused
from trainyard.objects.embedded.incoming import IncomingBytes
from trainyard.objects.embedded.reading import PIECE, EmbeddedReading
from trainyard.objects.embedded.store import EmbeddedStore
from trainyard.ports.objects import ObjectInfo

_ABSENT = (Refusal.NO_SUCH_BUCKET, Refusal.NO_SUCH_KEY)
_REGION = "us-east-1"  # of a bucket that nobody made by name
_TEMPORARY = ".trainyard-"


class EmbeddedBucket:
    """ports.objects.ObjectStore over the URIs of one bucket, as a tenant may use it; without one, as its owner may."""

    def __init__(self, store: EmbeddedStore, bucket: str, tenant: Tenant | None = None) -> None:
        self._store, self._bucket, self._tenant = store, bucket, tenant
        self._is_admitted, self._maker = tenant is None, "" if tenant is None else tenant.account
        self._base = f"s3://{bucket}/"

    async def admit(self) -> bool:
        """Refuse a bucket that is another account's. Raises ValidationRefused.

        False for one that is not there yet, which is nobody's.
        """
        if self._is_admitted or self._tenant is None:
            return True
        try:
            bucket = await self._store.bucket(self._bucket)
        except ObjectRefused:
            return False
        if not self._tenant.owns(bucket):
            raise ValidationRefused(f"Access Denied: the bucket {self._bucket} belongs to another account.")
        self._is_admitted = True
        return True

    async def list(self, uri: str) -> AsyncIterator[ObjectInfo]:
        """Objects in order of keys, page by page."""
        await self.admit()
        prefix, after, more = self._key(uri), "", True
        while more:
            try:
                page = await self._store.list_objects(self._bucket, Listing(prefix=prefix, after=after))
            except ObjectRefused:
                return
            for version in page.entries:
                yield self._info(version)
            after, more = page.last, page.more

    async def head(self, uri: str) -> ObjectInfo | None:
        """One object, or None."""
        await self.admit()
        try:
            version = await self._store.head(self._bucket, self._key(uri))
        except ObjectRefused as refused:
            _nothing(refused)
            return None
        return None if version.is_marker else self._info(version)

    async def get(self, uri: str) -> bytes:
        """The whole object."""
        reading = await self._open(uri)
        return b"".join([piece async for piece in reading.pieces(0, reading.version.size)])

    async def read(self, info: ObjectInfo, start: int, stop: int) -> bytes:
        """A part of the object."""
        reading = await self._open(info.uri)
        if info.etag not in ("", reading.version.etag) or reading.version.size < stop:
            raise ValidationRefused(f"The object {info.uri} is not what it was when the job began to read it.")
        return b"".join([piece async for piece in reading.pieces(start, stop)])

    async def download(self, info: ObjectInfo, target: Path) -> int:
        """Copy the object into a file that appears when it is whole."""
        reading = await self._open(info.uri)
        partial = target.with_name(_TEMPORARY + uuid.uuid4().hex)
        try:
            with partial.open("xb", buffering=0) as file:
                await reading.save(file.fileno())
            partial.replace(target)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        return reading.version.size

    async def put(self, uri: str, content: bytes) -> None:
        """Write a small object."""
        async with self._store.incoming() as incoming:
            await incoming.write(content)
            await self._name(uri, incoming)

    async def upload(self, source: Path, uri: str) -> int:
        """Copy a file into the store, durably."""
        with source.open("rb", buffering=0) as file:
            async with self._store.incoming() as incoming:
                while piece := await asyncio.to_thread(os.read, file.fileno(), PIECE):
                    await incoming.write(piece)
                await self._name(uri, incoming)
                return incoming.size

    async def delete(self, uri: str) -> None:
        """Remove an object."""
        await self.admit()
        try:
            await self._store.delete(self._bucket, [Doomed(key=self._key(uri))])
        except ObjectRefused as refused:
            _nothing(refused)

    def place_of(self, uri: str) -> str:  # noqa: ARG002 - the whole bucket is in one place
        """The store's folder."""
        return f"embedded store {self._store.root}"

    async def _open(self, uri: str) -> EmbeddedReading:
        await self.admit()
        try:
            reading = await self._store.open(self._bucket, self._key(uri))
        except ObjectRefused as refused:
            _nothing(refused)
            raise ValidationRefused(f"There is no object {uri}.") from refused
        if reading.version.is_marker:
            raise ValidationRefused(f"There is no object {uri}.")
        return reading

    async def _name(self, uri: str, incoming: IncomingBytes) -> None:
        await self.admit()
        await incoming.finish()
        key = self._key(uri)
        try:
            try:
                await self._store.put(self._bucket, key, incoming, Facts(), anything)
            except ObjectRefused as refused:
                if refused.reason is not Refusal.NO_SUCH_BUCKET:
                    raise
                await self._make_bucket()
                await self.admit()  # another account may have been faster
                await self._store.put(self._bucket, key, incoming, Facts(), anything)
        except ObjectRefused as refused:
            raise ValidationRefused(f"{uri!r} cannot be written: {refused}") from refused

    async def _make_bucket(self) -> None:
        try:
            await self._store.create_bucket(
                Bucket(name=self._bucket, owner=self._maker, region=_REGION, created=self._store.now())
            )
        except ObjectRefused as refused:
            if refused.reason not in (Refusal.BUCKET_OWNED, Refusal.BUCKET_EXISTS):  # another was faster
                raise

    def _key(self, uri: str) -> str:
        return uri.removeprefix(self._base)

    def _info(self, version: Version) -> ObjectInfo:
        return ObjectInfo(uri=self._base + version.key, size=version.size, etag=version.etag, modified=version.modified)


def _nothing(refused: ObjectRefused) -> None:
    """What is absent is no fault here; anything else is."""
    if refused.reason not in _ABSENT:
        raise ValidationRefused(str(refused)) from refused
