"""Stock kubectl as the judge of the Kubernetes door; the same on a real API server."""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.kube.widgets import definition, widget
from tests.kube_server import KubeServer

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
Kubectl = Callable[..., str]


@pytest.fixture(scope="session")
def widgets(kube: KubeServer) -> None:
    """The kind, for the whole session."""
    kube.kubectl("apply", "-f", "-", given=json.dumps(definition()))
    kube.kubectl("wait", "--for=condition=Established", "crd/widgets.example.com", "--timeout=20s")


@pytest.fixture
def kubectl(kube: KubeServer, namespace: str, widgets: None) -> Kubectl:
    """Run kubectl in the test's namespace; its output. A failure shows what it said."""

    def run(*arguments: str, given: Any = None, fails: bool = False) -> str:
        text = given if given is None or isinstance(given, str) else json.dumps(given)
        done = kube.kubectl("-n", namespace, *arguments, given=text, check=False)
        assert (done.returncode != 0) is fails, f"kubectl {arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    return run


def spec(kubectl: Kubectl, name: str) -> Any:
    return json.loads(kubectl("get", "widget", name, "-o", "json"))["spec"]


def test_apply_creates_changes_and_removes_what_the_manifest_no_longer_says(kubectl: Kubectl) -> None:
    assert "created" in kubectl("apply", "-f", "-", given=widget("a", 1, note="x"))
    assert "unchanged" in kubectl("apply", "-f", "-", given=widget("a", 1, note="x"))
    assert "configured" in kubectl("apply", "-f", "-", given=widget("a", 2))
    assert spec(kubectl, "a") == {"size": 2}


def test_server_side_apply_merges_lists_by_key_and_tells_conflicts(kubectl: Kubectl) -> None:
    first = widget("ssa", 1, parts=[{"name": "wheel", "count": 4}])
    other = widget("ssa", 1, parts=[{"name": "door", "count": 2}])
    kubectl("apply", "--server-side", "--field-manager=one", "-f", "-", given=first)
    kubectl("apply", "--server-side", "--field-manager=two", "-f", "-", given=other)
    assert {part["name"] for part in spec(kubectl, "ssa")["parts"]} == {"wheel", "door"}
    said = kubectl("apply", "--server-side", "--field-manager=two", "-f", "-", given=widget("ssa", 9), fails=True)
    assert 'conflict with "one": .spec.size' in said
    kubectl("apply", "--server-side", "--field-manager=two", "--force-conflicts", "-f", "-", given=widget("ssa", 9))
    assert spec(kubectl, "ssa") == {"size": 9, "parts": [{"name": "wheel", "count": 4}]}


