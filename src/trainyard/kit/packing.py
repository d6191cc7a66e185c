"""Many texts that are much alike, in little memory: each is kept as what it does not share with a sample.

Ten thousand resources of 3 KB differ in their names, times and a few numbers: in some 130 bytes each.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

_RENEWED = 1000  # texts packed against one sample; those that come later may be more like another
_LARGEST_SAMPLE = 6 * 1024  # bytes
_WINDOW, _EFFORT, _MEMORY = -13, 1, 5  # of 8 KiB: a larger one takes longer to set up than a text takes to pack


class Packed(NamedTuple):
    """A text, and the sample that is needed to read it."""

    content: bytes
    sample: bytes

    def unpacked(self) -> bytes:
        """The text."""
        return zlib.decompressobj(_WINDOW, zdict=self.sample).decompress(self.content)


class Packing:
    """Packs; its samples are texts that it has seen."""

    def __init__(self) -> None:
        self._sample, self._packed = b"", 0

    def pack(self, text: bytes) -> Packed:
        """The text, made small."""
        if self._packed % _RENEWED == 0:
            self._sample = text[-_LARGEST_SAMPLE:]
        self._packed += 1
        packing = zlib.compressobj(
            _EFFORT, zlib.DEFLATED, _WINDOW, _MEMORY, zlib.Z_DEFAULT_STRATEGY, self._sample
        )  # fmt: skip
        return Packed(packing.compress(text) + packing.flush(), self._sample)
