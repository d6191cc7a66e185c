"""GetLogEvents: one stream, onwards or backwards, by tokens that stay good."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trainyard.awswire.calls import Call
from trainyard.awswire.reading import read
from trainyard.doors.logs.errors import no_stream
from trainyard.doors.logs.groups import Members, ServiceOf, check_group, streams_of
from trainyard.doors.logs.requests import GetLogEvents
from trainyard.doors.logs.tokens import BACKWARD, FORWARD, event_place, event_token
from trainyard.model.ledger import LogEvent, Page
from trainyard.ports.service import TrainingService

LARGEST_PAGE, LARGEST_BYTES = 10_000, 1 << 20  # events; bytes of an answer
OVERHEAD = 26  # bytes that the service counts for each event besides its text


class Events:
    """The operation."""

    def __init__(self, service_of: ServiceOf) -> None:
        self._service_of = service_of

    async def get(self, call: Call, wire: dict[str, Any]) -> Members:
        """A page of events. At an end its own token comes back, and gives later what was written since."""
        request = read(GetLogEvents, wire)
        service = self._service_of(call.scope)
        await check_group(service, request)
        stream = _Stream(service, request.log_stream_name, since=_seconds(request.start_time), until=request.end_time)
        if stream.name not in await streams_of(service, stream.job):
            raise no_stream()
        limit = request.limit or LARGEST_PAGE
        direction, place = _begin(request)
        page = await (stream.onwards if direction == FORWARD else stream.backwards)(place, limit)
        return {
            "events": [told(event) for event in page.items],
            "nextForwardToken": event_token(FORWARD, page.token or ""),
            "nextBackwardToken": event_token(BACKWARD, page.before or ""),
        }


def _begin(request: GetLogEvents) -> tuple[str, str | None]:
    """Which way, and from where: without a token from the head if so asked, else from the tail."""
    if request.next_token is not None:
        return event_place(request.next_token)
    return (FORWARD if request.start_from_head else BACKWARD), None


class _Stream:
    """One stream as far as it lies between two times: from `since` (seconds) on, before `until` (ms)."""

    def __init__(self, service: TrainingService, name: str, *, since: float | None, until: int | None) -> None:
        self._service, self.name, self._since, self._until = service, name, since, until
        self.job = name.partition("/")[0]

    async def onwards(self, place: str | None, limit: int) -> Page[LogEvent]:
        page = await self._read(place, limit)
        fitting = self._early(page.items)[: _fitting(page.items)]
        if len(fitting) == len(page.items):
            return page
        if not fitting:
            begin = place if place is not None else page.before
            return Page((), begin, begin)
        return await self._read(place, len(fitting))

    async def backwards(self, place: str | None, limit: int) -> Page[LogEvent]:
        page = await self._read_back(place, limit)
        while page.items and not self._early(page.items):  # all of it is too late
            page = await self._read_back(page.before, limit)
        kept = self._early(page.items)
        if len(kept) < len(page.items):  # where the time that was asked for ends, this page does
            return Page(tuple(kept[-_fitting(kept[::-1]) :]), page.token, page.before)
        fitting = _fitting(kept[::-1])
        return page if fitting == len(kept) else await self._read_back(place, fitting)

    async def _read(self, place: str | None, limit: int) -> Page[LogEvent]:
        return await self._service.logs(self.job, stream=self.name, since=self._since, token=place, limit=limit)

    async def _read_back(self, place: str | None, count: int) -> Page[LogEvent]:
        return await self._service.logs(self.job, stream=self.name, since=self._since, tail=count, before=place)

    def _early(self, events: Sequence[LogEvent]) -> Sequence[LogEvent]:
        """Those before the end: times only grow."""
        until = self._until
        return events if until is None else [event for event in events if milliseconds(event) < until]


def told(event: LogEvent) -> Members:
    """An event as the service tells it. What a full log lost is said where it is missing."""
    at = milliseconds(event)
    return {"timestamp": at, "message": message_of(event), "ingestionTime": at}


def message_of(event: LogEvent) -> str:
    """The line."""
    return (
        event.message if not event.gap else f"[{event.gap} bytes were dropped here: the log was full] {event.message}"
    )


def milliseconds(event: LogEvent) -> int:
    """When it was written."""
    return int(event.at * 1000)


def _fitting(events: Sequence[LogEvent]) -> int:
    """How many of the first ones an answer holds; one at least."""
    size = 0
    for number, event in enumerate(events):
        size += len(event.message.encode("utf-8", "surrogatepass")) + OVERHEAD
        if size > LARGEST_BYTES and number:
            return number
    return len(events)


def _seconds(moment: int | None) -> float | None:
    return None if moment is None else moment / 1000
