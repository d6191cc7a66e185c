"""Who a job may talk to."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.runtimes.local.peers import Door, Peer, Peers


@pytest.mark.parametrize(
    ("line", "peer"),
    [
        ("db.Example.org.:5432", Peer(5432, name="db.example.org")),
        ("localhost:1", Peer(1, name="localhost")),
        ("my_service-2:65535", Peer(65535, name="my_service-2")),
        ("10.1.2.3:80", Peer(80, network=ip_network("10.1.2.3/32"))),
        ("10.0.0.0/8:443", Peer(443, network=ip_network("10.0.0.0/8"))),
        ("[fd00::1]:443", Peer(443, network=ip_network("fd00::1/128"))),
        ("[fd00::/8]:443", Peer(443, network=ip_network("fd00::/8"))),
    ],
)
def test_a_line_names_a_host_an_address_or_a_network_and_a_port(line: str, peer: Peer) -> None:
    assert Peer.parse(line) == peer


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("db", "names no port"), ("db:", "names no port"), ("db:0", "names no port"), ("db:65536", "names no port"),
        ("db:http", "names no port"), ("10.0.0.0/8", "names no port"), ("", "names no port"), (":80", "neither"),
        ("fd00::1:443", "in brackets"), ("10.1.2.3/8:80", "write 10.0.0.0/8"), ("a/b:80", "neither"),
        ("1.2.3:80", "neither"), ("999.1.1.1:80", "neither"), ("[db]:80", "neither"), ("-a:80", "neither"),
        ("a b:80", "neither"), ("a\n:80", "neither"), (f"{'a' * 64}:80", "neither"), ("http://a:80", "in brackets"),
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_what_to_write(line: str, told: str) -> None:
    with pytest.raises(ValueError, match=told.replace(".", r"\.")):
        Peer.parse(line)


@given(st.text(max_size=40))
def test_no_line_breaks_the_reading(line: str) -> None:
    try:
        peer = Peer.parse(line)
    except ValueError:
        return
    assert (peer.name is None) != (peer.network is None)


def test_names_are_met_at_addresses_of_their_own_and_localhost_at_its_own() -> None:
    peers = Peers(["db:1", "cache:2", "db:3", "localhost:4"])
    assert {name: str(address) for name, address in peers.names.items()} == {"db": "127.77.0.1", "cache": "127.77.0.2"}
    assert peers.target("127.77.0.1", 3) == ("db", 3)
    assert peers.target("127.0.0.1", 4) == ("localhost", 4)
    assert [peers.target("127.77.0.1", 2), peers.target("127.77.0.3", 1), peers.target("127.0.0.1", 1)] == [None] * 3


def test_a_network_is_met_at_each_of_its_addresses_and_one_port() -> None:
    peers = Peers(["10.0.0.0/8:443", "10.0.0.5:80"])
    assert peers.target("10.9.9.9", 443) == ("10.9.9.9", 443)
    assert [peers.target("10.9.9.9", 80), peers.target("11.0.0.1", 443)] == [None, None]
    assert peers.doors() == (Door(443, None, False), Door(80, ip_address("10.0.0.5"), False))
    assert peers.routes() == (ip_network("10.0.0.0/8"), ip_network("10.0.0.5/32"))


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254"])
def test_everywhere_is_neither_this_machine_nor_its_link(address: str) -> None:
    everywhere = Peers(["0.0.0.0/0:80"])
    assert everywhere.target("93.184.215.14", 80) is not None
    assert everywhere.target(address, 80) is None
    assert Peers([f"{address}:80"]).target(address, 80) == (address, 80)


@given(st.ip_addresses(), st.integers(1, 65535))
def test_only_what_is_listed_has_a_target(address: object, port: int) -> None:
    peers = Peers(["db:5432", "192.168.0.0/16:80", "[fd00::/8]:80"])
    target = peers.target(str(address), port)
    listed = port == 80 and any(address in ip_network(net) for net in ("192.168.0.0/16", "fd00::/8"))  # type: ignore[operator]
    named = port == 5432 and str(address) == "127.77.0.1"
    assert (target is not None) == (listed or named)
