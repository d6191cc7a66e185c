"""The gate before a server: each thing that it refuses, refused; what it lets through, through."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import JSONResponse

from trainyard.access import peers, tokens
from trainyard.access.callers import OWNER, Caller, Role
from trainyard.access.guard import Bearer, Guard, Judge, Limits, Loopback, require_safe
from trainyard.access.punctual import LONGEST_BARREN, PunctualProtocol
from trainyard.model.errors import TrainyardError

DEADLINE = 20.0


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers who asked and how much."""
    request = Request(scope, receive)
    size = len(await request.body())
    await JSONResponse({"caller": scope["caller"].name, "size": size})(scope, receive, send)


@contextmanager
def served(
    judge: Judge,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    host: str = "127.0.0.1",
    inner: Any = app,
    **tls: Any,
) -> Iterator[tuple[str, int]]:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    with closing(listener):
        listener.bind((host, 0))
        listener.listen()  # who connects before the server looks is served then
        config = uvicorn.Config(Guard(inner, judge, limits), log_level="error", lifespan="off", **tls)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
        thread.start()
        try:
            yield host, listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(DEADLINE)


def talk(address: tuple[str, int], *headers: str, body: bytes = b"", host: str = "localhost") -> tuple[int, Any]:
    """One request, byte by byte ours."""
    with socket.create_connection(address, timeout=DEADLINE) as connection:
        lines = ["POST / HTTP/1.1", f"Host: {host}", "Connection: close", *headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return parsed(connection)


def parsed(connection: socket.socket) -> tuple[int, Any]:
    received = b""
    while part := connection.recv(65536):
        received += part
    head, _, content = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(content) if content.startswith(b"{") else content


@pytest.fixture(scope="module")
def loopback() -> Iterator[tuple[str, int]]:
    with served(Loopback()) as address:
        yield address


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8080", "[::1]:9", "LOCALHOST:1"])
def test_our_own_user_on_loopback_is_the_owner(loopback: tuple[str, int], host: str) -> None:
    assert talk(loopback, host=host, body=b"abc") == (200, {"caller": "owner", "size": 3})


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "", "\\[::1]"])
def test_a_host_that_is_not_this_machine_is_refused(loopback: tuple[str, int], host: str) -> None:
    code, _ = talk(loopback, host=host)
    assert code in (400, 403)


def test_two_hosts_are_refused(loopback: tuple[str, int]) -> None:
    assert talk(loopback, "Host: localhost")[0] in (400, 403)


def test_a_web_page_is_refused(loopback: tuple[str, int]) -> None:
    code, told = talk(loopback, "Origin: http://localhost")
    assert (code, told["reason"]) == (403, "Forbidden")


def test_another_user_s_process_is_refused() -> None:
    with served(Loopback(uids=frozenset({os.geteuid() + 1}))) as address:
        code, told = talk(address)
    assert (code, told["message"]) == (403, "this server answers the user who started it alone")


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_a_real_process_of_another_user_is_refused(loopback: tuple[str, int]) -> None:
    script = (
        "import os,socket,sys\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "connection = socket.socket()\n"
        "connection.connect(('127.0.0.1', int(sys.argv[1])))\n"
        "connection.sendall(b'GET / HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n')\n"
        "print(connection.recv(100).split()[1].decode())\n"
    )
    port = str(loopback[1])
    said = subprocess.run([sys.executable, "-c", script, port], capture_output=True, text=True, timeout=60, check=True)
    assert said.stdout.strip() == "403"


def test_the_kernel_names_the_owner_over_ipv4_and_ipv6() -> None:
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family) as listener:
            listener.bind((host, 0))
            listener.listen()
            with socket.create_connection(listener.getsockname()[:2]) as client:
                here, there = client.getsockname()[:2], client.getpeername()[:2]
                assert peers.owner_of(here, there) == os.geteuid()
                assert peers.owner_of((here[0], 1), there) is None
                assert peers.owner_by_table(here, there) == os.geteuid()
            assert peers.owner_of(here, there) is None


def test_the_kernel_names_the_owner_of_an_ipv4_address_written_as_ipv6() -> None:
    with socket.socket(socket.AF_INET6) as listener:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(("::", 0))
        listener.listen()
        with socket.create_connection(("127.0.0.1", listener.getsockname()[1])):
            connection, _ = listener.accept()
            with connection:
                here, there = connection.getpeername()[:2], connection.getsockname()[:2]
                assert peers.owner_of(here, there) == os.geteuid()


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_the_kernel_names_another_user() -> None:
    script = (
        "import os,socket,sys\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "connection = socket.socket()\n"
        "connection.connect(('127.0.0.1', int(sys.argv[1])))\n"
        "connection.recv(1)\n"
    )
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(DEADLINE)
        port = str(listener.getsockname()[1])
        with subprocess.Popen([sys.executable, "-c", script, port]) as other:
            connection, _ = listener.accept()
            with connection:
                here, there = connection.getpeername(), connection.getsockname()
                assert peers.owner_of(here, there) == peers.owner_by_table(here, there) == 65534
            assert other.wait(60) == 0


