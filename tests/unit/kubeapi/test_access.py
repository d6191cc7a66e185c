"""How an API server is reached: kubeconfigs as people have them, a pod's own account, and what is wrong with them."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web
from ruamel.yaml import YAML

from trainyard.kit.clock import SystemClock
from trainyard.kubeapi.access import Access, in_pod
from trainyard.kubeapi.client import Client
from trainyard.kubeapi.errors import Forbidden, Unavailable
from trainyard.kubeapi.kubeconfig import files_of, from_kubeconfig
from trainyard.model.errors import TrainyardError

CLOCK = SystemClock()
AUTHORITY, STRANGER = trustme.CA(), trustme.CA()


@dataclass
class Server:
    """An API server over TLS that asks for a client certificate, and remembers who came with what."""

    port: int = 0
    good: str | None = None  # the one token that is taken, None is any
    came: list[dict[str, str]] = field(default_factory=list)

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Any request."""
        peer = request.transport.get_extra_info("peercert") if request.transport else None
        subject = dict(pair[0] for pair in (peer or {}).get("subject", ()))
        self.came.append({**request.headers, "subject": subject.get("organizationalUnitName", "")})
        if self.good is not None and request.headers.get("Authorization") != f"Bearer {self.good}":
            return web.json_response({"kind": "Status", "message": "Unauthorized", "code": 401}, status=401)
        return web.json_response({"path": request.path})


@asynccontextmanager
async def a_server(authority: trustme.CA = AUTHORITY, name: str = "127.0.0.1") -> AsyncIterator[Server]:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(tls)
    tls.verify_mode = ssl.CERT_OPTIONAL
    AUTHORITY.configure_trust(tls)
    server = Server()
    runner = web.ServerRunner(web.Server(server.handle, access_log=None), shutdown_timeout=0.05)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        server.port = runner.addresses[0][1]
        yield server
    finally:
        await runner.cleanup()


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


AUTHORITY_DATA = {"certificate-authority-data": encoded(AUTHORITY.cert_pem.bytes())}


def a_kubeconfig(path: Path, port: int, user: Any = None, cluster: Any = None, context: Any = None) -> Path:
    """A file with one of each, written as YAML."""
    content = {
        "apiVersion": "v1", "kind": "Config", "current-context": "one",
        "clusters": [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{port}", **(cluster or AUTHORITY_DATA)}}],
        "users": [{"name": "u", "user": user or {}}],
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u", **(context or {})}}],
    }  # fmt: skip
    with path.open("w") as out:
        YAML().dump(content, out)
    return path


async def visited(access: Access) -> dict[str, Any]:
    async with Client(access, CLOCK, timeout=10) as client:
        return await client.version()


async def test_a_token_in_the_file_goes_with_every_request(tmp_path: Path) -> None:
    async with a_server() as server:
        config = a_kubeconfig(tmp_path / "config", server.port, {"token": "abc", "as": "anna", "as-groups": ["team"]})
        access = from_kubeconfig([config], CLOCK)
        assert (await visited(access))["path"] == "/version"
        assert server.came[0]["Authorization"] == "Bearer abc"
        assert (server.came[0]["Impersonate-User"], server.came[0]["Impersonate-Group"]) == ("anna", "team")
        assert access.namespace == "default"


async def test_a_name_and_a_password(tmp_path: Path) -> None:
    async with a_server() as server:
        config = a_kubeconfig(tmp_path / "config", server.port, {"username": "anna", "password": "x"})
        await visited(from_kubeconfig([config], CLOCK))
        assert server.came[0]["Authorization"] == f"Basic {encoded(b'anna:x')}"


@pytest.mark.parametrize("where", ["in place", "in files"])
async def test_a_client_certificate_is_shown(tmp_path: Path, where: str) -> None:
    pair = AUTHORITY.issue_cert("anna@example.com", organization_unit_name="trainers")
    certificate, key = pair.cert_chain_pems[0].bytes(), pair.private_key_pem.bytes()
    (tmp_path / "anna.crt").write_bytes(certificate)
    (tmp_path / "anna.key").write_bytes(key)
    in_place = {"client-certificate-data": encoded(certificate), "client-key-data": encoded(key)}
    user = in_place if where == "in place" else {"client-certificate": "anna.crt", "client-key": "anna.key"}
    async with a_server() as server:
        await visited(from_kubeconfig([a_kubeconfig(tmp_path / "config", server.port, user)], CLOCK))
        assert server.came[0]["subject"] == "trainers"


async def test_a_token_file_is_read_again_once_the_server_refuses_it(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("old\n")
    async with a_server() as server:
        server.good = "new"
        access = from_kubeconfig([a_kubeconfig(tmp_path / "config", server.port, {"tokenFile": "token"})], CLOCK)
        async with Client(access, CLOCK) as client:
            with pytest.raises(Forbidden):
                await client.version()
            (tmp_path / "token").write_text("new\n")
            await client.version()
            (tmp_path / "token").unlink()  # within its time it is not read again
            await client.version()


PLUGIN = """
import json, os, pathlib, sys
info = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
runs = pathlib.Path(__file__).with_suffix(".runs")
count = int(runs.read_text()) + 1 if runs.exists() else 1
runs.write_text(str(count))
status = {"token": f"{sys.argv[1]}-{os.environ['EXTRA']}-{count}"}
if "--short" in sys.argv:
    status["expirationTimestamp"] = "2020-01-01T00:00:00Z"
print(json.dumps({"kind": "ExecCredential", "apiVersion": info["apiVersion"], "status": status}))
"""


def a_plugin(folder: Path, *arguments: str, code: str = PLUGIN) -> dict[str, Any]:
    (folder / "plugin.py").write_text(code)
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "command": sys.executable,
            "args": [str(folder / "plugin.py"), *arguments], "env": [{"name": "EXTRA", "value": "e"}],
        }
    }  # fmt: skip


