"""Buckets: made, looked at, removed, configured as far as this store can be."""

from __future__ import annotations

import re

from trainyard.doors.s3 import answers, documents, facts, objects
from trainyard.doors.s3.answers import Answer
from trainyard.doors.s3.documents import Element
from trainyard.doors.s3.errors import Refused
from trainyard.doors.s3.listings import owner_element
from trainyard.doors.s3.requests import Request
from trainyard.doors.s3.world import World
from trainyard.kit.tokens import place_of, token_of
from trainyard.model.buckets import Bucket, Versioning, is_bucket_name
from trainyard.model.errors import ObjectRefused, Refusal

_MOST_TAGS = 50
_DEFAULT_REGION = "us-east-1"  # the one that is spelled by its absence
_MOST_BUCKETS = 10_000

UNSET = {
    "policy": ("NoSuchBucketPolicy", "The bucket policy does not exist"),
    "policyStatus": ("NoSuchBucketPolicy", "The bucket policy does not exist"),
    "cors": ("NoSuchCORSConfiguration", "The CORS configuration does not exist"),
    "lifecycle": ("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
    "encryption": (
        "ServerSideEncryptionConfigurationNotFoundError",
        "The server side encryption configuration was not found",
    ),
    "publicAccessBlock": (
        "NoSuchPublicAccessBlockConfiguration",
        "The public access block configuration was not found",
    ),
    "object-lock": (
        "ObjectLockConfigurationNotFoundError",
        "Object Lock configuration does not exist for this bucket",
    ),
    "ownershipControls": ("OwnershipControlsNotFoundError", "The bucket ownership controls were not found"),
    "replication": ("ReplicationConfigurationNotFoundError", "The replication configuration was not found"),
    "website": ("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration"),
}
EMPTY = {
    "accelerate": "AccelerateConfiguration",
    "logging": "BucketLoggingStatus",
    "notification": "NotificationConfiguration",
}


async def list_buckets(world: World, request: Request) -> Answer:
    """ListBuckets: those that the caller may see."""
    prefix, token = request.query.get("prefix", ""), request.query.get("continuation-token", "")
    most = request.number("max-buckets", _MOST_BUCKETS, most=_MOST_BUCKETS)
    after = _continued(token) if token else ""
    own = [
        bucket for bucket in await world.store.buckets() if world.owner_of(bucket, request.account) == request.account
    ]
    found = [bucket for bucket in own if bucket.name.startswith(prefix) and bucket.name > after]
    shown, more = found[:most], len(found) > most
    holds: list[Element] = [
        owner_element(request.account),
        ("Buckets", [("Bucket", _described(bucket)) for bucket in shown]),
        *([("ContinuationToken", token_of(shown[-1].name))] if more and shown else []),
        *([("Prefix", prefix)] if prefix else []),
    ]
    return answers.document("ListAllMyBucketsResult", holds)


def _continued(token: str) -> str:
    try:
        return str(place_of(token, str)[0])
    except ValueError as error:
        raise Refused("InvalidArgument", "The continuation token provided is incorrect") from error


def _described(bucket: Bucket) -> list[Element]:
    return [
        ("Name", bucket.name), ("CreationDate", answers.iso_date(bucket.created)), ("BucketRegion", bucket.region)
    ]  # fmt: skip


async def create(world: World, request: Request) -> Answer:
    """CreateBucket."""
    body = await request.payload.document()
    place = world.elsewhere(request.bucket)
    if place is not None:
        raise Refused("BucketAlreadyExists", f"The bucket {request.bucket} is not in this store but at: {place}.")
    if not is_bucket_name(request.bucket):
        raise Refused("InvalidBucketName", details={"BucketName": request.bucket})
    facts.refuse_unknown(request.headers)
    if request.headers.get("x-amz-bucket-object-lock-enabled", "false").lower() == "true":
        raise Refused("NotImplemented", "Object Lock is not implemented.")
    if request.reads_only:
        raise Refused("AccessDenied")
    bucket = Bucket(name=request.bucket, owner=request.account, region=_region(world, body), created=world.now())
    try:
        await world.store.create_bucket(bucket)
    except ObjectRefused as refused:
        await _expect_same(world, request, bucket, refused)
    return Answer(headers=(("location", f"/{request.bucket}"),))


async def _expect_same(world: World, request: Request, bucket: Bucket, refused: ObjectRefused) -> None:
    """Making one's own bucket again is a fault, but not in the oldest region. Raises Refused."""
    there = await world.store.bucket(request.bucket)
    if world.owner_of(there, request.account) != request.account:
        raise refused
    if bucket.region != _DEFAULT_REGION:
        raise ObjectRefused(Refusal.BUCKET_OWNED) from refused


def _region(world: World, body: bytes) -> str:
    if not body:
        return world.region
    constraint = documents.parse(body, "CreateBucketConfiguration").get("LocationConstraint")
    if constraint is not None and not re.fullmatch(r"[a-zA-Z0-9-]{2,40}", constraint):
        raise Refused("IllegalLocationConstraintException")
    return constraint or world.region


async def head(world: World, request: Request) -> Answer:
    """HeadBucket."""
    bucket = await world.store.bucket(request.bucket)
    return Answer(headers=(("x-amz-bucket-region", bucket.region), ("content-type", "application/xml")))


async def delete(world: World, request: Request) -> Answer:
    """DeleteBucket."""
    await world.store.delete_bucket(request.bucket)
    return Answer(status=204)


async def location(world: World, request: Request) -> Answer:
    """GetBucketLocation."""
    region = (await world.store.bucket(request.bucket)).region
    text = "" if region == _DEFAULT_REGION else documents.escaped(region)
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<LocationConstraint xmlns="{documents.NAMESPACE}">{text}'
    return Answer(headers=(("content-type", "application/xml"),), body=f"{body}</LocationConstraint>".encode())


async def get_versioning(world: World, request: Request) -> Answer:
    """GetBucketVersioning."""
    kept = (await world.store.bucket(request.bucket)).versioning
    return answers.document("VersioningConfiguration", [("Status", str(kept))] if kept else [])


async def put_versioning(world: World, request: Request) -> Answer:
    """PutBucketVersioning."""
    asked = documents.parse(await request.payload.document(), "VersioningConfiguration")
    if (asked.get("MfaDelete") or "Disabled") != "Disabled":
        raise Refused("NotImplemented", "MFA delete is not implemented.")
    try:
        versioning = Versioning(asked.get("Status") or "none")
    except ValueError as error:
        raise Refused("MalformedXML") from error
    await world.store.set_versioning(request.bucket, versioning)
    return Answer()


async def get_tags(world: World, request: Request) -> Answer:
    """GetBucketTagging."""
    tags = (await world.store.bucket(request.bucket)).tags
    if not tags:
        raise Refused("NoSuchTagSet", "The TagSet does not exist")
    return answers.document("Tagging", objects.tag_set(tags))


async def put_tags(world: World, request: Request) -> Answer:
    """PutBucketTagging."""
    await world.store.set_bucket_tags(request.bucket, objects.tags_in(await request.payload.document(), _MOST_TAGS))
    return Answer(status=204)


async def delete_tags(world: World, request: Request) -> Answer:
    """DeleteBucketTagging."""
    await world.store.set_bucket_tags(request.bucket, {})
    return Answer(status=204)


async def unset(world: World, request: Request) -> Answer:
    """What no bucket of this store has, in the words of a service where this one has none."""
    await world.store.bucket(request.bucket)
    name = next(name for name in request.query if name in UNSET or name in EMPTY or name == "requestPayment")
    if name in UNSET:
        raise Refused(*UNSET[name])
    if name == "requestPayment":
        return answers.document("RequestPaymentConfiguration", [("Payer", "BucketOwner")])
    return answers.document(EMPTY[name], [])
