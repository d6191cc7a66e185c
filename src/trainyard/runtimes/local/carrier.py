"""Carries each connection of a program to the AWS services of its home, which whoever leads answers at a socket there.

While nobody leads, a connection is held, and an engine is started: a program sees one slow answer, not a fault. What
is under way with a leader that dies breaks, and clients ask again. Standard library only.
"""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from trainyard.runtimes.local import heir, identity, relaying

PATIENCE = 30.0  # seconds that a connection waits for somebody who answers
MOST_CONNECTIONS = 256  # at once; one more is reset
IDLE = 30.0  # seconds without a connection after which the supervisor alone holds the socket again
_LOOK = 0.05  # seconds between tries while nobody answers


def carry(listener: socket.socket, order: dict[str, Any], who: dict[str, Any]) -> None:
    """Take connections until the host `who` is gone, or for a while none has come."""
    gone = identity.awaited(who)
    if gone is None:
        return
    supervisor = os.getppid()
    waiting = select.poll()
    waiting.register(gone, select.POLLIN)
    waiting.register(listener, select.POLLIN)
    while True:
        ready = [descriptor for descriptor, _ in waiting.poll(IDLE * 1000)]
        if gone in ready:
            return
        if not ready and threading.active_count() == 1 and os.getppid() == supervisor:
            return
        if ready:
            with suppress(OSError):  # a caller that left before it was taken
                _take(listener.accept()[0], order)


def _take(caller: socket.socket, order: dict[str, Any]) -> None:
    """Serve a connection in threads of its own, or reset it."""
    if threading.active_count() > 2 * MOST_CONNECTIONS:
        relaying.reset(caller)
        return
    caller.setblocking(True)
    threading.Thread(target=_relay, args=(caller, order), daemon=True).start()


def _relay(caller: socket.socket, order: dict[str, Any]) -> None:
    end = time.monotonic() + PATIENCE
    while (peer := _dialled(Path(order["doorway"]["socket"]))) is None:
        heir.see_to_leader(order)
        if time.monotonic() >= end:
            relaying.reset(caller)
            return
        time.sleep(_LOOK)
    relaying.relay(caller, peer)


def _dialled(path: Path) -> socket.socket | None:
    """A connection to the socket in the home, whose path may be longer than an address; None where nobody listens."""
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with suppress(OSError):
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            peer.connect(f"/proc/self/fd/{folder}/{path.name}")
        finally:
            os.close(folder)
        return peer
    peer.close()
    return None
