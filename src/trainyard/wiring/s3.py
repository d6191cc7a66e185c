"""The S3 door of a server, over the home's embedded store; and what keeps that store free of leftovers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from trainyard.access.guard import Limits
from trainyard.doors.s3.app import S3Door
from trainyard.doors.s3.world import World
from trainyard.kit.clock import SystemClock
from trainyard.kit.ids import request_id
from trainyard.model.errors import TrainyardError
from trainyard.objects.embedded.store import EmbeddedStore
from trainyard.wiring.session import Session

_LOG = logging.getLogger(__name__)
STALE = 7 * 24 * 3600.0  # seconds after which an upload in parts that was not completed is ended
COLLECT_EVERY = 3600.0  # seconds
LIMITS = Limits(body=6 * 1024**3, seconds=24 * 3600.0)  # the door's own are closer: 5 GiB, and a minute without a byte


@asynccontextmanager
async def s3_door(session: Session, *, for_owner: bool) -> AsyncIterator[S3Door]:
    """The door, and its store kept tidy, for as long as the block lasts. for_owner: nobody else can reach it."""
    collecting = asyncio.create_task(_collect(session.objects.embedded(str(session.home.embedded_store))))
    try:
        yield door_of(session, for_owner=for_owner)
    finally:
        collecting.cancel()
        with suppress(asyncio.CancelledError):
            await collecting


def door_of(session: Session, *, for_owner: bool, for_programs: bool = False) -> S3Door:
    """The door alone. for_programs: a bucket that a job's program writes to is there from then on."""
    world = World(
        store=session.objects.embedded(str(session.home.embedded_store)), now=SystemClock().now,
        new_id=request_id, account=session.settings.account, region=session.settings.region,
        for_owner=for_owner, elsewhere=session.objects.elsewhere, makes_missing=for_programs,
    )  # fmt: skip
    return S3Door(world)


async def _collect(store: EmbeddedStore) -> None:
    while True:
        try:
            await store.collect(STALE)
        except (TrainyardError, OSError):
            _LOG.exception("the embedded store could not be swept")
        await asyncio.sleep(COLLECT_EVERY)
