from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.model.errors import TrainyardError
from trainyard.objects.embedded import aes
from trainyard.objects.embedded.ciphers import Ciphers, new_cipher

KEY = bytes(range(32))


@given(st.binary(max_size=200), st.integers(0, 1 << 40), st.integers(0, 200), st.integers(0, 200))
def test_any_range_is_read_alone(data: bytes, offset: int, first: int, last: int) -> None:
    sealed = aes.applied(KEY, data, offset)
    start, stop = sorted((first % (len(data) + 1), last % (len(data) + 1)))
    assert aes.applied(KEY, sealed[start:stop], offset + start) == data[start:stop]


def test_a_published_vector() -> None:
    """NIST SP 800-38A, F.5.5: its counter begins elsewhere, so only the key stream of that block is compared."""
    key = bytes.fromhex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")
    counter = int("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", 16)
    plain = bytes.fromhex("6bc1bee22e409f96e93d7e117393172a")
    assert aes.applied(key, plain, counter * 16) == bytes.fromhex("601ec313775789a5b7a7f504bbf3d228")


def test_no_two_contents_and_no_two_stores_share_a_key(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    ciphers, other = Ciphers(tmp_path / "master.key"), Ciphers(tmp_path / "other" / "master.key")
    first, second = new_cipher("AES256"), new_cipher("AES256")
    zeros = bytes(32)
    assert len({ciphers.apply(first, zeros, 0), ciphers.apply(second, zeros, 0), other.apply(first, zeros, 0)}) == 3
    assert Ciphers(tmp_path / "master.key").apply(first, zeros, 0) == ciphers.apply(first, zeros, 0)
    assert (tmp_path / "master.key").stat().st_mode & 0o777 == 0o600


def test_of_many_who_make_the_master_key_one_does() -> None:
    cipher = new_cipher("AES256")
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(8) as pool:
        many = [Ciphers(Path(folder) / "master.key") for _ in range(8)]
        assert len(set(pool.map(lambda one: one.apply(cipher, bytes(32), 0), many))) == 1
        assert [path.name for path in Path(folder).iterdir()] == ["master.key"]


def test_a_damaged_master_key_is_told(tmp_path: Path) -> None:
    (tmp_path / "master.key").write_bytes(b"short")
    with pytest.raises(TrainyardError, match="put the store's own back"):
        Ciphers(tmp_path / "master.key").apply("x", b"", 0)
