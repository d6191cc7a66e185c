"""The end of a resource: a job that runs is stopped and waited for, one that is over is left as it is."""

from __future__ import annotations

from trainyard.operator.case import Case, Missing, Seen
from trainyard.operator.settling import FINAL, POLL, Pause, settle
from trainyard.operator.steps import Release, Settle, Step, Stop
from trainyard.resource.conditions import Fault
from trainyard.resource.names import FINALIZER, Annotation, DeletionPolicy, NamespaceAnnotation

STOPPING = "TrainingJob is Stopping."


def decide(case: Case, *, mine: bool) -> Step:
    """The next step for a resource that is being deleted. `mine`: the job that was seen is the resource's own."""
    if not case.managed:
        return Settle()
    if case.read_only:
        return Release("it only showed the job")
    if policy_of(case) != DeletionPolicy.DELETE:
        return Release("deletion policy set to retain")
    if isinstance(case.sight, Missing):
        return Release("there is no job")
    if isinstance(case.sight, Seen):
        return _seen(case, case.sight) if mine else Release("the job of that name is not this resource's")
    return settle(case, case.sight.fault)


def policy_of(case: Case) -> str:
    """The resource's own word, else its namespace's, else the operator's."""
    return (
        case.annotations.get(Annotation.DELETION_POLICY)
        or case.namespace.get(NamespaceAnnotation.DELETION_POLICY)
        or case.rules.deletion_policy
    )


def finalizers_left(case: Case) -> list[str]:
    """The finalizers that are others'."""
    return [one for one in case.metadata.get("finalizers") or () if one != FINALIZER]


def _seen(case: Case, seen: Seen) -> Step:
    if seen.status in FINAL:
        return Release(f"the job is {seen.status}")
    if case.fault is not None:
        return settle(case, case.fault, late=True)
    if seen.status == "InProgress":
        return Stop(seen.name)
    return settle(case, Fault(STOPPING), pause=Pause(after=POLL), late=True)
