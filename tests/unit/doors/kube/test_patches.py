"""Patches, by the examples of their standards and beside another implementation."""

from __future__ import annotations

import copy
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.doors.kube.patches import PatchRefused, json_patch, merge_patch, same
from trainyard.doors.kube.strategic import strategic_patch

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab~/", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab~/", max_size=2), inner, max_size=3),
    max_leaves=8,
)
WITHOUT_NULLS = st.recursive(
    st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("value", "patch", "result"),
    [  # RFC 7396, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch_by_the_standards_examples(value: Any, patch: Any, result: Any) -> None:
    assert merge_patch(value, patch) == result


@given(JSON, JSON)
def test_a_merge_patch_is_idempotent_and_leaves_its_input_alone(value: Any, patch: Any) -> None:
    before = copy.deepcopy((value, patch))
    once = merge_patch(value, patch)
    assert same(merge_patch(once, patch), once)
    assert (value, patch) == before


def pointers(value: Any, path: str = "") -> list[str]:
    found = [path]
    if isinstance(value, dict):
        for key, child in value.items():
            found += pointers(child, f"{path}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for index, child in enumerate(value):
            found += pointers(child, f"{path}/{index}")
    return found


@st.composite
def patched(draw: st.DrawFn) -> tuple[Any, list[dict[str, Any]]]:
    document = draw(st.dictionaries(st.text("ab~/", min_size=1, max_size=2), JSON, max_size=4))
    places = st.sampled_from(pointers(document)[1:] or ["/a"])
    within = st.builds("{}{}".format, places, st.sampled_from(["", "/a", "/-", "/0", "/1"]))
    operation = st.one_of(
        st.fixed_dictionaries({"op": st.sampled_from(["add", "replace", "test"]), "path": within, "value": JSON}),
        st.fixed_dictionaries({"op": st.just("remove"), "path": places}),
        st.fixed_dictionaries({"op": st.sampled_from(["move", "copy"]), "from": places, "path": within}),
    )
    return document, draw(st.lists(operation, max_size=4))


@given(patched())
def test_json_patch_does_what_another_implementation_does(case: tuple[Any, list[dict[str, Any]]]) -> None:
    document, operations = case
    before = copy.deepcopy(document)
    try:
        ours = json_patch(document, operations)
    except PatchRefused:
        return  # the other one is laxer: it takes strings for containers and moves values into themselves
    assert document == before
    assert same(ours, jsonpatch.apply_patch(document, operations))


@pytest.mark.parametrize(
    ("operations", "code"),
    [
        ({}, 400),
        ([{"op": "burn", "path": ""}], 400),
        ([{"op": "add", "path": "a"}], 400),
        ([{"op": "add", "path": "/a"}], 400),
        ([{"op": "remove", "path": "/none"}], 422),
        ([{"op": "replace", "path": "/none", "value": 1}], 422),
        ([{"op": "test", "path": "/list/0", "value": True}], 422),
        ([{"op": "add", "path": "/list/3", "value": 1}], 422),
        ([{"op": "remove", "path": "/list/01"}], 422),
        ([{"op": "move", "from": "/list", "path": "/list/0"}], 422),
        ([{"op": "test", "path": "", "value": 1}] * 10_001, 413),
        ([{"op": "copy", "from": "/list", "path": "/list/-"}] * 25, 413),
    ],
)
def test_a_patch_that_does_not_fit_is_refused(operations: Any, code: int) -> None:
    with pytest.raises(PatchRefused) as refused:
        json_patch({"list": [1, 2]}, operations)
    assert refused.value.code == code


OBJECT = {
    "metadata": {"finalizers": ["a", "b"], "labels": {"x": "1"}, "ownerReferences": [{"uid": "1", "name": "n"}]},
    "data": {"k": "v", "l": "w"},
    "list": [1],
}


@pytest.mark.parametrize(
    ("patch", "path", "result"),
    [
        ({"data": {"k": None, "m": "x"}}, ("data",), {"l": "w", "m": "x"}),
        ({"data": {"$patch": "replace", "m": "x"}}, ("data",), {"m": "x"}),
        ({"data": {"$retainKeys": ["k", "m"], "m": "x"}}, ("data",), {"k": "v", "m": "x"}),
        ({"list": [2]}, ("list",), [2]),
        ({"metadata": {"finalizers": ["c", "a"]}}, ("metadata", "finalizers"), ["a", "b", "c"]),
        ({"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}, ("metadata", "finalizers"), ["b"]),
        (
            {"metadata": {"finalizers": ["c"], "$setElementOrder/finalizers": ["c", "b", "a"]}},
            ("metadata", "finalizers"),
            ["c", "b", "a"],
        ),
        (
            {"metadata": {"ownerReferences": [{"uid": "1", "name": "m"}, {"uid": "2"}]}},
            ("metadata", "ownerReferences"),
            [{"uid": "1", "name": "m"}, {"uid": "2"}],
        ),
        ({"metadata": {"ownerReferences": [{"uid": "1", "$patch": "delete"}]}}, ("metadata", "ownerReferences"), []),
        (
            {"metadata": {"ownerReferences": [{"$patch": "replace"}, {"uid": "3"}]}},
            ("metadata", "ownerReferences"),
            [{"uid": "3"}],
        ),
        ({"metadata": {"labels": {"$patch": "delete"}}}, ("metadata",), {
            "finalizers": ["a", "b"], "ownerReferences": [{"uid": "1", "name": "n"}]
        }),
    ],
)  # fmt: skip
def test_strategic_merge_patch(patch: Any, path: tuple[str, ...], result: Any) -> None:
    value: Any = strategic_patch(OBJECT, patch)
    for step in path:
        value = value[step]
    assert value == result


def test_an_order_leaves_what_it_does_not_name_where_it_stood() -> None:
    value = {"metadata": {"finalizers": ["a", "x", "b"]}}
    patch = {"metadata": {"$setElementOrder/finalizers": ["a", "b"]}}
    assert strategic_patch(value, patch) == value


@given(WITHOUT_NULLS, WITHOUT_NULLS)
def test_without_directives_and_merged_lists_it_is_a_merge_patch(value: Any, patch: Any) -> None:
    if isinstance(value, dict) and isinstance(patch, dict):
        assert same(strategic_patch(value, patch, {}), merge_patch(value, patch))


@pytest.mark.parametrize(
    "patch",
    [
        [],
        {"a": {"$patch": "burn"}},
        {"$retainKeys": 1},
        {"$setElementOrder/a": 1},
        {"metadata": {"ownerReferences": [1]}},
    ],
)
def test_a_malformed_strategic_patch_is_refused(patch: Any) -> None:
    with pytest.raises(PatchRefused):
        strategic_patch({"a": {}, "metadata": {}}, patch)
