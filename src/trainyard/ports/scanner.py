"""Metrics out of a run's output. The engine feeds bytes, the scanner gives points; it keeps no state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from trainyard.model.ledger import Point
from trainyard.model.problems import Problem


@dataclass(frozen=True, slots=True)
class Scan:
    """What a piece of a stream held. `consumed` bytes were whole lines; the rest is to be fed again.

    given_up: metrics whose regex took too long: the scanner is not to be given them again for this job.
    """

    points: tuple[Point, ...]
    consumed: int
    given_up: tuple[str, ...] = ()


class MetricScanner(Protocol):
    """Definitions compiled once."""

    def scan(self, data: bytes, *, time_of: Callable[[int], float], final: bool) -> Scan:
        """Points in `data`; `time_of(offset in data)` dates a line; `final` takes an unended last line too."""
        ...


class Scanners(Protocol):
    """Makes scanners for the kinds of stream that a run writes."""

    def check(self, definitions: Sequence[tuple[str, str]]) -> Sequence[Problem]:
        """Problems and notices of (name, regex) definitions: unparsable, without a group, or not held by RE2."""
        ...

    def for_log(self, definitions: Sequence[tuple[str, str]]) -> MetricScanner:
        """Applies (name, regex) definitions line by line: first group, as a float."""
        ...

    def for_metrics(self) -> MetricScanner:
        """Reads the JSON lines of the SageMaker metrics directory."""
        ...

    def for_usage(self, host: str) -> MetricScanner:
        """Reads our supervisor's host-use JSON lines."""
        ...
