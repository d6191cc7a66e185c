"""A job's output from CloudWatch Logs: one stream a host and attempt, pages of several merged by time.

A token holds where each stream was read to, as CloudWatch's own forward tokens, which are stable: the same token later
gives what was written since.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainyard.amazon.calling import Calling
from trainyard.lifecycle.naming import LOG_GROUP
from trainyard.model.errors import ResourceNotFound, ServiceError, ValidationRefused
from trainyard.model.ledger import LogEvent, Page

LARGEST_PAGE = 10_000  # events that one call may ask for
_ABSENT = "ResourceNotFoundException"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which lines: of one stream or all, from `since` (epoch seconds) on, only the last `tail`, before a page."""

    stream: str | None = None
    since: float | None = None
    token: str | None = None
    tail: int | None = None
    before: str | None = None
    limit: int = LARGEST_PAGE


class CloudWatchLogs:
    """The log group of training jobs."""

    def __init__(self, calling: Calling) -> None:
        self._calling = calling

    async def streams(self, name: str) -> Sequence[str]:
        """Names of the job's streams, oldest first; none while nothing was written."""
        found: list[Mapping[str, Any]] = []
        request = {"logGroupName": LOG_GROUP, "logStreamNamePrefix": f"{name}/", "limit": 50}
        try:
            async for page in self._calling.pages("logs", "describe_log_streams", **request):
                found += page["logStreams"]
        except (ResourceNotFound, ServiceError) as error:
            if not _is_absent(error):
                raise
        found.sort(key=lambda stream: (stream.get("creationTime", 0), stream["logStreamName"]))
        return [str(stream["logStreamName"]) for stream in found]

    async def read(self, name: str, wanted: Wanted) -> Page[LogEvent]:
        """Up to `limit` lines from the token on, merged by time; the page's token is where to read on."""
        places = _places(wanted.token if wanted.before is None else wanted.before)
        streams = [one for one in await self.streams(name) if wanted.stream in (None, one)]
        each = max(1, min(LARGEST_PAGE, wanted.limit if wanted.tail is None else wanted.tail) // max(1, len(streams)))
        pieces = await asyncio.gather(*(self._piece(one, places.get(one), wanted, each) for one in streams))
        events = sorted((event for piece, _, _ in pieces for event in piece), key=lambda event: event.at)
        after = places | {one: place for one, (_, place, _) in zip(streams, pieces, strict=True) if place}
        before = places | {one: place for one, (_, _, place) in zip(streams, pieces, strict=True) if place}
        kept = events if wanted.tail is None else events[-wanted.tail :]
        return Page(tuple(kept), _token(after), _token(before))

    async def _piece(
        self, stream: str, place: str | None, wanted: Wanted, limit: int
    ) -> tuple[list[LogEvent], str | None, str | None]:
        """The lines of a stream, and where they end and begin."""
        request: dict[str, Any] = {
            "logGroupName": LOG_GROUP, "logStreamName": stream, "limit": limit,
            "startFromHead": wanted.tail is None,
        }  # fmt: skip
        if place is not None:
            request["nextToken"] = place
        if wanted.since is not None:
            request["startTime"] = int(wanted.since * 1000)
        try:
            page = await self._calling("logs", "get_log_events", **request)
        except (ResourceNotFound, ServiceError) as error:
            if not _is_absent(error):
                raise
            return [], place, place
        events = [_event(stream, event) for event in page["events"]]
        return events, page.get("nextForwardToken", place), page.get("nextBackwardToken", place)


def _event(stream: str, event: Mapping[str, Any]) -> LogEvent:
    """`offset` is the event's time in ms: CloudWatch tells no place in the stream."""
    return LogEvent(
        stream=stream, offset=int(event["timestamp"]), at=event["timestamp"] / 1000, message=str(event["message"])
    )


def _is_absent(error: ServiceError) -> bool:
    """Whether there is no such group or stream yet: the service makes them with the first line."""
    return error.code == _ABSENT or isinstance(error, ResourceNotFound)


def _token(places: Mapping[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(places, sort_keys=True).encode()).decode()


def _places(token: str | None) -> dict[str, str]:
    if token is None:
        return {}
    try:
        places = json.loads(base64.urlsafe_b64decode(token.encode()))
    except (ValueError, binascii.Error, RecursionError):
        places = None
    if not isinstance(places, dict) or not all(isinstance(place, str) for place in places.values()):
        raise ValidationRefused("The log token is invalid.")
    return places
