"""Where a server listens, as a command names it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DEFAULT_PORT = 7446


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeListener:
    """The Kubernetes door's address. Beyond loopback it needs a certificate, its key and at least one token.

    port: None for DEFAULT_PORT, or any free one where that is taken.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    certificate: Path | None = None
    key: Path | None = None
