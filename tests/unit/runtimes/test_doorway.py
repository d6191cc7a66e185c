"""A program's way to its AWS services, as its supervisors hold it one after the other."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from trainyard.kit import atomic
from trainyard.runtimes.local import doorway, identity, namespaces
from trainyard.runtimes.local.attempt import Attempt
from trainyard.runtimes.local.doorway import Doorway

DEADLINE = 20.0
# A host in a network of its own, as the shim is, that holds nothing.
PRIVATE = """
import os, sys, time
from trainyard.runtimes.local import namespaces
if os.geteuid() != 0 and not namespaces._user_namespace(): sys.exit("none")
if namespaces._LIBC.unshare(namespaces.NEWNET) != 0: sys.exit("none")
namespaces._loopback_up()
print("up", flush=True); time.sleep(600)
"""


@contextmanager
def a_host(*argv: str, holding: socket.socket | None = None) -> Iterator[subprocess.Popen[bytes]]:
    kept = [] if holding is None else [holding.fileno()]
    host = subprocess.Popen(argv or ("/bin/sleep", "600"), stdout=subprocess.PIPE, pass_fds=kept)
    try:
        yield host
    finally:
        host.kill()
        host.communicate()


def is_asked(one: Doorway) -> bool:
    return bool(one.awaited) and bool(select.select(one.awaited, [], [], DEADLINE)[0])


def knock(port: int) -> socket.socket:
    return socket.create_connection((doorway.ADDRESS, port), timeout=DEADLINE)


def test_a_supervisor_finds_the_socket_that_the_host_holds_and_who_waits_at_it(tmp_path: Path) -> None:
    first = doorway.listen()
    port = first.getsockname()[1]
    with a_host(holding=first) as host:
        who = {**identity.identify(host.pid), "port": port, "door": first.fileno()}
        first.close()  # as with the supervisor that made it
        with closing(knock(port)):
            next_one = Doorway(Attempt(tmp_path), {"isolate": False})
            next_one.see_to(who)
            assert is_asked(next_one)
            next_one.close()


def test_where_the_host_may_hold_none_another_is_made_at_its_place(tmp_path: Path) -> None:
    first = doorway.listen()
    port = first.getsockname()[1]
    with a_host() as host, closing(Doorway(Attempt(tmp_path), {"isolate": False})) as next_one:
        who = {**identity.identify(host.pid), "port": port}
        next_one.see_to(who)
        assert next_one.awaited == []  # somebody has it still
        first.close()
        next_one.see_to(who)
        with closing(knock(port)):
            assert is_asked(next_one)


def test_another_one_is_made_in_the_programs_own_network(tmp_path: Path) -> None:
    with a_host(sys.executable, "-c", PRIVATE) as host:
        assert host.stdout is not None
        if host.stdout.readline() != b"up\n":
            pytest.skip("this system gives no network namespaces")
        with closing(Doorway(Attempt(tmp_path), {"isolate": True})) as next_one:
            next_one.see_to({**identity.identify(host.pid), "port": 1234})
            (listener,) = next_one.awaited
            assert listener.getsockname() == (doorway.ADDRESS, 1234)
            with pytest.raises(ConnectionRefusedError):
                knock(1234)
            child = os.fork()
            if child == 0:
                try:
                    namespaces.join_network(host.pid)
                    knock(1234)
                finally:
                    os._exit(0)
            assert is_asked(next_one)
            os.waitpid(child, 0)


def test_a_living_carrier_holds_it_and_nobody_else_looks(tmp_path: Path) -> None:
    attempt = Attempt(tmp_path)
    with a_host() as host, a_host() as carrier, closing(Doorway(attempt, {"isolate": False})) as next_one:
        atomic.write_json(attempt.carrier, identity.identify(carrier.pid))
        with closing(doorway.listen()) as free:
            port = free.getsockname()[1]
        who: dict[str, Any] = {**identity.identify(host.pid), "port": port}
        next_one.see_to(who)
        assert next_one.awaited == []
        carrier.kill()
        carrier.wait()
        next_one.see_to(who)
        assert next_one.awaited != []


def test_a_job_without_a_doorway_costs_nothing(tmp_path: Path) -> None:
    one = Doorway(Attempt(tmp_path), {"isolate": False})
    one.see_to(identity.identify(os.getpid()))
    assert one.awaited == []
    one.close()