def test_a_connection_is_asked_for_once() -> None:
    asked = []
    judge = Loopback(owner_of=lambda *ends: asked.append(ends) or os.geteuid())  # type: ignore[func-returns-value]
    with served(judge, http=PunctualProtocol) as address, socket.create_connection(address) as connection:
        for _ in range(3):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = b""
            while not answer.endswith(b"}"):
                answer += connection.recv(4096)
            assert answer.startswith(b"HTTP/1.1 200")
    assert len(asked) == 1


@pytest.mark.parametrize(("state", "inode"), [("06", "0"), ("01", "0"), ("04", "0"), ("05", "7")])
def test_a_socket_that_was_left_makes_nobody_root(tmp_path: Path, state: str, inode: str) -> None:
    table = tmp_path / "tcp"
    entry = f"   0: 0100007F:1234 0100007F:1F90 {state} 00000000:00000000 00:00000000 00000000     0        0 {inode}"
    table.write_text(f"header\n{entry}\n")
    assert peers.owner_by_table(("127.0.0.1", 0x1234), ("127.0.0.1", 0x1F90), (table,)) is None


def test_a_body_over_the_limit_is_refused_declared_or_not() -> None:
    with served(Loopback(), Limits(body=10)) as address:
        assert talk(address, body=b"x" * 10)[0] == 200
        assert talk(address, body=b"x" * 11)[0] == 413
        chunked = "Transfer-Encoding: chunked\r\n\r\n" + "6\r\nxxxxxx\r\n" * 2 + "0"
        assert talk(address, chunked)[0] == 413


@pytest.mark.parametrize(
    "start",
    [
        b"GET / HTTP/1.1\r\nX: ",
        b"GET /",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1;",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX: ",
    ],
)
def test_what_never_ends_is_not_taken_in(start: bytes) -> None:
    piece = b"x" * (LONGEST_BARREN // 4)
    with served(Loopback(), http=PunctualProtocol) as address, socket.create_connection(address, DEADLINE) as client:
        client.sendall(start)
        with pytest.raises(OSError, match=r"reset|Broken pipe"):  # noqa: PT012 - which of them meets it is the kernel's
            for _ in range(10_000):
                client.sendall(piece)


def test_a_long_head_is_told_that_it_is_too_long() -> None:
    with served(Loopback(), http=PunctualProtocol) as address, socket.create_connection(address, DEADLINE) as client:
        client.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * LONGEST_BARREN)
        assert client.recv(4096).startswith(b"HTTP/1.1 431 ")


def test_trailing_headers_change_nothing_of_a_request() -> None:
    heads: list[Any] = []

    async def looking(scope: Any, receive: Any, send: Any) -> None:
        await Request(scope, receive).body()
        heads.extend(name for name, _ in scope["headers"])
        await JSONResponse({})(scope, receive, send)

    sent = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-A: b\r\n\r\n"
    with (
        served(Loopback(), http=PunctualProtocol, inner=looking) as address,
        socket.create_connection(address, DEADLINE) as client,
    ):
        client.sendall(sent)
        assert client.recv(4096).startswith(b"HTTP/1.1 200")
    assert heads == [b"host", b"transfer-encoding"]


def test_too_many_headers_are_refused(loopback: tuple[str, int]) -> None:
    assert talk(loopback, *(f"X-{number}: y" for number in range(200)))[0] == 431


def test_a_body_that_does_not_arrive_is_not_waited_for() -> None:
    with served(Loopback(), Limits(seconds=0.1)) as address, socket.create_connection(address, DEADLINE) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 5\r\n\r\nab")
        assert parsed(connection)[0] == 408


class Hasty(PunctualProtocol):
    headers_within = 1.0


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow:"])
def test_a_request_that_does_not_begin_in_time_is_not_waited_for(sent: bytes) -> None:
    with served(Loopback(), http=Hasty) as address, socket.create_connection(address, DEADLINE) as connection:
        connection.sendall(sent)
        assert connection.recv(100) == b""


def test_the_clock_runs_for_every_request_of_a_connection_and_not_between_them() -> None:
    whole = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with served(Loopback(), http=Hasty) as address, socket.create_connection(address, DEADLINE) as connection:
        for sent in (whole, whole + whole[:9], whole[9:]):
            connection.sendall(sent)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert (answer.status, answer.read()) == (200, b'{"caller":"owner","size":0}')
        connection.sendall(whole[:9])
        with suppress(ConnectionResetError):
            assert connection.recv(100) == b""


