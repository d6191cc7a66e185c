"""Range: the bytes of an object that a client asks for. Rules only."""

from __future__ import annotations

import re

from trainyard.doors.s3.errors import Refused

_ONE = re.compile(r"bytes=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.ASCII)


def span(header: str | None, size: int) -> tuple[int, int] | None:
    """Start and stop (exclusive) of the range in an object of `size` bytes.

    None for the whole: without a range, and with one that is malformed or of several pieces, which S3 leaves out of
    account. Raises Refused (InvalidRange) where the object has no such bytes.
    """
    found = _ONE.fullmatch(header) if header is not None else None
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        start, stop = max(0, size - int(found[2])), size
        satisfiable = size > 0 and int(found[2]) > 0
    else:
        start, stop = int(found[1]), min(size, int(found[2]) + 1 if found[2] else size)
        if found[2] and int(found[2]) < start:
            return None
        satisfiable = start < size
    if not satisfiable:
        raise Refused(
            "InvalidRange",
            details={"RangeRequested": header or "", "ActualObjectSize": str(size)},
            headers=(("content-range", f"bytes */{size}"),),
        )
    return start, stop


def copied(header: str | None, size: int) -> tuple[int, int]:
    """The same of x-amz-copy-source-range, which must be whole and within the object. Raises Refused."""
    if header is None:
        return 0, size
    found = re.fullmatch(r"bytes=(\d{1,18})-(\d{1,18})", header, re.ASCII)
    if found is None or int(found[2]) < int(found[1]):
        raise Refused(
            "InvalidArgument",
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            "zero-based offsets of the first and last bytes to copy",
        )
    if int(found[2]) >= size:
        raise Refused("InvalidRange", f"Range specified is not valid for source object of size: {size}")
    return int(found[1]), int(found[2]) + 1
