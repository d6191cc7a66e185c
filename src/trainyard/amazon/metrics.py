"""A job's metrics from CloudWatch: the algorithm's by their definitions' names, each host's use by host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainyard.amazon.calling import Calling
from trainyard.amazon.telling import epoch
from trainyard.model.description import TrainingJobDescription
from trainyard.model.job import Series

NAMESPACE = "/aws/sagemaker/TrainingJobs"
USES = ("CPUUtilization", "MemoryUtilization", "DiskUtilization", "GPUUtilization", "GPUMemoryUtilization")
PERIOD = 60  # seconds; the service publishes a point a minute
_QUERIES = 500  # in one call
_DAY = 86_400.0
_COARSER = ((63 * _DAY, 3600), (15 * _DAY, 300))  # CloudWatch keeps minutes for 15 days, five minutes for 63


@dataclass(frozen=True, slots=True)
class _Asked:
    name: str
    host: str
    dimension: Mapping[str, str]


async def series(
    calling: Calling, told: TrainingJobDescription, *, now: float, metric: str | None, since: float | None
) -> Sequence[Series]:
    """Averages over each period, between the job's creation (or `since`) and its end (or now)."""
    begin = max(told.creation_time, since or 0.0)
    until = (told.training_end_time or now) + PERIOD
    asked = [one for one in _asked(told) if metric in (None, one.name)]
    points: dict[_Asked, list[tuple[float, float]]] = {one: [] for one in asked}
    for first in range(0, len(asked), _QUERIES):
        some = asked[first : first + _QUERIES]
        queries = [_query(f"m{place}", one, _period(begin, now)) for place, one in enumerate(some)]
        request = {"MetricDataQueries": queries, "StartTime": begin, "EndTime": until, "ScanBy": "TimestampAscending"}
        async for page in calling.pages("cloudwatch", "get_metric_data", **request):
            for found in page["MetricDataResults"]:
                times = map(epoch, found["Timestamps"])
                points[some[int(found["Id"][1:])]] += zip(times, found["Values"], strict=True)
    return [Series(name=one.name, host=one.host, points=tuple(found)) for one, found in points.items() if found]


def _asked(told: TrainingJobDescription) -> Iterator[_Asked]:
    job = told.training_job_name
    algorithm = told.algorithm_specification
    for definition in (algorithm.metric_definitions if algorithm else None) or ():
        yield _Asked(definition.name, "", {"Name": "TrainingJobName", "Value": job})
    for number in range(1, _hosts(told) + 1):
        for use in USES:
            yield _Asked(use, f"algo-{number}", {"Name": "Host", "Value": f"{job}/algo-{number}"})


def _hosts(told: TrainingJobDescription) -> int:
    resources = told.resource_config
    if resources is None:
        return 0
    return resources.instance_count or sum(group.instance_count for group in resources.instance_groups or ())


def _query(identity: str, asked: _Asked, period: int) -> dict[str, Any]:
    metric = {"Namespace": NAMESPACE, "MetricName": asked.name, "Dimensions": [asked.dimension]}
    return {"Id": identity, "MetricStat": {"Metric": metric, "Period": period, "Stat": "Average"}}


def _period(begin: float, now: float) -> int:
    return next((period for age, period in _COARSER if now - begin > age), PERIOD)
