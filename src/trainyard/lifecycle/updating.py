"""What may change on a job after it was created: the update matrix of ACK's controller, with its own texts.

`judge` is pure: over what is wanted and what the service tells it answers what to ask the service for, what to refuse,
or what to try again later. Beyond ACK, remote debugging may be switched by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from trainyard.lifecycle.comparing import Difference, differences
from trainyard.model.record import JobRecord
from trainyard.model.spec import TrainingJobSpec
from trainyard.model.update import TrainingJobUpdate

BOTH = "cannot update Warm pool and Profiler at the same time"
ONLY = "only Warm Pool or Profiler can be updated"
STARTING = "training job cannot be updated while secondary status is in Starting state."
NO_POOL = "warm pool does not exist and can only be configured at creation time"
POOL_LATER = (
    "warm pool cannot be updated while TrainingJob status is InProgress, requeuing until TrainingJob completes."
)
POOL_GONE = "warm pool cannot be updated if has been terminated or reused"
POOL_NEVER = (
    "warm pool can only be updated if TrainingJob status is Completed. Warm pool will be terminated automatically "
    "if trainingjob has not completed successfully"
)
PROFILER_OVER = "profiler can only be updated when Training Job is in InProgress state"
RULES_SHORTER = "cannot remove/modify existing profiler rules."
RULE_REMOVED = "cannot remove an existing profiler rule"
RULE_MODIFIED = "cannot modify an existing profiler rule."
DEBUG_OVER = "remote debug can only be updated when Training Job is in InProgress state"

_KEEP_ALIVE = "ResourceConfig.KeepAlivePeriodInSeconds"


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the service for this update."""

    update: TrainingJobUpdate


@dataclass(frozen=True, slots=True)
class Refuse:
    """The edit can never be carried out; or, `later`, not yet: look again."""

    reason: str
    later: bool = False


Verdict = Ask | Refuse


def judge(
    wanted: Mapping[str, Any], observed: Mapping[str, Any], found: Sequence[Difference] | None = None
) -> Verdict | None:
    """The verdict over an edited request and the job's description, both in the API's spelling; None: nothing to do.

    found : what `telling` answered about the two, where the caller knows it.
    """
    found = telling(wanted, observed) if found is None else found
    if not found:
        return None
    parts = {_part(difference) for difference in found}
    if {"pool", "profiler"} <= parts:
        return Refuse(BOTH)
    if not parts & {"pool", "profiler"} and parts != {"debug"}:
        return Refuse(ONLY)
    if observed.get("SecondaryStatus") == "Starting":
        return Refuse(STARTING, later=True)
    if "pool" in parts:
        return _pool(wanted, observed)
    return _profiler(wanted, observed) if "profiler" in parts else _debug(wanted, observed)


def telling(wanted: Mapping[str, Any], observed: Mapping[str, Any]) -> tuple[Difference, ...]:
    """The differences that mean something: once profiling is off, the service goes on telling the old settings."""
    found = differences(wanted, observed)
    off = observed.get("ProfilingStatus") == "Disabled"
    if off and not (wanted.get("ProfilerConfig") and wanted.get("ProfilerRuleConfigurations")):
        return tuple(difference for difference in found if _part(difference) != "profiler")
    return found


def objection(record: JobRecord, update: TrainingJobUpdate) -> str | None:
    """Why a record does not take an update, in the controller's words; None where it does."""
    running = record.status == "InProgress"
    if update.resource_config is not None:
        resources = record.spec.resource_config
        kept = resources.keep_alive_period_in_seconds if resources else None
        return NO_POOL if kept is None else POOL_GONE if record.status == "Completed" else POOL_NEVER
    if update.profiler_config is not None or update.profiler_rule_configurations is not None:
        return None if running else PROFILER_OVER
    return None if running else DEBUG_OVER


