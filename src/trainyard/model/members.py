"""The members of the API's structures, read off the model's classes: one place that knows pydantic's bookkeeping.

Admission, casing, the support matrix and the conformance tests all walk the request by what stands here.
"""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

from trainyard.model.shapes import Constraint, Structure

_KINDS: Mapping[Any, str] = {str: "string", int: "integer", float: "float", bool: "boolean"}


@dataclass(frozen=True, slots=True)
class Shape:
    """What a value must be: string | integer | float | boolean | list | map | structure, and its constraint."""

    kind: str
    constraint: Constraint | None = None
    item: Shape | None = None
    structure: type[Structure] | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a structure: the API's name, the attribute that holds it, whether it must be given."""

    name: str
    attribute: str
    required: bool
    shape: Shape


@cache
def members_of(structure: type[Structure]) -> Mapping[str, Member]:
    """The members of a structure by the API's name, in the model's order."""
    found = {}
    for attribute, field in structure.model_fields.items():
        name = field.alias or attribute
        constraint = field.metadata[0] if field.metadata else None
        shape = _shape(field.annotation, constraint)
        found[name] = Member(name, attribute, field.is_required(), shape)
    return found


def paths_of(structure: type[Structure], prefix: str = "") -> Iterator[tuple[str, Member | None, Shape]]:
    """Every path below a structure, as `A.B[].C`, with its member (None for a list's items) and its shape."""
    for member in members_of(structure).values():
        path = f"{prefix}{member.name}"
        yield path, member, member.shape
        shape = member.shape
        if shape.item is not None:
            path, shape = f"{path}[]", shape.item
            yield path, None, shape
        if shape.structure is not None:
            yield from paths_of(shape.structure, f"{path}.")


def _shape(annotation: Any, constraint: Constraint | None = None) -> Shape:
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        given = next(option for option in get_args(annotation) if option is not type(None))
        return _shape(given, constraint)
    if origin is Annotated:
        inner, metadata, *_ = get_args(annotation)
        return _shape(inner, metadata)
    if origin is tuple:
        return Shape("list", constraint, item=_shape(get_args(annotation)[0]))
    if origin is dict:
        return Shape("map", constraint)
    if annotation in _KINDS:
        return Shape(_KINDS[annotation], constraint)
    return Shape("structure", constraint, structure=annotation)