def test_get_shows_the_definition_s_columns_and_more_when_wide(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", given=widget("shown", 7, note="hello"))
    narrow, wide = kubectl("get", "widgets"), kubectl("get", "xwid", "shown", "-o", "wide")
    assert narrow.split()[:4] == ["NAME", "SIZE", "READY", "AGE"]
    assert "hello" not in narrow
    assert wide.split()[:5] == ["NAME", "SIZE", "NOTE", "READY", "AGE"]
    assert wide.split()[5:8] == ["shown", "7", "hello"]


def test_every_kind_of_patch_label_and_annotation(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", given=widget("p", 1))
    kubectl("patch", "widget", "p", "--type=merge", "-p", '{"spec":{"size":2}}')
    kubectl("patch", "widget", "p", "--type=json", "-p", '[{"op":"replace","path":"/spec/size","value":3}]')
    assert spec(kubectl, "p") == {"size": 3}
    kubectl("create", "configmap", "c", "--from-literal=a=b")
    kubectl("patch", "configmap", "c", "--type=strategic", "-p", '{"metadata":{"finalizers":null},"data":{"c":"d"}}')
    assert json.loads(kubectl("get", "cm", "c", "-o", "json"))["data"] == {"a": "b", "c": "d"}
    kubectl("label", "widget", "p", "team=blue")
    kubectl("annotate", "widget", "p", "why=because")
    assert "p" in kubectl("get", "widgets", "-l", "team in (blue)", "-o", "name")
    assert "No resources" in kubectl("get", "widgets", "-l", "team!=blue,team")


def test_edit_with_an_editor(kubectl: Kubectl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kubectl("apply", "-f", "-", given=widget("edited", 1))
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/  size: 1/  size: 5/' \"$1\"\n")
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    assert "edited" in kubectl("edit", "widget", "edited")
    assert spec(kubectl, "edited") == {"size": 5}


def test_wait_for_a_condition_a_value_and_a_deletion(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", given=widget("awaited", 1))
    status = '{"status":{"phase":"Done","conditions":[{"type":"Ready","status":"True"}]}}'
    kubectl("patch", "widget", "awaited", "--subresource=status", "--type=merge", "-p", status)
    kubectl("wait", "widget/awaited", "--for=condition=Ready", "--timeout=10s")
    kubectl("wait", "widget/awaited", "--for=jsonpath={.status.phase}=Done", "--timeout=10s")
    kubectl("delete", "widget", "awaited", "--wait=false")
    kubectl("wait", "widget/awaited", "--for=delete", "--timeout=10s")


def test_the_content_of_a_namespace_goes_with_it(kubectl: Kubectl) -> None:
    name = f"emptied-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    kubectl("create", "configmap", "inside", "-n", name, "--from-literal=a=b")
    kubectl("delete", "namespace", name, "--timeout=30s")
    kubectl("create", "namespace", name)
    assert "inside" not in kubectl("get", "configmaps", "-n", name, "-o", "name")
    kubectl("delete", "namespace", name, "--timeout=30s")


def test_describe_tells_of_the_object_and_its_events(kubectl: Kubectl, namespace: str) -> None:
    kubectl("apply", "-f", "-", given=widget("told", 1))
    uid = json.loads(kubectl("get", "widget", "told", "-o", "json"))["metadata"]["uid"]
    event = {
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "told.1"}, "reason": "Made", "type": "Normal",
        "message": "It was made", "source": {"component": "test"}, "count": 1,
        "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:00:00Z",
        "involvedObject": {
            "apiVersion": "example.com/v1", "kind": "Widget", "name": "told", "namespace": namespace, "uid": uid
        },
    }  # fmt: skip
    kubectl("create", "-f", "-", given=event)
    assert "It was made" in kubectl("describe", "widget", "told")
    assert "It was made" in kubectl("get", "events")
    assert "It was made" in kubectl("events", "--for", "widget/told")


def test_explain_api_resources_and_may_i(kubectl: Kubectl) -> None:
    assert "How large." in kubectl("explain", "widget.spec")
    assert "Texts by key" in kubectl("explain", "configmap.data") or kubectl("explain", "configmap.data")
    assert "widgets" in kubectl("api-resources", "--api-group=example.com")
    assert kubectl("auth", "can-i", "create", "widgets").strip().endswith("yes")


def test_diff_and_dry_run_change_nothing(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", given=widget("d", 1))
    said = kubectl("diff", "-f", "-", given=widget("d", 2), fails=True)
    assert "+  size: 2" in said
    kubectl("apply", "--dry-run=server", "-f", "-", given=widget("d", 3))
    kubectl("delete", "widget", "d", "--dry-run=server")
    assert spec(kubectl, "d") == {"size": 1}


def test_a_watch_shows_changes_as_they_come(kubectl: Kubectl, kube: KubeServer, namespace: str) -> None:
    kubectl("apply", "-f", "-", given=widget("w", 1))
    argv = ["kubectl", "--kubeconfig", str(kube.kubeconfig), "-n", namespace, "get", "widget", "w", "-w"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        try:
            assert watching.stdout.readline().split()[:2] == ["NAME", "SIZE"]
            assert watching.stdout.readline().split()[:2] == ["w", "1"]
            kubectl("patch", "widget", "w", "--type=merge", "-p", '{"spec":{"size":2}}')
            assert watching.stdout.readline().split()[:2] == ["w", "2"]
        finally:
            watching.kill()


def test_a_namespace_takes_its_content_with_it(kube: KubeServer, kubectl: Kubectl, namespace: str) -> None:
    name = f"{namespace}-gone"
    kube.kubectl("create", "namespace", name)
    kube.kubectl("-n", name, "create", "secret", "generic", "s", "--from-literal=a=b")
    kube.kubectl("-n", name, "apply", "-f", "-", given=json.dumps(widget("inside")))
    kube.kubectl("delete", "namespace", name, "--timeout=30s")
    refused = kube.kubectl("-n", name, "create", "configmap", "late", check=False)
    assert f'namespaces "{name}" not found' in refused.stderr


def test_dependents_go_with_their_owner_or_are_orphaned(kubectl: Kubectl) -> None:
    for owner, cascade in (("leader", "background"), ("keeper", "orphan"), ("waiter", "foreground")):
        kubectl("apply", "-f", "-", given=widget(owner))
        uid = json.loads(kubectl("get", "widget", owner, "-o", "json"))["metadata"]["uid"]
        child = widget(f"{owner}-child")
        child["metadata"]["ownerReferences"] = [
            {"apiVersion": "example.com/v1", "kind": "Widget", "name": owner, "uid": uid, "blockOwnerDeletion": True}
        ]
        kubectl("apply", "-f", "-", given=child)
        kubectl("delete", "widget", owner, f"--cascade={cascade}", "--timeout=20s")
    kubectl("wait", "widget/leader-child", "--for=delete", "--timeout=20s")
    assert "NotFound" in kubectl("get", "widget", "waiter-child", fails=True)
    assert "ownerReferences" not in json.loads(kubectl("get", "widget", "keeper-child", "-o", "json"))["metadata"]


def test_a_definition_takes_its_objects_with_it(kube: KubeServer, kubectl: Kubectl, namespace: str) -> None:
    kubectl("apply", "-f", "-", given=definition("gadgets", "Gadget"))
    kubectl("wait", "--for=condition=Established", "crd/gadgets.example.com", "--timeout=20s")
    kubectl("apply", "-f", "-", given={**widget("g"), "kind": "Gadget"})
    kubectl("delete", "crd", "gadgets.example.com", "--timeout=30s")
    said = kubectl("get", "gadgets", fails=True)
    assert "the server doesn't have a resource type" in said or "could not find the requested resource" in said
