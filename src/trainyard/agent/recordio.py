"""RecordIO frames, as Pipe mode wraps each object in one: magic, length, data, zeros up to four bytes.

The format is MXNet's: two little-endian words, 0xCED7230A and the length in the lower 29 bits of the second. Its upper
three bits tell of records in several frames, which the service does not write, nor we.
"""

from __future__ import annotations

import struct

MAGIC = 0xCED7230A
LONGEST = (1 << 29) - 1  # bytes of a record


def head(length: int) -> bytes:
    """What stands before a record of so many bytes, LONGEST at most."""
    return struct.pack("<II", MAGIC, length)


def tail(length: int) -> bytes:
    """What stands behind it."""
    return bytes(-length % 4)
