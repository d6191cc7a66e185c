"""The official Python client and kr8s as judges of the Kubernetes door; the same on a real API server."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import kr8s.asyncio
import pytest
from kr8s.asyncio.objects import new_class
from kubernetes import client, config, watch
from tests.acceptance.kube.widgets import GROUP, definition, widget
from tests.kube_server import DEADLINE, KubeServer

PLURAL = "cogs"
WHERE = (GROUP, "v1")


def cog(name: str, size: int = 1) -> dict[str, Any]:
    return {**widget(name, size), "kind": "Cog"}


@pytest.fixture(scope="module")
def api(kube: KubeServer) -> Any:
    with config.new_client_from_config(str(kube.kubeconfig)) as connected:
        definitions = client.ApiextensionsV1Api(connected)
        definitions.create_custom_resource_definition(definition(PLURAL, "Cog"))
        for event in watch.Watch().stream(definitions.list_custom_resource_definition, timeout_seconds=int(DEADLINE)):
            conditions = event["object"].status.conditions if event["object"].status else None
            if event["object"].spec.names.kind == "Cog" and any(one.type == "Established" for one in conditions or ()):
                break
        yield connected
        definitions.delete_custom_resource_definition(f"{PLURAL}.{GROUP}")


async def test_custom_objects_through_the_official_client(api: Any, namespace: str) -> None:
    cogs = client.CustomObjectsApi(api)
    made = cogs.create_namespaced_custom_object(*WHERE, namespace, PLURAL, cog("a", 1))
    assert (made["metadata"]["generation"], made["spec"]) == (1, {"size": 1})
    stood = cogs.patch_namespaced_custom_object_status(*WHERE, namespace, PLURAL, "a", {"status": {"phase": "Done"}})
    assert (stood["metadata"]["generation"], stood["status"]) == (1, {"phase": "Done"})
    changed = cogs.patch_namespaced_custom_object(
        *WHERE, namespace, PLURAL, "a", {"spec": {"size": 2}, "status": {"phase": "Lost"}}
    )
    assert (changed["metadata"]["generation"], changed["status"]) == (2, {"phase": "Done"})
    with pytest.raises(client.ApiException) as refusal:
        cogs.create_namespaced_custom_object(*WHERE, namespace, PLURAL, cog("b", -1))
    assert refusal.value.status == 422
    told = json.loads(refusal.value.body)
    assert told["details"]["causes"][0]["field"] == "spec.size"
    assert told["details"]["name"] == "b"


async def test_unknown_fields_are_refused_warned_of_or_dropped_as_asked(api: Any, namespace: str) -> None:
    cogs = client.CustomObjectsApi(api)
    body = {**cog("odd"), "spec": {"size": 1, "colour": "red"}}
    with pytest.raises(client.ApiException) as refusal:
        cogs.create_namespaced_custom_object(*WHERE, namespace, PLURAL, body, field_validation="Strict")
    assert refusal.value.status == 400
    assert "strict decoding error: unknown field" in json.loads(refusal.value.body)["message"]
    made, _, headers = cogs.create_namespaced_custom_object_with_http_info(
        *WHERE, namespace, PLURAL, body, field_validation="Warn"
    )
    assert made["spec"] == {"size": 1}
    assert "spec.colour" in headers["Warning"]


async def test_a_watch_by_the_official_client(api: Any, namespace: str) -> None:
    cogs = client.CustomObjectsApi(api)
    since = cogs.list_namespaced_custom_object(*WHERE, namespace, PLURAL)["metadata"]["resourceVersion"]
    cogs.create_namespaced_custom_object(*WHERE, namespace, PLURAL, cog("w", 1))
    cogs.patch_namespaced_custom_object(*WHERE, namespace, PLURAL, "w", {"metadata": {"labels": {"seen": "yes"}}})
    cogs.delete_namespaced_custom_object(*WHERE, namespace, PLURAL, "w")
    stream = watch.Watch().stream(
        cogs.list_namespaced_custom_object, *WHERE, namespace, PLURAL, resource_version=since,
        timeout_seconds=int(DEADLINE), label_selector="seen=yes",
    )  # fmt: skip
    assert [next(stream)["type"] for _ in range(2)] == ["ADDED", "DELETED"]


async def test_the_objects_through_kr8s(kube: KubeServer, api: Any, namespace: str) -> None:
    async with asyncio.timeout(DEADLINE):
        connected = await kr8s.asyncio.api(kubeconfig=str(kube.kubeconfig))
        kind = new_class("Cog", f"{GROUP}/v1", plural=PLURAL)
        one = await kind({**cog("k", 3), "metadata": {"name": "k", "namespace": namespace}}, api=connected)
        await one.create()
        await one.patch({"spec": {"size": 4}})
        found = [each async for each in connected.get(kind, "k", namespace=namespace)]
        assert [each.spec.size for each in found] == [4]
        await one.delete()
        await one.wait("delete")
        await connected._session.aclose()  # kr8s itself leaves it to the garbage collector
