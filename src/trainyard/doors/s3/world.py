"""What the handlers stand on: the store, and who and where the door is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trainyard.access.callers import Caller
from trainyard.doors.s3.errors import Refused
from trainyard.doors.s3.requests import Request
from trainyard.model.buckets import Bucket
from trainyard.ports.buckets import BucketStore


def _nowhere_else(_bucket: str) -> str | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """now: seconds since the epoch. new_id: of a request. account: owns what no other account does.

    elsewhere: where a bucket lies that is not this store's, in words; None for one that would be.
    """

    store: BucketStore
    now: Callable[[], float]
    new_id: Callable[[], str]
    account: str
    region: str
    elsewhere: Callable[[str], str | None] = _nowhere_else

    def account_of(self, caller: Caller) -> str:
        """Whose buckets a caller makes."""
        return next(iter(caller.scopes)) if len(caller.scopes) == 1 else self.account

    def owner_of(self, bucket: Bucket) -> str:
        """The account that a bucket belongs to."""
        return bucket.owner or self.account

    def may_see(self, caller: Caller, bucket: Bucket) -> bool:
        """Whether a caller may know of a bucket."""
        return caller.may("GET", self.owner_of(bucket))

    async def admit(self, request: Request, bucket: str = "", method: str = "") -> None:
        """Refuse a bucket that is another tenant's, or another account's than the client expects. Raises Refused."""
        name = bucket or request.bucket
        place = self.elsewhere(name)
        if place is not None:
            raise Refused("NoSuchBucket", f"The bucket {name} is not in the embedded store but at: {place}.")
        expected = request.headers.get(
            "x-amz-source-expected-bucket-owner" if bucket else "x-amz-expected-bucket-owner"
        )
        caller = request.caller
        if expected is None and caller.may("PUT", "") and not caller.scopes:
            return  # the owner's own tools: nothing to look up
        owner = self.owner_of(await self.store.bucket(name))
        if not caller.may(method or request.method, owner) or expected not in (None, owner):
            raise Refused("AccessDenied")
