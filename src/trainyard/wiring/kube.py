"""The port of a server: the Kubernetes door over the home's database and, by its paths, the job API.

On loopback, or beyond it over TLS with tokens; the door also on a socket in the home.
"""

from __future__ import annotations

import base64
import secrets
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from starlette.types import ASGIApp

from trainyard.access import peers, tokens
from trainyard.access.guard import Bearer, Denied, Guard, Judge, Loopback, nobody_else, require_safe
from trainyard.doors.control.jobs import PREFIX
from trainyard.doors.kube.app import KubeDoor
from trainyard.doors.kube.errors import Refused
from trainyard.doors.kube.registry import Registry
from trainyard.doors.kube.world import Hook, World
from trainyard.kit import atomic
from trainyard.kit.clock import SystemClock
from trainyard.model.errors import TrainyardError
from trainyard.resource.crd import Validation, definition
from trainyard.stores.sqlite.resources import SqliteResourceStore
from trainyard.wiring.answering import ByPath, answering
from trainyard.wiring.kube_admission import warn_of_problems
from trainyard.wiring.listeners import DEFAULT_PORT, KubeListener
from trainyard.wiring.session import Session
from trainyard.wiring.sockets import tcp_listener, unix_listener, url_of

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
async def kube_serving(
    session: Session, where: KubeListener, jobs_for: Callable[[Judge], ASGIApp]
) -> AsyncIterator[str]:
    """The door, open for as long as the block lasts; gives its URL. Raises TrainyardError for what is not safe.

    jobs_for: the job API behind a judge of who asks; it answers on the port beside the door.
    """
    home = session.home
    require_safe(where.host, certificate=where.certificate, key=where.key, tokens=tokens.load(home.tokens))
    _require_trust(where)
    judge: Judge = Loopback() if peers.is_loopback(where.host) else Bearer(lambda: tokens.load(home.tokens))
    jobs = jobs_for(judge)
    door = a_door(SqliteResourceStore(session.database))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(door.running())
        await door.install(definition(Validation.ACK))
        listener = stack.enter_context(tcp_listener(where.host, where.port, usual=DEFAULT_PORT, option="--kube-port"))
        own = stack.enter_context(unix_listener(home.path, home.kube_socket.name))
        await stack.enter_async_context(answering(Guard(door, nobody_else, render=_status), own, grace=_GRACE))
        both = ByPath(PREFIX, jobs, Guard(door, judge, render=_status))
        await stack.enter_async_context(
            answering(both, listener, grace=_GRACE, certificate=where.certificate, key=where.key)
        )
        stack.callback(door.end_watches)
        url = url_of(where.host, listener, secure=where.certificate is not None)
        if peers.is_loopback(where.host):
            atomic.write_bytes(home.kubeconfig, kubeconfig(url, authority=where.certificate), mode=0o600)
        yield url


def _require_trust(where: KubeListener) -> None:
    if not (peers.is_loopback(where.host) or where.trusting):
        raise TrainyardError(
            "Jobs run here as processes of your own user, which is no security boundary: who may submit one from "
            "elsewhere can read and do what you can, the jobs of others included. If you trust everybody who is to "
            "hold a token, say so (--trust-submitters); else listen on 127.0.0.1."
        )


def _status(denied: Denied) -> bytes:
    return orjson.dumps(Refused(denied.code, denied.reason, denied.message).status())


def kubeconfig(url: str, *, token: str = "", authority: Path | None = None, namespace: str = "default") -> bytes:
    """A kubeconfig for a door, as JSON, which is YAML too."""
    cluster: dict[str, Any] = {"server": url}
    if authority is not None:  # inside, for the file is to be taken to other machines
        cluster["certificate-authority-data"] = base64.b64encode(authority.read_bytes()).decode()
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
