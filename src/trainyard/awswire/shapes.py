"""Values that each protocol writes in its own way."""

from __future__ import annotations


class Moment(float):
    """A time in seconds since the epoch: a number in JSON, a tagged one in CBOR, a text in XML."""

    __slots__ = ()
