"""CEL rules as the API server runs them, and within bounds that no rule and no object can leave."""

from __future__ import annotations

from typing import Any

import pytest

from trainyard.doors.kube.rules import broken_rules, unsound_rules
from trainyard.resource.crd import resource_schema


def ruled(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    spec = {"type": "object", "x-kubernetes-validations": list(rules), "properties": {}, **more}
    return {"type": "object", "properties": {"spec": spec}}


def told(schema: dict[str, Any], spec: Any, old: Any = None) -> list[tuple[str, str, str]]:
    before = None if old is None else {"metadata": {"name": "n"}, "spec": old}
    causes = broken_rules({"metadata": {"name": "n"}, "spec": spec}, schema, before)
    return [(cause.field, cause.reason, cause.message) for cause in causes]


@pytest.mark.parametrize(
    ("rule", "spec", "holds"),
    [
        ("has(self.a)", {"a": 1}, True),
        ("has(self.a)", {}, False),
        ("self.list.all(x, x > 0)", {"list": [1, 2]}, True),
        ("self.list.all(x, x > 0)", {"list": [1, 0]}, False),
        ("self.list.exists(x, x == 2)", {"list": [1, 2]}, True),
        ("self.list.all(x, self.list.exists_one(y, y == x))", {"list": [1, 1]}, False),
        ("self.name.matches('^[a-z]+$')", {"name": "abc"}, True),
        ("size(self.map) == 1 && 'k' in self.map", {"map": {"k": "v"}}, True),
        ("self.?a.orValue(3) == 3", {}, True),
        ("self.name.lowerAscii() == 'abc'", {"name": "ABC"}, True),
        ("self.name.startsWith('s3://') || self.name.contains('x')", {"name": "s3://"}, True),
    ],
)
def test_a_rule_is_judged(rule: str, spec: Any, holds: bool) -> None:
    assert (told(ruled({"rule": rule}), spec) == []) is holds


def test_messages_reasons_and_paths() -> None:
    assert told(ruled({"rule": "has(self.a)"}), {}) == [
        ("spec", "FieldValueInvalid", 'Invalid value: "object": failed rule: has(self.a)')
    ]
    rule = {"rule": "self.a == 1", "message": "a is one", "reason": "FieldValueForbidden", "fieldPath": ".a"}
    assert told(ruled(rule), {"a": 2}) == [("spec.a", "FieldValueForbidden", "Forbidden: a is one")]
    rule = {"rule": "self.a == 1", "messageExpression": "'a is ' + string(self.a)"}
    assert told(ruled(rule), {"a": 2}) == [("spec", "FieldValueInvalid", 'Invalid value: "object": a is 2')]
    (cause,) = told(ruled({"rule": "self.gone > 1", "message": "no"}), {})
    assert "gone" in cause[2]
    assert cause[2].endswith("evaluating rule: no")


def test_a_transition_rule_is_for_changes_alone() -> None:
    schema = ruled({"rule": "self.a == oldSelf.a", "message": "fixed"})
    assert told(schema, {"a": 1}) == []
    assert told(schema, {"a": 1, "b": 1}, {"a": 1}) == []
    assert [message for _, _, message in told(schema, {"a": 2}, {"a": 1})] == ['Invalid value: "object": fixed']


def test_items_of_a_list_that_is_a_map_have_an_old_self() -> None:
    item = {
        "type": "object",
        "properties": {"k": {"type": "string"}, "v": {"type": "integer"}},
        "x-kubernetes-validations": [{"rule": "self.v >= oldSelf.v", "message": "never less"}],
    }
    items = {
        "type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]
    }  # fmt: skip
    schema = ruled(properties={"list": items})
    old = {"list": [{"k": "a", "v": 2}, {"k": "b", "v": 2}]}
    new = {"list": [{"k": "b", "v": 1}, {"k": "c", "v": 0}, {"k": "a", "v": 3}]}
    assert [field for field, _, _ in told(schema, new, old)] == ["spec.list[0]"]


def test_names_that_cel_cannot_say_are_escaped() -> None:
    properties = {"namespace": {"type": "string"}, "a-b": {"type": "integer"}}
    schema = ruled({"rule": "self.__namespace__ == 'x' && self.a__dash__b == 1"}, properties=properties)
    assert told(schema, {"namespace": "x", "a-b": 1}) == []


def test_whole_numbers_of_a_number_are_numbers() -> None:
    schema = ruled({"rule": "self.x > 0.5 && self.x + 0.5 > 1.0"}, properties={"x": {"type": "number"}})
    assert told(schema, {"x": 1}) == []


@pytest.mark.parametrize(
    "rule",
    [
        "self.list.all(x, self.list.all(y, self.list.all(z, x + y + z >= 0)))",
        "self.list.map(x, self.text + self.text).size() > 0",
        "size(self.text" + " + self.text" * 20 + ") > 0",
        "[self.text].all(x, [x + x].all(x, [x + x].all(x, [x + x].all(x, [x + x].all(x, size(x + x) > 0)))))",
    ],
)
def test_a_rule_that_could_take_too_much_fails_at_once(rule: str) -> None:
    found = told(ruled({"rule": rule}), {"list": list(range(5000)), "text": "a" * 100_000})
    assert len(found) == 1
    assert "budget" in found[0][2].lower()


def test_rules_on_a_hundred_thousand_items_end() -> None:
    items = {"type": "integer", "x-kubernetes-validations": [{"rule": "self >= 0"}]}
    found = told(ruled(properties={"list": {"type": "array", "items": items}}), {"list": list(range(100_000))})
    assert "running out of cost budget" in found[-1][2]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"rule": "self."}, "compilation failed"),
        ({"rule": "self.a.unheardOf()"}, "undeclared reference"),
        ({"rule": "self.a.replace('', self.a) != ''"}, "not served here"),
        ({"rule": "(" * 500 + "1" + ")" * 500}, "recursion"),
        ({"rule": "1+" * 15_000 + "1"}, "characters"),
        ({"rule": "1+" * 5_000 + "1"}, "recursion"),
        ({"rule": ""}, "not specified"),
        ({}, "not specified"),
        ({"rule": "true", "reason": "Because"}, "supported values"),
        ({"rule": "true", "optionalOldSelf": True}, "not served here"),
        ({"rule": "true", "messageExpression": "("}, "compilation failed"),
    ],
)
def test_a_rule_that_cannot_be_run_is_told_when_it_is_defined(rule: dict[str, Any], said: str) -> None:
    (cause,) = unsound_rules(ruled(rule), "schema")
    assert said in cause.message
    assert cause.field.startswith("schema.properties[spec].x-kubernetes-validations[0]")


def test_all_rules_of_our_own_definition_can_be_run() -> None:
    assert list(unsound_rules(resource_schema(strict=True), "s")) == []
