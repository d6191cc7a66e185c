"""Encryption at rest: AES-256 in counter mode, so that any range is read without what lies before it.

A store has one master key, in a file beside its index. Each content that is to be encrypted gets a key of its own,
derived of the master key and the content's cipher: a random salt, and the label that the client chose (the name of a
key of its key service, or the store's own). It guards copies of the store's files without its master key, no more.
"""

from __future__ import annotations

import secrets
from importlib import import_module
from pathlib import Path

from trainyard.kit.masterkey import master_key
from trainyard.model.errors import TrainyardError, Unsupported


def new_cipher(label: str) -> str:
    """What a content's key is derived of."""
    return f"{secrets.token_hex(16)}:{label}"


class Ciphers:
    """The keys of one store. The master key is made when the first content is encrypted."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._master = b""

    def apply(self, cipher: str, data: bytes, offset: int) -> bytes:
        """Encrypt what lies at `offset` of a content, or decrypt it. Raises Unsupported without `cryptography`."""
        try:
            aes = import_module("trainyard.objects.embedded.aes")
        except ImportError as error:
            raise Unsupported("Encrypted objects need an extra: pip install 'trainyard[serve]'.") from error
        info = b"trainyard embedded store\0" + cipher.encode("utf-8", "surrogatepass")
        plain: bytes = aes.applied(aes.derived(self._secret(), info), data, offset)
        return plain

    def _secret(self) -> bytes:
        if not self._master:
            try:
                self._master = master_key(self._path)
            except ValueError as error:
                raise TrainyardError(f"{error}; put the store's own back.") from error
        return self._master
