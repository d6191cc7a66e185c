"""A job reaches the buckets of its own account, in the store and through what its transfers are told."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from trainyard.model.buckets import Bucket, Tenant
from trainyard.model.errors import ValidationRefused
from trainyard.objects.buckets import Buckets, Route
from trainyard.ports.objects import ObjectInfo

MINE, THEIRS = Tenant(account="111111111111"), Tenant(account="222222222222", takes_unowned=False)


@pytest.fixture
def buckets(tmp_path: Path) -> Iterator[Buckets]:
    opened = Buckets({}, Route(embedded=str(tmp_path / "s3")))
    yield opened
    opened.close()


async def _list(buckets: Buckets, uri: str) -> list[ObjectInfo]:
    return [info async for info in buckets.list(uri)]


WAYS: dict[str, Callable[[Buckets, Path, str], Awaitable[object]]] = {
    "list": lambda buckets, _folder, uri: _list(buckets, uri),
    "head": lambda buckets, _folder, uri: buckets.head(uri),
    "get": lambda buckets, _folder, uri: buckets.get(uri),
    "put": lambda buckets, _folder, uri: buckets.put(uri, b"x"),
    "delete": lambda buckets, _folder, uri: buckets.delete(uri),
    "upload": lambda buckets, folder, uri: buckets.upload(folder / "file", uri),
    "download": lambda buckets, folder, uri: buckets.download(ObjectInfo(uri=uri, size=1), folder / "got"),
    "admit": lambda buckets, _folder, uri: buckets.admit(uri),
}


@pytest.mark.parametrize("way", WAYS)
async def test_another_accounts_bucket_is_refused_by_every_way(buckets: Buckets, tmp_path: Path, way: str) -> None:
    (tmp_path / "file").write_bytes(b"x")
    await buckets.of(MINE).put("s3://mine/a", b"x")
    told = json.loads(json.dumps(buckets.of(THEIRS).to_plain()))  # as a transfer helper is told
    other = Buckets.from_plain(told).signed({})
    with pytest.raises(ValidationRefused, match="Access Denied: the bucket mine belongs to another account"):
        await WAYS[way](other, tmp_path, "s3://mine/a")
    other.close()
    await WAYS[way](buckets.of(MINE), tmp_path, "s3://mine/a")


async def test_who_writes_first_owns_the_bucket(buckets: Buckets) -> None:
    mine, theirs = buckets.of(MINE), buckets.of(THEIRS)
    for one in (mine, theirs):
        await one.admit("s3://new/a")
    await theirs.put("s3://new/a", b"x")
    with pytest.raises(ValidationRefused, match="Access Denied"):
        await mine.put("s3://new/a", b"x")
    assert await theirs.get("s3://new/a") == b"x"


async def test_what_no_account_made_is_the_home_users_own(buckets: Buckets) -> None:
    await buckets.put("s3://nobodys/a", b"x")
    assert await buckets.of(MINE).get("s3://nobodys/a") == b"x"
    with pytest.raises(ValidationRefused, match="Access Denied"):
        await buckets.of(THEIRS).get("s3://nobodys/a")


async def test_the_homes_user_and_jobs_of_a_release_before_this_one_reach_all(buckets: Buckets, tmp_path: Path) -> None:
    await buckets.of(THEIRS).put("s3://theirs/a", b"x")
    assert await buckets.get("s3://theirs/a") == b"x"
    old = Buckets.from_plain({name: value for name, value in buckets.to_plain().items() if name != "tenant"})
    assert await old.get("s3://theirs/a") == b"x"
    old.close()


async def test_folders_and_endpoints_are_whosever_settings_say(tmp_path: Path) -> None:
    routes = {"folder": Route(folder=str(tmp_path)), "far": Route(endpoint="http://127.0.0.1:9")}
    buckets = Buckets(routes, Route(embedded=str(tmp_path / "s3"))).of(MINE)
    for uri in ("s3://folder/a", "s3://far/a", "file:///a", "s3://new/a", "nonsense"):
        await buckets.admit(uri)
    buckets.close()


async def test_a_bucket_that_changed_hands_is_judged_anew_by_whoever_comes_next(buckets: Buckets) -> None:
    store = buckets.embedded(str(buckets.to_plain()["default"]["embedded"]))
    await store.create_bucket(Bucket(name="hands", owner=MINE.account, region="us-east-1", created=0.0))
    await buckets.of(MINE).admit("s3://hands/a")
    await store.delete_bucket("hands")
    await buckets.of(THEIRS).put("s3://hands/a", b"x")
    with pytest.raises(ValidationRefused, match="Access Denied"):
        await buckets.of(MINE).get("s3://hands/a")