def test_one_token_leaves_room_for_the_others(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    greedy, modest = (tokens.add(path, name, Role.READ) for name in ("greedy", "modest"))
    with served(Bearer(lambda: tokens.load(path)), Limits(at_once=1)) as address:
        with socket.create_connection(address, DEADLINE) as held:
            head = f"POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {greedy}\r\nContent-Length: 5\r\n\r\n"
            held.sendall(head.encode())
            deadline = time.monotonic() + DEADLINE
            while (code := talk(address, f"Authorization: Bearer {greedy}")[0]) != 429:
                assert time.monotonic() < deadline, code
            assert talk(address, f"Authorization: Bearer {modest}")[0] == 200
            held.sendall(b"12345")
            assert held.recv(65536).startswith(b"HTTP/1.1 200")
        assert talk(address, f"Authorization: Bearer {greedy}")[0] == 200


def test_a_token_that_is_taken_back_is_not_welcome_any_more(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    token = tokens.add(path, "anna", Role.READ)
    tokens.add(path, "other", Role.READ)
    judge = Bearer(lambda: tokens.load(path))
    seen: list[bool] = []

    async def watching(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope["welcome"]())
        tokens.revoke(path, "anna")
        seen.append(scope["welcome"]())

    scope = {"type": "http", "headers": [(b"authorization", f"Bearer {token}".encode())]}
    asyncio.run(Guard(watching, judge)(scope, _nothing, _nothing))  # type: ignore[arg-type]
    assert seen == [True, False]
    assert [caller.name for caller in tokens.load(path).callers.values()] == ["other"]
    with pytest.raises(TrainyardError, match="no token"):
        tokens.revoke(path, "anna")


async def _nothing(*_message: Any) -> Any:
    return {"type": "http.request", "body": b""}


def test_a_token_says_who_asks_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    token = tokens.add(path, "anna", Role.SUBMIT, ["team"])
    with served(Bearer(lambda: tokens.load(path))) as address:
        assert talk(address, f"Authorization: Bearer {token}", host="any.example")[1]["caller"] == "anna"
        for header in ("Authorization: Bearer wrong", f"Authorization: Basic {token}", "X-Nothing: 1"):
            code, told = talk(address, header, host="any.example")
            assert (code, told["reason"]) == (401, "Unauthorized")


def test_tokens_are_kept_as_hashes_in_a_file_of_our_own(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    token = tokens.add(path, "anna", Role.READ)
    assert path.stat().st_mode & 0o777 == 0o600
    assert token not in path.read_text()
    assert tokens.load(path).caller(token) == Caller("anna", Role.READ)
    with pytest.raises(TrainyardError, match="already"):
        tokens.add(path, "anna", Role.ADMIN)
    path.chmod(0o640)
    with pytest.raises(TrainyardError, match="chmod 600"):
        tokens.load(path)


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '[{"name": "a"}]', '[{"name":"a","role":"king","scopes":[],"sha256":"x"}]']
)
def test_a_damaged_token_file_lets_nobody_in(tmp_path: Path, text: str) -> None:
    path = tmp_path / "tokens.json"
    path.touch(0o600)
    path.write_text(text)
    if text == "{}":
        assert tokens.load(path).callers == {}
        return
    with pytest.raises(TrainyardError, match="holds no list of tokens"):
        tokens.load(path)


def test_beyond_loopback_needs_a_certificate_and_a_token(tmp_path: Path) -> None:
    none, some = tokens.Tokens({}), tokens.Tokens({"x": OWNER})
    require_safe("127.0.0.1", certificate=None, key=None, tokens=none)
    require_safe("::1", certificate=None, key=None, tokens=none)
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.com"):  # noqa: S104 - that is what is refused
        with pytest.raises(TrainyardError, match="certificate"):
            require_safe(host, certificate=None, key=None, tokens=some)
        with pytest.raises(TrainyardError, match="no token is known"):
            require_safe(host, certificate=tmp_path, key=tmp_path, tokens=none)
        require_safe(host, certificate=tmp_path, key=tmp_path, tokens=some)


def test_tls_and_a_token_together(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    cert.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
    certificate.private_key_pem.write_to_path(str(key))
    token = tokens.add(tmp_path / "tokens.json", "anna", Role.READ)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    judge = Bearer(lambda: tokens.load(tmp_path / "tokens.json"))
    with served(judge, ssl_certfile=str(cert), ssl_keyfile=str(key)) as address:
        plain = socket.create_connection(address, timeout=DEADLINE)
        with context.wrap_socket(plain, server_hostname="localhost") as connection:
            head = f"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
            connection.sendall(head.encode())
            assert parsed(connection) == (200, {"caller": "anna", "size": 0})


@given(
    role=st.sampled_from(Role), scopes=st.frozensets(st.sampled_from(["a", "b"])), scope=st.sampled_from(["", "a", "b"])
)
def test_a_caller_reads_where_it_belongs_and_writes_only_what_its_role_may(
    role: Role, scopes: frozenset[str], scope: str
) -> None:
    caller = Caller("x", role, scopes)
    inside = not scopes or scope in scopes
    assert caller.may("GET", scope) is inside
    assert caller.may("POST", scope) is (inside and (role is Role.ADMIN or (role is Role.SUBMIT and scope != "")))


def test_a_websocket_is_closed() -> None:
    sent: list[Any] = []

    async def run(guard: Guard) -> None:
        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {}

        await guard({"type": "websocket", "headers": []}, receive, send)

    asyncio.run(run(Guard(app, Loopback())))
    assert sent == [{"type": "websocket.close", "code": 1008}]
