"""What the handlers stand on: the store, and who and where the door is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from trainyard.doors.s3.errors import Refused
from trainyard.doors.s3.requests import Request
from trainyard.model.buckets import Bucket, is_bucket_name
from trainyard.model.errors import ObjectRefused
from trainyard.ports.buckets import BucketStore


def _nowhere_else(_bucket: str) -> str | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """now: seconds since the epoch. new_id: of a request. account: owns what no other account does.

    for_owner: all accounts are one person's, so what no account made belongs to whichever asks.
    elsewhere: where a bucket lies that is not this store's, in words; None for one that would be.
    makes_missing: who puts an object into a bucket that is not there makes it, as the outputs of jobs do.
    """

    store: BucketStore
    now: Callable[[], float]
    new_id: Callable[[], str]
    account: str
    region: str
    for_owner: bool = False
    elsewhere: Callable[[str], str | None] = _nowhere_else
    makes_missing: bool = False

    def owner_of(self, bucket: Bucket, account: str) -> str:
        """The account that a bucket belongs to, as `account` sees it."""
        return bucket.owner or (account if self.for_owner else self.account)

    async def admit(self, request: Request, bucket: str, *, reads: bool) -> None:
        """Refuse a bucket that is another tenant's, or another account's than the client expects. Raises Refused."""
        place = self.elsewhere(bucket)
        if place is not None:
            raise Refused("NoSuchBucket", f"The bucket {bucket} is not in the embedded store but at: {place}.")
        owner = self.owner_of(await self._bucket(request, bucket), request.account)
        whose = "x-amz-expected-bucket-owner" if bucket == request.bucket else "x-amz-source-expected-bucket-owner"
        if owner != request.account or request.headers.get(whose, owner) != owner or (request.reads_only and not reads):
            raise Refused("AccessDenied")

    async def _bucket(self, request: Request, name: str) -> Bucket:
        try:
            return await self.store.bucket(name)
        except ObjectRefused:
            writes = request.method in ("PUT", "POST") and request.key and not request.reads_only
            if not (self.makes_missing and writes and name == request.bucket and is_bucket_name(name)):
                raise
        made = Bucket(name=name, owner=request.account, region=self.region, created=self.now())
        with suppress(ObjectRefused):  # another was faster
            await self.store.create_bucket(made)
        return await self.store.bucket(name)
