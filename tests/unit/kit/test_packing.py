"""Texts that are packed come back, and those that are alike are small."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trainyard.kit import packing
from trainyard.kit.packing import Packing


@given(st.lists(st.binary(max_size=20_000), max_size=8))
def test_every_text_comes_back(texts: list[bytes]) -> None:
    packing = Packing()
    packed = [packing.pack(text) for text in texts]
    assert [one.unpacked() for one in packed] == texts


def test_texts_that_are_alike_are_small() -> None:
    shared = bytes(range(256)) * 4 + bytes(reversed(range(256))) * 4
    made = Packing()
    packed = [made.pack(b"%d" % number + shared + b"%d" % number) for number in range(packing._RENEWED + 10)]
    assert max(len(one.content) for one in packed) < len(shared) // 10
    assert packed[-1].unpacked().endswith(b"%d" % (packing._RENEWED + 9))
    assert len({id(one.sample) for one in packed}) == 2
