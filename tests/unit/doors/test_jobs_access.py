"""The job API's door: what a token may, held against every method; and what no token may do."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from trainyard.access import tokens
from trainyard.access.callers import Role
from trainyard.access.guard import Bearer, Limits
from trainyard.controlapi.methods import METHODS
from trainyard.doors.control.jobs import jobs_app
from trainyard.model.errors import ResourceNotFound
from trainyard.model.keys import Scope

HERE, ELSEWHERE = "111111111111/us-east-1", "222222222222/us-east-1"
SPEC = {
    "TrainingJobName": "x", "RoleArn": "arn:aws:iam::111111111111:role/trainer",
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
}  # fmt: skip
ARGUMENTS: dict[str, dict[str, Any]] = {
    "create": {"spec": SPEC}, "plan": {"spec": SPEC}, "update": {"update": {"TrainingJobName": "x"}},
    "list": {"query": {}},
    "search": {"query": {}}, "add_tags": {"name": "x", "tags": []}, "delete_tags": {"name": "x", "keys": []},
    "changes": {"since": 0}, "revision": {}, "record_metrics": {"name": "x", "points": []},
}  # fmt: skip
WRITING = {name for name, method in METHODS.items() if method.writes}


class Reached:
    """Stands for every service, and remembers whose was asked for what."""

    def __init__(self) -> None:
        self.calls: list[tuple[Scope, str]] = []

    def of(self, scope: Scope) -> Any:
        return _Service(self, scope)


class _Service:
    def __init__(self, reached: Reached, scope: Scope) -> None:
        self._reached, self._scope = reached, scope

    def __getattr__(self, name: str) -> Any:
        async def call(**_given: Any) -> Any:
            self._reached.calls.append((self._scope, name))
            raise ResourceNotFound("Requested resource not found.")

        async def stream(**_given: Any) -> Any:
            self._reached.calls.append((self._scope, name))
            raise ResourceNotFound("Requested resource not found.")
            yield

        return stream if METHODS[name].is_stream else call


class Door:
    def __init__(self, folder: Path, role: Role, *held: str, limits: Limits = Limits()) -> None:  # noqa: B008 - frozen
        self.reached = Reached()
        token = tokens.add(folder / "tokens.json", "anna", role, held)
        judge = Bearer(lambda: tokens.load(folder / "tokens.json"))
        app = jobs_app(self.reached.of, asyncio.Event(), judge, limits)
        self.client = TestClient(app, headers={"Authorization": f"Bearer {token}"})

    def call(self, place: str, method: str) -> tuple[int, str]:
        answer = self.client.post(f"/v1/{place}/{method}", json=ARGUMENTS.get(method, {"name": "x"}))
        error = json.loads(answer.content.splitlines()[-1])["error"]
        return answer.status_code, error["kind"]


@pytest.mark.parametrize("method", METHODS)
def test_a_reader_reads_and_changes_nothing(tmp_path: Path, method: str) -> None:
    door = Door(tmp_path, Role.READ)
    status, kind = door.call(HERE, method)
    if method in WRITING:
        assert (status, kind, door.reached.calls) == (403, "AccessDenied", [])
    else:
        assert kind == "ResourceNotFound"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("role", [Role.SUBMIT, Role.ADMIN])
def test_who_may_submit_does_everything_in_its_place_and_nothing_in_anothers(
    tmp_path: Path, method: str, role: Role
) -> None:
    door = Door(tmp_path, role, HERE)
    assert door.call(HERE, method)[1] == "ResourceNotFound"
    assert door.reached.calls == [(Scope("111111111111", "us-east-1"), method)]
    assert door.call(ELSEWHERE, method) == (403, "AccessDenied")
    assert door.call("111111111111/eu-west-1", method) == (403, "AccessDenied")
    assert len(door.reached.calls) == 1


@pytest.mark.parametrize(
    ("held", "place", "let_in"),
    [
        ("111111111111/*", "111111111111/eu-west-1", True),
        ("111111111111/*", ELSEWHERE, False),
        ("team", HERE, False),  # a namespace of the Kubernetes API is no place of this one
        ("111111111111", HERE, False),
    ],
)
def test_what_a_token_is_held_to(tmp_path: Path, held: str, place: str, *, let_in: bool) -> None:
    door = Door(tmp_path, Role.ADMIN, held)
    assert (door.call(place, "describe")[1] == "ResourceNotFound") is let_in
    assert bool(door.reached.calls) is let_in


@pytest.mark.parametrize(
    "place", ["*/us-east-1", "111111111111/*", "111111111111/..", "1/us-east-1", "111111111111/us-east-1%2Fx"]
)
def test_a_place_that_is_none_is_refused_whatever_the_token(tmp_path: Path, place: str) -> None:
    door = Door(tmp_path, Role.ADMIN)
    answer = door.client.post(f"/v1/{place}/describe", json={"name": "x"})
    assert answer.status_code in (400, 404)
    assert door.reached.calls == []


@pytest.mark.parametrize("header", ["", "Bearer wrong", "Basic wrong"])
def test_nobody_that_is_known_is_told_so_in_this_apis_words(tmp_path: Path, header: str) -> None:
    door = Door(tmp_path, Role.ADMIN)
    answer = door.client.post(f"/v1/{HERE}/describe", json={"name": "x"}, headers={"Authorization": header})
    assert (answer.status_code, answer.json()["error"]["kind"]) == (401, "AccessDenied")
    assert door.reached.calls == []


def test_a_body_over_the_limit_is_refused_whether_it_says_so_or_not(tmp_path: Path) -> None:
    door = Door(tmp_path, Role.SUBMIT, limits=Limits(body=100))
    for content in (b"x" * 101, iter([b"x" * 60, b"x" * 60])):
        answer = door.client.post(f"/v1/{HERE}/describe", content=content)
        assert (answer.status_code, answer.json()["error"]["kind"]) == (413, "ValidationRefused")


def test_tokens_that_cannot_be_read_let_nobody_in_and_say_when_to_ask_again(tmp_path: Path) -> None:
    door = Door(tmp_path, Role.ADMIN)
    (tmp_path / "tokens.json").write_text("{")
    answer = door.client.post(f"/v1/{HERE}/describe", json={"name": "x"})
    assert (answer.status_code, answer.json()["error"]["kind"]) == (503, "Transient")
    assert str(tmp_path) not in answer.text


@pytest.mark.parametrize("limit", [-2, 0, 1001, 10**9])
@pytest.mark.parametrize("method", ["list", "search"])
def test_a_page_of_any_size_is_not_to_be_had(tmp_path: Path, method: str, limit: int) -> None:
    door = Door(tmp_path, Role.READ)
    answer = door.client.post(f"/v1/{HERE}/{method}", json={"query": {"limit": limit}})
    assert (answer.status_code, "maxResults" in answer.text, door.reached.calls) == (400, True, [])
