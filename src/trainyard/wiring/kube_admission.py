"""Admission as the Kubernetes door's hook: what SageMaker would refuse is warned of, never refused.

The resource is stored all the same, as ACK's users know it, and the operator tells of it in the resource's conditions.
"""

from __future__ import annotations

from collections.abc import Mapping

from trainyard.doors.kube.kinds import Kind
from trainyard.doors.kube.world import Operation, Verdict
from trainyard.lifecycle.admission.admit import admit
from trainyard.model.casing import ack_name, to_api
from trainyard.model.problems import Problem
from trainyard.ports.resources import Body
from trainyard.resource.names import GROUP, PLURAL


async def warn_of_problems(operation: Operation, kind: Kind, body: Body, old: Body | None) -> Verdict:
    """Every problem of a TrainingJob's spec as a warning, when the spec is new."""
    spec = body.get("spec")
    if (kind.group, kind.plural) != (GROUP, PLURAL) or operation is Operation.DELETE or not isinstance(spec, Mapping):
        return Verdict()
    if old is not None and old.get("spec") == spec:
        return Verdict()
    return Verdict(warnings=tuple(_told(problem) for problem in admit(to_api(spec), nameless=True).problems))


def _told(problem: Problem) -> str:
    """With the path as the manifest spells it: spec.inputDataConfig[0].channelName."""
    path = "spec"
    for step in problem.path:
        path += f"[{step}]" if isinstance(step, int) else f".{ack_name(step)}"
    return f"{path}: {problem.message}"
