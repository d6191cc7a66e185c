"""The way from a program to the AWS services of its home: a listening socket in the job's own network.

Its address stays as it is for the life of the program, whoever leads meanwhile. The supervisor looks at it and does no
more; the first connection starts a carrier (a fork, which goes again when it is idle), so that a job that asks nothing
pays for a socket alone. The program's host holds the socket as well: it outlives both, and who connects while there is
neither waits. Standard library only: the supervisor imports it.
"""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress
from typing import Any, NoReturn

from trainyard.kit import atomic
from trainyard.kit.clock import SystemClock
from trainyard.runtimes.local import descriptors, identity, namespaces
from trainyard.runtimes.local.attempt import Attempt

ADDRESS = "127.0.0.1"
PORT = "{port}"  # stands in the order's variables for what is known once the socket is there
_BACKLOG = 128
_AGAIN = 0.5  # seconds between carriers: one that cannot live is not started over and over


def listen(port: int = 0) -> socket.socket:
    """The socket, in the calling process's network; at a port that was had before, or at any. Raises OSError."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of the last one may linger
        listener.bind((ADDRESS, port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def variables(order: dict[str, Any], port: int) -> dict[str, str]:
    """What leads the program's AWS clients to the socket."""
    return {name: text.replace(PORT, str(port)) for name, text in order["doorway"]["variables"].items()}


class Doorway:
    """The socket of one attempt as its supervisor holds it."""

    def __init__(self, attempt: Attempt, order: dict[str, Any]) -> None:
        self._attempt, self._order = attempt, order
        self._clock = SystemClock()
        self._listener: socket.socket | None = None
        self._carrier: dict[str, Any] | None = None
        self._not_before = 0.0

    def take(self, listener: socket.socket | None) -> None:
        """Hold the socket that was made with the program's host."""
        self._listener = listener

    @property
    def awaited(self) -> list[socket.socket]:
        """What to wait for beside everything else: the socket, while nobody else looks at it."""
        is_ours = self._listener is not None and self._carrier is None
        return [self._listener] if is_ours and self._clock.boottime() >= self._not_before else []  # type: ignore[list-item]

    def see_to(self, who: dict[str, Any]) -> None:
        """Look after it while the host `who` lives: find it again where a supervisor before us had it."""
        if "port" not in who:
            return
        if self._carrier is not None and not identity.is_alive(self._carrier):
            with suppress(ChildProcessError):
                os.waitpid(self._carrier["pid"], os.WNOHANG)
            self._carrier = None
        if self._listener is None and self._carrier is None:
            last = atomic.read_json(self._attempt.carrier)
            if identity.is_alive(last):
                self._carrier = last  # it holds the socket
                return
            with suppress(OSError):  # a carrier that is about to go has it still
                self._listener = self._found(who)

    def open(self, who: dict[str, Any]) -> None:
        """Somebody is at the door: have a carrier see to it."""
        self._not_before = self._clock.boottime() + _AGAIN
        child = os.fork()
        if child == 0:
            self._carry(who)
        self._carrier = identity.identify(child)

    def close(self) -> None:
        """The program is gone."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _found(self, who: dict[str, Any]) -> socket.socket:
        """The socket that the host holds, or where it may hold none another one at its place. Raises OSError."""
        if "door" in who:
            return socket.socket(fileno=namespaces.fetched(who["pid"], who["door"]))
        return _again(who["port"], who["pid"]) if self._order["isolate"] else listen(who["port"])

    def _carry(self, who: dict[str, Any]) -> NoReturn:
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)
            os.setsid()
            listener = self._listener
            assert listener is not None  # noqa: S101 - a door is opened where there is one
            descriptors.close_all_but(listener.fileno())
            atomic.write_json(self._attempt.carrier, identity.identify(os.getpid()), durable=False)
            from trainyard.runtimes.local import carrier  # noqa: PLC0415 - the supervisor does not pay for it

            carrier.carry(listener, self._order, who)
        finally:
            os._exit(0)


def _again(port: int, pid: int) -> socket.socket:
    """The socket in the network of another process, made there by a fork. Raises OSError."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        child = os.fork()
        if child == 0:
            try:
                descriptors.close_all_but(theirs.fileno())
                namespaces.join_network(pid)
                listener = listen(port)
                socket.send_fds(theirs, [b"."], [listener.fileno()])
            finally:
                os._exit(0)
        theirs.close()
        _, handed, _, _ = socket.recv_fds(ours, 1, 1)
        os.waitpid(child, 0)
    if not handed:
        raise OSError("the job's network cannot be entered")
    listener = socket.socket(fileno=handed[0])
    listener.setblocking(False)
    return listener
