"""A job as the status of its resource: ACK's members, and beside them what its users have asked for.

Everything is capped, so that no job, however long its history or its failure, makes an object too large to keep: the
whole stays under LARGEST bytes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from trainyard.kit.times import rfc3339
from trainyard.lifecycle.comparing import Difference
from trainyard.lifecycle.naming import LOG_GROUP
from trainyard.model.arn import partition_of
from trainyard.model.casing import ack_name, to_ack
from trainyard.model.description import TrainingJobDescription
from trainyard.model.job import Job
from trainyard.model.keys import Scope

LARGEST = 100_000  # bytes of JSON
STALE = 15.0  # seconds unseen from which a job's state is no longer called known
_MOST = {
    "debugRuleEvaluationStatuses": 20, "drift": 20, "finalMetricDataList": 40, "managedTagKeys": 50, "notices": 20,
    "profilerRuleEvaluationStatuses": 20, "secondaryStatusTransitions": 40,
}  # fmt: skip
_GIVEN_UP_FIRST = ("secondaryStatusTransitions", "drift", "finalMetricDataList", "notices")
_FEW = 5  # of those that are given up
_EVER_SHORTER = (256, 64)  # characters of any text
_LONGEST = 1024  # characters of a text of ours
_LONGEST_VALUE = 256  # characters of a value shown as drift

# Members of the description that the status shows as they are.
_SHOWN = (
    "BillableTimeInSeconds",
    "BillableTokenCount",
    "CreationTime",
    "DebugRuleEvaluationStatuses",
    "FailureReason",
    "FinalMetricDataList",
    "LastModifiedTime",
    "MlflowDetails",
    "ModelArtifacts",
    "OutputModelPackageArn",
    "ProfilerRuleEvaluationStatuses",
    "ProfilingStatus",
    "ProgressInfo",
    "SecondaryStatus",
    "SecondaryStatusTransitions",
    "TrainingEndTime",
    "TrainingJobName",
    "TrainingJobStatus",
    "TrainingStartTime",
    "TrainingTimeInSeconds",
    "WarmPoolStatus",
)
_TIMES = frozenset(
    (
        "CreationTime",
        "EndTime",
        "LastModifiedTime",
        "StartTime",
        "Timestamp",
        "TrainingEndTime",
        "TrainingStartTime",
    )
)


def status_of(
    job: Job,
    scope: Scope,
    *,
    at: float,
    wire: Mapping[str, Any] | None = None,
    remarks: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The job's part of the status, in ACK's spelling; whoever compares adds the conditions, and caps the whole.

    wire    : the description in the API's spelling, where the caller has it already.
    remarks : what the caller has to say: drift, managedTagKeys, and notices, which follow the job's own.
    """
    wire = job.description.to_wire() if wire is None else wire
    shown = {name: _plain(wire[name], name) for name in _SHOWN if wire.get(name) is not None}
    status: dict[str, Any] = to_ack(shown, TrainingJobDescription)
    status["ackResourceMetadata"] = {"arn": wire["TrainingJobArn"], **place_members(scope)}
    status["logLocation"] = log_location(wire["TrainingJobName"])
    status.update(_ours(job, at))
    for name, value in (remarks or {}).items():
        if value:
            status[name] = [*status.get(name, ()), *value]
    return status


def place_members(scope: Scope) -> dict[str, str]:
    """Where a job is, or is to be made, as ACK's metadata tells it."""
    return {"ownerAccountID": scope.account, "partition": partition_of(scope.region), "region": scope.region}


def log_location(name: str) -> dict[str, str]:
    """Where the job's output is, and how to read it."""
    return {"logGroup": LOG_GROUP, "logStreamPrefix": f"{name}/", "command": f"trainyard logs {name}"}


def drifted(found: Sequence[Difference]) -> list[dict[str, str]]:
    """Differences between the spec and the job as the status shows them, values as JSON."""
    return [
        {
            "path": _written(one.path),
            **{
                side: _cut(json.dumps(value, ensure_ascii=False), _LONGEST_VALUE)
                for side, value in (("desired", one.wanted), ("observed", one.observed))
                if value is not None
            },
        }
        for one in found[: _MOST["drift"]]
    ]


def capped(status: Mapping[str, Any]) -> dict[str, Any]:
    """The status within its limits, conditions included.

    Of each list the newest, texts cut; where that is not enough, fewer of what is told, then ever shorter texts.
    """
    kept = {name: value if name == "conditions" else _capped_member(name, value) for name, value in status.items()}
    for name in _GIVEN_UP_FIRST:
        if _size(kept) <= LARGEST:
            return kept
        if name in kept:
            kept[name] = kept[name][-_FEW:]
    for longest in _EVER_SHORTER:
        if _size(kept) > LARGEST:
            kept = {name: _shortened(value, longest) for name, value in kept.items()}
    return kept


def _size(status: Mapping[str, Any]) -> int:
    return len(json.dumps(status, ensure_ascii=False).encode("utf-8", "replace"))


def _shortened(value: Any, longest: int) -> Any:
    if isinstance(value, list):
        return [_shortened(item, longest) for item in value]
    if isinstance(value, Mapping):
        return {name: _shortened(member, longest) for name, member in value.items()}
    return _cut(value, longest) if isinstance(value, str) else value


def _ours(job: Job, at: float) -> dict[str, Any]:
    status: dict[str, Any] = {}
    if job.waiting:
        status["waiting"] = job.waiting
    if job.notices:
        status["notices"] = list(job.notices)
    if job.attempt:
        status["attempt"] = job.attempt
    if job.launcher:
        status["launcher"] = job.launcher
    if job.image:
        status["image"] = job.image
    if job.exit_code is not None:
        status["exitCode"] = job.exit_code
    unseen = _unseen_since(job, at)
    if unseen is not None and at - unseen >= STALE:
        status["unseenSince"] = rfc3339(unseen)
    return status


def _unseen_since(job: Job, at: float) -> float | None:
    """From when on nothing is known of the job: its run cannot be observed, or nobody watches."""
    blind = None if job.unobserved is None else job.unobserved.since
    unwatched = None if job.stale_for is None else at - job.stale_for
    return min((since for since in (blind, unwatched) if since is not None), default=None)


def _plain(value: Any, name: str) -> Any:
    """A value as JSON can hold it: times as text, nothing for null and for numbers that are none."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if name in _TIMES and isinstance(value, int | float):
        return rfc3339(value)
    if isinstance(value, Mapping):
        members = {key: _plain(member, key) for key, member in value.items()}
        return {key: member for key, member in members.items() if member is not None}
    return [_plain(item, name) for item in value] if isinstance(value, list) else value


def _capped_member(name: str, value: Any) -> Any:
    if isinstance(value, str):
        return _cut(value, _LONGEST)
    if isinstance(value, list):
        most = _MOST.get(name)
        return [_capped_member("", item) for item in (value[-most:] if most else value)]
    return {key: _capped_member("", item) for key, item in value.items()} if isinstance(value, dict) else value


def _written(path: tuple[str | int, ...]) -> str:
    """A path in the resource's spelling: `spec.inputDataConfig[0].channelName`; a map's key stays as it is."""
    text, in_map = "spec", False
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
            continue
        text += f".{step if in_map else ack_name(step)}"
        in_map = step in ("HyperParameters", "Environment", "ProfilingParameters", "HookParameters", "RuleParameters")
    return _cut(text, _LONGEST_VALUE)


def _cut(text: str, longest: int) -> str:
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()  # a lone surrogate is no text in JSON
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
