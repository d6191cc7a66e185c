"""Digests as S3 names them, taken piece by piece, and CRCs of wholes put together from those of their parts."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from importlib import import_module
from typing import Protocol

ALGORITHMS = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")
_POLYNOMIALS = {"CRC32": 0xEDB88320, "CRC32C": 0x82F63B78, "CRC64NVME": 0x9A6C9329AC4BC9B5}  # lowest power first
SIZES = {"CRC32": 4, "CRC32C": 4, "CRC64NVME": 8, "SHA1": 20, "SHA256": 32, "MD5": 16}  # bytes


class Digest(Protocol):
    """A digest in the making, as hashlib's."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Take in more."""
        ...

    def digest(self) -> bytes:
        """That of all that was taken in."""
        ...


class _Crc:
    """A running CRC. `step` continues one: step(data, previous)."""

    def __init__(self, step: Callable[[bytes | memoryview, int], int], size: int) -> None:
        self._step, self._size, self._value = step, size, 0

    def update(self, data: bytes | memoryview, /) -> None:
        self._value = self._step(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


def begin(algorithm: str) -> Digest:
    """A new digest: one of ALGORITHMS, or MD5. Raises ImportError where a CRC needs `awscrt`, and it is not there."""
    if algorithm in ("SHA1", "SHA256", "MD5"):
        return hashlib.new(algorithm, usedforsecurity=False)
    step = zlib.crc32 if algorithm == "CRC32" else getattr(import_module("awscrt.checksums"), algorithm.lower())
    return _Crc(step, SIZES[algorithm])


def of(algorithm: str, data: bytes) -> bytes:
    """The digest of some bytes."""
    running = begin(algorithm)
    running.update(data)
    return running.digest()


def text(raw: bytes) -> str:
    """A digest as headers write it, in base64."""
    return base64.b64encode(raw).decode()


def joined_crc(algorithm: str, parts: Sequence[tuple[bytes, int]]) -> bytes:
    """The CRC of bytes whose consecutive parts have these CRCs and sizes; none of them is read again."""
    whole = 0
    for crc, size in parts:
        whole = _shifted(algorithm, whole, size) ^ int.from_bytes(crc, "big")
    return whole.to_bytes(SIZES[algorithm], "big")


def _shifted(algorithm: str, crc: int, size: int) -> int:
    """What a CRC contributes once `size` more bytes follow: it is multiplied by x to the 8·size."""
    return _product(algorithm, _power(algorithm, 8 * size), crc)


@cache
def _power_of_two(algorithm: str, exponent: int) -> int:
    """The remainder of x to the 2 to the `exponent`."""
    if exponent == 0:
        return 1 << (8 * SIZES[algorithm] - 2)
    half = _power_of_two(algorithm, exponent - 1)
    return _product(algorithm, half, half)


@lru_cache(maxsize=4096)
def _power(algorithm: str, exponent: int) -> int:
    """The remainder of x to the `exponent`; the parts of one upload have few sizes."""
    result = 1 << (8 * SIZES[algorithm] - 1)
    for place in range(exponent.bit_length()):
        if exponent >> place & 1:
            result = _product(algorithm, _power_of_two(algorithm, place), result)
    return result


def _product(algorithm: str, first: int, second: int) -> int:
    """Two polynomials over GF(2), multiplied; the remainder by the CRC's own. The highest bit is the lowest power."""
    polynomial, product = _POLYNOMIALS[algorithm], 0
    bit = 1 << (8 * SIZES[algorithm] - 1)
    while first and bit:
        if first & bit:
            product ^= second
            first ^= bit
        bit >>= 1
        second = second >> 1 ^ (polynomial if second & 1 else 0)
    return product
