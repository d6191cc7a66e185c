"""RFC 7396: the smallest JSON merge patch that makes one object another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The patch; empty where the two are equal. Lists are replaced whole, as the format wants it."""
    patch: dict[str, Any] = {name: None for name in before if name not in after}
    for name, value in after.items():
        old = before.get(name)
        if name in before and old == value and type(old) is type(value):
            continue
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            inner = merge_patch(old, value)
            if inner:
                patch[name] = inner
        else:
            patch[name] = value
    return patch


def left_undone(patch: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What of a patch is not so in the object that it was applied to, because whoever applied it kept it out."""
    left: dict[str, Any] = {}
    for name, value in patch.items():
        found = after.get(name)
        if isinstance(value, Mapping) and isinstance(found, Mapping):
            inner = left_undone(value, found)
            if inner:
                left[name] = inner
        elif value != found or (value is None and name in after):
            left[name] = value
    return left
