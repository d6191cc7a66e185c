"""Small writes of one turn of the loop go out together.

An answer's head and its body are written one after the other: sent so, they are two calls of the kernel, two packets
and two wakings of the client.
"""

from __future__ import annotations

import asyncio
from typing import Any

MOST_HELD = 16 * 1024  # bytes; what is more goes out at once, so that whoever writes learns that nobody reads


class Gathering:
    """A transport that gathers; all but writing and ending is the transport's own."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._held: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        """What is the transport's own."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send soon, in order."""
        if not self._held:
            self._loop.call_soon(self._flush)
        self._held.append(data)
        self._size += len(data)
        if self._size > MOST_HELD:
            self._flush()

    def close(self) -> None:
        """Send what is held, then end."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._held:
            held, self._held, self._size = self._held, [], 0
            self._transport.write(held[0] if len(held) == 1 else b"".join(held))
