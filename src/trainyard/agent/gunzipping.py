"""Gzip taken off while it streams: in pieces that stay small whatever they grow to, and whole or an error."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

LARGEST = 1 << 20  # bytes of what is given at once


class NotGzip(Exception):  # noqa: N818 - it names a state
    """The bytes are no gzip file, or not a whole one; the text says which."""


class Gunzip:
    """One gzip file, of one member or several."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(31)
        self._is_inside = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What these bytes are, LARGEST at a time. Raises NotGzip."""
        while data:
            if not self._is_inside:
                data = data.lstrip(b"\0")  # zeros may pad a member
                if not data:
                    return
                self._is_inside = True
            try:
                found = self._member.decompress(data, LARGEST)
            except zlib.error as error:
                raise NotGzip(f"it is no gzip file ({error})") from error
            if found:
                yield found
            data = self._member.unconsumed_tail
            if self._member.eof:
                data = self._member.unused_data
                self._member, self._is_inside = zlib.decompressobj(31), False

    def end(self) -> None:
        """There is no more. Raises NotGzip where there should be."""
        if self._is_inside:
            raise NotGzip("it ends in the middle of its gzip data")
