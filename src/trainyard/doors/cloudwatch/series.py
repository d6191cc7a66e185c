"""Which series a tenant's jobs have, and their points, by the service's names for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from trainyard.doors.cloudwatch.requests import Dimension, DimensionFilter, Metric
from trainyard.model.errors import ResourceNotFound
from trainyard.model.job import Series
from trainyard.model.keys import Scope
from trainyard.ports.service import TrainingService

ServiceOf = Callable[[Scope], TrainingService]
Members = dict[str, Any]
NAMESPACE = "/aws/sagemaker/TrainingJobs"
OF_JOB, OF_HOST = "TrainingJobName", "Host"
FULL = 100_000  # points that a service tells at once; of more, the later ones are asked for


@dataclass(frozen=True, slots=True)
class Named:
    """A series: the algorithm's, by the job, or a host's, by the job and the host."""

    metric: str
    job: str
    host: str = ""

    @property
    def dimension(self) -> tuple[str, str]:
        """What tells it from others of the metric."""
        return (OF_HOST, f"{self.job}/{self.host}") if self.host else (OF_JOB, self.job)

    @property
    def unit(self) -> str:
        """Hosts' use is told in percent; what an algorithm tells has no unit."""
        return "Percent" if self.host else "None"

    def told(self) -> Members:
        """As ListMetrics tells it."""
        name, value = self.dimension
        return {
            "Namespace": NAMESPACE, "MetricName": self.metric, "Dimensions": [{"Name": name, "Value": value}],
        }  # fmt: skip

    def fits(self, filters: Sequence[DimensionFilter]) -> bool:
        """Whether it has all of these dimensions."""
        name, value = self.dimension
        return all(one.name == name and one.value in (None, value) for one in filters)


def named(metric: Metric) -> Named | None:
    """The series of a metric; None for one that no job can have."""
    if metric.namespace != NAMESPACE or metric.metric_name is None:
        return None
    return _of_dimensions(metric.metric_name, metric.dimensions or ())


def _of_dimensions(metric: str, dimensions: Sequence[Dimension]) -> Named | None:
    if len(dimensions) != 1:
        return None
    (one,) = dimensions
    if one.name == OF_JOB:
        return Named(metric, one.value)
    job, _, host = one.value.partition("/")
    return Named(metric, job, host) if one.name == OF_HOST and host else None


async def points(service: TrainingService, which: Named | None, begin: float, end: float) -> list[tuple[float, float]]:
    """The points of a series from one time on to another, oldest first; none of what is not there."""
    found: list[tuple[float, float]] = []
    since = begin
    while which is not None:
        try:
            every = await service.metrics(which.job, metric=which.metric, since=since)
        except ResourceNotFound:
            return []
        found += _of(every, which)
        last = max((point[0] for one in every for point in one.points), default=end)
        if sum(len(one.points) for one in every) < FULL or not since < last < end:
            break
        found = [point for point in found if point[0] < last]  # those of that moment come once more
        since = last
    return [point for point in found if point[0] < end]


def _of(every: Sequence[Series], which: Named) -> list[tuple[float, float]]:
    return [point for one in every if (one.name, one.host) == (which.metric, which.host) for point in one.points]
