"""Kubernetes Events about objects: told in the background, repetitions counted in one object, and never in the way.

An event's name is made of what it says, so that the same thing told twice, also by the next process, is one event with
a count. One object may make so many, one process keeps so many waiting; what is beyond is dropped and counted.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from trainyard.kit.times import rfc3339
from trainyard.kubeapi.client import Client, Object
from trainyard.kubeapi.errors import AlreadyExists, ApiError, NotFound
from trainyard.kubeapi.kinds import EVENTS
from trainyard.kubeapi.limiter import Limiter
from trainyard.ports.clock import Clock

WAITING = 2000  # events kept until they can be sent
SENDERS = 4
_BURST, _RATE = 25, 1 / 60  # of one object: so many at once, then one a minute
_OBJECTS = 4096  # whose rates, and events whose counts, are remembered
_LONGEST = 1024  # characters of a message, the API's limit
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Told:
    namespace: str
    name: str
    body: Object


class Recorder:
    """Sends events while it runs."""

    def __init__(
        self, client: Client, clock: Clock, *, component: str, allowed: Callable[[], bool] = lambda: True
    ) -> None:
        self._client, self._clock, self._component, self._allowed = client, clock, component, allowed
        self._queue: asyncio.Queue[_Told] = asyncio.Queue(WAITING)
        self._rates: OrderedDict[str, Limiter] = OrderedDict()
        self._counts: OrderedDict[str, int] = OrderedDict()
        self.sent = 0
        self.dropped = 0

    def tell(self, about: Object, reason: str, message: str, *, warning: bool = False) -> None:
        """Tell something about an object; returns at once."""
        metadata = about.get("metadata") or {}
        if self._queue.full() or not self._within_rate(str(metadata.get("uid"))):
            self.dropped += 1
            return
        self._queue.put_nowait(self._event(about, metadata, reason, message[:_LONGEST], warning))

    async def run(self) -> None:
        """Send for ever."""
        async with asyncio.TaskGroup() as group:
            for _ in range(SENDERS):
                group.create_task(self._send_all())

    async def drained(self) -> None:
        """Wait until everything told so far was sent or dropped."""
        await self._queue.join()

    async def _send_all(self) -> None:
        while True:
            told = await self._queue.get()
            try:
                if self._allowed():
                    await self._send(told)
                    self.sent += 1
            except NotFound:  # its time in the server was over; the next one is a first one
                self._counts.pop(told.name, None)
                self.dropped += 1
            except ApiError as error:  # an event is help, not state: the next ones matter more than this one
                self.dropped += 1
                _LOG.debug("an event was not taken: %s", error)
            finally:
                self._queue.task_done()

    async def _send(self, told: _Told) -> None:
        """Once is created, again is counted; who told it before, also before this process, is no matter."""
        known = self._counts.get(told.name)
        if known is None:
            try:
                await self._client.create(EVENTS, told.namespace, told.body)
            except AlreadyExists:
                found = await self._client.get(EVENTS, told.namespace, told.name)
                known = int(found.get("count") or 1)
        if known is not None:
            patch = {"count": known + 1, "lastTimestamp": told.body["lastTimestamp"]}
            await self._client.patch(EVENTS, told.namespace, told.name, patch)
        self._remember(told.name, (known or 0) + 1)

    def _remember(self, name: str, count: int) -> None:
        self._counts[name] = count
        self._counts.move_to_end(name)
        if len(self._counts) > _OBJECTS:
            self._counts.popitem(last=False)

    def _within_rate(self, uid: str) -> bool:
        limiter = self._rates.pop(uid, None) or Limiter(_RATE, _BURST, self._clock.boottime)
        self._rates[uid] = limiter
        if len(self._rates) > _OBJECTS:
            self._rates.popitem(last=False)
        return limiter.try_take()

    def _event(self, about: Object, metadata: Any, reason: str, message: str, warning: bool) -> _Told:
        at = rfc3339(self._clock.now())
        namespace, kind = str(metadata.get("namespace") or "default"), "Warning" if warning else "Normal"
        said = "\0".join((str(metadata.get("uid")), kind, reason, message))
        name = f"{str(metadata.get('name'))[:200]}.{hashlib.sha256(said.encode('utf-8', 'replace')).hexdigest()[:16]}"
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": {
                "apiVersion": about.get("apiVersion"),
                "kind": about.get("kind"),
                "name": metadata.get("name"),
                "namespace": metadata.get("namespace"),
                "uid": metadata.get("uid"),
                "resourceVersion": metadata.get("resourceVersion"),
            },
            "type": kind,
            "reason": reason,
            "message": message,
            "count": 1,
            "firstTimestamp": at,
            "lastTimestamp": at,
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "reportingInstance": "",
        }
        return _Told(namespace, name, body)
