"""Kubernetes Events about objects: told in the background, repetitions counted in one object, and never in the way.

An event's name ends in the time when it was first told, as client-go names them: where a server cuts times to whole
seconds, kubectl keeps the order of names within one. One object may make so many, one process keeps so many waiting;
what is beyond is dropped and counted. (client-go keeps 1,000 waiting, and an object may make 25, then one in five
minutes.)
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from trainyard.kit.times import rfc3339_micro
from trainyard.kubeapi.client import Client, Object
from trainyard.kubeapi.errors import ApiError, NotFound
from trainyard.kubeapi.kinds import EVENTS
from trainyard.kubeapi.limiter import Limiter
from trainyard.ports.clock import Clock

WAITING = 10_000  # events kept until they can be sent, less than 1 KB each
SENDERS = 4
_BURST, _RATE = 25, 1 / 60  # of one object: so many at once, then one a minute
_OBJECTS = 4096  # whose rates, and events whose counts, are remembered
_LONGEST = 1024  # characters of a message, the API's limit
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Told:
    """What was told; of the object only what names it, for many of these wait where a server is slow."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str
    revision: str
    type: str
    reason: str
    message: str
    at: float

    @property
    def where(self) -> str:
        """The namespace of the event."""
        return self.namespace or "default"

    @property
    def sameness(self) -> tuple[str, str, str, str]:
        """What two events have in common that are one, told twice."""
        return self.uid, self.type, self.reason, self.message


@dataclass(frozen=True, slots=True)
class _Sent:
    name: str
    count: int


class Recorder:
    """Sends events while it runs."""

    def __init__(
        self, client: Client, clock: Clock, *, component: str, allowed: Callable[[], bool] = lambda: True
    ) -> None:
        self._client, self._clock, self._component, self._allowed = client, clock, component, allowed
        self._queue: asyncio.Queue[_Told] = asyncio.Queue(WAITING)
        self._rates: OrderedDict[str, Limiter] = OrderedDict()
        self._known: OrderedDict[tuple[str, str, str, str], _Sent] = OrderedDict()
        self._moment = 0
        self.sent = 0
        self.dropped = 0

    def tell(self, about: Object, reason: str, message: str, *, warning: bool = False) -> None:
        """Tell something about an object; returns at once."""
        metadata = about.get("metadata") or {}
        if self._queue.full() or not self._within_rate(str(metadata.get("uid"))):
            self.dropped += 1
            return
        self._queue.put_nowait(
            _Told(
                api_version=str(about.get("apiVersion") or ""), kind=str(about.get("kind") or ""),
                namespace=str(metadata.get("namespace") or ""), name=str(metadata.get("name")),
                uid=str(metadata.get("uid")), revision=str(metadata.get("resourceVersion") or ""),
                type="Warning" if warning else "Normal", reason=reason, message=message[:_LONGEST],
                at=self._clock.now(),
            )
        )  # fmt: skip

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
                self._known.pop(told.sameness, None)
                self.dropped += 1
            except ApiError as error:  # an event is help, not state: the next ones matter more than this one
                self.dropped += 1
                _LOG.debug("an event was not taken: %s", error)
            finally:
                self._queue.task_done()

    async def _send(self, told: _Told) -> None:
        """The first time it is created, then it is counted."""
        known = self._known.get(told.sameness)
        if known is None:
            await self._send_first(told)
            return
        self._remember(told, _Sent(known.name, known.count + 1))  # the other senders count on from here
        patch = {"count": known.count + 1, "lastTimestamp": rfc3339_micro(told.at)}
        await self._client.patch(EVENTS, told.where, known.name, patch)

    async def _send_first(self, told: _Told) -> None:
        name = self._name(told)
        self._remember(told, _Sent(name, 1))
        try:
            await self._client.create(EVENTS, told.where, self._event(told, name))
        except ApiError:
            self._known.pop(told.sameness, None)
            raise

    def _name(self, told: _Told) -> str:
        """A name that comes after all that were given before it."""
        self._moment = max(self._moment + 1, int(told.at * 1_000_000_000))
        return f"{told.name[:200]}.{self._moment:016x}"

    def _remember(self, told: _Told, sent: _Sent) -> None:
        self._known[told.sameness] = sent
        self._known.move_to_end(told.sameness)
        if len(self._known) > _OBJECTS:
            self._known.popitem(last=False)

    def _within_rate(self, uid: str) -> bool:
        limiter = self._rates.pop(uid, None) or Limiter(_RATE, _BURST, self._clock.boottime)
        self._rates[uid] = limiter
        if len(self._rates) > _OBJECTS:
            self._rates.popitem(last=False)
        return limiter.try_take()

    def _event(self, told: _Told, name: str) -> Object:
        at = rfc3339_micro(told.at)
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": told.where},
            "involvedObject": {
                "apiVersion": told.api_version,
                "kind": told.kind,
                "name": told.name,
                "namespace": told.namespace,
                "uid": told.uid,
                "resourceVersion": told.revision,
            },
            "type": told.type,
            "reason": told.reason,
            "message": told.message,
            "count": 1,
            "firstTimestamp": at,
            "lastTimestamp": at,
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "reportingInstance": "",
        }
