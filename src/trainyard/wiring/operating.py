"""The operator put together: an API server, a service, leader election, and what probes ask for."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

from trainyard.kit.clock import SystemClock
from trainyard.kit.times import rfc3339_micro
from trainyard.kubeapi.access import Access, in_pod, over_socket
from trainyard.kubeapi.client import Client
from trainyard.kubeapi.kubeconfig import files_of, from_kubeconfig
from trainyard.kubeapi.lease import Lease, NotLeading
from trainyard.model.errors import TrainyardError
from trainyard.operator.controller import Controller
from trainyard.operator.health import NOWHERE, answering
from trainyard.operator.metrics import Metrics
from trainyard.operator.options import SYSTEM_NAMESPACE, Flags, rules_of, watching_of, workers_of
from trainyard.ports.places import OnlyPlace, Places
from trainyard.ports.service import TrainingService
from trainyard.wiring.session import Session

LEASE = "ack-sagemaker.services.k8s.aws"  # ACK's own: where both are installed, one acts
_AFTER_A_BUG = 5.0  # seconds
_RETRY = 1.0  # seconds before a process that lost its lease stands for it again


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """How one operator runs. Addresses are `host:port`, "" for none; `qps` 0 is no limit of our own.

    mirrors : jobs that no resource made are shown as read-only resources.
    place   : where the jobs run, for people.
    """

    flags: Flags = field(default_factory=Flags)
    metrics_address: str = ""
    health_address: str = ""
    leader_election: bool = False
    lease_namespace: str = ""
    qps: float = 0.0
    burst: int = 100
    mirrors: bool = False
    place: str = ""


class Operator:
    """One process's operator: controllers that follow one another as the lease comes and goes."""

    def __init__(self, places: Places, access: Access, operation: Operation) -> None:
        self._places, self._access, self._operation = places, access, operation
        self._clock, self._metrics = SystemClock(), Metrics()
        self._rules = rules_of(operation.flags, places.home.scope, _version())
        self._watching = replace(
            watching_of(operation.flags), mirrors=operation.mirrors, system_namespace=_system_namespace()
        )
        self._workers = workers_of(operation.flags)
        self._controller: Controller | None = None

    async def run(self) -> None:
        """Reconcile, whenever it is our turn, until cancelled."""
        async with self._client() as client, self._answering():
            logging.getLogger(__name__).info("%s", self._words())
            if not self._operation.leader_election:
                await self._controlling(client).run()
            while True:
                await self._one_term(client)
                await asyncio.sleep(_RETRY)

    def watch_age(self) -> float:
        """Seconds since the API server was last heard; 0 while another process leads."""
        return self._controller.watch_age() if self._controller else 0.0

    async def _one_term(self, client: Client) -> None:
        identity = f"{os.uname().nodename}_{uuid.uuid4()}"
        namespace = self._operation.lease_namespace or client.namespace
        lease = Lease(client, self._clock, namespace=namespace, name=LEASE, identity=identity)
        try:
            async with lease.leading():
                controller = self._controlling(client)
                controller.guard = lease.check
                await controller.run()
        except* NotLeading:
            logging.getLogger(__name__).warning("another process leads now")
        finally:
            self._controller = None

    def _controlling(self, client: Client) -> Controller:
        self._controller = Controller(
            client, self._places, self._rules, self._clock, watching=self._watching, workers=self._workers,
            metrics=self._metrics,
        )  # fmt: skip
        return self._controller

    def _client(self) -> Client:
        return Client(
            self._access, self._clock, user_agent=f"trainyard-operator/{_version()}", qps=self._operation.qps,
            burst=self._operation.burst,
            answered=lambda method, status: self._metrics.requests.labels(str(status), method).inc(),
        )  # fmt: skip

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        async with answering(
            self._operation.health_address, self._operation.metrics_address,
            age=self.watch_age, ready=lambda: self._controller is None or self._controller.synced, page=self._page,
        ):  # fmt: skip
            yield

    def _words(self) -> str:
        """What it does, and how it was told to."""
        told, rules, watching = self._operation, self._rules, self._watching
        labels = f" with {watching.labels}" if watching.labels else ""
        resync = f"every {rules.resync:g} s" if rules.resync else "never"
        place = f"in account {rules.scope.account}, {rules.scope.region}"
        words = (
            f"trainyard operator {_version()}",
            f"watches TrainingJobs{labels} of {', '.join(watching.namespaces) or 'all namespaces'}",
            f"at {self._access.socket or self._access.server}",
            f"jobs are carried out by {told.place or 'this process'} {place}",
            f"deletion policy {rules.deletion_policy}",
            f"{self._workers} at once",
            f"resync {resync}",
            f"leader election {f'by the lease {LEASE}' if told.leader_election else 'off'}",
            f"health {_address(told.health_address)}",
            f"metrics {_address(told.metrics_address)}",
        )
        return "; ".join(words)

    def _page(self) -> bytes:
        if self._controller is not None:
            self._controller.observe()
        return self._metrics.page()


@asynccontextmanager
async def operating_beside(session: Session) -> AsyncIterator[None]:
    """The operator of a server, over the socket of its own Kubernetes door, for as long as the block lasts."""
    folder = os.open(session.home.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    access = over_socket(f"/proc/self/fd/{folder}/{session.home.kube_socket.name}")
    task = asyncio.create_task(_restarted(session.service, access))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        os.close(folder)


async def _restarted(service: TrainingService, access: Access) -> None:
    """A bug in the operator stops neither the engine nor the doors; it begins anew."""
    while True:
        try:
            await Operator(OnlyPlace(service), access, Operation(mirrors=True)).run()
        except Exception:
            logging.getLogger(__name__).exception("the operator broke down and begins anew")
            await asyncio.sleep(_AFTER_A_BUG)


def access_of(kubeconfig: str | None, context: str | None) -> Access:
    """The API server that was named, else $KUBECONFIG's, else the pod's own, else the user's. Raises TrainyardError."""
    clock = SystemClock()
    if kubeconfig:
        return from_kubeconfig([Path(kubeconfig)], clock, context)
    if not os.environ.get("KUBECONFIG") and (pod := in_pod(os.environ, clock)) is not None:
        return pod
    files = files_of(os.environ)
    if not files:
        raise TrainyardError(
            "No Kubernetes API is known: set KUBECONFIG or give --kubeconfig; `trainyard serve` has one of its own."
        )
    return from_kubeconfig(files, clock, context)


def in_a_pod() -> bool:
    """Whether this process runs in a cluster."""
    return in_pod(os.environ, SystemClock()) is not None


def log_to_stderr(level: str, *, development: bool) -> None:
    """Log as ACK does: JSON lines, or plain ones for people."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s") if development else _JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "level": record.levelname.lower(),
            "ts": rfc3339_micro(record.created),
            "logger": record.name,
            "msg": record.getMessage(),
        }
        if record.exc_info:
            entry["stacktrace"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def _system_namespace() -> str:
    """Where ACK looks for its maps of roles."""
    names = ("ACK_SYSTEM_NAMESPACE", "K8S_NAMESPACE")
    return next((os.environ[name] for name in names if os.environ.get(name)), SYSTEM_NAMESPACE)


def _address(given: str) -> str:
    return "nowhere" if given in NOWHERE else f"at {given}"


def _version() -> str:
    return version("trainyard")
