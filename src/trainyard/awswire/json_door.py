"""A service of AWS JSON: a table of operations behind one X-Amz-Target prefix."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from trainyard.awswire import json11
from trainyard.awswire.calls import Answer, Call, Refusal
from trainyard.awswire.sigv4 import SignatureRefused
from trainyard.model.errors import TrainyardError

Result = Mapping[str, Any] | bytes | None
Run = Callable[[Call, dict[str, Any]], Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: from the request's members to the answer's; bytes are JSON already; None is an empty answer."""

    run: Run
    writes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonDoor:
    """The door of one service.

    prefix     : of X-Amz-Target.
    action     : how policies name the service: `sagemaker` of `sagemaker:CreateTrainingJob`.
    refusal_of : the service's words for our errors.
    """

    prefix: str
    action: str
    operations: Mapping[str, Operation]
    refusal_of: Callable[[TrainyardError], Refusal]
    content_type: str = json11.JSON_1_1

    async def answer(self, call: Call, body: bytes) -> Answer:
        """Answer a call."""
        _, name = json11.target_of(call.request)
        try:
            document = await self.run(call, name, body)
        except Refusal as error:
            return self.refuse(call, error)
        return json11.answer(document, call.request_id, self.content_type)

    async def run(self, call: Call, name: str, body: bytes) -> Result:
        """An operation's result. Raises Refusal."""
        operation = self._operation(call, name)
        try:
            return await operation.run(call, json11.read_members(body))
        except TrainyardError as error:
            raise self.refusal_of(error) from error

    def refuse(self, call: Call, error: SignatureRefused | Refusal) -> Answer:
        """Say that a call does not get through."""
        plain = error if isinstance(error, Refusal) else json11.signature_refusal(error)
        return json11.refusal(plain, call.request_id, self.content_type)

    def _operation(self, call: Call, name: str) -> Operation:
        prefix, _ = json11.target_of(call.request)
        operation = self.operations.get(name)
        if operation is None or prefix not in ("", self.prefix):
            raise Refusal("UnknownOperationException", f"There is no {prefix[:64]}.{name[:64]} here.")
        if operation.writes and call.reads_only:
            raise Refusal("AccessDeniedException", not_authorized(call, f"{self.action}:{name}"))
        return operation


def not_authorized(call: Call, action: str, resource: str = "") -> str:
    """The text of a refused permission."""
    on = f" on resource: {resource}" if resource else ""
    why = f"because no identity-based policy allows the {action} action"
    return f"User: {call.principal} is not authorized to perform: {action}{on} {why}"
