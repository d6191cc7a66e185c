"""The way from a job's own network to its peers: one small process in the machine's network, for jobs that have peers.

The job's network namespace holds a loopback interface and nothing else. The sockets that stand for its peers are made
inside and handed out to the gateway, for a socket stays in the namespace that it was made in: the gateway accepts
inside and connects outside, and nothing else joins the two. It needs neither root nor a firewall.

It goes with the shim, whatever kills that, and outlives the supervisor; one that was killed is replaced by the
supervisor. Standard library only.
"""

from __future__ import annotations

import json
import os
import resource
import select
import socket
import struct
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NoReturn

from trainyard.kit import atomic
from trainyard.runtimes.local import descriptors, identity, namespaces, relaying
from trainyard.runtimes.local.attempt import Attempt
from trainyard.runtimes.local.peers import Door, Network, Peers

MOST_CONNECTIONS = 512  # at once; one more is reset
DIALLING = 30.0  # seconds for a peer to answer
_BACKLOG = 128
_SOCKETS_PER_MESSAGE = 200  # the kernel takes 253


class Gateway:
    """A gateway that waits for its sockets. Make it before the namespaces are entered, `open` it inside them."""

    def __init__(self, attempt: Attempt, lines: Sequence[str]) -> None:
        self._attempt, self._peers = attempt, Peers(lines)
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._pid = os.fork()
        if self._pid == 0:
            _serve(self._peers, theirs)
        theirs.close()

    @property
    def names(self) -> dict[str, str]:
        """Peers that have a name, and the address that it has inside."""
        return {name: str(address) for name, address in self._peers.names.items()}

    def open(self, shim: dict[str, Any]) -> None:
        """Make the sockets in the calling process's network and hand them over. Raises OSError if that cannot be."""
        for network in self._peers.routes():
            _route_to_loopback(network)
        listeners = [_listener(door) for door in self._peers.doors()]
        atomic.write_json(self._attempt.gateway, identity.identify(self._pid), durable=False)
        for first in range(0, len(listeners), _SOCKETS_PER_MESSAGE):
            group = [one.fileno() for one in listeners[first : first + _SOCKETS_PER_MESSAGE]]
            socket.send_fds(self._link, [json.dumps(shim).encode()], group)
        self._link.close()
        for one in listeners:
            one.close()


def replace_if_gone(attempt: Attempt, order: dict[str, Any], shim: dict[str, Any]) -> None:
    """Start another gateway where the one of a living shim was killed."""
    if not order.get("peers") or identity.is_alive(atomic.read_json(attempt.gateway)):
        return
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        descriptors.close_all_but()
        gateway = Gateway(attempt, order["peers"])
        namespaces.join_network(shim["pid"])
        gateway.open(shim)
    finally:
        os._exit(0)


def _serve(peers: Peers, link: socket.socket) -> NoReturn:
    try:
        descriptors.close_all_but(link.fileno())
        shim, listeners = _taken(link)
        link.close()
        if listeners:
            _accept_until_gone(peers, shim, listeners)
    finally:
        os._exit(0)


def _taken(link: socket.socket) -> tuple[dict[str, Any], list[socket.socket]]:
    """Who the shim is and the sockets made inside, until the other end is closed."""
    shim: dict[str, Any] = {}
    listeners: list[socket.socket] = []
    while True:
        message, handed, _, _ = socket.recv_fds(link, 4096, _SOCKETS_PER_MESSAGE)
        if not message:
            return shim, listeners
        shim = json.loads(message)
        listeners += [socket.socket(fileno=one) for one in handed]


def _accept_until_gone(peers: Peers, shim: dict[str, Any], listeners: list[socket.socket]) -> None:
    try:
        gone = os.pidfd_open(shim["pid"])
    except ProcessLookupError:
        return
    if not identity.is_alive(shim):
        return
    most = _connections(len(listeners))
    waiting = select.poll()
    waiting.register(gone, select.POLLIN)
    by_descriptor = {one.fileno(): one for one in listeners}
    for one in listeners:
        one.setblocking(False)
        waiting.register(one, select.POLLIN)
    while True:
        ready = [descriptor for descriptor, _ in waiting.poll()]
        if gone in ready:
            return
        for descriptor in ready:
            with suppress(OSError):  # a caller that left before it was taken
                caller, _ = by_descriptor[descriptor].accept()
                _take(caller, peers.target(*caller.getsockname()[:2]), is_full=threading.active_count() > 2 * most)


def _take(caller: socket.socket, target: tuple[str, int] | None, *, is_full: bool) -> None:
    """Serve a connection in threads of its own, or reset it."""
    if target is None or is_full:
        relaying.reset(caller)
        return
    caller.setblocking(True)
    threading.Thread(target=_relay, args=(caller, target), daemon=True).start()


def _relay(caller: socket.socket, target: tuple[str, int]) -> None:
    """Dial the peer and carry what is said; a peer that is not there resets the caller."""
    try:
        peer = socket.create_connection(target, timeout=DIALLING)
    except OSError:
        relaying.reset(caller)
        return
    peer.settimeout(None)
    relaying.relay(caller, peer)


def _listener(door: Door) -> socket.socket:
    family = socket.AF_INET6 if door.is_v6 else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of a gateway before us may linger
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # one address and all of them, at one port
    if door.is_v6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind((str(door.address) if door.address is not None else "", door.port))
    listener.listen(_BACKLOG)
    return listener


def _connections(listeners: int) -> int:
    """As many as there are descriptors for: two each."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return max(1, min(MOST_CONNECTIONS, (hard - listeners - 16) // 2))


def _route_to_loopback(network: Network) -> None:
    """`ip route add local NETWORK dev lo`: addresses of others are met in the job's own network."""
    new_route, acknowledged, loopback = 24, 0x1 | 0x4 | 0x400, 1  # request, acknowledge, create; interface 1 is lo
    static, of_this_host, local, table = 4, 254, 2, 255
    family = socket.AF_INET6 if network.version == 6 else socket.AF_INET
    packed = network.network_address.packed
    route = struct.pack("=BBBBBBBBI", family, network.prefixlen, 0, 0, table, static, of_this_host, local, 0)
    destination = struct.pack("=HH", 4 + len(packed), 1) + packed
    body = route + destination + struct.pack("=HHi", 8, 4, loopback)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as kernel:
        kernel.send(struct.pack("=IHHII", 16 + len(body), new_route, acknowledged, 1, 0) + body)
        number = -struct.unpack_from("=i", kernel.recv(4096), 16)[0]
    if number:
        raise OSError(number, f"{os.strerror(number)} (no route to {network})")
