"""Listening sockets in the home."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from trainyard.model.errors import TrainyardError


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


def tcp_listener(host: str, port: int | None, *, usual: int, option: str) -> closing[socket.socket]:
    """Bound to the port that was named; else to the usual one, or to any where another server has that.

    option: where the user names another. Raises TrainyardError.
    """
    ports = (usual, 0) if port is None else (port,)
    for one in ports:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # Named, so that asyncio knows its connections for TCP: only then small pieces are not held back (TCP_NODELAY).
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, one))
        except OSError as error:
            listener.close()
            reason = error.strerror
        else:
            return closing(listener)
    raise TrainyardError(f"Port {ports[0]} of {host} cannot be listened on: {reason}. Name another with {option}.")


def url_of(host: str, listener: socket.socket, *, secure: bool) -> str:
    """The URL of what answers on a listener."""
    name = f"[{host}]" if ":" in host else host
    return f"{'https' if secure else 'http'}://{name}:{listener.getsockname()[1]}"
