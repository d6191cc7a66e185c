"""What is to be said of a resource in `status.conditions`: ACK's types, texts, reasons and precedence.

Unlike ACK, a condition's lastTransitionTime moves only when its status does, every condition tells the generation that
it speaks of, and `Reconciling` and `Stalled` say to kstatus what ACK's own conditions cannot: a failed job is `Ready`
in ACK's words, because nothing is left to do for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainyard.resource.names import ConditionStatus, ConditionType

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN
NOT_SYNCED = "Resource not synced"
IN_TERMINAL = "resource is in terminal condition"
UNDETERMINED = "Unable to determine if desired resource state matches latest observed state"
SYNCED = "Resource synced successfully"
LATE_INITIALISED = "Late initialization successful"

_BUSY = frozenset({"InProgress", "Stopping"})
_LONGEST_MESSAGE = 4096  # characters; a condition's message is for a person
_LONGEST_REASON = 1024


@dataclass(frozen=True, slots=True)
class Condition:
    """One entry, before it is compared with what stands in the resource."""

    type: ConditionType
    status: ConditionStatus
    message: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a reconcile did not come to its end.

    terminal : trying again by itself would not help.
    unplaced : there is no place to look in yet, which ACK tells by ResourceSynced alone.
    after    : seconds after which to look again, where that is no matter of patience.
    advice   : what a person can do, where ACK's words do not say it; told beside the conditions.
    """

    message: str
    terminal: bool = False
    reason: str = ""
    unplaced: bool = False
    after: float | None = None
    advice: str = ""


def synced(description: Mapping[str, Any]) -> Condition:
    """Whether the service has come to rest with a job; `description` in the API's spelling.

    Completed, Failed and Stopped are all at rest, as in ACK; so is a kept warm pool.
    """
    status = description.get("TrainingJobStatus")
    if status != "InProgress":
        for what, rule_status in _evaluations(description):
            if rule_status in _BUSY:
                return Condition(ConditionType.RESOURCE_SYNCED, FALSE, f"{what} is in {rule_status} status.")
    resting = FALSE if status in _BUSY else TRUE
    return Condition(ConditionType.RESOURCE_SYNCED, resting, f"TrainingJob is in {status} status.")


def told(description: Mapping[str, Any] | None, fault: Fault | None, *, late: bool) -> tuple[Condition, ...]:
    """All conditions of a resource, from its job as far as it was seen and from what went wrong.

    description : None where the job could not be seen or is not there.
    late        : late initialisation was reached and done.
    """
    found = [_synced(description, fault)]
    if fault is not None and not fault.unplaced:
        kind = ConditionType.TERMINAL if fault.terminal else ConditionType.RECOVERABLE
        found.append(Condition(kind, TRUE, fault.message, fault.reason))
    if late:
        found.append(Condition(ConditionType.LATE_INITIALIZED, TRUE, LATE_INITIALISED, LATE_INITIALISED))
    found.append(_ready(found))
    return (*found, *_for_kstatus(found, description or {}))


def merged(
    before: Sequence[Mapping[str, Any]], after: Iterable[Condition], *, generation: int, at: str
) -> list[dict[str, Any]]:
    """The list to be written. `at` (RFC 3339) is the transition time of conditions whose status is another now."""
    known = {one.get("type"): one for one in before}
    return [_entry(known.get(condition.type, {}), condition, generation, at) for condition in after]


def _evaluations(description: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for rule in description.get("DebugRuleEvaluationStatuses") or ():
        yield "DebugRule", str(rule.get("RuleEvaluationStatus"))
    if description.get("ProfilingStatus") not in (None, "Disabled"):  # else a rule may stay InProgress for ever
        for rule in description.get("ProfilerRuleEvaluationStatuses") or ():
            yield "ProfilerRule", str(rule.get("RuleEvaluationStatus"))


def _synced(description: Mapping[str, Any] | None, fault: Fault | None) -> Condition:
    if description is not None:
        return synced(description)
    if fault is None:
        return Condition(ConditionType.RESOURCE_SYNCED, TRUE, SYNCED)
    if fault.unplaced:
        return Condition(ConditionType.RESOURCE_SYNCED, FALSE, fault.message, fault.reason)
    if fault.terminal:
        return Condition(ConditionType.RESOURCE_SYNCED, FALSE, NOT_SYNCED, IN_TERMINAL)
    return Condition(ConditionType.RESOURCE_SYNCED, UNKNOWN, UNDETERMINED, fault.message)


def _ready(found: Sequence[Condition]) -> Condition:
    by_type = {condition.type: condition for condition in found}
    for kind in (ConditionType.TERMINAL, ConditionType.RECOVERABLE):
        if kind in by_type:
            return Condition(ConditionType.READY, FALSE, by_type[kind].message, kind)
    rest = by_type[ConditionType.RESOURCE_SYNCED]
    return Condition(ConditionType.READY, rest.status, rest.message, rest.reason)


def _for_kstatus(found: Sequence[Condition], description: Mapping[str, Any]) -> tuple[Condition, ...]:
    by_type = {condition.type: condition for condition in found}
    if terminal := by_type.get(ConditionType.TERMINAL):
        return (Condition(ConditionType.STALLED, TRUE, terminal.message, "Terminal"),)
    if description.get("TrainingJobStatus") == "Failed":
        failure = str(description.get("FailureReason") or "The training job failed.")
        return (Condition(ConditionType.STALLED, TRUE, failure, "TrainingJobFailed"),)
    ready = by_type[ConditionType.READY]
    return () if ready.status == TRUE else (Condition(ConditionType.RECONCILING, TRUE, ready.message, "Progressing"),)


def _entry(before: Mapping[str, Any], condition: Condition, generation: int, at: str) -> dict[str, Any]:
    same = before.get("status") == condition.status and before.get("lastTransitionTime")
    entry: dict[str, Any] = {
        "type": str(condition.type),
        "status": str(condition.status),
        "lastTransitionTime": before["lastTransitionTime"] if same else at,
        "observedGeneration": generation,
    }
    if condition.message:
        entry["message"] = _cut(condition.message, _LONGEST_MESSAGE)
    if condition.reason:
        entry["reason"] = _cut(condition.reason, _LONGEST_REASON)
    return entry


def _cut(text: str, longest: int) -> str:
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()  # a lone surrogate is no text in JSON
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