async def test_a_plugin_is_asked_once_and_again_when_its_token_ends_or_is_refused(tmp_path: Path) -> None:
    async with a_server() as server:
        config = a_kubeconfig(tmp_path / "config", server.port, a_plugin(tmp_path, "t"))
        async with Client(from_kubeconfig([config], CLOCK), CLOCK) as client:
            await asyncio.gather(*(client.version() for _ in range(5)))
            assert {one["Authorization"] for one in server.came} == {"Bearer t-e-1"}
            server.good = "t-e-2"
            with pytest.raises(Forbidden):
                await client.version()
            await client.version()
    (tmp_path / "plugin.runs").unlink()
    async with a_server() as server:
        config = a_kubeconfig(tmp_path / "config", server.port, a_plugin(tmp_path, "t", "--short"))
        async with Client(from_kubeconfig([config], CLOCK), CLOCK) as client:
            await client.version()
            await client.version()
        assert [one["Authorization"] for one in server.came] == ["Bearer t-e-1", "Bearer t-e-2"]


async def test_a_plugin_may_give_a_certificate(tmp_path: Path) -> None:
    pair = AUTHORITY.issue_cert("anna@example.com", organization_unit_name="plugged")
    given = {
        "clientCertificateData": pair.cert_chain_pems[0].bytes().decode(),
        "clientKeyData": pair.private_key_pem.bytes().decode(),
    }
    code = f"print({json.dumps(json.dumps({'status': given}))})"
    async with a_server() as server:
        config = a_kubeconfig(tmp_path / "config", server.port, a_plugin(tmp_path, code=code))
        await visited(from_kubeconfig([config], CLOCK))
        assert server.came[0]["subject"] == "plugged"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; sys.exit('log in first')", "log in first"),
        ("print('no')", "no ExecCredential"),
        ("print('{}')", "no Exec"),
    ],
)
async def test_a_plugin_that_fails_is_quoted(tmp_path: Path, code: str, said: str) -> None:
    access = from_kubeconfig([a_kubeconfig(tmp_path / "config", 1, a_plugin(tmp_path, code=code))], CLOCK)
    with pytest.raises(TrainyardError, match=said):
        await visited(access)


async def test_a_plugin_that_is_not_there_says_how_to_get_it(tmp_path: Path) -> None:
    user = {"exec": {"command": "./absent", "installHint": "brew install absent"}}
    with pytest.raises(TrainyardError, match="brew install absent"):
        await visited(from_kubeconfig([a_kubeconfig(tmp_path / "config", 1, user)], CLOCK))


