"""Every container of the chart, started as its pod says it: read-only root, an ordinary user, the pod's volumes."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.afar import Afar
from tests.charts import containers, pods, rendered
from tests.kube_server import KubeServer, a_world
from tests.pods import Pod, stopped

from trainyard.doors.kube.app import KubeDoor
from trainyard.resource.crd import Validation, definition
from trainyard.stores.memory.resources import MemoryResourceStore
from trainyard.wiring.answering import answering

DEADLINE = 60.0
JOB = {
    "apiVersion": "sagemaker.services.k8s.aws/v1alpha1", "kind": "TrainingJob", "metadata": {"name": "one"},
    "spec": {
        "trainingJobName": "one", "roleARN": "arn:aws:iam::123456789012:role/role-of-training",
        "algorithmSpecification": {
            "trainingImage": "local/python", "trainingInputMode": "File",
            "containerEntrypoint": ["/bin/sh", "-c", "id -u > /opt/ml/model/user"],
        },
        "outputDataConfig": {"s3OutputPath": "s3://bucket/out"},
        "resourceConfig": {"instanceType": "ml.m5.large", "instanceCount": 1, "volumeSizeInGB": 1},
        "stoppingCondition": {"maxRuntimeInSeconds": 60},
    },
}  # fmt: skip


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[KubeServer]:
    """An API server as a pod finds it, over TLS; what the kubelet gives of it lies in `account`."""
    folder = tmp_path / "account"
    folder.mkdir()
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.crt"))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "api.pem"))
    (folder / "token").write_text("a-token")
    (folder / "namespace").write_text("jobs")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        cluster: dict[str, Any] = {"server": url, "certificate-authority": str(folder / "ca.crt")}
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "t",
            "users": [{"name": "t", "user": {"token": "any"}}],
            "clusters": [{"name": "t", "cluster": cluster}],
            "contexts": [{"name": "t", "context": {"cluster": "t", "user": "t"}}],
        }  # fmt: skip
        (tmp_path / "kubeconfig").write_text(json.dumps(config))
        with answered(listener, tmp_path / "api.pem"):
            server = KubeServer(tmp_path / "kubeconfig", url, is_real=False)
            server.kubectl("create", "namespace", "jobs")
            yield server


@contextmanager
def answered(listener: socket.socket, pem: Path) -> Iterator[None]:
    """The door, in a thread with a loop of its own."""
    ready, stop = threading.Event(), threading.Event()

    async def serve() -> None:
        door = KubeDoor(a_world(MemoryResourceStore()))
        async with door.running(), answering(door, listener, grace=1, certificate=pem, key=pem):
            await door.install(definition(Validation.ACK))
            ready.set()
            await asyncio.to_thread(stop.wait)
            door.end_watches()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(DEADLINE)
    try:
        yield
    finally:
        stop.set()
        thread.join(DEADLINE)


def a_pod(folder: Path, cluster: KubeServer, *values: str) -> Pod:
    """The chart's pod, with what the kubelet gives to one."""
    manifests = rendered(values)
    (spec,) = pods(manifests)
    account = {"name": "account", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": True}
    for container in containers(manifests):
        container.setdefault("volumeMounts", []).append(account)
    port = cluster.url.rpartition(":")[2]
    pod = Pod(spec, folder, environment={"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": port})
    pod.volumes["account"] = folder / "account"
    for manifest in manifests:
        if manifest["kind"] == "ConfigMap":
            pod.volumes["settings"] = folder / "settings"
            pod.volumes["settings"].mkdir()
            for name, text in manifest["data"].items():
                (pod.volumes["settings"] / name).write_text(text)
        if manifest["kind"] == "StatefulSet":
            pod.volumes["home"] = folder / "claimed"
    return pod


def becomes(true: Callable[[], bool], what: Callable[[], str]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < deadline, what()
        time.sleep(0.2)


def probed(pod: Pod, name: str) -> bool:
    """Whether the probes of a container find it alive and ready."""
    container = pod.container(name)
    for probe in (container["livenessProbe"], container["readinessProbe"]):
        if "exec" in probe:
            if pod.run(name, probe["exec"]["command"]).returncode != 0:
                return False
            continue
        asking = http.client.HTTPConnection("127.0.0.1", pod.port(name, probe["httpGet"]["port"]), timeout=5)
        with closing(asking), suppress(OSError, http.client.HTTPException):
            asking.request("GET", probe["httpGet"]["path"])
            if asking.getresponse().status == 200:
                continue
        return False
    return True


def carried_out(cluster: KubeServer) -> str:
    """What becomes of a resource."""
    cluster.kubectl("-n", "jobs", "apply", "-f", "-", given=json.dumps(JOB))
    done = "--for=jsonpath={.status.trainingJobStatus}=Completed"
    cluster.kubectl("-n", "jobs", "wait", "trainingjob/one", done, "--timeout=50s", check=False)
    return cluster.kubectl("-n", "jobs", "describe", "trainingjob", "one").stdout


def test_the_pod_of_a_server_starts_is_probed_trains_and_ends(tmp_path: Path, cluster: KubeServer) -> None:
    pod = a_pod(tmp_path, cluster)
    made = pod.run("home")
    assert made.returncode == 0, made.stderr
    logs = {name: tmp_path / f"{name}.log" for name in ("server", "operator")}
    running: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, log in logs.items():
            running[name] = pod.start(name, log)
        for name, log in logs.items():
            becomes(lambda name=name: probed(pod, name), log.read_text)  # type: ignore[misc]
        told = carried_out(cluster)
        assert "Completed" in told, told + logs["server"].read_text() + logs["operator"].read_text()
    finally:
        statuses = {name: stopped(process) for name, process in running.items()}
    assert statuses == {"server": 0, "operator": 0}


def test_the_operator_alone_drives_a_trainyard_elsewhere_over_tls(tmp_path: Path, cluster: KubeServer) -> None:
    afar = Afar(tmp_path / "afar")
    afar.folder.mkdir()
    afar.prepare()
    with afar.serving():
        pod = a_pod(
            tmp_path, cluster, "server.enabled=false", f"service.url={afar.url}", "service.token.secretName=token",
            "service.ca.secretName=ca", "leaderElection.enabled=true",
        )  # fmt: skip
        for name, source, key in (("token", afar.folder / "token", "token"), ("ca", afar.ca, "ca.crt")):
            pod.volumes[name] = tmp_path / f"secret-{name}"
            pod.volumes[name].mkdir()
            (pod.volumes[name] / key).write_bytes(source.read_bytes())
        log = tmp_path / "operator.log"
        operator = pod.start("operator", log)
        try:
            becomes(lambda: probed(pod, "operator"), log.read_text)
            told = carried_out(cluster)
            assert "Completed" in told, told + log.read_text()
        finally:
            status = stopped(operator)
        assert status == 0, log.read_text()
        assert afar("list", "-o", "name").stdout == "one\n"
