"""AES-256 in counter mode, and keys derived of keys. Apart: a store without encryption needs no cryptography."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_BLOCK = 16
KEY = 32  # bytes


def derived(master: bytes, info: bytes) -> bytes:
    """A key that tells nothing of the master key, nor of those derived with other infos."""
    return HKDF(algorithm=SHA256(), length=KEY, salt=None, info=info).derive(master)


def applied(key: bytes, data: bytes, offset: int) -> bytes:
    """Encrypt what lies at `offset` of a whole, or decrypt it: in this mode they are one."""
    block, inner = divmod(offset, _BLOCK)
    machine = Cipher(algorithms.AES256(key), modes.CTR(block.to_bytes(_BLOCK, "big"))).encryptor()
    machine.update(bytes(inner))
    return machine.update(data)
