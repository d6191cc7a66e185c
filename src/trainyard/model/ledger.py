"""What is appended beside a record and can be rebuilt: events, metric points, log lines. Also pages of anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page and the opaque token of the next; `token` None means there is no more.

    before : of lines that can be read backwards as well, where this page begins.
    """

    items: tuple[T, ...]
    token: str | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """Something that happened to a job. `reason` is one CamelCase word, `message` a sentence."""

    at: float
    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One value of one series of a job. `host` is "" for the algorithm's own metrics, "algo-1" for a host's use."""

    name: str
    value: float
    at: float
    host: str = ""
    step: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEvent:
    """One line of a job's output. `offset` is its place in the stream: tokens are made of it and are stable.

    at  : seconds since the epoch, to the accuracy of the supervisor's marks.
    gap : bytes that were dropped before this line by the log size cap; 0 almost always.
    """

    stream: str
    offset: int
    at: float
    message: str
    gap: int = 0


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes of a run's stream from `offset`; `next_offset` is where to read on. `gap` bytes were skipped as dropped.

    `complete` is True when the run is over and nothing will follow `next_offset`.
    """

    offset: int
    data: bytes
    next_offset: int
    gap: int = 0
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """That a stream had `offset` bytes at time `at`: how log lines get their times."""

    offset: int
    at: float


@dataclass(frozen=True, slots=True)
class Change:
    """That the record of a job was written; `revision` rises over the whole store."""

    revision: int
    account: str
    region: str
    name: str
