"""What things are called: a tenant's scope, a job, one run of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from trainyard.model.arn import training_job_arn


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """The account and region that a job name is unique in."""

    account: str
    region: str


@dataclass(frozen=True, slots=True, order=True)
class JobKey:
    """One job, as a person names it. A name may be used again after a delete: `uid` tells the two apart."""

    account: str
    region: str
    name: str

    @property
    def scope(self) -> Scope:
        """The tenant it belongs to."""
        return Scope(self.account, self.region)

    @property
    def arn(self) -> str:
        """The job's ARN; the service lower-cases the name in it."""
        return training_job_arn(self.region, self.account, self.name)


class RunKind(StrEnum):
    """What a run is for: the training itself, or a rule that watches it."""

    TRAIN = "train"
    RULE = "rule"


@dataclass(frozen=True, slots=True, order=True)
class RunKey:
    """One attempt at running something for a job: the unit that a Runtime launches, observes and stops.

    Launching the same key twice is harmless, so a key is never used for a second try: that is the next attempt.
    """

    job_uid: str
    kind: RunKind
    name: str
    attempt: int

    def __str__(self) -> str:
        return f"{self.job_uid}/{self.kind}-{self.name}-{self.attempt}"
