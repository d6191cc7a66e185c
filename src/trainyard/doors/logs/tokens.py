"""Tokens that hold a place and nothing else: whoever has one may keep it for ever, also over a restart."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping

from trainyard.doors.logs.errors import invalid

FORWARD, BACKWARD = "f/", "b/"


def packed(place: Mapping[str, str]) -> str:
    """A token of several texts."""
    return base64.urlsafe_b64encode(json.dumps(place, sort_keys=True, separators=(",", ":")).encode()).decode()


def unpacked(token: str) -> dict[str, str]:
    """The texts of a token. Raises Refusal."""
    try:
        place = json.loads(_decoded(token))
    except (ValueError, binascii.Error, RecursionError):
        place = None
    if not isinstance(place, dict) or not all(isinstance(value, str) for value in place.values()):
        raise invalid("The specified nextToken is invalid.")
    return place


def _decoded(text: str) -> bytes:
    return base64.b64decode(text.encode(), altchars=b"-_", validate=True)


def event_token(direction: str, place: str) -> str:
    """A token of GetLogEvents."""
    return direction + base64.urlsafe_b64encode(place.encode()).decode()


def event_place(token: str) -> tuple[str, str]:
    """Direction and place of such a token. Raises Refusal."""
    direction, text = token[:2], token[2:]
    if direction in (FORWARD, BACKWARD):
        try:
            return direction, _decoded(text).decode()
        except ValueError:
            pass
    raise invalid("The specified nextToken is invalid.")
