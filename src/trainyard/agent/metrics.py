"""Metrics out of a run's output, as the service reads them (ports.scanner).

User regexes run on RE2, so none can hang us; what RE2 cannot hold runs in a process that can be killed (slow_regexes).
Lines are matched in their escaped form (TAB is `#011`), as the service's own definitions expect, and as they are. All
patterns are looked for in one pass; only a line that matches is looked at again.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Sequence

import re2

from trainyard.agent import slow_regexes
from trainyard.model.ledger import Point
from trainyard.model.problems import Problem, Severity
from trainyard.ports.scanner import MetricScanner, Scan

LONGEST_LINE = 256 * 1024  # bytes matched of one line; CloudWatch splits there
OLDEST, NEWEST = 14 * 86_400.0, 2 * 3_600.0  # the window around the reading time that a metric may be dated in
_USAGE = {
    "cpu": "CPUUtilization",
    "memory": "MemoryUtilization",
    "disk": "DiskUtilization",
    "gpu": "GPUUtilization",
    "gpu_memory": "GPUMemoryUtilization",
}


class Re2Scanners:
    """ports.scanner.Scanners over RE2."""

    def check(self, definitions: Sequence[tuple[str, str]]) -> Sequence[Problem]:
        """Errors for what is no regex at all; notices for one without a group, and for one that RE2 cannot hold."""
        return [
            problem
            for place, (name, pattern) in enumerate(definitions)
            if (problem := _judged(("AlgorithmSpecification", "MetricDefinitions", place, "Regex"), name, pattern))
        ]

    def for_log(self, definitions: Sequence[tuple[str, str]]) -> MetricScanner:
        """A scanner of log lines."""
        return LogScanner(definitions)

    def for_metrics(self) -> MetricScanner:
        """A scanner of the metrics directory's JSON lines."""
        return JsonScanner(_time_series)

    def for_usage(self, host: str) -> MetricScanner:
        """A scanner of a host's use."""
        return JsonScanner(lambda entry, at: _usage(entry, at, host))


def _judged(path: tuple[str | int, ...], name: str, pattern: str) -> Problem | None:
    slow = ""
    try:
        groups = re2.compile(pattern, _quiet()).groups
    except re2.error as error:
        slow = _reason(error)
        try:
            groups = slow_regexes.groups_of(pattern)
        except ValueError as fault:
            text = f"The regex of metric {name!r} is none: {fault}."
            return Problem(path=path, message=text, code="regex")
    if groups == 0:
        text = f"The regex of metric {name!r} has no group, so it never gives a value."
        return Problem(path=path, message=text, code="regex-group", severity=Severity.NOTICE)
    if slow:
        text = (
            f"The regex of metric {name!r} is not one that RE2 can hold ({slow}): it runs slowly, in a process of its "
            f"own, and is given up once it takes more than {slow_regexes.EACH:g} s of CPU for 1 MiB of log."
        )
        return Problem(
            path=path, message=text, code="regex-slow", severity=Severity.NOTICE, suggestion=_WITHOUT_LOOKAROUND
        )
    return None


_WITHOUT_LOOKAROUND = "Write it without look-around and back-references."


class LogScanner:
    """Definitions applied line by line; the first group is the value, what is no number is dropped."""

    def __init__(self, definitions: Sequence[tuple[str, str]]) -> None:
        self._patterns = []
        self._slow = []
        self._set = re2.Set.SearchSet(_quiet())
        for name, pattern in definitions:
            compiled = _compiled(pattern)
            if compiled is None:
                self._slow.append((name, pattern))
            elif compiled.groups > 0:
                self._set.Add(pattern)
                self._patterns.append((name, compiled))
        if self._patterns:
            self._set.Compile()

    def scan(self, data: bytes, *, time_of: Callable[[int], float], final: bool) -> Scan:
        """Points of all whole lines."""
        consumed = len(data) if final else data.rfind(b"\n") + 1
        points = self._fast_points(data, consumed, time_of) if self._patterns else []
        if not self._slow or not consumed:
            return Scan(tuple(points), consumed)
        found = slow_regexes.search([pattern for _, pattern in self._slow], data[:consumed], LONGEST_LINE)
        for place, offset, text in found.matches:
            value = _number(text)
            if value is not None:
                points.append(Point(name=self._slow[place][0], value=value, at=time_of(offset)))
        return Scan(tuple(points), consumed, tuple(self._slow[place][0] for place in found.given_up))

    def _fast_points(self, data: bytes, consumed: int, time_of: Callable[[int], float]) -> list[Point]:
        points: list[Point] = []
        for offset, raw in _lines(data, consumed):
            line = raw[:LONGEST_LINE].decode("utf-8", "replace")
            for form in (line.replace("\t", "#011"), line) if "\t" in line else (line,):
                found = self._set.Match(form)
                if found:
                    points.extend(self._points(form, sorted(found), time_of(offset)))
                    break
        return points

    def _points(self, line: str, found: Sequence[int], at: float) -> Iterator[Point]:
        for place in found:
            name, pattern = self._patterns[place]
            match = pattern.search(line)
            value = _number(match.group(1)) if match else None
            if value is not None:
                yield Point(name=name, value=value, at=at)


class JsonScanner:
    """JSON lines, each read by one function; a broken line is skipped."""

    def __init__(self, read: Callable[[dict[str, object], float], Iterator[Point]]) -> None:
        self._read = read

    def scan(self, data: bytes, *, time_of: Callable[[int], float], final: bool) -> Scan:
        """Points of all whole lines."""
        consumed = len(data) if final else data.rfind(b"\n") + 1
        points: list[Point] = []
        for offset, raw in _lines(data, consumed):
            try:
                entry = json.loads(raw[:LONGEST_LINE])
            except (ValueError, RecursionError):
                continue
            if isinstance(entry, dict):
                points.extend(self._read(entry, time_of(offset)))
        return Scan(tuple(points), consumed)


def _time_series(entry: dict[str, object], at: float) -> Iterator[Point]:
    name, value, step = entry.get("MetricName"), _number(entry.get("Value")), entry.get("IterationNumber")
    stamp = _number(entry.get("Timestamp"))
    dated = at if stamp is None else stamp
    if not isinstance(name, str) or not 0 < len(name) <= 255 or not name.isprintable():  # half a surrogate is no text
        return
    if value is not None and at - OLDEST <= dated <= at + NEWEST:
        yield Point(name=name, value=value, at=dated, step=_step(step))


def _step(step: object) -> int | None:
    if isinstance(step, bool) or not isinstance(step, int) or abs(step) >= 2**63:  # what the ledger can hold
        return None
    return step


def _usage(entry: dict[str, object], at: float, host: str) -> Iterator[Point]:
    stamp = _number(entry.get("at"))
    for short, name in _USAGE.items():
        value = _number(entry.get(short))
        if value is not None:
            yield Point(name=name, value=value, at=at if stamp is None else stamp, host=host)


def _lines(data: bytes, end: int) -> Iterator[tuple[int, bytes]]:
    start = 0
    while start < end:
        stop = data.find(b"\n", start, end)
        stop = end if stop < 0 else stop
        yield start, data[start:stop]
        start = stop + 1


def _number(text: object) -> float | None:
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        return None
    try:
        value = float(text)
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def _quiet() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    return options


def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        compiled: re.Pattern[str] = re2.compile(pattern, _quiet())
    except re2.error:
        return None
    return compiled


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else error
    return reason.decode() if isinstance(reason, bytes) else str(reason)
