"""The heart of the operator: one resource, what was seen of its job, and what is to be done next.

Pure and total. Each answer is one step; the caller carries it out and asks again with what is so then, until the pass
is settled. Intent is written before the deed (the finalizer before the job), every deed may be repeated, and a job is
only ever touched by a resource that is known to have made or adopted it. Not seeing a job is never a reason to act.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainyard.lifecycle import updating
from trainyard.lifecycle.admission import admit
from trainyard.model.casing import to_ack, to_api
from trainyard.model.job import Job
from trainyard.model.keys import JobKey
from trainyard.model.problems import Severity
from trainyard.model.spec import TrainingJobSpec
from trainyard.operator import deleting, naming
from trainyard.operator.case import (
    Case,
    Create,
    Missing,
    Patch,
    Remove,
    Retag,
    Settle,
    Step,
    Unseen,
    Update,
)
from trainyard.operator.settling import POLL, drift, settle, ttl_left
from trainyard.resource import tagging
from trainyard.resource.conditions import Fault
from trainyard.resource.late import late_initialisation
from trainyard.resource.names import FINALIZER, AdoptionPolicy, Annotation, OwnAnnotation

EXISTS = "Resource already exists"
EXISTS_REASON = (
    "This resource already exists but is not managed by ACK. To bring the resource under ACK management, you should "
    "explicitly adopt the resource by enabling the ResourceAdoption feature gate and populating the "
    "`services.k8s.aws/adoption-policy` and `services.k8s.aws/adoption-fields` annotations."
)
UPDATING = "training job is updating"
RENAMED = "trainingJobName cannot be changed: the job {name} was made by this resource and keeps its name."
GONE = (
    "The service no longer has the training job {name}. It is not trained a second time by itself: delete this "
    "resource and apply it again to do that."
)
ADOPTED_GONE = "adopted resource not found"
READ_ONLY_GONE = "read-only resource not found"
NO_SPEC = "spec is missing: give one, or adopt a job by annotations."


def decide(case: Case) -> Step:
    """The next step for a resource."""
    if case.metadata.get("deletionTimestamp"):
        return deleting.decide(case, mine=not foreign(case))
    if isinstance(case.sight, Unseen):
        return settle(case, None, case.sight.fault)
    policy = naming.adopting(case)
    if policy is not None and policy not in set(AdoptionPolicy):
        return settle(case, None, Fault(f"unrecognized adoption policy: {policy}", terminal=True))
    if isinstance(case.sight, Missing):
        return _missing(case, policy)
    if policy is not None:
        return _adopt(case, case.sight, policy)
    if case.read_only:
        return _shown(case, case.sight)
    if foreign(case):
        return _foreign(case, case.sight)
    return _own(case, case.sight)


def foreign(case: Case) -> bool:
    """Whether the job that bears the wanted name is somebody else's.

    Evidence that it is ours: we adopted it; or the finalizer, together with its ARN in our status or our uid among its
    tags (the finalizer alone may have been left by a create that lost a race).
    """
    if not isinstance(case.sight, Job) or case.adopted:
        return False
    if tagging.owner_of(case.sight.tags) == case.metadata.get("uid"):
        return False
    return not case.managed or case.arn != case.sight.description.training_job_arn


def _missing(case: Case, policy: str | None) -> Step:
    if case.annotations.get(OwnAnnotation.MIRRORED) == "true":
        return Remove("the job that it mirrored is gone")
    if case.read_only:
        return settle(case, None, Fault(READ_ONLY_GONE))
    if case.adopted or policy == AdoptionPolicy.ADOPT:
        return settle(case, None, Fault(ADOPTED_GONE))
    if case.managed and case.arn:
        return _gone(case)
    if not case.spec:
        return settle(case, None, Fault(NO_SPEC, terminal=True))
    return _create(case)


def _gone(case: Case) -> Settle:
    """The job was deleted behind our back: a job that ended stays told as it ended, another one is over for good."""
    name = str(case.status.get("trainingJobName") or case.spec.get("trainingJobName"))
    return settle(case, None, Fault(GONE.format(name=name), terminal=True))


def _create(case: Case) -> Step:
    if case.fault is not None:
        return settle(case, None, case.fault)
    wire = to_api(dict(case.spec))
    wire["TrainingJobName"] = naming.job_name(case)
    admission = admit(wire)
    if admission.spec is None:
        errors = [problem for problem in admission.problems if problem.severity is Severity.ERROR]
        return settle(case, None, Fault(_refusal([problem.message for problem in errors]), terminal=True))
    if not case.managed:
        return _manage(case)
    return Create(_with_tags(case, wire))


def _refusal(messages: list[str]) -> str:
    """The service's own way of saying that a request is invalid."""
    noun = "error" if len(messages) == 1 else "errors"
    return f"ValidationException: {len(messages)} validation {noun} detected: {'; '.join(messages)}"


def _with_tags(case: Case, wire: Mapping[str, Any]) -> TrainingJobSpec:
    given = tuple((str(tag["Key"]), str(tag["Value"])) for tag in wire.get("Tags") or ())
    tags = tagging.with_defaults(given, tagging.default_tags(case.rules.tags, _maker(case)))
    return TrainingJobSpec.from_wire({**wire, "Tags": [{"Key": key, "Value": value} for key, value in tags]})


