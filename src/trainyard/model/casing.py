"""The API's spelling and ACK's, one into the other: `S3Uri` and `s3URI`, `RoleArn` and `roleARN`.

ACK lowers the first word and writes initialisms in capitals elsewhere. Only names of the API's members are converted:
the keys of a user's own maps (hyperparameters, environment, parameters) are data and stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

from trainyard.model.members import Shape, members_of
from trainyard.model.shapes import Structure
from trainyard.model.spec import TrainingJobSpec

_INITIALISMS = {"Arn": "ARN", "Arns": "ARNs", "Uri": "URI", "Kms": "KMS", "Id": "ID", "Ids": "IDs", "Vpc": "VPC"}
_WORD = re.compile(r"S3|[A-Z]+(?![a-z])|[A-Z][a-z0-9]*")
_DEEPEST = 100


@lru_cache(maxsize=4096)
def ack_name(name: str) -> str:
    """A member's name as ACK spells it: `VolumeKmsKeyId` is `volumeKMSKeyID`."""
    first, *rest = _WORD.findall(name) or [name]
    return str(first).lower() + "".join(_INITIALISMS.get(word, word) for word in rest)


def lower_camel(name: str) -> str:
    """A member's name as the service writes it in its messages: `S3Uri` is `s3Uri`."""
    return name[:1].lower() + name[1:]


def api_name(structure: type[Structure], name: str) -> str | None:
    """The API's name of a member in any of its spellings, None where the structure has no such member."""
    return _names(structure).get(name)


def to_api(document: Any, structure: type[Structure] = TrainingJobSpec) -> Any:
    """A document in the API's spelling, whatever mixture it came in.

    Unknown names and values of the wrong shape stay as they are, for admission to report. Where one member is given
    under two spellings the later keeps its own, and is reported too.
    """
    return _convert(document, Shape("structure", structure=structure), 0, to_ack_names=False)


def to_ack(document: Any, structure: type[Structure] = TrainingJobSpec) -> Any:
    """A document in ACK's spelling; unknown names stay as they are."""
    return _convert(document, Shape("structure", structure=structure), 0, to_ack_names=True)


@cache
def _names(structure: type[Structure]) -> Mapping[str, str]:
    return {
        spelling: name
        for name in members_of(structure)
        for spelling in (name, lower_camel(name), ack_name(name))
    }  # fmt: skip


def _convert(value: Any, shape: Shape, depth: int, *, to_ack_names: bool) -> Any:
    if depth > _DEEPEST:
        return value
    if shape.kind == "list" and shape.item is not None and isinstance(value, list | tuple):
        return [_convert(item, shape.item, depth + 1, to_ack_names=to_ack_names) for item in value]
    if shape.structure is None or not isinstance(value, Mapping):
        return value
    return _convert_structure(value, shape.structure, depth, to_ack_names=to_ack_names)


def _convert_structure(
    value: Mapping[Any, Any], structure: type[Structure], depth: int, *, to_ack_names: bool
) -> dict[Any, Any]:
    table = _table(structure, to_ack_names=to_ack_names)
    converted: dict[Any, Any] = {}
    for key, member in value.items():
        written, shape = table.get(key, (key, None))
        if shape is not None:
            member = _convert(member, shape, depth + 1, to_ack_names=to_ack_names)  # noqa: PLW2901 - its new spelling
        converted[key if written in converted else written] = member
    return converted


@cache
def _table(structure: type[Structure], *, to_ack_names: bool) -> Mapping[Any, tuple[Any, Shape | None]]:
    """Every spelling of a member, how it is to be written, and its shape where there is something to convert in it."""
    found: dict[Any, tuple[Any, Shape | None]] = {}
    for spelling, name in _names(structure).items():
        shape = members_of(structure)[name].shape
        plain = shape.structure is None and shape.item is None
        found[spelling] = (ack_name(name) if to_ack_names else name, None if plain else shape)
    return found
