"""How an API server is reached and with what: an address, TLS, and credentials that may change while we run."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from trainyard.model.errors import TrainyardError
from trainyard.ports.clock import Clock

POD_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_TOKEN_KEPT = 60.0  # seconds that a token file's content is used; the kubelet replaces it long before it expires


class Credentials(Protocol):
    """What a request says about who makes it."""

    async def headers(self) -> Mapping[str, str]:
        """The headers to send. Raises TrainyardError where there are none to be had."""
        ...

    def rejected(self) -> None:
        """The server answered 401: do not use the same again."""
        ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """Headers that do not change; none for a client certificate or a trusted socket."""

    values: tuple[tuple[str, str], ...] = ()

    async def headers(self) -> Mapping[str, str]:
        """The headers to send."""
        return dict(self.values)

    def rejected(self) -> None:
        """There are no others."""


class TokenFile:
    """A bearer token that somebody else keeps fresh in a file."""

    def __init__(self, path: Path, clock: Clock, extra: tuple[tuple[str, str], ...] = ()) -> None:
        self._path, self._clock, self._extra = path, clock, extra
        self._token, self._read_at = "", float("-inf")

    async def headers(self) -> Mapping[str, str]:
        """The headers to send."""
        now = self._clock.boottime()
        if now - self._read_at > _TOKEN_KEPT:
            try:
                self._token = self._path.read_text().strip()
            except OSError as error:
                raise TrainyardError(f"The token file {self._path} cannot be read: {error.strerror}.") from error
            self._read_at = now
        return {**dict(self._extra), "Authorization": f"Bearer {self._token}"}

    def rejected(self) -> None:
        """Read the file again before the next request."""
        self._read_at = float("-inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """One API server.

    server      : `https://host:port`, perhaps with a path before `/api`.
    socket      : a unix socket to go through instead of TCP; the server's address then only names it.
    tls         : None for http.
    server_name : what its certificate is checked for, where it is not the address.
    namespace   : the context's, or the pod's own.
    """

    server: str
    credentials: Credentials
    tls: ssl.SSLContext | None = None
    socket: str | None = None
    server_name: str | None = None
    namespace: str = "default"


def over_socket(path: str) -> Access:
    """An API server on a unix socket that trusts whoever can open it."""
    return Access(server="http://localhost", credentials=Fixed(), socket=path)


def in_pod(environment: Mapping[str, str], clock: Clock, account: Path = POD_ACCOUNT) -> Access | None:
    """The cluster that the pod runs in; None outside of one."""
    host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT")
    token = account / "token"
    if not host or not port or not token.exists():
        return None
    namespace = account / "namespace"
    return Access(
        server=f"https://{f'[{host}]' if ':' in host else host}:{port}",
        credentials=TokenFile(token, clock),
        tls=ssl.create_default_context(cafile=str(account / "ca.crt")),
        namespace=namespace.read_text().strip() if namespace.exists() else "default",
    )
