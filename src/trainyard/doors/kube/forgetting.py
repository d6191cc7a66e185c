"""Events are news, not records: a while after the last time that one happened, it is forgotten.

An API server keeps them for an hour; here for a day, so that what happened in the night can be read in the morning.
What has to last stands in the objects' own status.
"""

from __future__ import annotations

import asyncio
import logging

from trainyard.doors.kube.builtin import EVENT
from trainyard.doors.kube.errors import Refused
from trainyard.doors.kube.options import DeleteOptions
from trainyard.doors.kube.world import World
from trainyard.doors.kube.writing import Writing
from trainyard.kit.times import epoch
from trainyard.model.errors import TrainyardError
from trainyard.ports.resources import Body

KEPT = 86_400.0  # seconds
EVERY = 600.0  # seconds between looks
_PAGE = 500
_log = logging.getLogger(__name__)


class Forgetting:
    """Removes the events of one world whose time is over."""

    def __init__(self, world: World, writing: Writing) -> None:
        self._world = world
        self._writing = writing

    async def run(self) -> None:
        """Forget until cancelled."""
        while True:
            try:
                await self.look()
            except TrainyardError as error:
                _log.warning("old events are forgotten later: %s", error)
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Look at every event once."""
        after: tuple[str, str] | None = None
        while True:
            page = await self._world.store.list(EVENT.collection, limit=_PAGE, after=after)
            for entry in page.entries:
                if self._world.now() - _last_time(entry.body, self._world.now()) > KEPT:
                    await self._forget(entry.key.namespace, entry.key.name, entry.body["metadata"].get("uid"))
            if (after := page.after) is None:
                return

    async def _forget(self, namespace: str, name: str, uid: str | None) -> None:
        try:
            await self._writing.delete(EVENT, namespace, name, DeleteOptions(uid=uid))
        except Refused as refused:
            _log.debug("an event stays: %s", refused.message)


def _last_time(body: Body, now: float) -> float:
    """When it last happened. Clients write these times: one that lies in the future counts for nothing."""
    series = body.get("series")
    told = (
        body["metadata"].get("creationTimestamp"),
        body.get("eventTime"),
        body.get("lastTimestamp"),
        series.get("lastObservedTime") if isinstance(series, dict) else None,
    )
    return max((at for text in told if (at := epoch(text)) is not None and at <= now), default=0.0)
