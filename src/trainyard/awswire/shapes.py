"""Values that each protocol writes in its own way."""

from __future__ import annotations


class Moment(float):
    """A time in seconds since the epoch: a number in JSON, a tagged one in CBOR, a text in XML."""

    __slots__ = ()


class Entries(dict[str, float]):
    """A map whose keys are data: XML writes entries of a key and a value, where the others write it as a structure."""
