"""Roles as AWS clients see them, and what a job of one may do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trainyard.doors.iam.door import Question
from trainyard.model.buckets import Bucket, Tenant
from trainyard.model.keys import Scope
from trainyard.objects.buckets import Buckets, Route
from trainyard.wiring.permissions import Permissions
from trainyard.wiring.roles import Roles

HERE = Scope("123456789012", "us-east-1")
KEYS = {"access_key": "a", "secret_key": "s"}
PATHED = "arn:aws:iam::123456789012:role/team/pathed"
TABLES: dict[str, dict[str, Any]] = {
    PATHED: KEYS, "arn:aws:iam::999999999999:role/foreign": KEYS, "named": {"credentials": "none"},
    "lost": {"profile": "there-is-none"},
}  # fmt: skip


def own(account: str) -> Tenant:
    return Tenant(account=account)


@pytest.mark.parametrize("refuses", [True, False])
def test_a_role_has_the_arn_that_settings_give_it(*, refuses: bool) -> None:
    roles = Roles(tables=TABLES, refuse_unknown=refuses)
    named = "arn:aws:iam::123456789012:role/"
    assert [roles.arn_of(name, HERE) for name in ("pathed", "named")] == [PATHED, f"{named}named"]
    for name in ("foreign", "nobody"):
        assert roles.arn_of(name, HERE) == (None if refuses else f"{named}{name}")
        assert roles.knows(f"{named}{name}") is not refuses
    assert roles.arn_of("trainyard-local", HERE) == f"{named}trainyard-local"


@pytest.mark.parametrize(
    ("role", "bucket", "allowed"),
    [
        ("named", "ours", True),
        ("named", "nobodys", True),
        ("named", "new", True),
        ("named", "theirs", False),
        ("named", "folder", True),
        ("named", "far", False),
        ("named", "far-with-keys", True),
        ("team/pathed", "far", True),
        ("team/pathed", "theirs", False),
        ("lost", "ours", False),
    ],
)
async def test_a_job_may_write_where_its_bucket_and_its_keys_let_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: str, bucket: str, *, allowed: bool
) -> None:
    for variable in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(variable, str(tmp_path / "none"))
    far = Route(endpoint="https://s3.example.org")
    routes = {
        "folder": Route(folder=str(tmp_path)), "far": far,
        "far-with-keys": Route(endpoint="https://s3.example.org", credentials={"access_key_id": "a"}),
    }  # fmt: skip
    buckets = Buckets(routes, Route(embedded=str(tmp_path / "s3")))
    store = buckets.embedded(str(tmp_path / "s3"))
    for name, owner in (("ours", HERE.account), ("theirs", "999999999999"), ("nobodys", "")):
        await store.create_bucket(Bucket(name=name, owner=owner, region=HERE.region, created=0.0))
    arn = f"arn:aws:iam::123456789012:role/{role}"
    question = Question(scope=HERE, role=arn, action="s3:PutObject", resource=f"arn:aws:s3:::{bucket}/*")
    assert await Permissions(Roles(tables=TABLES), buckets, own).allows(question) is allowed
    buckets.close()


async def test_what_is_no_bucket_is_nobodys() -> None:
    nowhere = Buckets({}, Route(endpoint="https://s3.example.org"))
    for action, resource in (("ec2:CreateNetworkInterface", "*"), ("s3:ListAllMyBuckets", "*")):
        question = Question(scope=HERE, role="arn:aws:iam::123456789012:role/named", action=action, resource=resource)
        assert await Permissions(Roles(tables=TABLES), nowhere, own).allows(question)
