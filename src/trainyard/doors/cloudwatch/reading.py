"""GetMetricStatistics and GetMetricData."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from trainyard.awswire.calls import Call, Refusal
from trainyard.awswire.reading import moment, read
from trainyard.awswire.shapes import Entries, Moment
from trainyard.doors.cloudwatch import requests
from trainyard.doors.cloudwatch.errors import contradictory, invalid, wrong
from trainyard.doors.cloudwatch.series import Members, Named, ServiceOf, named, points
from trainyard.doors.cloudwatch.statistics import Statistic, is_period, periods, statistic
from trainyard.kit import tokens
from trainyard.model.keys import Scope
from trainyard.ports.service import TrainingService

MOST_POINTS = 1440  # of one GetMetricStatistics
MOST_QUERIES, MOST_DATA = 500, 100_800  # queries, and points of one page, of GetMetricData
Refused = Callable[[str], Refusal]
_ID = re.compile(r"[a-z][a-zA-Z0-9_]*")


class Between(NamedTuple):
    """From one time on to another, in seconds since the epoch."""

    begin: float
    end: float


class Reading:
    """The operations."""

    def __init__(self, service_of: ServiceOf) -> None:
        self._service_of = service_of

    async def statistics(self, call: Call, wire: Members) -> Members:
        """Statistics of one series, oldest first."""
        request = read(requests.GetMetricStatistics, wire)
        between = _between(request.start_time, request.end_time, wrong)
        chosen = _chosen(request)
        _check_period(request.period, wrong)
        most = math.ceil((between.end - between.begin) / request.period)
        if most > MOST_POINTS:
            raise contradictory(
                f"You have requested up to {most:,} datapoints, which exceeds the limit of {MOST_POINTS:,}. You may "
                "reduce the datapoints requested by increasing Period, or decreasing the time range."
            )
        metric = requests.Metric(
            namespace=request.namespace, metric_name=request.metric_name, dimensions=request.dimensions
        )
        which = _in_unit(named(metric), request.unit)
        found = await _periods(self._service_of(call.scope), which, request.period, between)
        unit = "None" if which is None else which.unit
        told = [_datapoint(at, values, chosen, unit) for at, values in found.items()]
        return {"Label": request.metric_name, "Datapoints": told}

    async def data(self, call: Call, wire: Members) -> Members:
        """Several series, a page of so many points in all."""
        request = read(requests.GetMetricData, wire)
        between = _between(request.start_time, request.end_time, invalid)
        _check_queries(request.metric_data_queries, call.scope)
        most = request.max_datapoints if request.max_datapoints is not None else MOST_DATA
        if not 0 < most <= MOST_DATA:
            raise invalid(f"The parameter MaxDatapoints must be between 1 and {MOST_DATA}.")
        service = self._service_of(call.scope)
        newest_first = request.scan_by != "TimestampAscending"
        cutting = _Cutting(_place_in(request.next_token), most)
        results = []
        for query in request.metric_data_queries:
            if query.metric_stat is None or query.return_data is False:
                continue
            told = await _values(service, query.metric_stat, between)
            kept, is_whole = cutting.take(told[::-1] if newest_first else told)
            results.append(_result(query, kept, is_whole=is_whole))
        token = {} if cutting.rest is None else {"NextToken": tokens.token_of("data", cutting.rest)}
        return {"MetricDataResults": results, "Messages": [], **token}


class _Cutting:
    """One page of what all series hold together, one series behind the other."""

    def __init__(self, begin: int, most: int) -> None:
        self._begin, self._end, self._seen = begin, begin + most, 0
        self.rest: int | None = None

    def take(self, told: Sequence[tuple[int, float]]) -> tuple[Sequence[tuple[int, float]], bool]:
        """The part of a series that is on the page, and whether nothing of it is on a later one."""
        first = self._seen
        self._seen += len(told)
        if self._seen > self._end:
            self.rest = self._end
        return told[max(0, self._begin - first) : max(0, self._end - first)], self._seen <= self._end


async def _periods(
    service: TrainingService, which: Named | None, period: int, between: Between
) -> dict[int, list[float]]:
    begin = math.floor(between.begin / period) * period
    return periods(await points(service, which, begin, between.end), period, between.begin, between.end)


async def _values(service: TrainingService, stat: requests.MetricStat, between: Between) -> list[tuple[int, float]]:
    """Times and values, oldest first."""
    which = _in_unit(named(stat.metric), stat.unit)
    compute = _statistic(stat.stat, invalid)
    return [(at, compute(of)) for at, of in (await _periods(service, which, stat.period, between)).items()]


def _result(query: requests.MetricDataQuery, told: Sequence[tuple[int, float]], *, is_whole: bool) -> Members:
    metric = query.metric_stat.metric.metric_name if query.metric_stat is not None else None
    return {
        "Id": query.id,
        "Label": query.label or metric or query.id,
        "Timestamps": [Moment(at) for at, _ in told],
        "Values": [value for _, value in told],
        "StatusCode": "Complete" if is_whole else "PartialData",
    }


def _datapoint(at: int, values: Sequence[float], chosen: Sequence[tuple[str, Statistic, bool]], unit: str) -> Members:
    told: Members = {"Timestamp": Moment(at), "Unit": unit}
    told |= {name: compute(values) for name, compute, is_extended in chosen if not is_extended}
    extended = Entries((name, compute(values)) for name, compute, is_extended in chosen if is_extended)
    return {**told, "ExtendedStatistics": extended} if extended else told


def _chosen(request: requests.GetMetricStatistics) -> list[tuple[str, Statistic, bool]]:
    """The statistics that are wanted, and whether each is an extended one. Raises Refusal."""
    basic, extended = request.statistics or (), request.extended_statistics or ()
    if not basic and not extended:
        raise contradictory("Must specify either Statistics or ExtendedStatistics")
    for name in extended:
        if not name.startswith("p"):
            raise wrong(f"The value {name[:64]} for parameter ExtendedStatistics is not supported.")
    chosen = [(name, _statistic(name, wrong), False) for name in dict.fromkeys(basic)]
    return chosen + [(name, _statistic(name, wrong), True) for name in dict.fromkeys(extended)]


def _statistic(name: str, refused: Refused) -> Statistic:
    found = statistic(name)
    if found is None:
        raise refused(f"The statistic {name[:64]} is not served here; those are {', '.join(requests.STATISTICS)}, pNN.")
    return found


def _check_period(period: int, refused: Refused) -> None:
    if not is_period(period):
        raise refused("The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60, and at most ten years.")


def _between(begin: float, end: float, refused: Refused) -> Between:
    first, last = moment(begin), moment(end)
    if first is None or last is None or not first < last:
        raise refused("The parameter StartTime must be less than the parameter EndTime.")
    return Between(first, last)


def _check_queries(queries: Sequence[requests.MetricDataQuery], scope: Scope) -> None:
    """Raises Refusal for what is no list of queries, and for those that are not served here."""
    if not 0 < len(queries) <= MOST_QUERIES:
        raise invalid(f"The parameter MetricDataQueries must hold 1 to {MOST_QUERIES} queries.")
    if len({query.id for query in queries}) < len(queries):
        raise invalid("The values for parameter id in MetricDataQueries are not unique.")
    for query in queries:
        if not _ID.fullmatch(query.id):
            raise invalid(
                f"The value '{query.id[:64]}' for parameter id in MetricDataQueries must match {_ID.pattern}."
            )
        if query.expression is not None:
            raise invalid("Expressions are not served here: ask for the metrics themselves, by MetricStat.")
        if query.metric_stat is None:
            raise invalid("A query of MetricDataQueries must hold MetricStat.")
        if query.account_id not in (None, scope.account):
            raise invalid("The parameter AccountId names another account: only the caller's own is answered.")
        if query.period is not None:
            raise invalid("The parameter Period of a query is for expressions; that of MetricStat counts.")
        if "${" in (query.label or ""):
            raise invalid("Labels that are computed are not served here.")
        _check_period(query.metric_stat.period, invalid)
        _statistic(query.metric_stat.stat, invalid)


def _place_in(token: str | None) -> int:
    if token is None:
        return 0
    try:
        _, place = tokens.place_of(token, str, int)
    except ValueError:
        place = -1
    if not 0 <= place < 2**63:
        raise Refusal("InvalidNextToken", "The specified nextToken is invalid.")
    return int(place)


def _in_unit(which: Named | None, unit: str | None) -> Named | None:
    """The series, if it is of the unit that is asked for."""
    return which if which is not None and unit in (None, which.unit) else None
