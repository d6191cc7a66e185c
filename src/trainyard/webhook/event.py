"""One state change as EventBridge tells it (detail-type "SageMaker Training Job State Change").

Its detail is the job's description as of that step: times are epoch milliseconds in texts, tags a map.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from trainyard.kit.times import rfc3339
from trainyard.model.job import Job
from trainyard.model.keys import Scope

DETAIL_TYPE = "SageMaker Training Job State Change"
_NAMESPACE = uuid.UUID("6f1f1c52-7d52-4a0e-9e3d-0d7c1c4b7a11")  # our own: an event keeps its id when it is sent again
_TIMES = ("Time", "Timestamp")
_ENDINGS = {"Completed": "Completed", "Failed": "Failed", "Stopped": "Stopped", "Stopping": "Stopping"} | {
    "MaxRuntimeExceeded": "Stopped",
    "MaxWaitTimeExceeded": "Stopped",
}


def state_change(job: Job, step: int, scope: Scope) -> dict[str, Any]:
    """The event of transition number `step`, counted from 0. The last one is told with the job as it stands."""
    history = job.description.secondary_status_transitions or ()
    at = history[step].start_time
    arn = job.description.training_job_arn
    return {
        "version": "0",
        "id": str(uuid.uuid5(_NAMESPACE, f"{arn}/{job.description.creation_time}/{step}")),
        "detail-type": DETAIL_TYPE,
        "source": "aws.sagemaker",
        "account": scope.account,
        "time": rfc3339(at),
        "region": scope.region,
        "resources": [arn],
        "detail": _detail(job, step),
    }


def _detail(job: Job, step: int) -> dict[str, Any]:
    wire = job.description.to_wire()
    history = wire.get("SecondaryStatusTransitions", [])
    if step + 1 < len(history):
        wire = _as_of(wire, step)
    plain: dict[str, Any] = _times_in_texts(wire)
    return {**plain, "Tags": dict(job.tags)}


def _as_of(wire: Mapping[str, Any], step: int) -> dict[str, Any]:
    """A description while its transition `step` lasted: without what came later."""
    history = [dict(one) for one in wire["SecondaryStatusTransitions"][: step + 1]]
    history[-1].pop("EndTime", None)
    status = history[-1]["Status"]
    later = {"TrainingEndTime", "FailureReason", "TrainingTimeInSeconds", "BillableTimeInSeconds"}
    earlier = {name: value for name, value in wire.items() if name not in later}
    return {
        **earlier,
        "TrainingJobStatus": _ENDINGS.get(status, "InProgress"),
        "SecondaryStatus": status,
        "LastModifiedTime": history[-1]["StartTime"],
        "SecondaryStatusTransitions": history,
    }


def _times_in_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _moment(member) if _is_time(name, member) else _times_in_texts(member)
            for name, member in value.items()
        }
    if isinstance(value, list):
        return [_times_in_texts(item) for item in value]
    return value


def _is_time(name: str, value: Any) -> bool:
    return name.endswith(_TIMES) and isinstance(value, int | float) and not isinstance(value, bool)


def _moment(seconds: float) -> str:
    return str(round(seconds * 1000))
