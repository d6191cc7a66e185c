"""BatchPutMetrics: what a program tells of its training while it runs. REST and JSON, signed as SageMaker."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from trainyard.awswire import json11
from trainyard.awswire.calls import Answer, Call, Refusal
from trainyard.awswire.json_door import not_authorized
from trainyard.awswire.reading import moment, read
from trainyard.awswire.sigv4 import SignatureRefused
from trainyard.doors.sagemaker.errors import refusal_of
from trainyard.doors.sagemaker.jobs import ServiceOf
from trainyard.doors.sagemaker.requests import BatchPutMetrics
from trainyard.doors.sagemaker.tags import job_named
from trainyard.model.errors import ResourceNotFound, TrainyardError, ValidationRefused
from trainyard.model.ledger import Point
from trainyard.ports.service import SupportsRecording

OLDEST, NEWEST = 14 * 86_400.0, 2 * 3_600.0  # seconds around now that a metric may be dated in
_OF_A_JOB = "-aws-training-job"  # the service names a job's own trial component so


class MetricsDoor:
    """The one operation."""

    PATHS = frozenset({b"/BatchPutMetrics", b"/BatchGetMetrics"})

    def __init__(self, service_of: ServiceOf, now: Callable[[], float]) -> None:
        self._service_of, self._now = service_of, now

    async def answer(self, call: Call, body: bytes) -> Answer:
        """Answer a call."""
        try:
            document = await self._put(call, body)
        except Refusal as error:
            return self.refuse(call, error)
        except TrainyardError as error:
            return self.refuse(call, refusal_of(error))
        return json11.answer(document, call.request_id, json11.REST_JSON)

    def refuse(self, call: Call, error: SignatureRefused | Refusal) -> Answer:
        """Say that a call does not get through."""
        plain = error if isinstance(error, Refusal) else json11.signature_refusal(error)
        return json11.refusal(plain, call.request_id, json11.REST_JSON)

    async def _put(self, call: Call, body: bytes) -> dict[str, Any]:
        if (call.request.method, call.request.path) != ("PUT", b"/BatchPutMetrics"):
            raise Refusal("UnknownOperationException", "There is no such operation here.", status=404)
        if call.reads_only:
            raise Refusal("AccessDeniedException", not_authorized(call, "sagemaker:BatchPutMetrics"), status=403)
        request = read(BatchPutMetrics, json11.read_members(body))
        service = self._service_of(call.scope)
        if not isinstance(service, SupportsRecording):
            raise ValidationRefused("Metrics are not recorded here.")
        component = request.trial_component_name
        if not component.endswith(_OF_A_JOB):
            raise ResourceNotFound(
                f"There is no trial component {component} here; a training job's own is <job name>{_OF_A_JOB}."
            )
        name = await job_named(service, component.removesuffix(_OF_A_JOB))
        points = [
            Point(name=one.metric_name, value=one.value, at=moment(one.timestamp) or 0.0, step=one.step)
            for one in request.metric_data
        ]
        sound = [(place, point) for place, point in enumerate(points) if self._is_sound(point)]
        if sound:
            await service.record_metrics(name, [point for _, point in sound])
        refused = sorted({*range(len(points))} - {place for place, _ in sound})
        return {"Errors": [{"Code": "VALIDATION_ERROR", "MetricIndex": place} for place in refused]} if refused else {}

    def _is_sound(self, point: Point) -> bool:
        """A number, dated in the window that the service takes."""
        age = self._now() - point.at
        return math.isfinite(point.value) and -NEWEST <= age <= OLDEST
