from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.doors.s3 import conditions, ranges
from trainyard.doors.s3.errors import Refused
from trainyard.model.buckets import Version
from trainyard.model.errors import ObjectRefused

VERSION = Version(key="k", modified=1_000_000_000.9, etag="abc", size=10)
AT, BEFORE, AFTER = (
    "Sun, 09 Sep 2001 01:46:40 GMT", "Sun, 09 Sep 2001 01:46:39 GMT", "Sun, 09 Sep 2001 01:46:41 GMT",
)  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "word"),
    [
        ({}, None),
        ({"if-match": '"abc"'}, None),
        ({"if-match": '"x", "abc"'}, None),
        ({"if-match": "*"}, None),
        ({"if-match": '"x"'}, "PreconditionFailed"),
        ({"if-none-match": 'W/"abc"'}, "NotModified"),
        ({"if-none-match": '"x"'}, None),
        ({"if-modified-since": AT}, "NotModified"),
        ({"if-modified-since": BEFORE}, None),
        ({"if-modified-since": "no time"}, None),
        ({"if-unmodified-since": AT}, None),
        ({"if-unmodified-since": BEFORE}, "PreconditionFailed"),
        ({"if-match": '"abc"', "if-unmodified-since": BEFORE}, None),
        ({"if-none-match": '"x"', "if-modified-since": AFTER}, None),
    ],
)
def test_conditions_of_reading(headers: dict[str, str], word: str | None) -> None:
    expected = conditions.of(headers)
    if word is None:
        expected.expect_read(VERSION)
        expected.expect_source(VERSION)
        return
    with pytest.raises(ObjectRefused) as refused:
        expected.expect_read(VERSION)
    assert refused.value.reason == word
    with pytest.raises(ObjectRefused) as refused:
        expected.expect_source(VERSION)
    assert refused.value.reason == "PreconditionFailed"


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
def test_ranges_are_slices(size: int, first: int, last: int) -> None:
    whole = bytes(range(size))
    asked = {f"bytes={first}-": whole[first:], f"bytes=-{last}": whole[-last:] if last else b""}
    if first <= last:
        asked[f"bytes={first}-{last}"] = whole[first : last + 1]
    for header, wanted in asked.items():
        if wanted:
            found = ranges.span(header, size)
            assert found is not None
            assert whole[slice(*found)] == wanted
        else:
            with pytest.raises(Refused) as refused:
                ranges.span(header, size)
            assert refused.value.status == 416


@pytest.mark.parametrize(
    "header", [None, "", "bytes=", "bytes=-", "bytes=a-b", "bytes=3-2", "items=0-1", "bytes=0-1,3-4", "bytes=٣-"]
)
def test_what_is_no_range_means_the_whole(header: str | None) -> None:
    assert ranges.span(header, 10) is None


def test_a_copied_range_lies_within() -> None:
    assert ranges.copied("bytes=2-4", 10) == (2, 5)
    assert ranges.copied(None, 10) == (0, 10)
    for header in ("bytes=2-", "bytes=-2", "bytes=4-2", "bytes=2-10", "2-4"):
        with pytest.raises(Refused):
            ranges.copied(header, 10)
