"""Manifests: what they name, and where in them a fault lies."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.agent.manifests import Manifest, Reference, parse, parse_line
from trainyard.model.errors import ValidationRefused

URI = "s3://b/m"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(st.text(min_size=1), st.lists(st.text(min_size=1)))
def test_a_manifest_is_its_prefix_and_its_names(rest: str, names: list[str]) -> None:
    content = json.dumps([{"prefix": f"s3://{rest}"}, *names]).encode()
    assert parse(content, URI) == Manifest(f"s3://{rest}", tuple(names))


def _refusal(content: bytes) -> str:
    """Why it is no manifest; "" where it is one."""
    try:
        manifest = parse(content, URI)
    except ValidationRefused as refused:
        return str(refused)
    return "" if manifest.prefix.startswith(("s3://", "https://", "file://")) else "no URI was taken for one"


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_anything_else_is_refused_by_name(content: bytes) -> None:
    text = _refusal(content)
    assert text == "" or text.startswith(f"The manifest {URI}")
    assert len(text) < 300


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is no JSON: Expecting value at line 1, column 1."),
        (b'[{"prefix": "s3://b/"},\n "a",\n]', "at line 3, column 1."),
        (b"\xff\xfe", "is no UTF-8 text: byte 0 is 0xff."),
        (b'"s3://b/a"', 'must be a JSON list that begins with {"prefix": "s3://…"}.'),
        (b"[]", "must be a JSON list"),
        (b'["a"]', 'entry 1: it must be {"prefix": "s3://…"} with a URI, not "a".'),
        (b'[{"prefix": ""}, "a"]', "entry 1"),
        (b'[{"prefix": "s3://"}, "a"]', "entry 1"),
        (b'[{"prefix": "s3://b/", "x": 1}, "a"]', "entry 1"),
        (b'[{"prefix": "s3://b/"}, "a", 7]', "entry 3: it must be an object's name behind the prefix, not 7."),
        (b'[{"prefix": "s3://b/"}, ""]', "entry 2"),
        (b"[" * 100_000, "nests deeper"),
        (b"[" + b"9" * 5000 + b"]", "is no JSON"),
    ],
)
def test_a_fault_is_told_with_its_place(content: bytes, told: str) -> None:
    with pytest.raises(ValidationRefused) as refused:
        parse(content, URI)
    assert told in str(refused.value)
    assert URI in str(refused.value)


def test_a_byte_order_mark_is_no_part_of_a_manifest() -> None:
    assert parse(b'\xef\xbb\xbf[{"prefix": "s3://b/"}, "a"]', URI).names == ("a",)


@given(st.dictionaries(st.text(min_size=1, max_size=5), JSON, min_size=1, max_size=5), st.randoms())
def test_a_line_gives_its_attributes_in_the_order_asked_for(line: dict[str, Any], random: Any) -> None:
    line = {name: value for name, value in line.items() if not name.endswith("-ref")}
    names = random.sample(sorted(line), len(line))
    parts = parse_line(json.dumps(line).encode(), names, "line 1")
    for name, part in zip(names, parts, strict=True):
        assert isinstance(part, str)
        assert part == line[name] if isinstance(line[name], str) else json.loads(part) == line[name]


def test_a_reference_is_an_object_and_the_rest_is_text() -> None:
    line = (
        b'{"source-ref": "s3://b/cat.jpg", "is-a-cat": 1, "who": "Tom \\u00e9", "box": {"x": [1, 2.5]}, "more": null}'
    )
    names = ["is-a-cat", "source-ref", "box", "who", "more"]
    expected = ("1", Reference("source-ref", "s3://b/cat.jpg"), '{"x":[1,2.5]}', "Tom é", "null")
    assert parse_line(line, names, "x") == expected


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"[1]", "m, line 4: it must be a JSON object, not [1]."),
        (b'{"b": 1}', "m, line 4: it has no attribute 'a-ref', which AttributeNames lists."),
        (b'{"a-ref": 3}', "m, line 4: a-ref must be the URI of an object, not 3."),
        (b'{"a-ref": "cat.jpg"}', 'a-ref must be the URI of an object, not "cat.jpg".'),
        (b'{"a-ref": ', "m, line 4 is no JSON: Expecting value at line 1, column 11."),
    ],
)
def test_a_fault_of_a_line_is_told_with_its_number(line: bytes, told: str) -> None:
    with pytest.raises(ValidationRefused) as refused:
        parse_line(line, ["a-ref"], "m, line 4")
    assert told in str(refused.value)
