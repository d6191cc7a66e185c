"""What is kept stays within its bound, whatever is asked of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trainyard.kit.recent import Recent

MOST = 160


def test_what_was_used_last_stays() -> None:
    kept: Recent[str, int] = Recent(30)
    for number, key in enumerate("abc" * 10):
        kept.keep(key, number, 1)
    for key in "abcdefghijklmnopqrstuvwxyz0123456789":
        assert key == "a" or kept.get("a") is not None
        kept.keep(key, 0, 1)
    assert kept.get("b") is None


def test_a_giant_does_not_drive_out_the_others() -> None:
    kept: Recent[str, int] = Recent(MOST)
    kept.keep("small", 1, 1)
    kept.keep("giant", 2, MOST)
    assert (kept.get("small"), kept.get("giant")) == (1, None)


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 12))))
def test_the_bound_holds_and_what_is_found_is_what_was_kept_last(given_: list[tuple[int, int]]) -> None:
    kept: Recent[int, tuple[int, int]] = Recent(MOST)
    newest: dict[int, tuple[int, int]] = {}
    for place, (key, weight) in enumerate(given_):
        value = place, weight
        kept.keep(key, value, weight)
        if weight <= MOST // 16:
            newest[key] = value
        assert kept.get(key) in (newest.get(key), None)
        found = [kept.get(one) for one in newest]
        assert sum(one[1] for one in found if one is not None) <= MOST
