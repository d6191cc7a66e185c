"""What the API says about a member beside its type, as data that hangs on the model's fields.

Pydantic keeps these and ignores them: a model is built of anything that has the right types, and
``lifecycle.admission`` reports every broken constraint at once. The numbers are the service's own, held against
botocore's model by a conformance test.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

from pydantic import BaseModel, ConfigDict


@dataclass(frozen=True, slots=True)
class Text:
    """A string's length in characters, and a pattern that the whole of it must match."""

    min: int = 0
    max: int | None = None
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Number:
    """A number's bounds, both inclusive.

    bits : of a whole number that has bounds: 32 in the API but for times in milliseconds; without any it has 64.
    """

    min: int | None = None
    max: int | None = None
    bits: int = field(default=32, repr=False)

    @property
    def largest(self) -> int:
        """The upper bound, that of its bits where there is no other."""
        return 2 ** (self.bits - 1) - 1 if self.max is None else self.max


@dataclass(frozen=True, slots=True)
class Items:
    """How many items a list may hold, both inclusive."""

    min: int = 0
    max: int | None = None


@dataclass(frozen=True, slots=True)
class Mapped:
    """How many entries a map may hold, and what its keys and values must be."""

    max: int
    key: Text
    value: Text


@dataclass(frozen=True, slots=True)
class OneOf:
    """The values of an enum, in the service's order."""

    values: tuple[str, ...]


Constraint = Text | Number | Items | Mapped | OneOf


class Structure(BaseModel):
    """A structure of the API: frozen, strict about names, exact about absence."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, populate_by_name=True)

    @classmethod
    def from_wire(cls, wire: Mapping[str, Any]) -> Self:
        """Build from the API's spelling; null members are absent. Raises pydantic.ValidationError for wrong types."""
        return cls.model_validate(_without_nulls(wire))

    def to_wire(self) -> dict[str, Any]:
        """The API's spelling, with exactly the members that were given."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)

    @cached_property
    def wire(self) -> Mapping[str, Any]:
        """The same, made once and shared: to be read, not to be changed."""
        return self.to_wire()

    @cached_property
    def wire_json(self) -> bytes:
        """The same as compact JSON, made once. Raises ValueError for what JSON or UTF-8 cannot hold."""
        return json.dumps(self.wire, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


_PLAIN = frozenset({str, int, float, bool})
_MAPPING = (dict, Mapping)  # a dict is told at once, any other mapping slowly


def _without_nulls(value: Any) -> Any:
    if value.__class__ in _PLAIN:
        return value
    if isinstance(value, _MAPPING):
        return {name: _without_nulls(member) for name, member in value.items() if member is not None}
    if isinstance(value, list | tuple):
        return [_without_nulls(item) for item in value]
    return value
