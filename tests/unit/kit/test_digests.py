from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.kit import digests


@given(st.sampled_from(["CRC32", "CRC32C", "CRC64NVME"]), st.lists(st.binary(max_size=300), max_size=6))
def test_a_crc_of_the_whole_is_that_of_its_parts_joined(algorithm: str, parts: list[bytes]) -> None:
    joined = digests.joined_crc(algorithm, [(digests.of(algorithm, part), len(part)) for part in parts])
    assert joined == digests.of(algorithm, b"".join(parts))


@given(st.sampled_from([*digests.ALGORITHMS, "MD5"]), st.lists(st.binary(max_size=300), max_size=6))
def test_pieces_give_what_the_whole_gives(algorithm: str, pieces: list[bytes]) -> None:
    running = digests.begin(algorithm)
    for piece in pieces:
        running.update(piece)
    assert running.digest() == digests.of(algorithm, b"".join(pieces))
    assert len(running.digest()) == digests.SIZES[algorithm]


@pytest.mark.parametrize(
    ("algorithm", "check"), [("CRC32", "cbf43926"), ("CRC32C", "e3069283"), ("CRC64NVME", "ae8b14860a799888")]
)
def test_published_check_values(algorithm: str, check: str) -> None:
    assert digests.of(algorithm, b"123456789").hex() == check
