"""Listening sockets in the home."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def unix_listener(folder: Path, name: str) -> Iterator[socket.socket]:
    """A socket file that its owner alone may use, gone afterwards.

    It is named below the folder as it was opened: its path may be longer than the 108 bytes that an address holds.
    """
    place = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    path = folder / name
    try:
        path.unlink(missing_ok=True)
        listener.bind(f"/proc/self/fd/{place}/{name}")
        path.chmod(0o600)
        yield listener
    finally:
        listener.close()
        os.close(place)
        path.unlink(missing_ok=True)
