"""The door, in the three protocols that clients speak: query and XML, JSON 1.0, Smithy RPC v2 in CBOR."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from trainyard.awswire import json11, query, rpc_cbor
from trainyard.awswire.calls import Answer, Call, Refusal
from trainyard.awswire.forms import members
from trainyard.awswire.sigv4 import SignatureRefused
from trainyard.doors.cloudwatch import requests
from trainyard.doors.cloudwatch.errors import SHAPES, refusal_of
from trainyard.doors.cloudwatch.listing import Listing
from trainyard.doors.cloudwatch.reading import Reading
from trainyard.doors.cloudwatch.series import Members, ServiceOf
from trainyard.model.errors import TrainyardError
from trainyard.model.shapes import Structure

PREFIX, VERSION = "GraniteServiceVersion20100801", "2010-08-01"
NAMESPACE = "http://monitoring.amazonaws.com/doc/2010-08-01/"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, and what its request holds."""

    request: type[Structure]
    run: Callable[[Call, Members], Awaitable[Members]]


def cloudwatch_door(service_of: ServiceOf, now: Callable[[], float]) -> CloudWatchDoor:
    """The door over services by their scope."""
    reading = Reading(service_of)
    return CloudWatchDoor(
        {
            "GetMetricStatistics": Operation(requests.GetMetricStatistics, reading.statistics),
            "GetMetricData": Operation(requests.GetMetricData, reading.data),
            "ListMetrics": Operation(requests.ListMetrics, Listing(service_of, now).list),
        }
    )


@dataclass(frozen=True, slots=True)
class CloudWatchDoor:
    """The same operations, asked for in any of the protocols."""

    operations: dict[str, Operation]

    async def answer(self, call: Call, body: bytes) -> Answer:
        """Answer a call in the protocol that it is made in."""
        try:
            if (target := rpc_cbor.target_of(call.request)) is not None:
                told = await self._run(call, self._known(*target), rpc_cbor.read_members(body))
                return rpc_cbor.answer(told, call.request_id)
            prefix, name = json11.target_of(call.request)
            if prefix:
                told = await self._run(call, self._known(prefix, name), json11.read_members(body))
                return json11.answer(told, call.request_id, json11.JSON_1_0)
            return await self._answer_form(call, body)
        except Refusal as error:
            return self.refuse(call, error)

    def refuse(self, call: Call, error: SignatureRefused | Refusal) -> Answer:
        """Say that a call does not get through."""
        if rpc_cbor.target_of(call.request) is None and not json11.target_of(call.request)[0]:
            return query.refused(call, error, NAMESPACE)
        plain = error if isinstance(error, Refusal) else json11.signature_refusal(error)
        shape = SHAPES.get(plain.code, plain.code)
        side = "Sender" if plain.status < 500 else "Receiver"
        older = ("x-amzn-query-error", f"{plain.code};{side}")  # the code that clients knew before this protocol
        if rpc_cbor.target_of(call.request) is not None:
            answer = rpc_cbor.answer(
                {"__type": shape, "message": plain.message}, call.request_id, status=plain.status
            )  # fmt: skip
        else:
            told = Refusal(shape, plain.message, status=plain.status, member=plain.member)
            answer = json11.refusal(told, call.request_id, json11.JSON_1_0)
        return Answer(status=answer.status, body=answer.body, headers=(*answer.headers, older))

    async def _answer_form(self, call: Call, body: bytes) -> Answer:
        form = query.read_form(call, body)
        name = form.get("Action", "")
        operation = self.operations.get(name)
        if operation is None:
            raise query.no_action(name, VERSION)
        told = await self._run(call, operation, members(form, operation.request))
        return query.told(call, name, told, NAMESPACE)

    def _known(self, prefix: str, name: str) -> Operation:
        operation = self.operations.get(name) if prefix == PREFIX else None
        if operation is None:
            raise Refusal("UnknownOperationException", f"There is no {prefix[:64]}.{name[:64]} here.")
        return operation

    async def _run(self, call: Call, operation: Operation, wire: dict[str, Any]) -> Members:
        try:
            return await operation.run(call, wire)
        except TrainyardError as error:
            raise refusal_of(error) from error