async def test_the_servers_certificate_is_checked(tmp_path: Path) -> None:
    async with a_server(STRANGER) as server:
        config = a_kubeconfig(tmp_path / "config", server.port)
        with pytest.raises(Unavailable, match=r"(?i)certificate"):
            await visited(from_kubeconfig([config], CLOCK))
        unchecked = a_kubeconfig(tmp_path / "unchecked", server.port, cluster={"insecure-skip-tls-verify": True})
        await visited(from_kubeconfig([unchecked], CLOCK))
    async with a_server(name="api.example") as server:
        with pytest.raises(Unavailable, match=r"(?i)certificate"):
            await visited(from_kubeconfig([a_kubeconfig(tmp_path / "config", server.port)], CLOCK))
        named = {**AUTHORITY_DATA, "tls-server-name": "api.example"}
        await visited(from_kubeconfig([a_kubeconfig(tmp_path / "config", server.port, cluster=named)], CLOCK))


async def test_contexts_and_several_files(tmp_path: Path) -> None:
    async with a_server() as server:
        first = a_kubeconfig(tmp_path / "first", server.port, {"token": "first"}, context={"namespace": "team"})
        second = a_kubeconfig(tmp_path / "second", 1, {"token": "second"})
        text = (
            second.read_text().replace("current-context: one", "current-context: two").replace("name: one", "name: two")
        )
        second.write_text(text)
        access = from_kubeconfig([first, second], CLOCK)
        assert access.namespace == "team"
        await visited(access)
        await visited(from_kubeconfig([first, second], CLOCK, "two"))  # clusters and users of the first file win
        assert [one["Authorization"] for one in server.came] == ["Bearer first"] * 2
        with pytest.raises(TrainyardError, match="no context 'three'"):
            from_kubeconfig([first, second], CLOCK, "three")


def test_which_files_count(tmp_path: Path) -> None:
    (tmp_path / ".kube").mkdir()
    assert files_of({"HOME": str(tmp_path)}) == []
    usual, other = tmp_path / ".kube" / "config", tmp_path / "other"
    usual.touch()
    other.touch()
    assert files_of({"HOME": str(tmp_path)}) == [usual]
    assert files_of({"HOME": str(tmp_path), "KUBECONFIG": f"{other}:{tmp_path}/absent:{usual}"}) == [other, usual]


def a_cluster(members: dict[str, str]) -> dict[str, Any]:
    return {"clusters": [{"name": "c", "cluster": {"server": "https://x", **members}}]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"users": [{"name": "u", "user": {"auth-provider": {"name": "gcp"}}}]}, "auth-provider is not supported"),
        ({"clusters": []}, "no cluster 'c'"),
        ({"users": []}, "no user 'u'"),
        ({"current-context": ""}, "names no context"),
        ({"users": [{"name": "u", "user": {"as-groups": ["a", "b"]}}]}, "several groups"),
        (a_cluster({"certificate-authority-data": "%"}), "be read"),
        (a_cluster({"proxy-url": "http://p"}), "proxy-url"),
        ({"users": [{"name": "u", "user": {"client-certificate": "absent", "client-key": "absent"}}]}, "be read"),
    ],
)  # fmt: skip
def test_a_file_that_is_wrong_says_what(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    path = a_kubeconfig(tmp_path / "config", 1)
    content = YAML(typ="safe", pure=True).load(path)
    path.write_text(json.dumps({**content, **change}))
    with pytest.raises(TrainyardError, match=said):
        from_kubeconfig([path], CLOCK)


@pytest.mark.parametrize("content", [b"- a\n", b"{", b"\xff\xfe", b"a: &a [*a, *a]: b"])
def test_a_file_that_is_none_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config"
    path.write_bytes(content)
    with pytest.raises(TrainyardError, match="kubeconfig"):
        from_kubeconfig([path], CLOCK)


async def test_in_a_pod_its_own_account_is_used_and_its_token_read_again(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("pod\n")
    (tmp_path / "namespace").write_text("team\n")
    (tmp_path / "ca.crt").write_bytes(AUTHORITY.cert_pem.bytes())
    async with a_server() as server:
        environment = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(server.port)}
        access = in_pod(environment, CLOCK, tmp_path)
        assert access is not None
        assert access.namespace == "team"
        await visited(access)
        assert server.came[0]["Authorization"] == "Bearer pod"
    assert in_pod({}, CLOCK, tmp_path) is None
    assert in_pod(environment, CLOCK, tmp_path / "nobody") is None
    ipv6 = in_pod({**environment, "KUBERNETES_SERVICE_HOST": "::1"}, CLOCK, tmp_path)
    assert ipv6 is not None
    assert ipv6.server.startswith("https://[::1]:")
