"""What a program finds of AWS: who gets keys, of whom, and where its services are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trainyard.access.seals import Seals
from trainyard.model.keys import JobKey, RunKey, RunKind
from trainyard.model.record import Placement
from trainyard.model.resources import Resources
from trainyard.model.spec import TrainingJobSpec
from trainyard.objects.buckets import Buckets, Route
from trainyard.ports.runtime import RunOrder
from trainyard.wiring import inside
from trainyard.wiring.home import Home
from trainyard.wiring.inside import TOKENS, Inside, seals_of
from trainyard.wiring.roles import Roles

SEALS = Seals(lambda: b"k" * 32)
HERE = "http://127.0.0.1:{port}"
ROLES: dict[str, dict[str, Any]] = {"keyed": {"access_key": "a", "secret_key": "s"}, "none": {"credentials": "none"}}
EMBEDDED, AMAZON = Route(embedded="/nowhere"), Route()


def order(role: str = "x", output: str = "s3://out/o", region: str = "eu-north-1", **more: Any) -> RunOrder:
    wire = {
        "TrainingJobName": "a", "RoleArn": f"arn:aws:iam::123456789012:role/{role}",
        "AlgorithmSpecification": {"TrainingImage": "i", "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": output}, **more,
    }  # fmt: skip
    return RunOrder(
        key=RunKey("uid", RunKind.TRAIN, "train", 1), job=JobKey("123456789012", region, "a"),
        spec=TrainingJobSpec.from_wire(wire), runtime_left=1.0,
        placement=Placement(launcher="process", image="i", needs=Resources(cpus=1.0), program={}),
    )  # fmt: skip


def the_rule(default: Route = EMBEDDED, **routes: Route) -> Inside:
    return Inside(Roles(tables=ROLES), Buckets(routes, default), SEALS)


def test_a_role_without_a_table_has_keys_of_ours_and_all_services_here() -> None:
    told = dict(the_rule().variables(order()))
    token = told.pop("AWS_CONTAINER_AUTHORIZATION_TOKEN")
    assert told == {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{HERE}/v2/credentials/uid",
        "AWS_ENDPOINT_URL": HERE, "AWS_ENDPOINT_URL_S3": HERE, "S3_ENDPOINT_URL": HERE,
    }  # fmt: skip
    assert SEALS.opened(TOKENS, token) == {
        "account": "123456789012", "region": "eu-north-1", "role": "arn:aws:iam::123456789012:role/x",
        "run": "uid/train-train-1",
    }  # fmt: skip


def test_a_role_with_keys_has_them_and_its_own_services() -> None:
    assert set(the_rule().variables(order("keyed"))) == {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    }  # fmt: skip


@pytest.mark.parametrize(
    "one",
    [
        order("none"),
        order(EnableNetworkIsolation=True),
        order(Environment={"AWS_ACCESS_KEY_ID": "mine"}),
        order(Environment={"AWS_WEB_IDENTITY_TOKEN_FILE": "/x"}),
    ],
)
def test_who_has_nothing(one: RunOrder) -> None:
    assert the_rule().variables(one) == {}


@pytest.mark.parametrize(
    ("output", "region", "default", "routes", "url"),
    [
        ("s3://out/o", "us-east-1", EMBEDDED, {}, HERE),
        ("s3://far/o", "us-east-1", EMBEDDED, {"far": AMAZON}, HERE),
        ("s3://out/o", "us-east-1", AMAZON, {}, "https://s3.us-east-1.amazonaws.com"),
        ("s3://out/o", "cn-north-1", AMAZON, {}, "https://s3.cn-north-1.amazonaws.com.cn"),
        ("s3://near/o", "us-east-1", AMAZON, {"near": EMBEDDED}, HERE),
        ("file:///o", "us-east-1", AMAZON, {"near": EMBEDDED}, "https://s3.us-east-1.amazonaws.com"),
    ],
)
def test_s3_is_where_the_jobs_buckets_are(
    output: str, region: str, default: Route, routes: dict[str, Route], url: str
) -> None:
    told = the_rule(default, **routes).variables(order(output=output, region=region))
    assert told["AWS_ENDPOINT_URL_S3"] == url
    assert told.get("S3_ENDPOINT_URL") == (HERE if url == HERE else None)


def test_an_installation_that_cannot_answer_promises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "good for this Trainyard alone" in the_rule().notices(order().spec, reaches_us=True)[0]
    assert (
        the_rule().notices(order("none").spec, reaches_us=True)
        == the_rule().notices(order("trainyard-local").spec, reaches_us=True)
        == ()
    )
    monkeypatch.setattr(inside, "can_answer", lambda: False)
    assert the_rule().variables(order()) == {}
    assert "program has none" in the_rule().notices(order().spec, reaches_us=True)[0]
    assert "program has none" in the_rule().notices(order().spec, reaches_us=False)[0]


def test_every_process_of_a_home_has_the_same_seals(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert seals_of(home).opened("p", seals_of(home).seal("p", {"a": 1})) == {"a": 1}
