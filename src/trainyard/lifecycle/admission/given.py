"""Looking into a raw request without trusting it: what is absent or of the wrong type reads as None."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Given:
    """A part of a request as it was sent."""

    wire: Mapping[str, Any]

    def has(self, *names: str) -> bool:
        """Whether something other than null stands there."""
        return self._at(names) is not None

    def text(self, *names: str) -> str | None:
        """The string there."""
        value = self._at(names)
        return value if isinstance(value, str) else None

    def number(self, *names: str) -> int | None:
        """The whole number there."""
        value = self._at(names)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def true(self, *names: str) -> bool:
        """Whether true stands there."""
        return self._at(names) is True

    def within(self, *names: str) -> Given:
        """The structure there, empty where there is none."""
        value = self._at(names)
        return Given(value if isinstance(value, Mapping) else {})

    def each(self, *names: str) -> Iterator[tuple[int, Given]]:
        """The structures of the list there, with their places; the first 200 of them."""
        value = self._at(names)
        for index, item in enumerate(value[:200] if isinstance(value, list | tuple) else ()):
            if isinstance(item, Mapping):
                yield index, Given(item)

    def filled(self, *names: str) -> bool:
        """Whether a list or map with something in it stands there."""
        value = self._at(names)
        return isinstance(value, list | tuple | Mapping) and len(value) > 0

    def _at(self, names: tuple[str, ...]) -> Any:
        value: Any = self.wire
        for name in names:
            if value.__class__ is not dict and not isinstance(value, Mapping):  # a dict is told at once, others slowly
                return None
            value = value.get(name)
        return value
