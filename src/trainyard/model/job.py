"""What a TrainingService answers about a job, and what it is asked."""

from __future__ import annotations

from dataclasses import dataclass, field

from trainyard.model.description import TrainingJobDescription
from trainyard.model.listing import JobSummary as JobSummary  # noqa: PLC0414 - told and asked together with the rest
from trainyard.model.listing import ListQuery as ListQuery  # noqa: PLC0414
from trainyard.model.observation import Progress, Unobserved
from trainyard.model.problems import Problem
from trainyard.model.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job as a service tells it: the API's own description, and what we add to it.

    waiting     : why it waits ("waiting for 1 GPU, 0 of 1 free"), else None.
    notices     : what the user must know about how it runs here.
    stale_for   : None when somebody is watching the job now; else the age in seconds of what is shown.
    unobserved  : that its run cannot be observed although somebody watches: since when, and why.
    progress    : a transfer under way.
    launcher, image : where and as what it runs, in words.
    settled     : False while something is still to be done for it: before its end, and after it until its output was
                  read and its place given back.
    """

    description: TrainingJobDescription
    uid: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    attempt: int = 0
    waiting: str | None = None
    notices: tuple[str, ...] = ()
    stale_for: float | None = None
    unobserved: Unobserved | None = None
    progress: Progress | None = None
    launcher: str = ""
    image: str = ""
    exit_code: int | None = None
    settled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One filter of a search: a dotted path in the API's spelling, an operator of the Search API, a value."""

    name: str
    operator: str = "Equals"
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Nested:
    """Conditions that one and the same item of a list fulfils: names are paths below `path`."""

    path: str
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """Conditions and expressions among them: all must hold, or with `any_of` one of them."""

    conditions: tuple[Condition, ...] = ()
    nested: tuple[Nested, ...] = ()
    parts: tuple[Expression, ...] = ()
    any_of: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuery:
    """Search over jobs by any member, tag (`Tags.team`), hyperparameter or metric.

    conditions are and-ed; `expression`, where there is one, must hold besides.
    """

    conditions: tuple[Condition, ...] = ()
    expression: Expression | None = None
    limit: int = 100
    token: str | None = None
    sort_by: str = "LastModifiedTime"
    descending: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One metric over time: (time, value) pairs in order. `host` "" for the algorithm's own."""

    name: str
    points: tuple[tuple[float, float], ...]
    host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would happen to a job here, without doing it. A job that is refused has no launcher and no image.

    problems : errors that would refuse it, and notices that it would carry.
    fields   : (path in the API's spelling, honoured | refused | notice, remark) for every field that the spec gives.
    why      : what made it this launcher and no other.
    needs    : what it would take of the machine; None where it is refused.
    stages   : (channel, URI, objects, bytes) to be downloaded; None where it could not be counted.
    """

    place: str
    launcher: str
    image: str
    instance: str
    needs: Resources | None = None
    problems: tuple[Problem, ...] = ()
    fields: tuple[tuple[str, str, str], ...] = ()
    stages: tuple[tuple[str, str, int | None, int | None], ...] = ()
    outputs: tuple[tuple[str, str], ...] = ()
    stores: tuple[tuple[str, str], ...] = ()
    waiting: str | None = None
    notices: tuple[str, ...] = field(default=())
    why: str = ""
