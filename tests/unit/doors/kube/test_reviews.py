"""May this caller do this: asked before every request, and answered in words that name what is in the way."""

from __future__ import annotations

from typing import Any

import pytest

from trainyard.access.callers import OWNER, Caller, Role
from trainyard.doors.kube import reviews
from trainyard.doors.kube.builtin import (
    ACCESS_REVIEW,
    CONFIG_MAP,
    KINDS,
    LEASE,
    NAMESPACE,
    RULES_REVIEW,
    SECRET,
    SUBJECT_REVIEW,
)
from trainyard.doors.kube.errors import Refused
from trainyard.doors.kube.kinds import Kind
from trainyard.doors.kube.paths import Target

TEAM = frozenset({"team"})
CALLERS = {
    "owner": OWNER,
    "admin": Caller("anna", Role.ADMIN),
    "held admin": Caller("anna", Role.ADMIN, TEAM),
    "submitter": Caller("anna", Role.SUBMIT),
    "held submitter": Caller("anna", Role.SUBMIT, TEAM),
    "reader": Caller("anna", Role.READ),
    "held reader": Caller("anna", Role.READ, TEAM),
}


def refusal(caller: Caller, method: str, kind: Kind, namespace: str = "", name: str = "") -> str:
    target = Target(group=kind.group, version=kind.version, plural=kind.plural, namespace=namespace, name=name)
    with pytest.raises(Refused) as refused:
        reviews.permit(caller, method, kind, target)
    assert refused.value.code == 403
    return refused.value.message


def test_a_refusal_names_the_role_where_it_is_the_role() -> None:
    assert refusal(CALLERS["held reader"], "POST", CONFIG_MAP, "team").endswith("its role is read")
    assert refusal(CALLERS["reader"], "GET", SECRET, "team", "s").endswith("its role is read")
    assert refusal(CALLERS["submitter"], "POST", NAMESPACE).endswith("its role is submit")


def test_a_refusal_names_the_hold_where_it_is_the_hold() -> None:
    held = CALLERS["held submitter"]
    assert refusal(held, "POST", CONFIG_MAP, "other").endswith("its token is held to team")
    assert refusal(held, "GET", CONFIG_MAP).endswith("at the cluster scope: its token is held to team")
    assert refusal(CALLERS["held admin"], "POST", NAMESPACE).endswith("its token is held to team")


@pytest.mark.parametrize(
    ("method", "name", "verb"),
    [
        ("GET", "", "list"), ("GET", "one", "get"), ("POST", "", "create"), ("PUT", "one", "update"),
        ("PATCH", "one", "patch"), ("DELETE", "one", "delete"), ("DELETE", "", "deletecollection"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_verb(method: str, name: str, verb: str) -> None:
    told = refusal(CALLERS["held submitter"], method, CONFIG_MAP, "other", name)
    assert f'User "anna" cannot {verb} resource "configmaps"' in told


def answer(kind: Kind, caller: Caller, spec: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = reviews.answered(kind, {"spec": spec}, caller, KINDS)["status"]
    return found


def test_a_review_says_why_not() -> None:
    asked = {"resourceAttributes": {"verb": "create", "resource": "configmaps", "namespace": "other"}}
    assert answer(ACCESS_REVIEW, OWNER, asked) == {"allowed": True}
    assert answer(ACCESS_REVIEW, CALLERS["held submitter"], asked) == {
        "allowed": False, "reason": "its token is held to team",
    }  # fmt: skip
    assert answer(ACCESS_REVIEW, CALLERS["reader"], asked)["reason"] == "its role is read"


def test_a_review_asks_about_a_kind_beyond_namespaces_as_a_request_would() -> None:
    """The current namespace of kubectl is sent with the question."""
    asked = {"resourceAttributes": {"verb": "create", "resource": "namespaces", "namespace": "team"}}
    assert answer(ACCESS_REVIEW, OWNER, asked)["allowed"]
    assert not answer(ACCESS_REVIEW, CALLERS["held submitter"], asked)["allowed"]
    assert not answer(ACCESS_REVIEW, CALLERS["submitter"], asked)["allowed"]


def test_who_it_is() -> None:
    assert answer(SUBJECT_REVIEW, CALLERS["reader"], {})["userInfo"]["username"] == "anna"


@pytest.mark.parametrize("whose", CALLERS)
@pytest.mark.parametrize("namespace", ["team", "other"])
@pytest.mark.parametrize("kind", [CONFIG_MAP, SECRET, LEASE, NAMESPACE], ids=lambda kind: kind.plural)
def test_the_rules_promise_what_is_permitted_and_no_more(whose: str, namespace: str, kind: Kind) -> None:
    caller = CALLERS[whose]
    rules = answer(RULES_REVIEW, caller, {"namespace": namespace})["resourceRules"]
    for verb, method in (("get", "GET"), ("create", "POST"), ("delete", "DELETE")):
        promised = any(
            {verb, "*"} & set(rule["verbs"])
            and {kind.group, "*"} & set(rule["apiGroups"])
            and {kind.plural, "*"} & set(rule["resources"])
            for rule in rules
        )
        assert promised == is_permitted(caller, method, kind, namespace), (verb, rules)


def is_permitted(caller: Caller, method: str, kind: Kind, namespace: str) -> bool:
    name = namespace if kind is NAMESPACE else "one"
    where = "" if kind is NAMESPACE else namespace
    try:
        reviews.permit(caller, method, kind, Target(kind.group, kind.version, kind.plural, where, name))
    except Refused:
        return False
    return True


def test_the_rules_of_the_owner_are_everything() -> None:
    assert answer(RULES_REVIEW, OWNER, {"namespace": "any"})["resourceRules"] == [
        {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    ]
