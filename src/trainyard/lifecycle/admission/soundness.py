"""A quick yes to what nearly every request is made of: each member by itself is as the API wants it.

A yes is never wrong. A no may be: then ``members`` looks at one member after the other, and has the words for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from typing import Any

from trainyard.lifecycle.admission.patterns import LONGEST_MATCHED, compiled
from trainyard.model.members import Shape, members_of
from trainyard.model.shapes import Items, Mapped, Number, OneOf, Structure, Text

Sound = Callable[[Any], bool]
_PLAIN: dict[str, tuple[type, ...]] = {"string": (str,), "integer": (int,), "float": (float, int), "boolean": (bool,)}


@cache
def soundness(structure: type[Structure]) -> Sound:
    """The question of a structure, put together once."""
    members = members_of(structure).values()
    sound = {member.name: _of(member.shape) for member in members}
    required = [member.name for member in members if member.required]

    def is_sound(value: Any) -> bool:
        if value.__class__ is not dict:
            return False
        for name, given in value.items():
            if name not in sound or not (given is None or sound[name](given)):
                return False
        return all(value.get(name) is not None for name in required)

    return is_sound


def _of(shape: Shape) -> Sound:
    match shape.kind, shape.constraint:
        case "structure", None if shape.structure is not None:
            return soundness(shape.structure)
        case "list", Items() | None if shape.item is not None:
            return _list(shape.constraint, _of(shape.item))
        case "map", Mapped() as mapped:
            return _map(mapped)
        case "string", Text() as text:
            return _text(text)
        case "string", OneOf(values):
            known = frozenset(values)
            return lambda value: value.__class__ is str and value in known
        case "integer", Number() as number:
            least, most = -sys.maxsize if number.min is None else number.min, number.largest
            return lambda value: value.__class__ is int and least <= value <= most
        case kind, None if kind in _PLAIN:
            return lambda value: value.__class__ in _PLAIN[kind]
    return lambda _value: False


def _text(text: Text) -> Sound:
    least, most = text.min, LONGEST_MATCHED if text.max is None else min(text.max, LONGEST_MATCHED)
    if text.pattern is None:
        return lambda value: value.__class__ is str and least <= len(value) <= most
    matched = compiled(text.pattern).fullmatch
    return lambda value: value.__class__ is str and least <= len(value) <= most and matched(value) is not None


def _list(items: Items | None, item: Sound) -> Sound:
    least, most = (items.min, items.max) if items is not None else (0, None)
    longest = sys.maxsize if most is None else most
    return lambda value: value.__class__ in (list, tuple) and least <= len(value) <= longest and all(map(item, value))


def _map(mapped: Mapped) -> Sound:
    key, entry = _text(mapped.key), _text(mapped.value)
    return lambda value: (
        value.__class__ is dict
        and len(value) <= mapped.max
        and all(map(key, value))
        and all(map(entry, value.values()))
    )
