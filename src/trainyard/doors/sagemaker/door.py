"""The door: which operation does what, over any TrainingService."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from trainyard.awswire.calls import Answer, Call, Refusal
from trainyard.awswire.json_door import JsonDoor, Operation
from trainyard.awswire.sigv4 import SignatureRefused
from trainyard.doors.sagemaker.errors import refusal_of
from trainyard.doors.sagemaker.jobs import Jobs, ServiceOf
from trainyard.doors.sagemaker.listing import Listing
from trainyard.doors.sagemaker.metrics import MetricsDoor
from trainyard.doors.sagemaker.search import Searching
from trainyard.doors.sagemaker.tags import Tagging


def sagemaker_door(service_of: ServiceOf, now: Callable[[], float]) -> SageMakerDoor:
    """The door over services by their scope."""
    jobs, tagging = Jobs(service_of), Tagging(service_of)
    control = JsonDoor(
        prefix="SageMaker",
        action="sagemaker",
        refusal_of=refusal_of,
        operations={
            "CreateTrainingJob": Operation(jobs.create, writes=True),
            "DescribeTrainingJob": Operation(jobs.describe),
            "ListTrainingJobs": Operation(Listing(service_of).list),
            "StopTrainingJob": Operation(jobs.stop, writes=True),
            "UpdateTrainingJob": Operation(jobs.update, writes=True),
            "DeleteTrainingJob": Operation(jobs.delete, writes=True),
            "AddTags": Operation(tagging.add, writes=True),
            "ListTags": Operation(tagging.list),
            "DeleteTags": Operation(tagging.delete, writes=True),
            "Search": Operation(Searching(service_of).search),
        },
    )
    return SageMakerDoor(control, MetricsDoor(service_of, now))


@dataclass(frozen=True, slots=True)
class SageMakerDoor:
    """Two services that sign by one name: the control plane by its target, the metrics by their path."""

    control: JsonDoor
    metrics: MetricsDoor

    async def answer(self, call: Call, body: bytes) -> Answer:
        """Answer a call."""
        return await self._of(call).answer(call, body)

    def refuse(self, call: Call, error: SignatureRefused | Refusal) -> Answer:
        """Say that a call does not get through."""
        return self._of(call).refuse(call, error)

    def _of(self, call: Call) -> JsonDoor | MetricsDoor:
        return self.metrics if call.request.path in MetricsDoor.PATHS else self.control
