"""Objects over HTTP as the API server treats them; the same on a real one (TRAINYARD_TEST_KUBECONFIG)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client, config, watch
from tests.kube_server import DEADLINE, KubeServer


@pytest.fixture
def core(kube: KubeServer) -> Iterator[Any]:
    with config.new_client_from_config(str(kube.kubeconfig)) as api:
        yield client.CoreV1Api(api)


def test_a_created_object_gets_what_only_the_server_may_say(core: Any, namespace: str) -> None:
    made = core.create_namespaced_config_map(namespace, {"metadata": {"generateName": "a-"}, "data": {"k": "v"}})
    assert made.metadata.name.startswith("a-")
    assert len(made.metadata.name) == 7
    assert made.metadata.uid
    assert made.metadata.creation_timestamp
    assert made.metadata.resource_version
    assert core.read_namespaced_config_map(made.metadata.name, namespace).data == {"k": "v"}


def test_a_taken_name_and_an_unknown_one_are_told_in_the_api_servers_words(core: Any, namespace: str) -> None:
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "taken"}})
    with pytest.raises(client.ApiException) as refusal:
        core.create_namespaced_config_map(namespace, {"metadata": {"name": "taken"}})
    assert refusal.value.status == 409
    assert 'configmaps \\"taken\\" already exists' in refusal.value.body
    with pytest.raises(client.ApiException) as refusal:
        core.read_namespaced_config_map("unknown", namespace)
    assert refusal.value.status == 404
    assert 'configmaps \\"unknown\\" not found' in refusal.value.body


def test_a_stale_write_is_a_conflict_and_a_merge_patch_is_not(core: Any, namespace: str) -> None:
    made = core.create_namespaced_config_map(namespace, {"metadata": {"name": "raced"}, "data": {"n": "1"}})
    core.api_client.set_default_header("Content-Type", "application/merge-patch+json")
    core.patch_namespaced_config_map("raced", namespace, {"data": {"n": "2"}})
    del core.api_client.default_headers["Content-Type"]
    made.data = {"n": "3"}
    with pytest.raises(client.ApiException) as refusal:
        core.replace_namespaced_config_map("raced", namespace, made)
    assert refusal.value.status == 409
    assert "the object has been modified" in refusal.value.body
    assert core.read_namespaced_config_map("raced", namespace).data == {"n": "2"}


def test_a_finalizer_holds_a_deleted_object(core: Any, namespace: str) -> None:
    held = {"metadata": {"name": "held", "finalizers": ["example.com/hold"]}}
    core.create_namespaced_config_map(namespace, held)
    core.delete_namespaced_config_map("held", namespace)
    dying = core.read_namespaced_config_map("held", namespace)
    assert dying.metadata.deletion_timestamp
    dying.metadata.finalizers = None
    core.replace_namespaced_config_map("held", namespace, dying)
    with pytest.raises(client.ApiException) as refusal:
        core.read_namespaced_config_map("held", namespace)
    assert refusal.value.status == 404


def test_pages_and_selectors(core: Any, namespace: str) -> None:
    for number in range(5):
        labels = {"parity": "odd" if number % 2 else "even"}
        core.create_namespaced_config_map(namespace, {"metadata": {"name": f"page-{number}", "labels": labels}})
    odd = core.list_namespaced_config_map(namespace, label_selector="parity in (odd)")
    assert [item.metadata.name for item in odd.items] == ["page-1", "page-3"]
    one = core.list_namespaced_config_map(namespace, field_selector="metadata.name=page-2")
    assert [item.metadata.name for item in one.items] == ["page-2"]
    names, token = [], None
    while True:
        page = core.list_namespaced_config_map(namespace, limit=2, _continue=token, label_selector="parity")
        names += [item.metadata.name for item in page.items]
        token = page.metadata._continue
        if not token:
            break
    assert names == [f"page-{number}" for number in range(5)]


def test_a_watch_tells_what_happens_from_a_revision_on(core: Any, namespace: str) -> None:
    since = core.list_namespaced_config_map(namespace).metadata.resource_version
    core.create_namespaced_config_map(namespace, {"metadata": {"name": "watched"}})
    core.delete_namespaced_config_map("watched", namespace)
    told = []
    watching = watch.Watch()
    for event in watching.stream(
        core.list_namespaced_config_map, namespace, resource_version=since, timeout_seconds=int(DEADLINE),
        field_selector="metadata.name=watched",
    ):  # fmt: skip
        told.append((event["type"], event["object"].metadata.name))
        if len(told) == 2:
            watching.stop()
    assert told == [("ADDED", "watched"), ("DELETED", "watched")]


def test_a_watch_from_a_forgotten_future_is_410(core: Any, namespace: str) -> None:
    with pytest.raises(client.ApiException) as refusal:
        for _ in watch.Watch().stream(
            core.list_namespaced_config_map, namespace, resource_version="99999999999", timeout_seconds=5
        ):
            pass
    assert refusal.value.status in (410, 504)
