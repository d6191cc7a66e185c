"""Manifests: files that name a channel's objects. Pure; every fault is told with its file and its place in it.

A ManifestFile is a JSON list, `[{"prefix": "s3://bucket/some/"}, "a.csv", "more/b.csv"]`: the prefix and each name
together are an object. An AugmentedManifestFile has a JSON object on each line, whose attributes are the data: those
that end with `-ref` name an object, all others are themselves what is read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trainyard.model.errors import ValidationRefused

REFERENCE = "-ref"  # ends the name of an attribute that names an object
_SCHEMES = ("s3://", "https://", "file://")


@dataclass(frozen=True, slots=True)
class Manifest:
    """A ManifestFile: the object of each name is at prefix + name, and its file at that name."""

    prefix: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """An object that a line of an augmented manifest names."""

    attribute: str
    uri: str


def parse(content: bytes, uri: str) -> Manifest:
    """Read a ManifestFile. Raises ValidationRefused."""
    entries = _json(content, f"The manifest {uri}")
    if not isinstance(entries, list) or not entries:
        raise ValidationRefused(f'The manifest {uri} must be a JSON list that begins with {{"prefix": "s3://…"}}.')
    head, *names = entries
    prefix = head.get("prefix") if isinstance(head, dict) else None
    if not isinstance(prefix, str) or len(head) != 1 or not _is_uri(prefix):
        raise ValidationRefused(
            f'The manifest {uri}, entry 1: it must be {{"prefix": "s3://…"}} with a URI, not {_shown(head)}.'
        )
    for number, name in enumerate(names, start=2):
        if not isinstance(name, str) or not name:
            text = f"it must be an object's name behind the prefix, not {_shown(name)}."
            raise ValidationRefused(f"The manifest {uri}, entry {number}: {text}")
    return Manifest(prefix, tuple(names))


def parse_line(content: bytes, attributes: Sequence[str], where: str) -> tuple[Reference | str, ...]:
    """What a line of an augmented manifest is made of, in the order of the attributes. Raises ValidationRefused.

    where: the file and the line, for people. A string is given as it is, any other value as compact JSON.
    """
    line = _json(content, where)
    if not isinstance(line, dict):
        raise ValidationRefused(f"{where}: it must be a JSON object, not {_shown(line)}.")
    return tuple(_attribute(line, name, where) for name in attributes)


def _attribute(line: dict[str, Any], name: str, where: str) -> Reference | str:
    if name not in line:
        raise ValidationRefused(f"{where}: it has no attribute {name!r}, which AttributeNames lists.")
    value = line[name]
    if not name.endswith(REFERENCE):
        return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    if not isinstance(value, str) or not _is_uri(value):
        raise ValidationRefused(f"{where}: {name} must be the URI of an object, not {_shown(value)}.")
    return Reference(name, value)


def _json(content: bytes, what: str) -> Any:
    try:
        return json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValidationRefused(
            f"{what} is no UTF-8 text: byte {error.start} is {content[error.start]:#04x}."
        ) from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ValidationRefused(f"{what} is no JSON: {error.msg} at {place}.") from error
    except RecursionError as error:
        raise ValidationRefused(f"{what} nests deeper than any manifest does.") from error
    except ValueError as error:  # a number of too many digits
        raise ValidationRefused(f"{what} is no JSON: {error}.") from error


def _is_uri(text: str) -> bool:
    scheme = next((one for one in _SCHEMES if text.startswith(one)), None)
    return scheme is not None and len(text) > len(scheme)


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 80 else f"{text[:80]}…"
