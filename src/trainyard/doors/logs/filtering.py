"""FilterLogEvents: the events of several streams that a pattern fits.

A call looks at so much and no more; what it did not come to, the next one does, by its token. Jobs are gone through by
their names, the events of an answer stand in order of time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from trainyard.awswire.calls import Call
from trainyard.awswire.reading import read
from trainyard.doors.logs.errors import invalid
from trainyard.doors.logs.events import LARGEST_BYTES, LARGEST_PAGE, OVERHEAD, message_of, milliseconds
from trainyard.doors.logs.groups import Members, ServiceOf, check_group, jobs_with
from trainyard.doors.logs.patterns import Fits, pattern_of
from trainyard.doors.logs.requests import FilterLogEvents
from trainyard.doors.logs.tokens import packed, unpacked
from trainyard.model.errors import ResourceNotFound
from trainyard.model.ledger import LogEvent
from trainyard.ports.service import TrainingService

LOOKED_AT = 50_000  # events of one call


@dataclass(slots=True)
class _Answer:
    """The events of one answer, and what it still takes."""

    limit: int
    fits: Fits
    events: list[LogEvent] = field(default_factory=list)
    looked_at: int = 0
    size: int = 0

    def is_full(self) -> bool:
        return len(self.events) >= self.limit or self.looked_at >= LOOKED_AT or self.size >= LARGEST_BYTES

    def room(self) -> int:
        return min(self.limit - len(self.events), LOOKED_AT - self.looked_at)

    def look_at(self, event: LogEvent, *, is_meant: bool) -> None:
        self.looked_at += 1
        if is_meant and self.fits(event.message):
            self.events.append(event)
            self.size += len(event.message) + OVERHEAD


class Filtering:
    """The operation."""

    def __init__(self, service_of: ServiceOf) -> None:
        self._service_of = service_of

    async def filter(self, call: Call, wire: dict[str, Any]) -> Members:
        """A page of events, perhaps an empty one with a token."""
        request = read(FilterLogEvents, wire)
        if request.log_stream_names is not None and request.log_stream_name_prefix is not None:
            raise invalid("logStreamNames and logStreamNamePrefix are mutually exclusive.")
        service = self._service_of(call.scope)
        await check_group(service, request)
        answer = _Answer(request.limit or LARGEST_PAGE, pattern_of(request.filter_pattern or ""))
        after = unpacked(request.next_token) if request.next_token is not None else {}
        token = await _fill(answer, service, request, after)
        answer.events.sort(key=lambda event: event.at)
        told: Members = {"events": [_told(event) for event in answer.events], "searchedLogStreams": []}
        return told if token is None else {**told, "nextToken": token}


async def _fill(
    answer: _Answer, service: TrainingService, request: FilterLogEvents, after: dict[str, str]
) -> str | None:
    """Look at events from a place on; the token of where it stopped, None at the end."""
    resumed, place = after.get("job"), after.get("place")
    async for job, page in _jobs(service, request, after.get("page", "")):
        if resumed is not None:
            if job < resumed:  # they come by their names
                continue
            place = place if job == resumed else None  # else that one is gone
            resumed = None
        place = await _read(answer, service, request, job, place)
        if place is not None:
            return packed({"job": job, "place": place, "page": page})
    return None


async def _read(
    answer: _Answer, service: TrainingService, request: FilterLogEvents, job: str, place: str | None
) -> str | None:
    """Look at a job's events; where it stopped because the answer is full, None where there are no more."""
    since = None if request.start_time is None else request.start_time / 1000
    while True:
        try:
            page = await service.logs(job, since=since, token=place, limit=max(1, min(1000, answer.room())))
        except ResourceNotFound:
            return None
        for event in page.items:
            answer.look_at(event, is_meant=_is_meant(request, event))
        if not page.items and page.token == place:
            return None
        place = page.token
        if answer.is_full():
            return place
        if not page.items:
            return None


def _is_meant(request: FilterLogEvents, event: LogEvent) -> bool:
    named = request.log_stream_names is None or event.stream in request.log_stream_names
    early = request.end_time is None or milliseconds(event) < request.end_time
    return named and early and event.stream.startswith(request.log_stream_name_prefix or "")


async def _jobs(service: TrainingService, request: FilterLogEvents, page: str) -> AsyncIterator[tuple[str, str]]:
    """Names of jobs that may have such events, with the token of the page that each is on."""
    if request.log_stream_names is not None:
        for job in sorted({name.partition("/")[0] for name in request.log_stream_names}):
            yield job, ""
        return
    async for one in jobs_with(service, request.log_stream_name_prefix or "", page):
        yield one


def _told(event: LogEvent) -> Members:
    at = milliseconds(event)
    return {
        "logStreamName": event.stream, "timestamp": at, "message": message_of(event), "ingestionTime": at,
        "eventId": f"{int(sha256(event.stream.encode()).hexdigest()[:15], 16):020d}{event.offset:036d}",
    }  # fmt: skip
