"""Objects by URI. What bytes live where is decided bucket by bucket in settings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

PARTIAL = ".trainyard-"  # begins the name of a file that is not whole yet


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectInfo:
    """One object. `uri` is whole; `size` in bytes; `etag` as the store gives it, or ""; `modified` epoch seconds."""

    uri: str
    size: int
    etag: str = ""
    modified: float = 0.0


class ObjectStore(Protocol):
    """Reads and writes of objects named by `s3://bucket/key` or `file:///path` URIs.

    Raises ValidationRefused for a missing bucket or a malformed URI, Transient for faults of the network.
    """

    def list(self, uri: str) -> AsyncIterator[ObjectInfo]:
        """Objects whose URI begins with `uri`, as S3 prefixes do, in key order."""
        ...

    async def head(self, uri: str) -> ObjectInfo | None:
        """One object, or None."""
        ...

    async def get(self, uri: str) -> bytes:
        """The whole of a small object."""
        ...

    async def read(self, info: ObjectInfo, start: int, stop: int) -> bytes:
        """The bytes from `start` to before `stop` of that very object, exactly.

        Raises ValidationRefused where it is gone or is another by now, as its ETag tells.
        """
        ...

    async def download(self, info: ObjectInfo, target: Path) -> int:
        """Write an object to `target`, verified; returns bytes. The file appears whole or not at all."""
        ...

    async def put(self, uri: str, content: bytes) -> None:
        """Write a small object, whole or not at all."""
        ...

    async def upload(self, source: Path, uri: str) -> int:
        """Write a file as an object, whole or not at all; returns bytes."""
        ...

    async def delete(self, uri: str) -> None:
        """Remove an object; harmless if there is none."""
        ...

    def place_of(self, uri: str) -> str:
        """Where that URI's bytes really are, in words for a person ("folder /data", "https://s3…")."""
        ...
