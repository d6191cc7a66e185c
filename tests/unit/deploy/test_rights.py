"""The chart's rights, held against an operator at work: it gets by with them, and is given none that it does not use.

The operator runs with the chart's own command line against doors/kube, behind a gate that knows the rendered roles and
refuses whatever they do not grant, as an API server does.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import orjson
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.charts import Manifest, containers, rendered
from tests.fakes.yard import TestYard, a_running_yard
from tests.kube_server import a_world

from trainyard.cli.operating import operation_of, operator_command
from trainyard.doors.kube.app import KubeDoor
from trainyard.doors.kube.paths import target_of
from trainyard.kit.clock import SystemClock
from trainyard.kubeapi.access import Access, Fixed
from trainyard.kubeapi.client import Client
from trainyard.kubeapi.errors import NotFound
from trainyard.kubeapi.kinds import NAMESPACES
from trainyard.kubeapi.recorder import Recorder
from trainyard.operator.reconciler import TRAINING_JOBS
from trainyard.ports.places import OnlyPlace
from trainyard.resource.crd import Validation, definition
from trainyard.stores.memory.resources import MemoryResourceStore
from trainyard.wiring.answering import answering
from trainyard.wiring.operating import Operator

DEADLINE = 30.0
ALONE = ("server.enabled=false", "service.url=https://trainyard.example:8443")
AMAZON = ("server.enabled=false", "service.url=sagemaker")
NARROW = ("installScope=namespace", "watchNamespace=red")
MANIFEST = {
    "apiVersion": "sagemaker.services.k8s.aws/v1alpha1", "kind": "TrainingJob",
    "spec": {
        "roleARN": "arn:aws:iam::123456789012:role/role-of-training", "trainingJobName": "one",
        "algorithmSpecification": {"trainingImage": "image", "trainingInputMode": "File"},
        "outputDataConfig": {"s3OutputPath": "s3://bucket/out"},
        "resourceConfig": {"instanceType": "ml.m5.large", "instanceCount": 1, "volumeSizeInGB": 5},
        "stoppingCondition": {"maxRuntimeInSeconds": 600},
    },
}  # fmt: skip
Right = tuple[str, str, str, str]  # namespace or "*", group, resource[/subresource], verb


def granted(manifests: list[Manifest]) -> Iterator[Right]:
    """What the roles grant that are bound to the operator's account."""
    roles = {
        (one["kind"], one["metadata"]["name"], one["metadata"].get("namespace")): one["rules"]
        for one in manifests
        if one["kind"] in ("Role", "ClusterRole")
    }
    for binding in manifests:
        if binding["kind"] not in ("RoleBinding", "ClusterRoleBinding"):
            continue
        assert [(one["kind"], one["name"], one["namespace"]) for one in binding["subjects"]] == [
            ("ServiceAccount", "yard-trainyard", "jobs")
        ]
        namespace = binding["metadata"].get("namespace")
        for rule in roles[binding["roleRef"]["kind"], binding["roleRef"]["name"], namespace]:
            for group in rule["apiGroups"]:
                for resource in named(rule):
                    yield from ((namespace or "*", group, resource, verb) for verb in rule["verbs"])


def named(rule: Manifest) -> list[str]:
    """A rule's resources, those that it names one by one as `resource=name`."""
    names = rule.get("resourceNames")
    return [f"{one}={name}" for one in rule["resources"] for name in names] if names else rule["resources"]


@dataclass
class Gate:
    """An API server's authorisation, and its habit of refusing a write that another was faster with."""

    app: ASGIApp
    rights: frozenset[Right]
    used: set[Right] = field(default_factory=set)
    refused: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    conflicts: int = 1

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        asked = asked_for(scope)
        found = {(namespace, *asked[1:]) for namespace in (asked[0], "*")} & self.rights
        self.used |= found
        if not found:
            self.refused[asked] += 1
            await refuse(send, 403, "Forbidden")
        elif asked[2:] == ("trainingjobs/status", "patch") and self.conflicts:
            self.conflicts -= 1
            await refuse(send, 409, "Conflict")
        else:
            await self.app(scope, receive, send)


