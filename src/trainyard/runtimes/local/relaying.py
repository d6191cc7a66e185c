"""Carrying bytes between two sockets, and ending a connection so that the caller knows. Standard library only."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress

_PIECE = 1 << 16


def relay(caller: socket.socket, peer: socket.socket) -> None:
    """Carry both directions until both have ended; what comes in small pieces goes on in small pieces, at once."""
    for end in (caller, peer):
        if end.family != socket.AF_UNIX:
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    back = threading.Thread(target=_carry, args=(peer, caller), daemon=True)
    back.start()
    _carry(caller, peer)
    back.join()
    caller.close()
    peer.close()


def reset(caller: socket.socket) -> None:
    """End a connection so that it reads as refused, not as an empty answer."""
    with suppress(OSError):
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    caller.close()


def _carry(source: socket.socket, sink: socket.socket) -> None:
    """One direction. Its end is passed on; its breaking breaks both."""
    buffer = memoryview(bytearray(_PIECE))
    try:
        while size := source.recv_into(buffer):
            sink.sendall(buffer[:size])
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        for one in (source, sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
