"""One thing that is wrong with a job, and where."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """Whether a problem refuses the job or only has to be seen."""

    ERROR = "error"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Position:
    """Where in a file, counted from one as editors do."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A finding about a job.

    path      : members from the root of the request in the API's spelling, list places as ints counted from zero:
                ("InputDataConfig", 0, "ChannelName"). Empty for the job as a whole.
    message   : the service's own text where one is known, else a sentence in its manner.
    code      : a stable word for machines, such as "pattern", "required", "unknown-field", "spot-wait".
    suggestion: what to write instead, where we can tell.
    position  : where it stands in the file, if it came from one.
    """

    path: tuple[str | int, ...]
    message: str
    code: str
    severity: Severity = Severity.ERROR
    suggestion: str | None = None
    position: Position | None = None
