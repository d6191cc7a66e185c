"""Structural schemas: what is pruned, defaulted and refused, in the API server's words."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trainyard.doors.kube.patches import same
from trainyard.doors.kube.schema import causes_of, defaulted, pruned
from trainyard.doors.kube.structural import structural_causes
from trainyard.resource.crd import resource_schema

TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "metadata": {"type": "object"},
        "spec": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "minLength": 2, "maxLength": 4, "pattern": "^[a-z]+$"},
                "mode": {"type": "string", "enum": ["File", "Pipe"], "default": "File"},
                "count": {"type": "integer", "minimum": 1, "maximum": 5},
                "share": {"type": "number", "exclusiveMinimum": True, "minimum": 0, "multipleOf": 0.5},
                "port": {"x-kubernetes-int-or-string": True},
                "since": {"type": "string", "format": "date-time"},
                "none": {"type": "string", "nullable": True},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"n": NUMBER}},
                "labels": {"type": "object", "additionalProperties": TEXT, "maxProperties": 2},
                "set": {"type": "array", "items": TEXT, "x-kubernetes-list-type": "set", "maxItems": 3, "minItems": 1},
                "list": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["k"],
                    "items": {
                        "type": "object",
                        "required": ["k"],
                        "properties": {"k": TEXT, "n": {"type": "integer", "maximum": 3, "default": 2}},
                    },
                },
                "one": {"type": "integer", "oneOf": [{"minimum": 5}, {"maximum": 7}]},
                "any": {"type": "integer", "anyOf": [{"minimum": 5}, {"maximum": 1}], "not": {"enum": [9]}},
                "inner": {"type": "object", "x-kubernetes-embedded-resource": True,
                          "x-kubernetes-preserve-unknown-fields": True},
            },
        }
    },
}  # fmt: skip


def told(spec: Any, old: Any = None) -> list[tuple[str, str, str]]:
    body = {"apiVersion": "v1", "kind": "K", "metadata": {"name": "n"}, "spec": spec}
    before = None if old is None else {**body, "spec": old}
    return [(cause.field, cause.reason, cause.message) for cause in causes_of(body, SCHEMA, before)]


@pytest.mark.parametrize(
    ("spec", "field", "reason", "message"),
    [
        ({}, "spec.name", "FieldValueRequired", "Required value"),
        ({"name": 1}, "spec.name", "FieldValueTypeInvalid",
         'Invalid value: "integer": spec.name in body must be of type string: "integer"'),
        ({"name": None}, "spec.name", "FieldValueTypeInvalid",
         'Invalid value: "null": spec.name in body must be of type string: "null"'),
        ({"name": "A9"}, "spec.name", "FieldValueInvalid",
         'Invalid value: "A9": spec.name in body should match \'^[a-z]+$\''),
        ({"name": "a"}, "spec.name", "FieldValueInvalid",
         'Invalid value: "a": spec.name in body should be at least 2 chars long'),
        ({"name": "abcde"}, "spec.name", "FieldValueTooLong", "Too long: may not be more than 4 bytes"),
        ({"mode": "file"}, "spec.mode", "FieldValueNotSupported",
         'Unsupported value: "file": supported values: "File", "Pipe"'),
        ({"count": 0}, "spec.count", "FieldValueInvalid",
         "Invalid value: 0: spec.count in body should be greater than or equal to 1"),
        ({"count": 6}, "spec.count", "FieldValueInvalid",
         "Invalid value: 6: spec.count in body should be less than or equal to 5"),
        ({"count": 1.5}, "spec.count", "FieldValueTypeInvalid",
         'Invalid value: "number": spec.count in body must be of type integer: "number"'),
        ({"count": True}, "spec.count", "FieldValueTypeInvalid",
         'Invalid value: "boolean": spec.count in body must be of type integer: "boolean"'),
        ({"share": 0}, "spec.share", "FieldValueInvalid",
         "Invalid value: 0: spec.share in body should be greater than 0"),
        ({"share": 0.7}, "spec.share", "FieldValueInvalid",
         "Invalid value: 0.7: spec.share in body should be a multiple of 0.5"),
        ({"port": 1.5}, "spec.port", "FieldValueTypeInvalid",
         'Invalid value: "number": spec.port in body must be of type integer,string: "number"'),
        ({"since": "today"}, "spec.since", "FieldValueTypeInvalid",
         'Invalid value: "today": spec.since in body must be of type date-time: "today"'),
        ({"labels": {"a": "", "b": "", "c": ""}}, "spec.labels", "FieldValueTooMany",
         "Too many: 3: must have at most 2 items"),
        ({"labels": {"a": 1}}, "spec.labels.a", "FieldValueTypeInvalid",
         'Invalid value: "integer": spec.labels.a in body must be of type string: "integer"'),
        ({"set": []}, "spec.set", "FieldValueInvalid",
         "Invalid value: 0: spec.set in body should have at least 1 items"),
        ({"set": ["a", "a"]}, "spec.set[1]", "FieldValueDuplicate", 'Duplicate value: "a"'),
        ({"list": [{"k": "a"}, {"k": "a"}]}, "spec.list[1]", "FieldValueDuplicate", 'Duplicate value: {"k":"a"}'),
        ({"list": [{}]}, "spec.list[0].k", "FieldValueRequired", "Required value"),
        ({"one": 6}, "spec.one", "FieldValueInvalid",
         "Invalid value: 6: spec.one in body must validate one and only one schema (oneOf)"),
        ({"any": 3}, "spec.any", "FieldValueInvalid",
         "Invalid value: 3: spec.any in body must validate at least one schema (anyOf)"),
        ({"any": 9}, "spec.any", "FieldValueInvalid",
         "Invalid value: 9: spec.any in body must not validate the schema (not)"),
        ({"inner": {"kind": "K"}}, "spec.inner.apiVersion", "FieldValueRequired",
         "Required value: must not be empty"),
    ],
)  # fmt: skip
def test_each_fault_is_told_as_the_api_server_tells_it(spec: Any, field: str, reason: str, message: str) -> None:
    found = told(spec if "name" in spec or not spec else {"name": "ab", **spec})
    assert (field, reason, message) in found
    assert len(found) == 1


def test_what_is_right_is_not_told() -> None:
    spec = {"name": "ab", "count": 2.0, "port": "http", "since": "2026-01-01T00:00:00Z", "none": None, "share": 1.5,
            "free": {"x": [1, {}]}, "labels": {"a": "b"}, "one": 8, "any": 1, "list": [{"k": "a", "n": 3}]}  # fmt: skip
    assert told(spec) == []
    assert told({**spec, "port": 80}) == []


def test_a_fault_that_was_there_before_does_not_stand_in_the_way_of_another_change() -> None:
    old = {"name": "A9", "list": [{"k": "a", "n": 9}, {"k": "b"}], "set": ["a", "a"]}
    assert told({**old, "count": 2}, old) == []
    assert [field for field, _, _ in told({**old, "name": "B9"}, old)] == ["spec.name"]
    moved = {**old, "list": [{"k": "b", "n": 8}, {"k": "a", "n": 9}]}
    assert [field for field, _, _ in told(moved, old)] == ["spec.list[0].n"]


def test_pruning_tells_every_unknown_field_and_spares_what_the_schema_leaves_free() -> None:
    body = {
        "apiVersion": "v1", "kind": "K", "metadata": {"name": "n", "labels": {}}, "extra": 1,
        "spec": {
            "name": "ab", "nmae": 1, "labels": {"any": "x"}, "free": {"x": {"y": 1}, "n": 1},
            "list": [{"k": "a", "z": 1}], "port": 1,
            "inner": {"apiVersion": "v1", "kind": "K", "metadata": {"a": 1}, "spec": {"b": 1}},
        },
    }  # fmt: skip
    before = copy.deepcopy(body)
    kept, gone = pruned(body, SCHEMA)
    assert gone == ["extra", "spec.nmae", "spec.list[0].z"]
    assert kept["spec"]["free"] == {"x": {"y": 1}, "n": 1}
    assert kept["spec"]["inner"] == body["spec"]["inner"]
    assert kept["metadata"] == body["metadata"]
    assert body == before


def test_defaults_fill_what_is_absent_and_nulls_that_are_no_values() -> None:
    body = {"spec": {"list": [{"k": "a"}, {"k": "b", "n": None}, {"k": "c", "n": 1}], "none": None}}
    assert defaulted(body, SCHEMA)["spec"] == {
        "mode": "File", "list": [{"k": "a", "n": 2}, {"k": "b", "n": 2}, {"k": "c", "n": 1}], "none": None
    }  # fmt: skip
    assert "mode" not in body["spec"]


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*SCHEMA["properties"]["spec"]["properties"], "k", "n", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)
BODIES = st.fixed_dictionaries({"metadata": st.just({"name": "n"})}, optional={"spec": JUNK, "status": JUNK})


@given(BODIES)
def test_pruning_and_defaulting_come_to_rest(body: dict[str, Any]) -> None:
    kept, _ = pruned(body, SCHEMA)
    assert pruned(kept, SCHEMA) == (kept, [])
    whole = defaulted(kept, SCHEMA)
    assert defaulted(whole, SCHEMA) == whole
    assert pruned(whole, SCHEMA) == (whole, [])


@example({"metadata": {"name": "n"}, "spec": {"list": [False, False]}}, {})  # a list of objects that holds none
@given(BODIES, BODIES)
def test_judging_never_fails_and_an_unchanged_object_has_no_fault(body: dict[str, Any], old: dict[str, Any]) -> None:
    causes = causes_of(body, SCHEMA)
    assert causes_of(body, SCHEMA, body) == []
    assert set(causes_of(body, SCHEMA, old)) <= set(causes)
    assert same(pruned(body, {"type": "object", "x-kubernetes-preserve-unknown-fields": True})[0], body)


@pytest.mark.parametrize("strict", [True, False])
def test_our_own_definition_is_structural(strict: bool) -> None:
    assert structural_causes(resource_schema(strict=strict), "s") == []


@pytest.mark.parametrize(
    ("schema", "field"),
    [
        (1, "s"),
        ({}, "s.type"),
        ({"type": "thing"}, "s.type"),
        ({"type": "array"}, "s.items"),
        ({"type": "object", "$ref": "#"}, "s.$ref"),
        ({"type": "object", "properties": {"a": {}}}, "s.properties[a].type"),
        ({"type": "object", "properties": {}, "additionalProperties": TEXT}, "s.additionalProperties"),
        ({"type": "string", "pattern": "(?=a)"}, "s.pattern"),
        ({"type": "string", "pattern": "("}, "s.pattern"),
        ({"type": "string", "maxLength": "5"}, "s.maxLength"),
        ({"type": "object", "required": "a"}, "s.required"),
        ({"type": "object", "properties": []}, "s.properties"),
        ({"type": "string", "anyOf": [1]}, "s.anyOf"),
    ],
)
def test_what_is_not_structural_is_told_with_its_place(schema: Any, field: str) -> None:
    assert field in [cause.field for cause in structural_causes(schema, "s")]


@given(JUNK)
def test_no_schema_breaks_the_judge_of_schemas(schema: Any) -> None:
    structural_causes(schema, "s")
