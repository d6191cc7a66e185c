"""Texts that only this home can have written: a payload that anybody may read, and a seal that nobody can forge.

What is sealed needs no list of what was given out: every process of the home, the next leader and a server that was
restarted know it by the home's one secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

LONGEST = 4096  # letters of a text that is looked at


class Seals:
    """Seals of one secret, each for one purpose: a text sealed for another is no text of ours."""

    def __init__(self, secret: Callable[[], bytes]) -> None:
        self._read, self._secret = secret, b""

    def seal(self, purpose: str, payload: dict[str, Any]) -> str:
        """A payload (plain JSON values) as one word of letters, digits, `-`, `_` and `.`."""
        word = _encoded(json.dumps(payload, separators=(",", ":"), sort_keys=True).encode())
        return f"{word}.{_encoded(self._mac(purpose, word))}"

    def opened(self, purpose: str, text: str) -> dict[str, Any] | None:
        """The payload of a text that was sealed for this purpose; None for any other."""
        word, _, mac = text.partition(".")
        if len(text) > LONGEST or not hmac.compare_digest(mac.encode(), _encoded(self._mac(purpose, word)).encode()):
            return None
        try:
            payload = json.loads(base64.urlsafe_b64decode(word + "=" * (-len(word) % 4)))
        except (ValueError, binascii.Error):
            return None
        return payload if isinstance(payload, dict) else None

    def derived(self, purpose: str, text: str) -> str:
        """A secret that belongs to a text: forty letters, digits, `-` and `_`."""
        return _encoded(self._mac(purpose, text))[:40]

    def _mac(self, purpose: str, text: str) -> bytes:
        if not self._secret:
            self._secret = self._read()
        content = f"{purpose}\0{text}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._secret, content, hashlib.sha256)


def _encoded(plain: bytes) -> str:
    return base64.urlsafe_b64encode(plain).rstrip(b"=").decode()
