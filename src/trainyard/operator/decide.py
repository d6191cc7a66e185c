"""The heart of the operator: one resource, what was seen of its job, and what is to be done next.

Pure and total. Each answer is one step; the caller carries it out and asks again with what is so then, until the pass
is settled. Intent is written before the deed (the finalizer before the job), every deed may be repeated, and a job is
only ever touched by a resource that is known to have made or adopted it. Not seeing a job is never a reason to act.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from trainyard.kit.mergepatch import merge_patch
from trainyard.kit.times import rfc3339
from trainyard.lifecycle import updating
from trainyard.lifecycle.admission import admit
from trainyard.lifecycle.admission.words import validation_message
from trainyard.model.casing import to_ack
from trainyard.model.job import Job
from trainyard.model.members import members_of
from trainyard.model.spec import TrainingJobSpec
from trainyard.operator import deleting, naming
from trainyard.operator.case import EXISTS, Case, Missing, Seen, Unseen
from trainyard.operator.placing import intent
from trainyard.operator.settling import FINAL, POLL, Pause, settle, settle_as_remembered, ttl_left
from trainyard.operator.steps import Create, Patch, Remove, Retag, Settle, Step, Update
from trainyard.resource import tagging
from trainyard.resource.conditions import Fault
from trainyard.resource.late import late_initialisation
from trainyard.resource.names import FINALIZER, AdoptionPolicy, Annotation, OwnAnnotation
from trainyard.resource.status import drifted

EXISTS_REASON = (
    "This resource already exists but is not managed by ACK. To bring the resource under ACK management, you should "
    "explicitly adopt the resource by enabling the ResourceAdoption feature gate and populating the "
    "`services.k8s.aws/adoption-policy` and `services.k8s.aws/adoption-fields` annotations."
)
TAKEN = (
    "The training job {name} was not made by this resource, and is left alone. Give spec.trainingJobName another name, "
    "leave it out for a generated one, delete the job and then apply again, or adopt it by the annotation "
    "services.k8s.aws/adoption-policy: adopt-or-create."
)
UNCHANGED = (
    "The job stays as it was made. It differs from the resource at {places}: set that back, or delete the resource "
    "and apply it again under a new name."
)
_PLACES = 3  # that are named in a sentence; status.drift has more
UPDATING = "training job is updating"
RENAMED = "trainingJobName cannot be changed: {name} is the job that this resource made, and it keeps its name."
GONE = (
    "The service no longer has the training job {name}. It is not trained a second time by itself: delete this "
    "resource and apply it again to do that."
)
FORGOTTEN = "The service no longer has this job's record; what stands here is how it ended."
ADOPTED_GONE = "adopted resource not found"
READ_ONLY_GONE = "read-only resource not found"
NO_SPEC = "The resource has no spec: give it one, or have it adopt a job by its annotations."


def decide(case: Case) -> Step:
    """The next step for a resource."""
    sight = case.sight
    if case.metadata.get("deletionTimestamp"):
        return deleting.decide(case, mine=isinstance(sight, Seen) and is_mine(case, sight))
    if isinstance(sight, Unseen):
        return settle(case, sight.fault)
    if case.drift is not None:
        return settle(case, case.drift, late=isinstance(sight, Seen))
    policy = naming.adopting(case)
    if policy is not None and policy not in set(AdoptionPolicy):
        return settle(case, Fault(f"unrecognized adoption policy: {policy}", terminal=True))
    if isinstance(sight, Missing) or _was_replaced(case, sight):
        return _missing(replace(case, sight=Missing()), policy)
    mine = is_mine(case, sight)
    if policy is not None and not mine:
        return _adopt(case, sight, policy)
    if case.read_only:
        return _shown(case, sight)
    return _own(case, sight) if mine else _foreign(case)


def is_mine(case: Case, seen: Seen) -> bool:
    """Whether the job that was seen is the resource's own, by evidence.

    It was adopted; or its tags name the resource's uid; or the resource holds the finalizer and has the job's ARN in
    its status. The finalizer alone is none: a create that lost a race may have left it.
    """
    if _was_replaced(case, seen):
        return False
    if case.adopted or tagging.owner_of(seen.job.tags) == case.metadata.get("uid"):
        return True
    return case.managed and case.arn == seen.job.description.training_job_arn


def observed_spec(job: Job) -> dict[str, Any]:
    """A job's description as the spec that would ask for it, in ACK's spelling, without the system's tags."""
    members = members_of(TrainingJobSpec)
    wire = {name: value for name, value in job.description.to_wire().items() if name in members and value is not None}
    tags = [{"key": key, "value": value} for key, value in job.tags if not tagging.is_system(key)]
    spec: dict[str, Any] = to_ack(wire, TrainingJobSpec)
    return {**spec, "tags": tags} if tags else spec


def _was_replaced(case: Case, seen: Seen) -> bool:
    """Whether the resource's own job was deleted and somebody made another one of its name."""
    if not case.managed or case.adopted or case.arn != seen.job.description.training_job_arn:
        return False
    created = case.status.get("creationTime")
    return created is not None and created != rfc3339(seen.job.description.creation_time)


def _missing(case: Case, policy: str | None) -> Step:
    if case.annotations.get(OwnAnnotation.MIRRORED) == "true":
        return Remove("the job that it mirrored is gone")
    if case.read_only:
        return settle(case, Fault(READ_ONLY_GONE))
    if case.adopted or policy == AdoptionPolicy.ADOPT:
        return settle(case, Fault(ADOPTED_GONE))
    if case.managed and case.arn:
        return _gone(case)
    if not case.spec:
        return settle(case, Fault(NO_SPEC, terminal=True))
    return _create(case)


