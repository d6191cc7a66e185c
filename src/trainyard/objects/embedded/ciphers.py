"""Encryption at rest: AES-256 in counter mode, so that any range is read without what lies before it.

A store has one master key, in a file beside its index. Each content that is to be encrypted gets a key of its own,
derived of the master key and the content's cipher: a random salt, and the label that the client chose (the name of a
key of its key service, or the store's own). It guards copies of the store's files without its master key, no more.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from trainyard.kit import atomic
from trainyard.model.errors import TrainyardError, Unsupported

_SIZE = 32  # bytes of a key


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
            with suppress(FileExistsError):
                self._make()
            self._master = self._path.read_bytes()
        if len(self._master) != _SIZE:
            raise TrainyardError(f"{self._path} is no key of {_SIZE} bytes; put the store's own back.")
        return self._master

    def _make(self) -> None:
        """Raises FileExistsError where there is one: whoever is first makes it, whole."""
        if self._path.exists():
            raise FileExistsError
        draft = self._path.with_name(f"{self._path.name}.{secrets.token_hex(8)}")
        try:
            atomic.write_bytes(draft, secrets.token_bytes(_SIZE), mode=0o600)
            os.link(draft, self._path)
            atomic.sync_folder(self._path.parent)
        finally:
            draft.unlink(missing_ok=True)
