"""An S3 server to test against: our door over an embedded store, on its own port, behind a gate that knows keys."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
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
from trainyard.wiring.answering import answering
from trainyard.wiring.s3 import LIMITS
from trainyard.wiring.sockets import tcp_listener, url_of

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
    """An application on a free port of loopback, served as `trainyard serve` serves it; its URL."""
    ready, made = threading.Event(), {}

    async def serve() -> None:
        stop = asyncio.Event()
        async with answering(app, listener, grace=1.0):
            loop = asyncio.get_running_loop()
            made["stop"] = lambda: loop.call_soon_threadsafe(stop.set)
            ready.set()
            await stop.wait()

    with tcp_listener("127.0.0.1", 0, usual=0, option="") as listener:
        thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
        thread.start()
        assert ready.wait(DEADLINE), "the door did not open"
        try:
            yield url_of("127.0.0.1", listener, secure=False)
        finally:
            made["stop"]()
            thread.join(DEADLINE)
            assert not thread.is_alive(), "the door did not close"
