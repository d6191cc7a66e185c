"""Pages against a model that reads the whole bucket."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from trainyard.model.buckets import Listing
from trainyard.objects.embedded.listing import page
from trainyard.objects.embedded.records import key_bytes

KEYS = st.sets(st.text("ab/-é", min_size=1, max_size=6), max_size=25)
TEXT = st.text("ab/-é", max_size=3)


def expected(keys: set[str], prefix: str, delimiter: str, after: str) -> list[str]:
    """Keys and common prefixes, in order, behind `after`."""
    told = set()
    for key in keys:
        if key.startswith(prefix):
            place = key.find(delimiter, len(prefix)) if delimiter else -1
            told.add(key if place < 0 else key[: place + len(delimiter)])
    group = after[: after.find(delimiter, len(prefix)) + len(delimiter)] if after.startswith(prefix) else after
    if delimiter and after.startswith(prefix) and after.find(delimiter, len(prefix)) >= 0:
        return sorted(one for one in told if one > after and one != group)
    return sorted(one for one in told if one > after)


def listed(keys: set[str], asked: Listing) -> tuple[list[str], bool, str, int]:
    stored = sorted(map(key_bytes, keys))
    read = 0

    def rows(low: bytes, _label: str) -> Iterator[tuple[bytes, str, str]]:
        nonlocal read
        for key in stored[bisect_left(stored, low) :]:
            read += 1
            yield key, "", key.decode()

    found = page(asked, rows)
    return sorted([*found.entries, *found.prefixes]), found.more, found.last, read


@given(KEYS, TEXT, st.sampled_from(["", "/", "-", "b/", "é"]), TEXT, st.integers(1, 5))
def test_pages_tell_what_is_there_once(keys: set[str], prefix: str, delimiter: str, after: str, limit: int) -> None:
    told: list[str] = []
    more, beginning = True, after
    while more:
        asked = Listing(prefix=prefix, delimiter=delimiter, after=beginning, limit=limit)
        found, more, beginning, read = listed(keys, asked)
        assert len(found) <= limit
        assert read <= limit + 1 + len(found)  # what a page costs
        assert not more or found
        told += found
    assert told == expected(keys, prefix, delimiter, after)


def test_no_room_is_no_page() -> None:
    assert listed({"a"}, Listing(limit=0)) == ([], False, "", 0)