def _gone(case: Case) -> Step:
    """Deleted behind our back. A job that had ended stays told as it ended; another is never trained a second time."""
    if case.status.get("trainingJobStatus") in FINAL:
        return _unless_expired(case, settle_as_remembered(case, FORGOTTEN))
    return settle(case, Fault(GONE.format(name=naming.job_name(case)), terminal=True))


def _create(case: Case) -> Step:
    if case.fault is not None:
        return settle(case, case.fault)
    wire = {**case.wanted, "TrainingJobName": naming.job_name(case)}
    admission = admit(wire)
    if admission.spec is None:
        text = f"api error ValidationException: {validation_message(admission.problems)}"
        return settle(case, Fault(text, terminal=True))
    return Create(_with_tags(case, wire)) if case.managed else _manage(case)


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


def _manage(case: Case) -> Patch:
    """The finalizer, before anything is made that it guards; and a generated name, so that everyone can read it."""
    body: dict[str, Any] = {"metadata": {"finalizers": [*(case.metadata.get("finalizers") or ()), FINALIZER]}}
    if case.rules.roaming is not None and case.place is not None:
        body["metadata"]["annotations"] = intent(case.place)
    if case.spec and not case.spec.get("trainingJobName"):
        body["spec"] = {"trainingJobName": naming.job_name(case)}
    return Patch(body, "manage")


def _adopt(case: Case, seen: Seen, policy: str) -> Patch:
    """Take a job over that is there: `adopt` takes its settings into the spec, `adopt-or-create` keeps the spec's."""
    body: dict[str, Any] = {} if case.managed or case.read_only else dict(_manage(case).body)
    body["metadata"] = {**body.get("metadata", {}), "annotations": {Annotation.ADOPTED.value: "true"}}
    if policy == AdoptionPolicy.ADOPT:
        body["spec"] = merge_patch(case.spec, observed_spec(seen.job))
    return Patch(body, "adopt")


def _shown(case: Case, seen: Seen) -> Step:
    """A read-only resource shows its job; one that adopted it shows its settings too."""
    patch = merge_patch(case.spec, observed_spec(seen.job)) if case.adopted else {}
    return Patch({"spec": patch}, "follow") if patch else settle(case)


def _foreign(case: Case) -> Step:
    if case.managed:  # left by a create that lost its race; nothing of ours is behind it
        return Patch({"metadata": {"finalizers": deleting.finalizers_left(case)}}, "unmanage")
    taken = TAKEN.format(name=naming.job_name(case))
    return settle(case, Fault(EXISTS, terminal=True, reason=EXISTS_REASON, advice=taken))


def _own(case: Case, seen: Seen) -> Step:
    if not case.managed:
        return _manage(case)
    if case.fault is not None:
        return settle(case, case.fault, late=True)
    if case.updated:
        return settle(case, Fault(UPDATING), pause=Pause(after=POLL), late=True)
    return (
        _retagged(case, seen)
        or _changed(case, seen)
        or _late(case, seen)
        or _unless_expired(case, settle(case, late=True))
    )


def _changed(case: Case, seen: Seen) -> Step | None:
    """What an edit of the spec comes to."""
    if any(one.path == ("TrainingJobName",) for one in case.differences):
        return settle(case, Fault(RENAMED.format(name=seen.name), terminal=True), late=True)
    try:
        verdict = updating.judge({**case.wanted, "TrainingJobName": seen.name}, seen.wire, case.differences)
    except ValidationError as error:
        return settle(
            case, Fault(f"api error ValidationException: {error.errors()[0]['msg']}", terminal=True), late=True
        )
    match verdict:
        case updating.Ask(update):
            return Update(update)
        case updating.Refuse(reason, later=True):
            asked_for = case.rules.polling or case.rules.half_told
            pause = Pause(after=POLL if asked_for else None, patient=True)
            return settle(case, Fault(reason), pause=pause, late=True)
        case updating.Refuse(reason):
            return settle(case, Fault(reason, terminal=True, advice=_unchanged(case)), late=True)
        case None:
            return None


def _unchanged(case: Case) -> str:
    places = [str(one["path"]) for one in drifted(case.differences)]
    shown = ", ".join(places[:_PLACES]) + (" and more" if len(places) > _PLACES else "")
    return UNCHANGED.format(places=shown)


def _retagged(case: Case, seen: Seen) -> Step | None:
    wanted = tuple((str(tag.get("key")), str(tag.get("value") or "")) for tag in case.spec.get("tags") or ())
    add = tagging.to_add(wanted, seen.job.tags)
    remove = tagging.to_remove(case.status.get("managedTagKeys") or (), wanted, seen.job.tags)
    return Retag(seen.name, add, remove) if add or remove else None


def _late(case: Case, seen: Seen) -> Step | None:
    patch = late_initialisation(case.spec, seen.wire)
    return Patch({"spec": patch}, "late-initialise") if patch else None


def _unless_expired(case: Case, end: Settle) -> Step:
    """The end of the pass, or of the resource once its time after the job's end is over and all of it was told."""
    if not end.status and ttl_left(case, case.status) == 0:
        return Remove("its time after the job's end is over")
    return end
