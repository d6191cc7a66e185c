"""Who a job may talk to: the peers of a network, and where the job finds them inside its own network namespace.

A peer is `host:port`, `address:port` or `network:port` (`10.0.0.0/8:443`, `[fd00::/8]:443`). Pure; standard library
only. The gateway does what is said here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")
_NAMED = int(IPv4Address("127.77.0.1"))  # where the first peer that has a name is met inside
_LOCALHOST = "localhost"
MOST_PEERS = 200  # of one network: each named one takes an address and a listening socket

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Peer:
    """One line of a network's list: exactly one of `name` and `network` is given."""

    port: int
    name: str | None = None
    network: Network | None = None

    @classmethod
    def parse(cls, text: str) -> Peer:
        """Read one line. Raises ValueError with a sentence that says what is wrong."""
        host, colon, port = text.rpartition(":")
        if not colon or not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) < 65536:
            raise ValueError(f"{text!r} names no port: write host:port, address:port or network:port.")
        bracketed = host.startswith("[") and host.endswith("]")
        if ":" in host and not bracketed:
            raise ValueError(f"{text!r}: write an IPv6 address in brackets, as [fd00::1]:443.")
        host = host[1:-1] if bracketed else host
        network = _network(host)
        if network is not None:
            return cls(int(port), network=network)
        numeric = host.rpartition(".")[2].isdecimal()  # an address with a slip in it
        if bracketed or numeric or len(host) > 253 or not _NAME.fullmatch(host):
            raise ValueError(f"{text!r} names neither a host nor an address nor a network.")
        return cls(int(port), name=host.lower().rstrip("."))


@dataclass(frozen=True, slots=True)
class Door:
    """One listening socket inside: at `address`, or at every address of that family where it is None."""

    port: int
    address: Address | None
    is_v6: bool


class Peers:
    """All peers of a job, and the rules that follow from them."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._peers = tuple(dict.fromkeys(Peer.parse(line) for line in lines))
        names = dict.fromkeys(peer.name for peer in self._peers if peer.name not in (None, _LOCALHOST))
        self.names = {str(name): IPv4Address(_NAMED + place) for place, name in enumerate(names)}

    def doors(self) -> Sequence[Door]:
        """Where to listen inside, each place once."""
        return tuple(dict.fromkeys(self._door(peer) for peer in self._peers))

    def routes(self) -> Sequence[Network]:
        """Networks whose addresses have to lead to the job's own loopback interface, which has but 127.0.0.0/8."""
        given = (peer.network for peer in self._peers if peer.network is not None)
        return tuple(dict.fromkeys(network for network in given if not network.is_loopback))

    def target(self, address: str, port: int) -> tuple[str, int] | None:
        """Where a connection goes that the job made to (address, port); None where it may not go anywhere."""
        met = ip_address(address)
        for peer in self._peers:
            if peer.port == port and peer.name is not None and met == self._met_at(peer.name):
                return peer.name, port
            if peer.port == port and peer.network is not None and _holds(peer.network, met):
                return str(met), port
        return None

    def _met_at(self, name: str) -> Address:
        return self.names.get(name, IPv4Address("127.0.0.1"))

    def _door(self, peer: Peer) -> Door:
        if peer.network is None:
            return Door(peer.port, self._met_at(str(peer.name)), is_v6=False)
        single = peer.network.num_addresses == 1
        return Door(peer.port, peer.network.network_address if single else None, peer.network.version == 6)


def _network(text: str) -> Network | None:
    """An address or a network; None where it is neither. Raises ValueError for a network with host bits."""
    try:
        return ip_network(text)
    except ValueError as error:
        if "has host bits set" in str(error):
            raise ValueError(f"{text} has host bits set: write {ip_network(text, strict=False)}.") from error
        return None


def _holds(network: Network, address: Address) -> bool:
    """Whether a network reaches an address. A wide one reaches neither this machine's loopback nor its link-local."""
    special = (address.is_loopback, address.is_link_local)
    return address in network and special == (network.is_loopback, network.is_link_local)
