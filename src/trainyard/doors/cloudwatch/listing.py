"""ListMetrics: the series of the jobs that moved within two weeks, a page of jobs after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from trainyard.awswire.calls import Call, Refusal
from trainyard.awswire.reading import read
from trainyard.doors.cloudwatch import requests
from trainyard.doors.cloudwatch.series import NAMESPACE, OF_HOST, OF_JOB, Members, Named, ServiceOf
from trainyard.model.errors import ResourceNotFound, ValidationRefused
from trainyard.model.listing import ListQuery
from trainyard.ports.service import TrainingService

_JOBS = 20  # of one page: at most 500 series as the service has it, if a job has no more than 25
_LISTED, _RECENT = 14 * 86_400.0, 3 * 3_600.0  # seconds that a series is known for after its last point
_LOOK_BACK = 120.0  # seconds before a job's last moment in which its hosts told of their use


class Listing:
    """The operation."""

    def __init__(self, service_of: ServiceOf, now: Callable[[], float]) -> None:
        self._service_of, self._now = service_of, now

    async def list(self, call: Call, wire: Members) -> Members:
        """A page of series."""
        request = read(requests.ListMetrics, wire)
        if request.namespace not in (None, NAMESPACE) or request.owning_account not in (None, call.scope.account):
            return {"Metrics": []}
        service, now = self._service_of(call.scope), self._now()
        since = now - (_LISTED if request.recently_active is None else _RECENT)
        jobs, following = await _jobs(service, request, since)
        found: list[Members] = []
        for job in jobs:
            found += [one.told() for one in await _series(service, job, request, now)]
        return {"Metrics": found, **({} if following is None else {"NextToken": following})}


async def _jobs(service: TrainingService, request: requests.ListMetrics, since: float) -> tuple[list[str], str | None]:
    """The names of jobs that may have such series, and the token of those behind them."""
    for one in request.dimensions or ():
        if one.value is not None and one.name in (OF_JOB, OF_HOST):
            return [one.value.partition("/")[0]], None
    query = ListQuery(limit=_JOBS, token=request.next_token, modified_after=since, sort_by="Name", descending=False)
    try:
        page = await service.list(query)
    except ValidationRefused as error:
        raise Refusal("InvalidParameterValue", str(error)) from error
    return [job.name for job in page.items], page.token


async def _series(service: TrainingService, job: str, request: requests.ListMetrics, now: float) -> Iterable[Named]:
    try:
        told = (await service.describe(job)).description
        last = told.training_end_time or now
        own = [Named(point.name, job) for point in await service.newest(job)]
        uses = await service.metrics(job, since=last - _LOOK_BACK)
    except ResourceNotFound:
        return []
    hosts = [Named(one.name, job, one.host) for one in uses if one.host]
    return [
        one
        for one in (*own, *hosts)
        if request.metric_name in (None, one.metric) and one.fits(request.dimensions or ())
    ]
