"""Server-side apply: its laws, and what it says when others hold a field."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from trainyard.doors.kube.apply import LAST_APPLIED, ApplyConflict, ApplyRefused, Writer, applied, tracked
from trainyard.doors.kube.fieldsets import fields_of, from_fields_v1, to_fields_v1

NUMBER, STRING = {"type": "integer"}, {"type": "string"}
STRUCT: dict[str, Any] = {"type": "object", "properties": {"x": NUMBER, "y": NUMBER}}
STRUCT["properties"]["t"] = {"type": "object", "properties": {"x": NUMBER, "y": NUMBER}}
ITEM = {"type": "object", "properties": {"name": STRING, "v": NUMBER, "w": NUMBER}, "required": ["name"]}
SPEC = {
    "type": "object",
    "properties": {
        "a": NUMBER,
        "s": STRUCT,
        "m": {"type": "object", "additionalProperties": NUMBER},
        "set": {"type": "array", "items": STRING, "x-kubernetes-list-type": "set"},
        "atom": {"type": "array", "items": NUMBER},
        "list": {
            "type": "array",
            "items": ITEM,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
        },
    },
}
SCHEMA = {"type": "object", "properties": {"spec": SPEC}}

FEW = st.integers(0, 2)
LETTERS = st.sampled_from("abc")
LEAF = {"x": FEW, "y": FEW}
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "a": FEW,
        "s": st.fixed_dictionaries({}, optional={**LEAF, "t": st.fixed_dictionaries({}, optional=LEAF)}),
        "m": st.dictionaries(LETTERS, FEW, max_size=3),
        "set": st.lists(LETTERS, unique=True, max_size=3),
        "atom": st.lists(FEW, max_size=2),
        "list": st.lists(
            st.fixed_dictionaries({"name": LETTERS}, optional={"v": FEW, "w": FEW}),
            unique_by=lambda item: item["name"],
            max_size=3,
        ),
    },
)


def writer(manager: str, second: int = 0) -> Writer:
    return Writer(manager=manager, api_version="v1", now=f"2026-01-01T00:00:{second:02}Z")


def body(spec: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Thing", "metadata": {"name": "n", **metadata}, "spec": spec}


def apply(live: dict[str, Any] | None, spec: dict[str, Any], manager: str, **options: Any) -> dict[str, Any]:
    return applied(live, body(spec), writer(manager), SCHEMA, **options)


def held(live: dict[str, Any]) -> dict[str, frozenset[tuple[str, ...]]]:
    return {
        f"{entry['manager']}/{entry['operation']}": from_fields_v1(entry["fieldsV1"])
        for entry in live["metadata"].get("managedFields", ())
    }


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["Apply", "Update"]), st.sampled_from("pqr"), SPECS, st.booleans()), max_size=5
)


def played(operations: list[tuple[str, str, dict[str, Any], bool]]) -> dict[str, Any] | None:
    live: dict[str, Any] | None = None
    for second, (operation, manager, spec, force) in enumerate(operations):
        who = writer(manager, second)
        if operation == "Update":
            live = tracked(live, body(spec), who, SCHEMA)
            continue
        try:
            live = applied(live, body(spec), who, SCHEMA, force=force)
        except ApplyConflict:
            assert not force
    return live


@given(OPERATIONS, SPECS)
@example([], {"set": []})
@example([("Apply", "p", {"list": [{"name": "a"}]}, False)], {"a": 0, "list": []})
def test_applying_twice_is_applying_once(operations: list[Any], spec: dict[str, Any]) -> None:
    live = played(operations)
    before = copy.deepcopy(live)
    once = applied(live, body(spec), writer("p", 30), SCHEMA, force=True)
    assert live == before
    assert applied(once, body(spec), writer("p", 40), SCHEMA) == once


@given(OPERATIONS, SPECS)
def test_what_is_applied_is_there_and_held(operations: list[Any], spec: dict[str, Any]) -> None:
    once = applied(played(operations), body(spec), writer("p", 30), SCHEMA, force=True)
    mine = fields_of(body(spec), SCHEMA) - {("f:apiVersion",), ("f:kind",), ("f:metadata", "f:name")}
    fields = {path for path in mine if path[0] == "f:spec"}
    assert fields <= fields_of(once, SCHEMA) | held(once).get("p/Apply", frozenset())
    assert fields == {path for path in held(once).get("p/Apply", frozenset()) if path[0] == "f:spec"}


@given(SPECS, SPECS)
def test_managers_of_disjoint_fields_never_conflict(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = (fields_of(spec, SPEC) for spec in (one, other))
    assume(not any(path[: len(near)] == near or near[: len(path)] == path for path in first for near in second))
    live = apply(apply(None, one, "p"), other, "q")
    for name, part in {**one, **other}.items():
        if isinstance(part, int):
            assert live["spec"][name] == part


def filled(value: Any) -> Any:
    """Without empty lists and objects: they have no field of their own, here as in Kubernetes."""
    if not isinstance(value, dict):
        return value
    return {name: filled(part) for name, part in value.items() if filled(part) not in ({}, [])}


@given(OPERATIONS)
def test_every_leaf_that_somebody_wrote_is_held(operations: list[Any]) -> None:
    live = played(operations)
    if live is not None:
        owned = frozenset[tuple[str, ...]]().union(*held(live).values())
        leaves = fields_of(filled(live.get("spec", {})), SPEC)
        leaves = {path for path in leaves if not any(other[:-1] == path for other in leaves)}
        assert {("f:spec", *path) for path in leaves} <= owned


@given(OPERATIONS)
def test_managed_fields_name_no_field_that_is_gone(operations: list[Any]) -> None:
    live = played(operations)
    if live is not None:
        there = fields_of(live, SCHEMA)
        parents = {path[:end] for path in there for end in range(1, len(path) + 1)}
        empty = {("f:spec", f"f:{name}") for name, part in live.get("spec", {}).items() if part in ([], {})}
        for paths in held(live).values():
            for path in paths:
                assert path in parents | empty | {("f:spec",)} or path[:3] == ("f:spec", "f:s", "f:t")


@given(
    st.sets(
        st.lists(st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"y"', "i:0"]), min_size=1, max_size=4).map(tuple)
    )
)
def test_fields_v1_holds_every_set(fields: set[tuple[str, ...]]) -> None:
    assert from_fields_v1(to_fields_v1(fields)) == fields


def test_a_conflict_names_manager_and_field() -> None:
    live = apply(apply(None, {"a": 1, "s": {"x": 1}}, "p"), {"list": [{"name": "a", "v": 1}]}, "p2")
    with pytest.raises(ApplyConflict) as conflict:
        apply(live, {"a": 2}, "q")
    assert str(conflict.value) == 'Apply failed with 1 conflict: conflict with "p": .spec.a'
    assert conflict.value.causes == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "p"', "field": ".spec.a"}
    ]
    with pytest.raises(ApplyConflict) as conflict:
        apply(live, {"a": 2, "s": {"x": 2}, "list": [{"name": "a", "v": 2}]}, "q")
    assert str(conflict.value) == (
        'Apply failed with 3 conflicts: conflicts with "p":\n- .spec.a\n- .spec.s.x\n'
        'conflicts with "p2":\n- .spec.list[name="a"].v'
    )
    taken = apply(live, {"a": 2}, "q", force=True)
    assert taken["spec"]["a"] == 2
    assert ("f:spec", "f:a") not in held(taken)["p/Apply"]


def test_a_plain_write_shows_in_the_conflict_with_its_version() -> None:
    live = tracked(None, body({"a": 1}), writer("kubectl-edit"), SCHEMA)
    with pytest.raises(ApplyConflict, match=r'conflict with "kubectl-edit" using v1: \.spec\.a'):
        apply(live, {"a": 2}, "p")


def test_agreeing_managers_share_a_field_and_the_last_to_leave_it_removes_it() -> None:
    live = apply(apply(None, {"a": 1, "m": {"a": 1}}, "p"), {"a": 1}, "q")
    left = apply(live, {}, "p")
    assert left["spec"] == {"a": 1}
    assert "spec" not in apply(left, {}, "q") or apply(left, {}, "q")["spec"] == {}


def test_a_status_manager_is_another_one() -> None:
    live = tracked(None, body({"a": 1}), writer("p"), SCHEMA)
    who = Writer(manager="p", api_version="v1", now="2026-01-01T00:00:01Z", subresource="status")
    after = tracked(live, {**live, "status": {"phase": "x"}}, who, SCHEMA)
    assert [entry.get("subresource") for entry in after["metadata"]["managedFields"]] == [None, "status"]


def test_who_changes_nothing_writes_nothing() -> None:
    live = tracked(None, body({"a": 1}), writer("p"), SCHEMA)
    assert tracked(live, live, writer("q", 9), SCHEMA) == live


def test_the_oldest_managers_are_joined() -> None:
    live = body({})
    for number in range(25):
        live = tracked(
            live, body({"m": {str(at): number for at in range(number)}}), writer(f"m{number}", number), SCHEMA
        )
        assert len(live["metadata"].get("managedFields", ())) <= 10
    assert "ancient-changes/Update" in held(live) or len(held(live)) <= 10


def test_kubectl_takes_over_what_it_applied_from_the_clients_side() -> None:
    note = json.dumps(body({"a": 1}))
    live = tracked(None, body({"a": 1}, annotations={LAST_APPLIED: note}), writer("kubectl-client-side-apply"), SCHEMA)
    after = apply(live, {"a": 2}, "kubectl")
    assert after["spec"] == {"a": 2}
    assert json.loads(after["metadata"]["annotations"][LAST_APPLIED])["spec"] == {"a": 2}
    with pytest.raises(ApplyConflict):
        apply(live, {"a": 2}, "another")


def test_managed_fields_may_be_dropped_and_an_untracked_object_is_held_by_its_past() -> None:
    live = tracked(None, body({"a": 1}), writer("p"), SCHEMA)
    bare = tracked(live, body({"a": 1}, managedFields=[{}]), writer("q"), SCHEMA)
    assert "managedFields" not in bare["metadata"]
    with pytest.raises(ApplyConflict, match="before-first-apply"):
        apply(bare, {"a": 2}, "p")


@pytest.mark.parametrize(
    "config",
    [
        body({}, managedFields=[{"manager": "x"}]),
        body({"set": ["a", "a"]}),
        body({"list": [{"v": 1}]}),
        body({"list": [{"name": "a"}, {"name": "a"}]}),
    ],
)
def test_what_cannot_be_grouped_is_refused(config: dict[str, Any]) -> None:
    for live in (None, body({"set": ["b"], "list": [{"name": "b"}]})):
        with pytest.raises(ApplyRefused):
            applied(live, config, writer("p"), SCHEMA)


JUNK = st.recursive(
    st.none() | st.booleans() | FEW | st.text("ab.", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "s", "list", "set", "name"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(JUNK, JUNK, JUNK)
def test_nothing_that_can_be_sent_breaks_the_books(one: Any, other: Any, fields: Any) -> None:
    junk = [{"manager": "j", "operation": "Apply", "apiVersion": "v1", "fieldsV1": fields}, fields]
    live = tracked(None, body(one, managedFields=junk), writer("p"), SCHEMA)
    live = tracked(live, body(other), writer("q"), SCHEMA)
    try:
        applied(live, body(one), writer("p"), SCHEMA, force=True)
    except ApplyRefused:
        return


def test_lists_that_are_maps_merge_by_their_key_and_atomic_ones_do_not() -> None:
    live = apply(None, {"list": [{"name": "a", "v": 1}, {"name": "b"}], "atom": [1], "set": ["x"]}, "p")
    live = apply(live, {"list": [{"name": "c"}, {"name": "a", "w": 2}], "set": ["y"]}, "q")
    assert live["spec"]["list"] == [{"name": "c"}, {"name": "a", "v": 1, "w": 2}, {"name": "b"}]
    assert live["spec"]["set"] == ["x", "y"]
    with pytest.raises(ApplyConflict):
        apply(live, {"atom": [1, 2]}, "q")
