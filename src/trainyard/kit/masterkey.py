"""A secret of 32 random bytes in a file that its owner alone may read: made once, whole, by whoever needs it first."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from trainyard.kit import atomic

SIZE = 32  # bytes


def master_key(path: Path) -> bytes:
    """The secret in the file; made there if there is none. Raises ValueError for a file that holds something else."""
    with suppress(FileExistsError):
        _make(path)
    secret = path.read_bytes()
    if len(secret) != SIZE:
        raise ValueError(f"{path} is no key of {SIZE} bytes")
    return secret


def _make(path: Path) -> None:
    """Raises FileExistsError where there is one."""
    if path.exists():
        raise FileExistsError
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        atomic.write_bytes(draft, secrets.token_bytes(SIZE), mode=0o600)
        os.link(draft, path)
        atomic.sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)
