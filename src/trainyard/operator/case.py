"""What one decision is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from trainyard.lifecycle import updating
from trainyard.lifecycle.comparing import Difference
from trainyard.model.casing import to_api
from trainyard.model.job import Job
from trainyard.model.keys import Scope
from trainyard.ports.places import Place
from trainyard.resource.conditions import Fault
from trainyard.resource.names import FINALIZER, Annotation, DeletionPolicy
from trainyard.resource.tagging import Tags

EXISTS = "Resource already exists"  # the status is a foreign job's


@dataclass(frozen=True)
class Seen:
    """The job as the service tells it."""

    job: Job

    @cached_property
    def wire(self) -> Mapping[str, Any]:
        """Its description in the API's spelling."""
        return self.job.description.to_wire()

    @property
    def name(self) -> str:
        """Its name, exactly."""
        return self.job.description.training_job_name

    @property
    def status(self) -> str:
        """Its TrainingJobStatus."""
        return self.job.description.training_job_status


@dataclass(frozen=True, slots=True)
class Missing:
    """The service answered that there is no such job."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """The service did not answer, or there was no name to ask for: nothing is known."""

    fault: Fault


Sight = Seen | Missing | Unseen


@dataclass(frozen=True, slots=True, kw_only=True)
class Roaming:
    """How far annotations move a job to another region, account or endpoint, where the service has several.

    endpoint         : the URL in place of the service's own, where a namespace names none.
    unsafe_endpoints : http:// is taken too.
    accounts         : a namespace's owner-account-id counts (ACK's CARM).
    teams            : a namespace's team-id counts, before the account (the gate TeamLevelCARM).
    by_service       : roles may be mapped for SageMaker alone, as sagemaker.<account> (the gate ServiceLevelCARM).
    """

    endpoint: str = ""
    unsafe_endpoints: bool = False
    accounts: bool = True
    teams: bool = False
    by_service: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the operator was told when it was started.

    deletion_policy : where neither the resource nor its namespace says otherwise.
    tags            : templates of the tags that every job gets.
    resync          : seconds after which a resource is looked at again whatever happens; None is never.
    polling         : the service tells no changes: unfinished jobs are asked for every POLL seconds.
    half_told       : the service's changes are those of a job's own status: rules and kept pools are asked for.
    roaming         : annotations choose region, account and endpoint; None: all jobs are in `scope`.
    ttl             : seconds after a job's end at which its resource is deleted, where it does not say so itself.
    """

    scope: Scope
    deletion_policy: str = DeletionPolicy.DELETE
    tags: Tags = ()
    version: str = "unknown"
    resync: float | None = None
    polling: bool = False
    half_told: bool = False
    roaming: Roaming | None = None
    adoption: bool = True
    read_only: bool = True
    ttl: float | None = None


@dataclass(frozen=True, kw_only=True)
class Case:
    """One resource before one decision.

    resource  : the object as last read or written.
    namespace : the annotations of its namespace.
    fault     : what became of a deed of this very pass, where it failed.
    updated   : the service took an update in this pass.
    place     : where the job is looked for; None where the rules' own scope is all there is.
    drift     : that the job is in another region than the one which is asked for now.
    unkept    : what the last patch of the status left undone: ACK's own definition has no room for members of ours.
    """

    resource: Mapping[str, Any]
    sight: Sight
    rules: Rules
    now: float
    namespace: Mapping[str, str] = field(default_factory=dict)
    fault: Fault | None = None
    updated: bool = False
    place: Place | None = None
    drift: Fault | None = None
    unkept: Mapping[str, Any] = field(default_factory=dict)

    @property
    def scope(self) -> Scope:
        """The account and region of the job."""
        return self.rules.scope if self.place is None else self.place.scope

    @cached_property
    def metadata(self) -> Mapping[str, Any]:
        """The resource's metadata."""
        found: Mapping[str, Any] = self.resource.get("metadata") or {}
        return found

    @property
    def annotations(self) -> Mapping[str, str]:
        """The resource's annotations."""
        return self.metadata.get("annotations") or {}

    @property
    def spec(self) -> Mapping[str, Any]:
        """The resource's spec, in ACK's spelling."""
        return self.resource.get("spec") or {}

    @cached_property
    def wanted(self) -> Mapping[str, Any]:
        """The spec in the API's spelling."""
        found: Mapping[str, Any] = to_api(dict(self.spec))
        return found

    @cached_property
    def differences(self) -> tuple[Difference, ...]:
        """Where the job that was seen is not as the spec says, its name included."""
        if not isinstance(self.sight, Seen):
            return ()
        found = updating.telling(self.wanted, self.sight.wire)
        name = self.wanted.get("TrainingJobName")
        renamed = name and name != self.sight.name
        return (Difference(("TrainingJobName",), name, self.sight.name), *found) if renamed else found

    @property
    def status(self) -> Mapping[str, Any]:
        """The resource's status, as it stands."""
        return self.resource.get("status") or {}

    @cached_property
    def arn(self) -> str | None:
        """The ARN of the job that the resource made or took over; a foreign job's is shown, but is not counted."""
        if any(one.get("message") == EXISTS for one in self.status.get("conditions") or ()):
            return None
        found: str | None = (self.status.get("ackResourceMetadata") or {}).get("arn")
        return found

    @property
    def managed(self) -> bool:
        """Whether the resource holds our finalizer: then the job is its own."""
        return FINALIZER in (self.metadata.get("finalizers") or ())

    @property
    def adopted(self) -> bool:
        """Whether the resource took over a job that was there before it."""
        return self.annotations.get(Annotation.ADOPTED) == "true"

    @property
    def read_only(self) -> bool:
        """Whether the resource only shows its job."""
        return self.rules.read_only and self.annotations.get(Annotation.READ_ONLY) == "true"
