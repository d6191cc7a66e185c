"""A carrier between a program's connections and a socket in the home, in a process of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from trainyard.runtimes.local import doorway, identity

DEADLINE = 20.0
CARRY = """
import json, socket, sys
from trainyard.runtimes.local import carrier
carrier.IDLE, carrier.PATIENCE = float(sys.argv[4]), float(sys.argv[5])
carrier.carry(socket.socket(fileno=int(sys.argv[1])), json.loads(sys.argv[2]), json.loads(sys.argv[3]))
"""


@contextmanager
def carrying(
    home: Path, idle: float = 600.0, patience: float = 30.0
) -> Iterator[tuple[int, subprocess.Popen[bytes], subprocess.Popen[bytes]]]:
    """The port, the carrier, and the host that it serves."""
    host = subprocess.Popen(["/bin/sleep", "600"])
    listener = doorway.listen()
    order, who = json.dumps({"doorway": {"socket": str(home / "aws.sock")}}), json.dumps(identity.identify(host.pid))
    argv = [sys.executable, "-c", CARRY, str(listener.fileno()), order, who, str(idle), str(patience)]
    carrier = subprocess.Popen(argv, pass_fds=[listener.fileno()])
    try:
        yield listener.getsockname()[1], carrier, host
    finally:
        listener.close()
        for process in (carrier, host):
            process.kill()
            process.wait()


@contextmanager
def shouting(home: Path) -> Iterator[None]:
    """Somebody in the home who answers in capital letters."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(home / "aws.sock"))
    server.listen()

    def serve() -> None:
        while True:
            try:
                caller, _ = server.accept()
            except OSError:
                return
            with caller:
                while piece := caller.recv(65536):
                    caller.sendall(piece.upper())

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(DEADLINE)
        (home / "aws.sock").unlink()


def asked(port: int, text: bytes) -> bytes:
    with closing(socket.create_connection((doorway.ADDRESS, port), timeout=DEADLINE)) as caller:
        caller.sendall(text)
        caller.shutdown(socket.SHUT_WR)
        heard = b""
        while piece := caller.recv(65536):
            heard += piece
        return heard


def test_what_is_said_is_carried_whole_both_ways(tmp_path: Path) -> None:
    with shouting(tmp_path), carrying(tmp_path) as (port, _, _):
        text = b"abc" * 1_000_000
        assert asked(port, text) == text.upper()


def test_who_connects_while_nobody_answers_waits_and_is_answered(tmp_path: Path) -> None:
    with carrying(tmp_path) as (port, _, _):
        with closing(socket.create_connection((doorway.ADDRESS, port), timeout=DEADLINE)) as caller:
            caller.sendall(b"early")
            with shouting(tmp_path):
                assert caller.recv(100) == b"EARLY"
                caller.shutdown(socket.SHUT_WR)
                assert caller.recv(100) == b""
        with shouting(tmp_path):
            assert asked(port, b"again") == b"AGAIN"


def test_a_home_whose_path_is_longer_than_an_address_is_reached(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    short = Path(f"/proc/self/fd/{os.open(deep, os.O_PATH)}")
    with shouting(short), carrying(deep) as (port, _, _):
        assert asked(port, b"a") == b"A"


def test_nobody_waits_for_ever(tmp_path: Path) -> None:
    with carrying(tmp_path, patience=0.1) as (port, _, _), pytest.raises(ConnectionResetError):
        asked(port, b"a")


def test_a_carrier_without_work_goes_and_leaves_the_socket_to_whoever_holds_it(tmp_path: Path) -> None:
    with shouting(tmp_path), carrying(tmp_path, idle=0.2) as (port, carrier, _):
        assert asked(port, b"a") == b"A"
        assert carrier.wait(DEADLINE) == 0
        with closing(socket.create_connection((doorway.ADDRESS, port), timeout=DEADLINE)):
            pass  # it is in the queue of who holds the socket


def test_a_carrier_goes_with_the_host(tmp_path: Path) -> None:
    with shouting(tmp_path), carrying(tmp_path) as (port, carrier, host):
        assert asked(port, b"a") == b"A"
        host.kill()
        host.wait()
        assert carrier.wait(DEADLINE) == 0
