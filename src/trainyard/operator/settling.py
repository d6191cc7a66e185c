"""The end of a pass: the status as it must be, whether that is news, and when to look again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trainyard.kit.mergepatch import merge_patch
from trainyard.lifecycle import updating
from trainyard.lifecycle.comparing import Difference
from trainyard.model.casing import to_api
from trainyard.model.job import Job
from trainyard.operator.case import Case, Settle, Tale
from trainyard.resource import conditions
from trainyard.resource.conditions import Fault
from trainyard.resource.names import ConditionType, OwnAnnotation
from trainyard.resource.status import STALE, capped, drifted, epoch, rfc3339, status_of

POLL = 30.0  # seconds: ACK's pause while something is under way
FINAL = frozenset({"Completed", "Failed", "Stopped"})
UNOBSERVED = "The job was last observed at {since}; nobody watches it now."


def settle(
    case: Case, job: Job | None, fault: Fault | None = None, *, after: float | None = None, late: bool = False
) -> Settle:
    """End the pass with what is known of the job, or with nothing new where it could not be seen (None)."""
    status = _status(case, job, fault, late=late)
    patch = merge_patch(case.status, status)
    again = fault is not None and not fault.terminal and after is None
    return Settle(status=patch, after=_next_look(case, status, after), again=again, tale=tale(case.status, status))


def ttl_left(case: Case, status: Mapping[str, Any]) -> float | None:
    """Seconds until the resource is to be deleted; None where it is kept."""
    asked = case.annotations.get(OwnAnnotation.TTL)
    ttl = float(asked) if asked and asked.isdigit() else case.rules.ttl
    if ttl is None or status.get("trainingJobStatus") not in FINAL:
        return None
    ended = epoch(status.get("trainingEndTime")) or epoch(status.get("lastModifiedTime"))
    return None if ended is None else max(0.0, ended + ttl - case.now)


def drift(case: Case, observed: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Where the job is not as the spec says, the name included."""
    wanted = to_api(dict(case.spec))
    found = updating.telling(wanted, observed)
    name, real = wanted.get("TrainingJobName"), observed.get("TrainingJobName")
    return found if not name or name == real else (Difference(("TrainingJobName",), name, real), *found)


def tale(before: Mapping[str, Any], after: Mapping[str, Any]) -> Tale | None:
    """The one thing that is most worth telling of a change of status, for people who read `kubectl describe`."""
    for kind in (ConditionType.TERMINAL, ConditionType.RECOVERABLE):
        old, new = _condition(before, kind), _condition(after, kind)
        if new and new.get("message") != (old or {}).get("message"):
            return Tale(kind.removeprefix("ACK."), str(new.get("message", "")), warning=True)
    if after.get("secondaryStatus") != before.get("secondaryStatus"):
        return _progress(after)
    if after.get("waiting") and after.get("waiting") != before.get("waiting"):
        return Tale("Waiting", f"The job is {after['waiting']}.")
    return None


def _progress(status: Mapping[str, Any]) -> Tale:
    secondary = str(status.get("secondaryStatus"))
    history: Sequence[Mapping[str, Any]] = status.get("secondaryStatusTransitions") or ()
    message = str(history[-1].get("statusMessage", "")) if history else ""
    failed = status.get("trainingJobStatus") == "Failed"
    if failed and status.get("failureReason"):
        message = str(status["failureReason"])
    return Tale(secondary, message or f"TrainingJob is in {secondary} status.", warning=failed)


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    return next((one for one in status.get("conditions") or () if one.get("type") == kind), None)


def _status(case: Case, job: Job | None, fault: Fault | None, *, late: bool) -> dict[str, Any]:
    at, generation = rfc3339(case.now), int(case.metadata.get("generation") or 0)
    if job is None:
        status, observed = _remembered(case, fault), None
    else:
        observed = job.description.to_wire()
        status = {**status_of(job, case.rules.scope, at=case.now), **_compared(case, observed)}
    told = conditions.told(observed, fault, late=late)
    if job is not None and job.stale_for is not None and job.stale_for >= STALE and fault is None:
        told = _unobserved(told, str(status.get("unseenSince")))
    status["conditions"] = conditions.merged(case.status.get("conditions") or (), told, generation=generation, at=at)
    status["observedGeneration"] = generation
    return status


def _remembered(case: Case, fault: Fault | None) -> dict[str, Any]:
    """The status as it stood when the job was last seen; after an outage, since when."""
    status = {name: value for name, value in case.status.items() if name != "conditions"}
    if fault is not None and not fault.terminal and case.arn:
        status.setdefault("unseenSince", rfc3339(case.now))
    return status


def _compared(case: Case, observed: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if not case.read_only and (case.managed or case.adopted):
        differences = drift(case, observed)
        if differences:
            found["drift"] = drifted(differences)
        keys = sorted(str(tag.get("key")) for tag in case.spec.get("tags") or ())
        if keys:
            found["managedTagKeys"] = keys
    return capped(found)


def _unobserved(told: Sequence[conditions.Condition], since: str) -> tuple[conditions.Condition, ...]:
    """Law: what was not observed is shown as unknown with its age, never as the last good state."""
    text = UNOBSERVED.format(since=since)
    blurred = (ConditionType.RESOURCE_SYNCED, ConditionType.READY)
    return tuple(
        conditions.Condition(one.type, conditions.UNKNOWN, text, "Unobserved") if one.type in blurred else one
        for one in told
    )


def _next_look(case: Case, status: Mapping[str, Any], after: float | None) -> float | None:
    moving = status.get("trainingJobStatus") not in FINAL
    wanted = [
        after,
        case.rules.resync,
        ttl_left(case, status),
        POLL if case.rules.polling and moving and status.get("trainingJobStatus") else None,
        POLL if status.get("unseenSince") else None,
    ]
    return min((seconds for seconds in wanted if seconds is not None), default=None)
