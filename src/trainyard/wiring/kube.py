"""The Kubernetes door of a server: over the home's database, on a loopback or TLS port, and on a socket in the home."""

from __future__ import annotations

import asyncio
import secrets
import socket
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any

import orjson
import uvicorn

from trainyard.access import peers, tokens
from trainyard.access.guard import Bearer, Denied, Guard, Judge, Loopback, nobody_else, require_safe
from trainyard.doors.kube.app import KubeDoor
from trainyard.doors.kube.errors import Refused
from trainyard.doors.kube.registry import Registry
from trainyard.doors.kube.world import Hook, World
from trainyard.kit import atomic
from trainyard.kit.clock import SystemClock
from trainyard.model.errors import TrainyardError
from trainyard.resource.crd import Validation, definition
from trainyard.stores.sqlite.database import Database
from trainyard.stores.sqlite.resources import SqliteResourceStore
from trainyard.wiring.home import Home
from trainyard.wiring.kube_admission import warn_of_problems
from trainyard.wiring.listeners import DEFAULT_PORT, KubeListener
from trainyard.wiring.sockets import unix_listener

SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # those of the API server: no word comes of them
_GRACE = 5  # seconds that requests in flight have once the server is to stop


def a_door(store: SqliteResourceStore, hooks: tuple[Hook, ...] = (warn_of_problems,)) -> KubeDoor:
    """The door over a store, on the real clock."""
    world = World(
        store=store, registry=Registry(store), now=SystemClock().now, uid=lambda: str(uuid.uuid4()),
        suffix=lambda: "".join(secrets.choice(SUFFIX_LETTERS) for _ in range(5)), hooks=hooks,
    )  # fmt: skip
    return KubeDoor(world)


@asynccontextmanager
async def kube_serving(home: Home, where: KubeListener) -> AsyncIterator[str]:
    """The door, open for as long as the block lasts; gives its URL. Raises TrainyardError for what is not safe."""
    require_safe(where.host, certificate=where.certificate, key=where.key, tokens=tokens.load(home.tokens))
    judge: Judge = Loopback() if peers.is_loopback(where.host) else Bearer(lambda: tokens.load(home.tokens))
    with closing(Database(home.database)) as database:
        door = a_door(SqliteResourceStore(database))
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(door.running())
            await door.install(definition(Validation.ACK))
            listener = stack.enter_context(_tcp_listener(where))
            own = stack.enter_context(unix_listener(home.path, home.kube_socket.name))
            await stack.enter_async_context(_answering(Guard(door, nobody_else, render=_status), own))
            await stack.enter_async_context(_answering(Guard(door, judge, render=_status), listener, where))
            stack.callback(door.end_watches)
            scheme = "http" if where.certificate is None else "https"
            url = f"{scheme}://{_bracketed(where.host)}:{listener.getsockname()[1]}"
            if peers.is_loopback(where.host):
                atomic.write_bytes(home.kubeconfig, kubeconfig(url, authority=where.certificate), mode=0o600)
            yield url


@asynccontextmanager
async def _answering(app: Guard, listener: socket.socket, where: KubeListener | None = None) -> AsyncIterator[None]:
    tls: dict[str, Any] = {}
    if where is not None and where.certificate is not None:
        tls = {"ssl_certfile": str(where.certificate), "ssl_keyfile": str(where.key)}
    config = uvicorn.Config(
        app, http="h11", log_level="warning", lifespan="off", access_log=False, server_header=False,
        timeout_graceful_shutdown=_GRACE, limit_concurrency=1000, h11_max_incomplete_event_size=65536, **tls,
    )  # fmt: skip
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


def _tcp_listener(where: KubeListener) -> closing[socket.socket]:
    """Bound to the port that was named; else to the usual one, or to any where another server has that."""
    ports = (DEFAULT_PORT, 0) if where.port is None else (where.port,)
    for port in ports:
        listener = socket.socket(socket.AF_INET6 if ":" in where.host else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((where.host, port))
        except OSError as error:
            listener.close()
            reason = error.strerror
        else:
            return closing(listener)
    raise TrainyardError(
        f"Port {ports[0]} of {where.host} cannot be listened on: {reason}. Name another with --kube-port."
    )


def _status(denied: Denied) -> bytes:
    return orjson.dumps(Refused(denied.code, denied.reason, denied.message).status())


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def kubeconfig(url: str, *, token: str = "", authority: Path | None = None, namespace: str = "default") -> bytes:
    """A kubeconfig for a door, as JSON, which is YAML too."""
    cluster: dict[str, Any] = {"server": url}
    if authority is not None:
        cluster["certificate-authority"] = str(authority.absolute())
    return orjson.dumps(
        {
            "apiVersion": "v1", "kind": "Config", "current-context": "trainyard", "preferences": {},
            "clusters": [{"name": "trainyard", "cluster": cluster}],
            "users": [{"name": "trainyard", "user": {"token": token} if token else {}}],
            "contexts": [
                {
                    "name": "trainyard",
                    "context": {"cluster": "trainyard", "user": "trainyard", "namespace": namespace},
                }
            ],
        },
        option=orjson.OPT_INDENT_2,
    )  # fmt: skip
