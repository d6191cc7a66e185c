"""An S3 server to test against: our door over an embedded store, on its own port, behind a gate that knows keys."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import uvicorn
from botocore.config import Config
from starlette.types import ASGIApp, Receive, Scope, Send

from trainyard.awswire import sigv2, sigv4
from trainyard.doors.s3.app import S3Door
from trainyard.doors.s3.world import World
from trainyard.kit.clock import SystemClock
from trainyard.model.keys import Scope as AwsScope
from trainyard.objects.embedded.store import EmbeddedStore

KEYS = {"AKIDOWNER": "owner-secret", "AKIDTENANT": "tenant-secret"}
ACCOUNTS = {"AKIDOWNER": "000000000000", "AKIDTENANT": "111111111111"}
DEADLINE = 20.0  # seconds for anything that must happen


class Gate:
    """SigV4 before the door, as a server beyond loopback has it."""

    def __init__(self, door: S3Door) -> None:
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = sigv4.RawRequest(scope["method"], scope["raw_path"], scope["query_string"], scope["headers"])
        try:
            key, seed = self._judged(request)
        except sigv4.SignatureRefused as refused:
            await self._door.refuse(refused, scope, send)
            return
        call = SimpleNamespace(scope=AwsScope(ACCOUNTS[key], "us-east-1"), reads_only=False, seed=seed)
        await self._door({**scope, "aws": call}, receive, send)

    def _judged(self, request: sigv4.RawRequest) -> tuple[str, sigv4.Seed | None]:
        presigned = sigv2.read(request)
        if presigned is not None:
            sigv2.verify(request, presigned, _secret(presigned.access_key), time.time())
            return presigned.access_key, None
        claim = sigv4.read(request)
        if claim is None:
            raise sigv4.SignatureRefused(sigv4.Fault.ABSENT, "")
        key = claim.scope.access_key
        return key, sigv4.verify(request, claim, _secret(key), time.time())


def _secret(key: str) -> str:
    if key not in KEYS:
        raise sigv4.SignatureRefused(sigv4.Fault.UNKNOWN_KEY, "")
    return KEYS[key]


@dataclass(frozen=True)
class S3Server:
    """A running door, and the store behind it."""

    url: str
    store: EmbeddedStore

    def client(self, key: str = "AKIDOWNER", secret: str | None = None, **config: Any) -> Any:
        """A stock boto3 client."""
        return boto3.client(
            "s3", endpoint_url=self.url, region_name="us-east-1", aws_access_key_id=key,
            aws_secret_access_key=KEYS.get(key, "") if secret is None else secret,
            config=Config(retries={"max_attempts": 1, "mode": "standard"}, **config),
        )  # fmt: skip


def a_door(store: EmbeddedStore) -> S3Door:
    """The door on the real clock."""
    return S3Door(
        World(
            store=store, now=SystemClock().now, new_id=lambda: str(uuid.uuid4()), account="000000000000",
            region="us-east-1",
        )
    )  # fmt: skip


@contextmanager
def s3_server(root: Path, *, gate: bool = True) -> Iterator[S3Server]:
    """A server over a folder, for as long as the block lasts."""
    with closing(EmbeddedStore(root, SystemClock())) as store:
        door = a_door(store)
        with listening(Gate(door) if gate else door) as url:
            yield S3Server(url, store)


@contextmanager
def listening(app: ASGIApp) -> Iterator[str]:
    """An application on a free port of loopback; its URL."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off", server_header=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + DEADLINE
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(DEADLINE)