def _maker(case: Case) -> tagging.Maker:
    meta = case.metadata
    return tagging.Maker(
        namespace=str(meta.get("namespace", "")),
        name=str(meta.get("name", "")),
        uid=str(meta.get("uid", "")),
        version=case.rules.version,
        labels=meta.get("labels") or {},
    )


def _manage(case: Case, **spec: Any) -> Patch:
    """The finalizer, before anything is made that it guards; and the generated name, so that everyone can read it."""
    if not case.spec.get("trainingJobName") and case.spec:
        spec["trainingJobName"] = naming.job_name(case)
    finalizers = [*(case.metadata.get("finalizers") or ())]
    body: dict[str, Any] = {"metadata": {"finalizers": finalizers if case.managed else [*finalizers, FINALIZER]}}
    return Patch({**body, "spec": spec} if spec else body, "manage")


def _adopt(case: Case, job: Job, policy: str) -> Patch:
    """Take a job over that is there: `adopt` takes its settings into the spec, `adopt-or-create` brings the spec's."""
    spec = _spec_patch(case, job) if policy == AdoptionPolicy.ADOPT else {}
    managed = {} if case.read_only else _manage(case).body["metadata"]
    metadata = {**managed, "annotations": {Annotation.ADOPTED.value: "true"}}
    return Patch({"metadata": metadata, **({"spec": spec} if spec else {})}, "adopt")


def _spec_patch(case: Case, job: Job) -> dict[str, Any]:
    """The merge patch that makes the spec what the job is; tags are taken over but the system's."""
    observed = observed_spec(job)
    from trainyard.kit.mergepatch import merge_patch  # noqa: PLC0415

    return merge_patch(case.spec, observed)


def observed_spec(job: Job) -> dict[str, Any]:
    """A job's description as the spec that would ask for it, in ACK's spelling."""
    members = set(TrainingJobSpec.model_fields[name].alias for name in TrainingJobSpec.model_fields)
    wire = {name: value for name, value in job.description.to_wire().items() if name in members and value is not None}
    tags = [{"key": key, "value": value} for key, value in job.tags if not tagging.is_system(key)]
    spec: dict[str, Any] = to_ack(wire, TrainingJobSpec)
    return {**spec, "tags": tags} if tags else spec


def _shown(case: Case, job: Job) -> Step:
    """A read-only resource shows its job; one that adopted it shows its settings too."""
    patch = _spec_patch(case, job) if case.adopted and case.fault is None else {}
    return Patch({"spec": patch}, "follow") if patch else settle(case, job, case.fault)


def _foreign(case: Case, job: Job) -> Step:
    if case.managed:  # of a create that lost its race; nothing of ours is behind it
        return Patch({"metadata": {"finalizers": without_ours(case)}}, "unmanage")
    return settle(case, job, Fault(EXISTS, terminal=True, reason=EXISTS_REASON))


def without_ours(case: Case) -> list[str]:
    """The finalizers that are others'."""
    return [one for one in case.metadata.get("finalizers") or () if one != FINALIZER]


def _own(case: Case, job: Job) -> Step:
    if not case.managed:
        return _manage(case)
    if case.fault is not None:
        return settle(case, job, case.fault, late=True)
    if case.updated:
        return settle(case, job, Fault(UPDATING), after=POLL, late=True)
    return _changed(case, job) or _retagged(case, job) or _late(case, job) or _settled(case, job)


def _changed(case: Case, job: Job) -> Step | None:
    """What an edit of the spec asks for."""
    observed = job.description.to_wire()
    if any(one.path == ("TrainingJobName",) for one in drift(case, observed)):
        text = RENAMED.format(name=observed["TrainingJobName"])
        return _retagged(case, job) or settle(case, job, Fault(text, terminal=True), late=True)
    wanted = {**to_api(dict(case.spec)), "TrainingJobName": observed["TrainingJobName"]}
    match updating.judge(wanted, observed):
        case updating.Ask(update):
            return Update(update)
        case updating.Refuse(reason):
            return _retagged(case, job) or settle(case, job, Fault(reason, terminal=True), late=True)
        case updating.Later(reason):
            return _retagged(case, job) or settle(case, job, Fault(reason), after=POLL, late=True)
        case None:
            return None


def _retagged(case: Case, job: Job) -> Step | None:
    wanted = tuple((str(tag.get("key")), str(tag.get("value") or "")) for tag in case.spec.get("tags") or ())
    add = tagging.to_add(wanted, job.tags)
    remove = tagging.to_remove(case.status.get("managedTagKeys") or (), wanted, job.tags)
    return Retag(job.description.training_job_name, add, remove) if add or remove else None


def _late(case: Case, job: Job) -> Step | None:
    patch = late_initialisation(case.spec, job.description.to_wire())
    return Patch({"spec": patch}, "late-initialise") if patch else None


def _settled(case: Case, job: Job) -> Step:
    end = settle(case, job, late=True)
    left = ttl_left(case, {**case.status, **end.status})
    return Remove("its time after the job's end is over") if left == 0 and not end.status else end


__all__ = ["JobKey", "decide", "foreign", "observed_spec", "without_ours"]
