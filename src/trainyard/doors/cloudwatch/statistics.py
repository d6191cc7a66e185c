"""Points of a series in equal periods, and what is told of each: pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,10})?|100)")
_FINEST = (1, 5, 10, 20, 30)  # seconds; all others are minutes
_LONGEST = 10 * 365 * 86_400  # seconds
Statistic = Callable[[Sequence[float]], float]


def _sum(values: Sequence[float]) -> float:
    try:
        return math.fsum(values)
    except OverflowError:  # beyond what a number holds
        return sum(values)


_BASIC: Mapping[str, Statistic] = {
    "SampleCount": lambda values: float(len(values)),
    "Average": lambda values: _sum(values) / len(values),
    "Sum": _sum,
    "Minimum": min,
    "Maximum": max,
}


def statistic(name: str) -> Statistic | None:
    """A statistic by its name, percentiles among them; None for one that is not known here."""
    if name in _BASIC:
        return _BASIC[name]
    found = _PERCENTILE.fullmatch(name)
    return None if found is None else _percentile(float(found[1]))


def is_period(seconds: int) -> bool:
    """Whether points may be put together so."""
    return seconds in _FINEST or (seconds % 60 == 0 and 0 < seconds <= _LONGEST)


def periods(points: Iterable[tuple[float, float]], period: int, begin: float, end: float) -> dict[int, list[float]]:
    """The values of each period that has any, by its beginning, oldest first; the end is not within.

    Periods begin at multiples of their length, and the one that `begin` lies in counts whole.
    """
    first = math.floor(begin / period) * period
    found: dict[int, list[float]] = {}
    for at, value in points:
        if first <= at < end:
            found.setdefault(math.floor(at / period) * period, []).append(value)
    return dict(sorted(found.items()))


def _percentile(share: float) -> Statistic:
    def of(values: Sequence[float]) -> float:
        ordered = sorted(values)
        place = (len(ordered) - 1) * share / 100
        below = math.floor(place)
        above = min(below + 1, len(ordered) - 1)
        return ordered[below] + (ordered[above] - ordered[below]) * (place - below)

    return of
