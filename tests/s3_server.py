"""An S3 server to test against: our door over an embedded store, on its own port, behind a gate that knows keys."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import uvicorn
from botocore.config import Config
from starlette.types import ASGIApp

from trainyard.access.guard import Loopback
from trainyard.access.keys import Key
from trainyard.doors.aws.front import Front
from trainyard.doors.aws.identity import Identities
from trainyard.doors.s3.app import S3Door
from trainyard.doors.s3.world import World
from trainyard.kit.clock import SystemClock
from trainyard.model.keys import Scope
from trainyard.objects.embedded.store import EmbeddedStore
from trainyard.wiring.s3 import LIMITS

HOME = Scope("000000000000", "us-east-1")
KEYS = {
    "AKIDOWNER": Key(secret="owner-secret", account=HOME.account),
    "AKIDTENANT": Key(secret="tenant-secret", account="111111111111"),
    "AKIDREADER": Key(secret="reader-secret", account=HOME.account, reads_only=True),
}
DEADLINE = 20.0  # seconds for anything that must happen


@dataclass(frozen=True)
class S3Server:
    """A running door, and the store behind it."""

    url: str
    store: EmbeddedStore

    def client(self, key: str = "AKIDOWNER", secret: str | None = None, **config: Any) -> Any:
        """A stock boto3 client."""
        return boto3.client(
            "s3", endpoint_url=self.url, region_name="us-east-1", aws_access_key_id=key,
            aws_secret_access_key=KEYS[key].secret if secret is None else secret,
            config=Config(retries={"max_attempts": 1, "mode": "standard"}, **config),
        )  # fmt: skip


def a_front(store: EmbeddedStore, *, verifies: bool) -> ASGIApp:
    """The door behind the front of all AWS services, on the real clock."""
    clock = SystemClock()
    world = World(
        store=store, now=clock.now, new_id=lambda: str(uuid.uuid4()), account=HOME.account, region=HOME.region,
        for_owner=not verifies,
    )  # fmt: skip
    front = Front(
        doors={}, streams={"s3": (S3Door(world), LIMITS)}, judge=Loopback(), now=clock.now, new_id=world.new_id,
        identities=Identities(keys=KEYS.get, home=HOME, verifies=verifies),
    )  # fmt: skip
    return front.app()


@contextmanager
def s3_server(root: Path, *, verifies: bool = True) -> Iterator[S3Server]:
    """A server over a folder, for as long as the block lasts."""
    with closing(EmbeddedStore(root, SystemClock())) as store, listening(a_front(store, verifies=verifies)) as url:
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
