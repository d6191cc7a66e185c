"""AWS below botocore: answers by operation at the place where bytes would go out, and what was sent.

botocore's own signing, serialising, parsing, retrying and rate limiting run; only the socket does not.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse

REGION = "eu-west-1"
ACCOUNT = "123456789012"


class FakeAws:
    """`answers[operation]` is what is answered next: JSON, XML as text, or (status, either); the last stays."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Any]] = defaultdict(list)
        self.sent: list[tuple[str, Any]] = []

    def session(self) -> boto3.Session:
        session = boto3.Session("AKIDEXAMPLE", "secret", region_name=REGION)
        session.events.register("before-send", self._answer)
        return session

    def requests(self, operation: str) -> list[Any]:
        return [request for name, request in self.sent if name == operation]

    def _answer(self, request: Any, event_name: str, **_: Any) -> AWSResponse:
        operation = event_name.rsplit(".", 1)[-1]
        body = request.body.decode() if isinstance(request.body, bytes) else request.body
        self.sent.append((operation, json.loads(body) if body and body.startswith("{") else body))
        queue = self.answers[operation]
        answer = queue.pop(0) if len(queue) > 1 else queue[0] if queue else (400, _unknown(operation))
        if isinstance(answer, Exception):
            raise answer
        status, plain = answer if isinstance(answer, tuple) else (200, answer)
        return _Response(status, plain)


class _Response(AWSResponse):
    def __init__(self, status: int, plain: Mapping[str, Any] | str) -> None:
        super().__init__("https://fake/", status, _Headers({"content-type": "application/x-amz-json-1.1"}), None)
        self._content = (plain if isinstance(plain, str) else json.dumps(plain)).encode()


class _Headers(dict[str, str]):
    def get(self, key: str, default: Any = None) -> Any:
        return super().get(key.lower(), default)


def refusal(code: str, message: str, status: int = 400) -> tuple[int, dict[str, str]]:
    return status, {"__type": code, "message": message}


def _unknown(operation: str) -> dict[str, str]:
    return {"__type": "UnknownOperationException", "message": f"no answer for {operation}"}
