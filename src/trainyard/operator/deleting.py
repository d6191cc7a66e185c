"""The end of a resource: a job that runs is stopped and waited for, one that is over is left as it is."""

from __future__ import annotations

from trainyard.model.job import Job
from trainyard.operator.case import Case, Missing, Release, Settle, Step, Stop
from trainyard.operator.settling import FINAL, POLL, settle
from trainyard.resource.conditions import Fault
from trainyard.resource.names import Annotation, DeletionPolicy, NamespaceAnnotation

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
    if not isinstance(case.sight, Job):
        return settle(case, None, case.sight.fault)
    return _seen(case, case.sight, mine=mine)


def policy_of(case: Case) -> str:
    """The resource's own word, else its namespace's, else the operator's."""
    return (
        case.annotations.get(Annotation.DELETION_POLICY)
        or case.namespace.get(NamespaceAnnotation.DELETION_POLICY)
        or case.rules.deletion_policy
    )


def _seen(case: Case, job: Job, *, mine: bool) -> Step:
    status = job.description.training_job_status
    if not mine:
        return Release("the job of that name is somebody else's")
    if status in FINAL:
        return Release(f"the job is {status}")
    if case.fault is not None:
        return settle(case, job, case.fault, late=True)
    if status == "InProgress":
        return Stop(job.description.training_job_name)
    after = POLL if case.rules.polling else None
    return settle(case, job, Fault(STOPPING), after=after, late=True)