def updated(record: JobRecord, update: TrainingJobUpdate, now: float) -> JobRecord:
    """The record with an update that nothing objects to. Rules are appended; the profiler's settings are merged."""
    wire, asked = record.spec.to_wire(), update.to_wire()
    if "ProfilerConfig" in asked:
        before = {name: value for name, value in wire.get("ProfilerConfig", {}).items() if name != "DisableProfiler"}
        wire["ProfilerConfig"] = {**before, **asked["ProfilerConfig"]}
    known = wire.get("ProfilerRuleConfigurations", [])
    added = [
        rule
        for rule in asked.get("ProfilerRuleConfigurations", ())
        if rule["RuleConfigurationName"] not in _names(known)
    ]
    if added:
        wire["ProfilerRuleConfigurations"] = [*known, *added]
    if "RemoteDebugConfig" in asked:
        wire["RemoteDebugConfig"] = asked["RemoteDebugConfig"]
    spec = TrainingJobSpec.from_wire(wire)
    return record if spec == record.spec else replace(record, spec=spec, modified_at=max(now, record.modified_at))


def _part(difference: Difference) -> str:
    if difference.member == _KEEP_ALIVE:
        return "pool"
    top = difference.path[0]
    if top in ("ProfilerConfig", "ProfilerRuleConfigurations"):
        return "profiler"
    return "debug" if top == "RemoteDebugConfig" else "other"


def _pool(wanted: Mapping[str, Any], observed: Mapping[str, Any]) -> Verdict:
    status, pool = observed.get("TrainingJobStatus"), (observed.get("WarmPoolStatus") or {}).get("Status")
    if (observed.get("ResourceConfig") or {}).get("KeepAlivePeriodInSeconds") is None:
        return Refuse(NO_POOL)
    if status == "InProgress" or (status == "Completed" and pool is None):
        return Refuse(POOL_LATER, later=True)
    if status != "Completed":
        return Refuse(POOL_NEVER)
    if pool not in ("Available", "InUse"):
        return Refuse(POOL_GONE)
    seconds = (wanted.get("ResourceConfig") or {}).get("KeepAlivePeriodInSeconds") or 0
    return _ask(wanted, {"ResourceConfig": {"KeepAlivePeriodInSeconds": seconds}})


def _profiler(wanted: Mapping[str, Any], observed: Mapping[str, Any]) -> Verdict:
    if observed.get("TrainingJobStatus") != "InProgress":
        return Refuse(PROFILER_OVER)
    for member in ("ProfilerConfig", "ProfilerRuleConfigurations"):
        if not wanted.get(member) and observed.get(member):
            return _ask(wanted, {"ProfilerConfig": {"DisableProfiler": True}})
    config = {"ProfilerConfig": wanted["ProfilerConfig"]} if "ProfilerConfig" in wanted else {}
    rules, known = wanted.get("ProfilerRuleConfigurations") or [], observed.get("ProfilerRuleConfigurations") or []
    if not any(one.path[0] == "ProfilerRuleConfigurations" for one in telling(wanted, observed)):
        return _ask(wanted, config)
    objected = _rules_objection(rules, known)
    if objected is not None:
        return Refuse(objected)
    new = _names(rules) - _names(known)
    added = [rule for rule in rules if rule.get("RuleConfigurationName") in new]
    return _ask(wanted, {**config, "ProfilerRuleConfigurations": added})


def _rules_objection(rules: Sequence[Mapping[str, Any]], known: Sequence[Mapping[str, Any]]) -> str | None:
    if known and len(rules) <= len(known):
        return RULES_SHORTER
    if _names(known) - _names(rules):
        return RULE_REMOVED
    return None if _names(rules) - _names(known) else RULE_MODIFIED


def _names(rules: Sequence[Mapping[str, Any]]) -> set[str]:
    return {str(rule.get("RuleConfigurationName")) for rule in rules}


def _debug(wanted: Mapping[str, Any], observed: Mapping[str, Any]) -> Verdict:
    if observed.get("TrainingJobStatus") != "InProgress":
        return Refuse(DEBUG_OVER)
    return _ask(wanted, {"RemoteDebugConfig": wanted.get("RemoteDebugConfig") or {"EnableRemoteDebug": False}})


def _ask(wanted: Mapping[str, Any], changes: Mapping[str, Any]) -> Ask:
    """The request; a remote-debug setting goes along with any other change, as ACK sends it."""
    along = {"RemoteDebugConfig": wanted["RemoteDebugConfig"]} if wanted.get("RemoteDebugConfig") else {}
    return Ask(
        TrainingJobUpdate.from_wire({"TrainingJobName": wanted.get("TrainingJobName") or "", **along, **changes})
    )
