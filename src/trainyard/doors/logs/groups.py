"""The one group, and its streams in pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from trainyard.awswire.calls import Call
from trainyard.awswire.reading import read
from trainyard.doors.logs.errors import invalid, no_group
from trainyard.doors.logs.requests import DescribeLogGroups, DescribeLogStreams, InGroup
from trainyard.doors.logs.tokens import packed, unpacked
from trainyard.lifecycle.naming import LOG_GROUP
from trainyard.model import arn
from trainyard.model.errors import ResourceNotFound
from trainyard.model.keys import Scope
from trainyard.model.listing import ListQuery
from trainyard.ports.service import TrainingService

ServiceOf = Callable[[Scope], TrainingService]
Members = dict[str, Any]
LARGEST_PAGE = 50


def group_arn(scope: Scope) -> str:
    """The group's ARN, without the `:*` of older answers."""
    return f"arn:{arn.partition_of(scope.region)}:logs:{scope.region}:{scope.account}:log-group:{LOG_GROUP}"


async def check_group(service: TrainingService, request: InGroup) -> None:
    """Raise Refusal for another group than that of training jobs, or for an account that never had any."""
    given = (request.log_group_name, request.log_group_identifier)
    if None not in given:
        raise invalid("LogGroup name and LogGroup ARN are mutually exclusive parameters.")
    named = given[0] or given[1]
    if named is None:
        raise invalid("Either logGroupName or logGroupIdentifier must be given.")
    if named not in (LOG_GROUP, group_arn(service.scope)) or not await _has_jobs(service):
        raise no_group()


class Groups:
    """DescribeLogGroups and DescribeLogStreams."""

    def __init__(self, service_of: ServiceOf) -> None:
        self._service_of = service_of

    async def groups(self, call: Call, wire: dict[str, Any]) -> Members:
        """The group, if it is asked for and there is any job."""
        request = read(DescribeLogGroups, wire)
        prefix, pattern = request.log_group_name_prefix, request.log_group_name_pattern
        if prefix is not None and pattern is not None:
            raise invalid("logGroupNamePrefix and logGroupNamePattern are mutually exclusive.")
        named = request.log_group_identifiers
        is_meant = (
            LOG_GROUP.startswith(prefix or "")
            and (pattern or "").lower() in LOG_GROUP.lower()
            and request.log_group_class in (None, "STANDARD")
            and (named is None or not {LOG_GROUP, group_arn(call.scope)}.isdisjoint(named))
        )
        service = self._service_of(call.scope)
        if not is_meant or not await _has_jobs(service):
            return {"logGroups": []}
        first = (await service.list(ListQuery(limit=1, sort_by="CreationTime", descending=False))).items[0]
        whole = group_arn(call.scope)
        group = {
            "logGroupName": LOG_GROUP, "creationTime": int(first.created_at * 1000), "metricFilterCount": 0,
            "arn": f"{whole}:*", "storedBytes": 0, "logGroupClass": "STANDARD", "logGroupArn": whole,
        }  # fmt: skip
        return {"logGroups": [group]}

    async def streams(self, call: Call, wire: dict[str, Any]) -> Members:
        """A page of streams. A token comes only where there is a stream behind the page."""
        request = read(DescribeLogStreams, wire)
        service = self._service_of(call.scope)
        prefix = request.log_stream_name_prefix or ""
        if prefix and request.order_by == "LastEventTime":
            raise invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
        await check_group(service, request)
        limit = request.limit or LARGEST_PAGE
        after = unpacked(request.next_token) if request.next_token is not None else {}
        found: list[tuple[str, str, str]] = []
        async for job, stream, page in _streams(service, request, prefix, after):
            found.append((job, stream, page))
            if len(found) > limit:
                break
        shown = found[:limit]
        answer: Members = {"logStreams": [await _described(service, job, stream) for job, stream, _ in shown]}
        if len(found) > limit:
            answer["nextToken"] = packed({"stream": shown[-1][1], "page": shown[-1][2]})
        return answer


async def streams_of(service: TrainingService, job: str) -> list[str]:
    """A job's streams; none of a job that is not there."""
    try:
        return list(await service.log_streams(job))
    except ResourceNotFound:
        return []


async def _has_jobs(service: TrainingService) -> bool:
    return bool((await service.list(ListQuery(limit=1))).items)


async def _streams(
    service: TrainingService, request: DescribeLogStreams, prefix: str, after: dict[str, str]
) -> AsyncIterator[tuple[str, str, str]]:
    """(job, stream, token of the page of jobs) from a place on, in the order that was asked for."""
    descending = bool(request.descending)
    last = after.get("stream")
    gone = last is not None and not await streams_of(service, last.partition("/")[0])
    order = "CreationTime" if request.order_by == "LastEventTime" else "Name"
    found = jobs_with(service, prefix, after.get("page", ""), sort_by=order, descending=descending)
    async for job, page in found:
        streams = sorted(await streams_of(service, job), reverse=descending)
        if last is not None:
            resumed = last.partition("/")[0]
            if job != resumed and not (gone and _is_behind(job, resumed, request)):
                continue
            streams = [one for one in streams if job != resumed or (one < last if descending else one > last)]
            last = None
        for stream in streams:
            if stream.startswith(prefix):
                yield job, stream, page


def _is_behind(job: str, gone: str, request: DescribeLogStreams) -> bool:
    """Whether a job comes behind one that was deleted; unknown in the order of creation, where it comes once more."""
    if request.order_by == "LastEventTime":
        return True
    return job < gone if request.descending else job > gone


async def jobs_with(
    service: TrainingService, prefix: str, page: str, *, sort_by: str = "Name", descending: bool = False
) -> AsyncIterator[tuple[str, str]]:
    """Names of jobs that may have streams with that prefix, each with the token of the page that it is on."""
    job, slash, _ = prefix.partition("/")
    if slash:
        yield job, ""
        return
    while True:
        query = ListQuery(
            limit=100, token=page or None, name_contains=job or None, sort_by=sort_by, descending=descending
        )  # fmt: skip
        found = await service.list(query)
        for summary in found.items:
            if summary.name.startswith(job):
                yield summary.name, page
        if found.token is None:
            return
        page = found.token


async def _described(service: TrainingService, job: str, stream: str) -> Members:
    first = (await service.logs(job, stream=stream, limit=1)).items
    last = (await service.logs(job, stream=stream, tail=1)).items
    began = stream.rpartition("-")[2]
    told: Members = {
        "logStreamName": stream, "creationTime": int(began) * 1000 if began.isdecimal() else 0,
        "arn": f"{group_arn(service.scope)}:log-stream:{stream}", "storedBytes": 0,
    }  # fmt: skip
    if first and last:
        told |= {
            "firstEventTimestamp": int(first[0].at * 1000), "lastEventTimestamp": int(last[-1].at * 1000),
            "lastIngestionTime": int(last[-1].at * 1000),
        }  # fmt: skip
    return told