def asked_for(scope: Scope) -> Right:
    """A request as the rules of a role name it."""
    target = target_of(scope["path"])
    assert target is not None, scope["path"]
    query = parse_qs(scope["query_string"].decode())
    reading = "get" if target.name else "watch" if query.get("watch", ["false"])[0] in ("true", "1") else "list"
    verb = {"GET": reading, "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}[scope["method"]]
    resource = f"{target.plural}/{target.subresource}" if target.subresource else target.plural
    chosen = query.get("fieldSelector", [""])[0].removeprefix("metadata.name=")
    resource += f"={chosen}" if chosen else ""
    return target.namespace or "*", target.group, resource, verb


async def refuse(send: Send, code: int, reason: str) -> None:
    body = orjson.dumps({"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "reason": reason})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": code, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def reached(app: ASGIApp) -> AsyncIterator[Access]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with answering(app, listener, grace=1):
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            yield Access(server=url, credentials=Fixed(), namespace="jobs")


def operation(manifests: list[Manifest]) -> Any:
    """The operator's own, by the chart's command line; without its ports."""
    (container,) = [one for one in containers(manifests) if one["name"] == "operator"]
    arguments = container["args"][container["args"].index("operator") + 1 :]
    given = operator_command.make_context("operator", [*arguments, "--metrics-addr=0", "--healthz-addr=0"]).params
    return operation_of(given, on_amazon="--on=sagemaker" in arguments)


@asynccontextmanager
async def at_work(values: tuple[str, ...]) -> AsyncIterator[tuple[Gate, Client, TestYard]]:
    """An operator behind its gate, a client that may everything, and the service whose jobs the test moves."""
    manifests = rendered(values)
    door = KubeDoor(a_world(MemoryResourceStore()))
    gate = Gate(door, frozenset(granted(manifests)))
    async with door.running(), a_running_yard() as yard, reached(door) as all_rights, reached(gate) as its_own:
        await door.install(definition(Validation.ACK))
        async with Client(all_rights, SystemClock(), timeout=DEADLINE) as client:
            for name in ("jobs", "red"):
                await client.create(NAMESPACES, None, {"metadata": {"name": name}})
            working = asyncio.create_task(Operator(OnlyPlace(yard.service), its_own, operation(manifests)).run())
            try:
                yield gate, client, yard
                await tell_twice(its_own, await client.get(NAMESPACES, None, "red"))
            finally:
                working.cancel()
                door.end_watches()
                await asyncio.gather(working, return_exceptions=True)


async def tell_twice(access: Access, about: dict[str, Any]) -> None:
    """One event, told twice by one process."""
    about["metadata"]["namespace"] = "red"
    async with Client(access, SystemClock(), timeout=DEADLINE) as client:
        recorder = Recorder(client, SystemClock(), component="test")
        telling = asyncio.create_task(recorder.run())
        for count in (1, 2):
            recorder.tell(about, "Told", "once and again")
            await recorder.drained()
            assert (recorder.sent, recorder.dropped) == (count, 0)
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


async def until(client: Client, true: Any) -> None:
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                found = await client.get(TRAINING_JOBS, "red", "one")
            except NotFound:
                found = {}
            if true(found):
                return
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "values",
    [(), (*ALONE, "leaderElection.enabled=true"), (*ALONE, *NARROW, "leaderElection.enabled=true"), AMAZON],
    ids=["server", "alone", "narrow", "amazon"],
)
@pytest.mark.parametrize("ttl", [(), ("ttlAfterFinished=0",)], ids=["kept", "deleted-after"])
async def test_the_operator_works_with_exactly_what_the_chart_grants(
    values: tuple[str, ...], ttl: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACK_SYSTEM_NAMESPACE", "jobs")  # as the chart sets it
    async with at_work((*values, *ttl)) as (gate, client, yard):
        await client.create(TRAINING_JOBS, "red", {**MANIFEST, "metadata": {"name": "one"}})
        await until(client, lambda found: found.get("status", {}).get("trainingJobStatus") == "InProgress")
        await client.patch(TRAINING_JOBS, "red", "one", {"spec": {"tags": [{"key": "team", "value": "red"}]}})
        await yard.launched("one")
        await yard.end("one")
        if not ttl:
            await until(client, lambda found: found.get("status", {}).get("trainingJobStatus") == "Completed")
            await client.delete(TRAINING_JOBS, "red", "one")
        await until(client, lambda found: found == {})
    narrow = "installScope=namespace" in values
    assert set(gate.refused) == ({("*", "", "namespaces", "list")} if narrow else set())
    assert gate.rights - gate.used == set()
