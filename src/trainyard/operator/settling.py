"""The end of a pass: the status as it must be, whether that is news, and when to look again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainyard.kit.mergepatch import merge_patch
from trainyard.kit.times import epoch, rfc3339
from trainyard.operator.case import Case, Seen, Unseen
from trainyard.operator.remarks import remarks_on
from trainyard.operator.steps import Settle, Tale
from trainyard.resource import conditions
from trainyard.resource.conditions import Condition, Fault
from trainyard.resource.names import ConditionType, OwnAnnotation
from trainyard.resource.status import capped, drifted, place_members, status_of

POLL = 30.0  # seconds: ACK's pause while something is under way
RESYNC = 300.0  # seconds: ACK's between looks at what has come to rest
KEPT_POOL = frozenset({"Available", "InUse"})
FINAL = frozenset({"Completed", "Failed", "Stopped"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """When to look again. `after` seconds in any case; `patient`: no need to try a fault again by ourselves."""

    after: float | None = None
    patient: bool = False


def settle(case: Case, fault: Fault | None = None, *, pause: Pause | None = None, late: bool = False) -> Settle:
    """End the pass with what was seen of the job.

    late : the resource has been late-initialised, or needs nothing of that.
    """
    job = case.sight if isinstance(case.sight, Seen) else None
    status = _seen_status(case, job, fault) if job else _remembered_status(case, fault)
    told = _blurred(conditions.told(job.wire if job else None, fault, late=late), status, fault)
    return _settled(case, status, told, fault, pause or Pause(after=fault.after if fault else None))


def settle_as_remembered(case: Case, notice: str) -> Settle:
    """End the pass of a job that was final when it was last seen, and is known to its service no more."""
    status = {name: value for name, value in case.status.items() if name != "conditions"}
    status["notices"] = [*(one for one in status.get("notices", ()) if one != notice), notice]
    known = {"TrainingJobStatus": status.get("trainingJobStatus"), "FailureReason": status.get("failureReason")}
    return _settled(case, status, conditions.told(known, None, late=True), None, Pause())


def ttl_left(case: Case, status: Mapping[str, Any]) -> float | None:
    """Seconds until the resource is to be deleted; None where it is kept."""
    asked = case.annotations.get(OwnAnnotation.TTL)
    ttl = float(asked) if asked and asked.isascii() and asked.isdecimal() else case.rules.ttl
    if ttl is None or status.get("trainingJobStatus") not in FINAL:
        return None
    ended = epoch(status.get("trainingEndTime")) or epoch(status.get("lastModifiedTime"))
    return None if ended is None else max(0.0, ended + ttl - case.now)


def _settled(
    case: Case, status: dict[str, Any], told: Sequence[Condition], fault: Fault | None, pause: Pause
) -> Settle:
    at, generation = rfc3339(case.now), int(case.metadata.get("generation") or 0)
    status["conditions"] = conditions.merged(case.status.get("conditions") or (), told, generation=generation, at=at)
    status["observedGeneration"] = generation
    status = capped(status)
    patch = merge_patch(case.status, status)
    return Settle(
        status={} if patch == case.unkept else patch,
        after=_next_look(case, status, pause.after),
        again=fault is not None and not fault.terminal and pause.after is None and not pause.patient,
        tale=None if _shows_the_past(case, status) else tale(case.status, status, advice=fault.advice if fault else ""),
    )


def _shows_the_past(case: Case, status: Mapping[str, Any]) -> bool:
    """Whether a resource shows for the first time a job that ended before there was the resource: that is no news."""
    is_mirror = case.annotations.get(OwnAnnotation.MIRRORED) == "true"
    return is_mirror and not case.status and status.get("trainingJobStatus") in FINAL


def tale(before: Mapping[str, Any], after: Mapping[str, Any], *, advice: str = "") -> Tale | None:
    """The one thing that is most worth telling of a change of status, for people who read `kubectl describe`.

    advice : what a person can do about a fault.
    """
    for kind in (ConditionType.TERMINAL, ConditionType.RECOVERABLE):
        old, new = _condition(before, kind), _condition(after, kind)
        if new and new.get("message") != (old or {}).get("message"):
            text = f"{new.get('message', '')}{'. ' if advice else ''}{advice}"
            return Tale(kind.removeprefix("ACK."), text, warning=True)
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


def _seen_status(case: Case, seen: Seen, fault: Fault | None) -> dict[str, Any]:
    remarks: dict[str, Any] = {"notices": [*remarks_on(case), *([fault.advice] if fault and fault.advice else [])]}
    if (case.managed or case.adopted) and not case.read_only:
        remarks["drift"] = drifted(case.differences)
        remarks["managedTagKeys"] = sorted(str(tag.get("key")) for tag in case.spec.get("tags") or ())
    return status_of(seen.job, case.scope, at=case.now, wire=seen.wire, remarks=remarks)


def _remembered_status(case: Case, fault: Fault | None) -> dict[str, Any]:
    """The status as it stood when the job was last seen, and since when it is unseen."""
    status = {name: value for name, value in case.status.items() if name != "conditions"}
    if case.place is not None and case.rules.roaming is not None and not case.arn:
        status["ackResourceMetadata"] = place_members(case.place.scope)
    if fault is not None and case.arn and (isinstance(case.sight, Unseen) or not fault.terminal):
        status.setdefault("unseenSince", rfc3339(case.now))
    return status


def _blurred(told: Sequence[Condition], status: Mapping[str, Any], fault: Fault | None) -> Sequence[Condition]:
    """What nobody watches is shown as unknown, with its age, never as the last good state."""
    since = status.get("unseenSince")
    if fault is not None or since is None:
        return told
    text = f"The job was last observed at {since}; its run cannot be seen now, or nobody watches it."
    unsure = (ConditionType.RESOURCE_SYNCED, ConditionType.READY)
    return [Condition(one.type, conditions.UNKNOWN, text, "Unobserved") if one.type in unsure else one for one in told]


def _next_look(case: Case, status: Mapping[str, Any], after: float | None) -> float | None:
    moving = status.get("trainingJobStatus") is not None and status["trainingJobStatus"] not in FINAL
    wanted = (
        after,
        case.rules.resync,
        ttl_left(case, status),
        POLL if status.get("unseenSince") or (case.rules.polling and moving) else None,
        _untold(case, status),
    )
    return min((seconds for seconds in wanted if seconds is not None), default=None)


def _untold(case: Case, status: Mapping[str, Any]) -> float | None:
    """When to ask for what no change tells: rules that go on after the job, and a pool that is kept."""
    if not case.rules.half_told or status.get("trainingJobStatus") not in FINAL:
        return None
    rested = _condition(status, ConditionType.RESOURCE_SYNCED)
    if rested is not None and rested.get("status") == conditions.FALSE:
        return POLL
    return RESYNC if (status.get("warmPoolStatus") or {}).get("status") in KEPT_POOL else None
