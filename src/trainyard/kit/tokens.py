"""Opaque page tokens: the place where a page ended, as plain values, in letters that any URL may hold."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any


def token_of(*place: Any) -> str:
    """The token of a place; its values are strings and numbers."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def place_of(token: str, *kinds: type) -> tuple[Any, ...]:
    """The values of a token that `token_of` made, each of its kind. Raises ValueError for anything else."""
    try:
        place = json.loads(base64.urlsafe_b64decode(token.encode()))
        if isinstance(place, list):
            "".join(map(str, place)).encode()  # lone surrogates fail here and not in a store
    except (ValueError, RecursionError, binascii.Error) as error:
        raise ValueError("no token of ours") from error
    if not isinstance(place, list) or [type(value) for value in place] != list(kinds):
        raise ValueError("no token of ours")
    return tuple(place)
