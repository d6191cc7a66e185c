"""The container credentials endpoint: a job's token in, the keys of its role out. Nothing of either is logged."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Receive, Scope, Send

from trainyard.awswire.query import moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The keys of a role. expires: epoch seconds; clients ask again some minutes before."""

    role: str
    access_key: str
    secret: str = field(repr=False)
    token: str = field(repr=False)
    expires: float


KeysOf = Callable[[str], Keys | None]
"""The keys that a token is good for, now; None for a token that is none, or no more."""


def credentials_app(keys_of: KeysOf) -> ASGIApp:
    """The application; it is asked with GET, whatever the path."""

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["method"] != "GET":
            await _send(send, 405, {"code": "MethodNotAllowed", "message": "Keys are asked for with GET."})
            return
        tokens = [value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"]
        keys = keys_of(tokens[0]) if len(tokens) == 1 else None
        if keys is None:
            text = "No job that runs has this token: AWS_CONTAINER_AUTHORIZATION_TOKEN holds a job's own."
            await _send(send, 401, {"code": "AccessDenied", "message": text})
        else:
            await _send(send, 200, _document(keys))

    return app


def _document(keys: Keys) -> dict[str, str]:
    return {
        "RoleArn": keys.role,
        "AccessKeyId": keys.access_key,
        "SecretAccessKey": keys.secret,
        "Token": keys.token,
        "Expiration": moment(keys.expires),
    }


async def _send(send: Send, status: int, document: dict[str, str]) -> None:
    body = json.dumps(document).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
