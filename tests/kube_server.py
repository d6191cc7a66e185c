"""An API server to test against: our door over a memory store, or the real one that TRAINYARD_TEST_KUBECONFIG names.

Tests take the fixtures `kube` (a server) and `namespace` (a fresh namespace on it) and need not know which it is.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from trainyard.doors.kube.app import KubeDoor
from trainyard.doors.kube.registry import Registry
from trainyard.doors.kube.world import Hook, World
from trainyard.ports.resources import ResourceStore
from trainyard.resource.crd import Validation, definition
from trainyard.stores.memory.resources import MemoryResourceStore
from trainyard.wiring.answering import answering
from trainyard.wiring.sockets import tcp_listener

VARIABLE = "TRAINYARD_TEST_KUBECONFIG"
SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
DEADLINE = 20.0  # seconds for anything that must happen


@dataclass(frozen=True)
class KubeServer:
    """A running API server. `url` is "" for a real one: ask the kubeconfig."""

    kubeconfig: Path
    url: str
    is_real: bool

    def kubectl(
        self, *arguments: str, check: bool = True, given: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl against it."""
        return subprocess.run(
            ["kubectl", "--kubeconfig", str(self.kubeconfig), *arguments],
            input=given, capture_output=True, text=True, timeout=60, check=check,
            env={**os.environ, "HOME": str(self.kubeconfig.parent)},
        )  # fmt: skip


def a_world(store: ResourceStore, hooks: Sequence[Hook] = ()) -> World:
    """A world over a store, on the real clock."""
    return World(
        store=store, registry=Registry(store), now=time.time, uid=lambda: str(uuid.uuid4()),
        suffix=lambda: "".join(secrets.choice(SUFFIX_LETTERS) for _ in range(5)), hooks=hooks,
    )  # fmt: skip


@contextmanager
def a_kube_server(
    folder: Path, *, store: ResourceStore | None = None, hooks: Sequence[Hook] = (), port: int = 0
) -> Iterator[KubeServer]:
    """Our door on a loopback port, in a thread with a loop of its own, for as long as the block lasts.

    A memory store is made inside that thread unless one is given.
    """
    ready, stop = threading.Event(), threading.Event()

    async def serve() -> None:
        door = KubeDoor(a_world(store or MemoryResourceStore(), hooks))
        async with door.running(), answering(door, listener, grace=1.0):
            ready.set()
            while not stop.is_set():
                await asyncio.sleep(0.02)
            door.end_watches()

    with tcp_listener("127.0.0.1", port, usual=port, option="") as listener:
        thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
        thread.start()
        assert ready.wait(DEADLINE), "the door did not start"
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            yield KubeServer(write_kubeconfig(folder / "kubeconfig", url), url, is_real=False)
        finally:
            stop.set()
            thread.join(DEADLINE)
            assert not thread.is_alive(), "the door did not stop"


def write_kubeconfig(path: Path, url: str) -> Path:
    """A kubeconfig for a server that asks for nothing."""
    config: dict[str, Any] = {
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": url}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test", "namespace": "default"}}],
        "users": [{"name": "test", "user": {}}],
    }  # fmt: skip
    path.write_bytes(orjson.dumps(config))
    return path


@pytest.fixture(scope="session")
def kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeServer]:
    """An API server for the whole session; tests keep to a namespace and to names of their own."""
    real = os.environ.get(VARIABLE)
    if real:
        yield KubeServer(Path(real), "", is_real=True)
        return
    with a_kube_server(tmp_path_factory.mktemp("kube")) as server:
        yield server


@pytest.fixture
async def namespace(kube: KubeServer) -> Any:
    """A fresh namespace, deleted afterwards."""
    from kubernetes import client, config

    api = client.CoreV1Api(config.new_client_from_config(str(kube.kubeconfig)))
    name = f"test-{secrets.token_hex(4)}"
    await asyncio.to_thread(api.create_namespace, {"metadata": {"name": name}})
    yield name
    await asyncio.to_thread(api.delete_namespace, name)


DEFINITION = "trainingjobs.sagemaker.services.k8s.aws"
_OURS = "trainyard-tests"  # the label of a definition that was not there before us


@pytest.fixture(scope="session")
def training_jobs(kube: KubeServer) -> KubeServer:
    """The server, with TrainingJobs as ACK takes them. What was not there before goes with the session."""
    body: dict[str, Any] = definition(Validation.ACK)
    if kube.kubectl("get", "crd", DEFINITION, check=False).returncode != 0:
        body["metadata"]["labels"] = {**body["metadata"].get("labels", {}), _OURS: "made"}
    given = orjson.dumps(body).decode()
    said = ("--field-manager=trainyard-tests", "--force-conflicts")
    kube.kubectl("apply", "--server-side", *said, "-f", "-", given=given)
    kube.kubectl("wait", "--for=condition=Established", f"crd/{DEFINITION}", "--timeout=30s")
    return kube


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Take our definition away from a real server again, once no worker runs any more."""
    real = os.environ.get(VARIABLE)
    if real and not hasattr(session.config, "workerinput"):
        server = KubeServer(Path(real), "", is_real=True)
        server.kubectl("delete", "crd", "-l", f"{_OURS}=made", "--wait=false", check=False)
