"""Where a job is made: ACK's order of annotations, its texts, and what it lets pass and we do not."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.operator.builders import ARN, SCOPE, a_job, a_resource, case_of

from trainyard.operator.case import Case, Roaming, Rules, Seen, Unseen
from trainyard.operator.decide import decide
from trainyard.operator.placing import (
    ACCOUNT_MOVED,
    NO_ARN,
    NO_KEY,
    NO_MAP,
    NO_ROLE,
    REGION_MOVED,
    Placed,
    RoleMaps,
    place_of,
)
from trainyard.operator.steps import Create, Patch, Settle
from trainyard.ports.places import Place
from trainyard.resource.conditions import Fault
from trainyard.resource.names import FINALIZER

OTHER, ROLE = "222222222222", "arn:aws:iam::222222222222:role/ack"
REGION, DEFAULT = "services.k8s.aws/region", "services.k8s.aws/default-region"
OWNER, TEAM, URL = "services.k8s.aws/owner-account-id", "services.k8s.aws/team-id", "services.k8s.aws/endpoint-url"
NONE = RoleMaps()
HERE = Place(SCOPE.account, SCOPE.region)


def roaming(annotations: dict[str, str] | None = None, namespace: dict[str, str] | None = None, **more: Any) -> Case:
    given = {name: more.pop(name) for name in ("status", "managed") if name in more}
    resource = a_resource(annotations=annotations or {}, **given)
    return case_of(resource, rules=Rules(scope=SCOPE, roaming=Roaming(**more)), namespace=namespace or {})


def made_in(region: str, account: str = SCOPE.account) -> dict[str, Any]:
    return {"ackResourceMetadata": {"arn": ARN, "ownerAccountID": account, "region": region}}


def the_place(case: Case, maps: RoleMaps = NONE) -> Place:
    found = place_of(case, maps)
    assert isinstance(found, Placed)
    assert found.drift is None
    return found.place


def the_fault(case: Case, maps: RoleMaps = NONE) -> Fault:
    found = place_of(case, maps)
    if isinstance(found, Placed):
        assert found.drift is not None
        return found.drift
    return found


def test_a_service_of_one_scope_is_the_place_of_all() -> None:
    case = case_of(a_resource(annotations={REGION: "eu-west-1"}), namespace={OWNER: OTHER})
    assert the_place(case) == HERE


def test_the_resource_speaks_before_its_namespace_and_that_before_the_flag() -> None:
    assert the_place(roaming()).region == SCOPE.region
    assert the_place(roaming(None, {DEFAULT: "eu-west-1"})).region == "eu-west-1"
    assert the_place(roaming({REGION: "ap-south-1"}, {DEFAULT: "eu-west-1"})).region == "ap-south-1"


def test_the_region_of_a_job_that_exists_is_kept_and_who_asks_for_another_is_told() -> None:
    assert the_place(roaming(status=made_in("eu-west-1"))).region == "eu-west-1"
    for case in (
        roaming({REGION: "ap-south-1"}, status=made_in("eu-west-1")),
        roaming(None, {DEFAULT: "ap-south-1"}, status=made_in("eu-west-1")),
    ):
        found = place_of(case, NONE)
        assert isinstance(found, Placed)
        assert found.place.region == "eu-west-1"
        assert found.drift == Fault(REGION_MOVED.format(there="eu-west-1", wanted="ap-south-1"), terminal=True)


def test_drift_is_terminal_and_the_job_goes_on_being_told() -> None:
    case = roaming({REGION: "ap-south-1"}, status=made_in("us-west-2"))
    told = Case(
        resource=case.resource, sight=Seen(a_job()), rules=case.rules, now=case.now, place=HERE, drift=the_fault(case)
    )
    end = decide(told)
    assert isinstance(end, Settle)
    conditions = {one["type"]: one.get("message") for one in end.status["conditions"]}
    assert conditions["ACK.Terminal"] == (
        "Resource already exists in region us-west-2, but the desired state specifies region ap-south-1. "
    )
    assert (end.status["trainingJobStatus"], end.again) == ("InProgress", False)


def test_the_intent_is_written_before_the_deed_and_holds_once_it_is() -> None:
    case = roaming(managed=False)
    step = decide(Case(resource=case.resource, sight=case.sight, rules=case.rules, now=case.now, place=HERE))
    assert isinstance(step, Patch)
    assert step.body["metadata"] == {
        "finalizers": [FINALIZER],
        "annotations": {"trainyard/place": "123456789012/us-west-2"},
    }
    intended = {"trainyard/place": f"{SCOPE.account}/eu-west-1"}
    assert the_place(roaming(intended)).region == "eu-west-1"
    assert the_place(roaming(intended, managed=False)).region == SCOPE.region  # copied from another resource
    assert the_fault(roaming({**intended, REGION: "us-east-1"})).terminal


def test_a_job_that_cannot_be_made_tells_where_it_would_be() -> None:
    case = roaming()
    fault = Fault("api error ThrottlingException: Rate exceeded")
    failed = Case(
        resource=case.resource, sight=case.sight, rules=case.rules, now=case.now, fault=fault,
        place=Place(OTHER, "cn-north-1", ROLE),
    )  # fmt: skip
    end = decide(failed)
    assert isinstance(end, Settle)
    assert end.status["ackResourceMetadata"] == {
        "ownerAccountID": OTHER, "partition": "aws-cn", "region": "cn-north-1",
    }  # fmt: skip


def test_no_service_of_one_scope_gets_that_annotation() -> None:
    step = decide(case_of(a_resource(managed=False)))
    assert isinstance(step, Patch)
    assert step.body["metadata"] == {"finalizers": [FINALIZER]}
    assert isinstance(decide(case_of(a_resource())), Create)


ACCOUNTS = {"accounts": {OTHER: ROLE}}


def test_an_account_is_reached_by_the_role_of_the_map() -> None:
    assert the_place(roaming(None, {OWNER: OTHER}), RoleMaps(**ACCOUNTS)) == Place(OTHER, SCOPE.region, ROLE)
    assert the_place(roaming(None, {OWNER: SCOPE.account})) == HERE
    mapped = {"accounts": {SCOPE.account: f"arn:aws:iam::{SCOPE.account}:role/own"}}
    assert the_place(roaming(None, {OWNER: SCOPE.account}), RoleMaps(**mapped)).role.endswith("role/own")


@pytest.mark.parametrize(
    ("maps", "reason"),
    [
        (NONE, NO_MAP),
        (RoleMaps(accounts={}), NO_KEY),
        (RoleMaps(accounts={OTHER: ""}), NO_ARN),
        (RoleMaps(accounts={OTHER: "role/ack"}), "'role/ack' is no role's ARN"),
        (RoleMaps(accounts={OTHER: "arn:aws:iam::333333333333:role/ack"}), "of account 333333333333, not of"),
    ],
)
def test_a_role_that_is_not_to_be_had_is_waited_for(maps: RoleMaps, reason: str) -> None:
    case = roaming(None, {OWNER: OTHER})
    fault = the_fault(case, maps)
    assert (fault.message, fault.after, reason in fault.reason) == (NO_ROLE, 15.0, True)
    end = decide(Case(resource=case.resource, sight=Unseen(fault), rules=case.rules, now=case.now))
    assert isinstance(end, Settle)
    told = {one["type"]: (one["status"], one["message"], one.get("reason")) for one in end.status["conditions"]}
    assert told["ACK.ResourceSynced"] == told["Ready"] == ("False", NO_ROLE, fault.reason)
    assert not {"ACK.Terminal", "ACK.Recoverable"} & told.keys()
    assert (end.after, end.again) == (15.0, False)


def test_a_job_in_another_account_than_the_role_is_not_even_looked_at() -> None:
    case = roaming(None, {OWNER: OTHER}, status=made_in("us-west-2"))
    fault = the_fault(case, RoleMaps(**ACCOUNTS))
    assert fault == Fault(ACCOUNT_MOVED.format(there=SCOPE.account, here=OTHER), terminal=True)
    assert fault.message == (
        "Resource already exists in account 123456789012, but the role used for reconciliation is in account "
        "222222222222. "
    )
    assert isinstance(place_of(case, RoleMaps(**ACCOUNTS)), Fault)
    end = decide(Case(resource=case.resource, sight=Unseen(fault), rules=case.rules, now=case.now))
    assert isinstance(end, Settle)
    assert "unseenSince" in end.status


def test_the_gates_open_teams_and_roles_by_service() -> None:
    team = "arn:aws:iam::444444444444:role/team"
    maps = RoleMaps(accounts={OTHER: ROLE, f"sagemaker.{OTHER}": f"{ROLE}-sagemaker"}, teams={"red": team})
    namespace = {OWNER: OTHER, TEAM: "red"}
    assert the_place(roaming(None, namespace), maps).role == ROLE
    assert the_place(roaming(None, namespace, by_service=True), maps).role == f"{ROLE}-sagemaker"
    assert the_place(roaming(None, namespace, teams=True), maps) == Place("444444444444", SCOPE.region, team)
    assert the_place(roaming(None, namespace, accounts=False), maps) == HERE


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://sagemaker.example", "over https alone"),
        ("ftp://sagemaker.example", "write https://"),
        ("https://user:secret@sagemaker.example", "write https://"),
        ("https://[", "no URL"),
        ("nonsense", "write https://"),
    ],
)
def test_a_namespace_sends_no_signed_request_anywhere_it_likes(url: str, told: str) -> None:
    fault = the_fault(roaming(None, {URL: url}))
    assert fault.terminal
    assert told in fault.message


def test_an_endpoint_of_the_namespace_counts_before_the_flag() -> None:
    flag, own = "https://flag.example", "https://own.example"
    assert the_place(roaming(endpoint=flag)).endpoint == flag
    assert the_place(roaming(None, {URL: own}, endpoint=flag)).endpoint == own
    assert the_place(roaming(None, {URL: "http://own"}, unsafe_endpoints=True)).endpoint == "http://own"


@pytest.mark.parametrize("region", ["Mars", "us-west-2.evil.example", "a/b", "-", "x" * 300])
def test_what_is_no_region_is_refused(region: str) -> None:
    assert "is no region" in the_fault(roaming({REGION: region})).message


def test_what_is_not_acted_upon_is_told() -> None:
    case = roaming(None, {OWNER: OTHER, TEAM: "red"}, accounts=False)
    told = Case(
        resource=a_resource(annotations={REGION: "us-west-2"}), sight=Seen(a_job()), rules=case.rules, now=case.now,
        namespace=case.namespace, place=HERE,
    )  # fmt: skip
    end = decide(told)
    assert isinstance(end, Settle)
    assert end.status["notices"] == [
        f"The namespace's annotation {OWNER} is not acted upon: --enable-carm is off.",
        f"The namespace's annotation {TEAM} is not acted upon: the feature gate TeamLevelCARM is off.",
    ]
