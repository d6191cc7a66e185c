"""The engine held by a server."""

from __future__ import annotations

import asyncio
import fcntl
import http.client
import importlib.util
import json
import os
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from urllib.parse import urlsplit

from trainyard.kit.garbage import collected_at_rest
from trainyard.model.errors import TrainyardError, Unsupported
from trainyard.wiring.home import Home
from trainyard.wiring.listeners import AwsListener, KubeListener
from trainyard.wiring.session import Session
from trainyard.wiring.sockets import unix_listener

_PATIENCE = 5.0  # seconds that a server has to say how it is
_COUNT = 1.0  # seconds between counts for /healthz and /metrics


async def serve(
    session: Session,
    stopping: asyncio.Event,
    drain_timeout: float,
    kube: KubeListener,
    aws: AwsListener,
    opened: Callable[[Mapping[str, str]], None] = lambda _urls: None,
) -> None:
    """Answer on the control socket, as a Kubernetes API and as AWS services until `stopping`.

    Running jobs go on without us. `opened` is told once, when all of it answers: of each port what it is, and its URL.
    Raises TrainyardError where another server holds the home, or a port is not to be had.
    """
    if importlib.util.find_spec("uvicorn") is None:
        raise Unsupported("`serve` needs its extra: pip install 'trainyard[serve]'.")
    with _only_server(session.home):
        from trainyard.doors.control.jobs import jobs_app
        from trainyard.wiring.aws import aws_serving
        from trainyard.wiring.kube import kube_serving
        from trainyard.wiring.operating import operating_beside
        from trainyard.wiring.webhook import telling_beside

        async with (
            collected_at_rest(),
            _answering(session, stopping, drain_timeout),
            kube_serving(session, kube, partial(jobs_app, session.service_of, stopping)) as url,
            aws_serving(session, aws) as aws_url,
            operating_beside(session),
            telling_beside(session),
        ):
            opened({"Kubernetes and job API": url, "AWS services": aws_url})
            await stopping.wait()
            session.engine.placing = False  # what runs goes on; what waits is for the next leader


@asynccontextmanager
async def _answering(session: Session, stopping: asyncio.Event, drain_timeout: float) -> AsyncIterator[None]:
    """The control door, open for as long as the block lasts; then its requests may end."""
    from trainyard.access.guard import Guard, nobody_else
    from trainyard.doors.control.app import Vitals, control_app
    from trainyard.doors.control.jobs import PREFIX, jobs_app
    from trainyard.wiring.answering import ByPath, answering

    latest = Vitals(pass_age=0.0, jobs={}, waiting=0, leading=False)

    async def count() -> None:
        nonlocal latest
        while True:
            leading = session.leadership.held
            records = session.engine.known() if leading else await session.engine.unfinished()
            latest = Vitals(
                pass_age=max(0.0, session.engine.pass_age()),
                jobs={str(status): count for status, count in Counter(record.status for record in records).items()},
                waiting=sum(record.waiting is not None for record in records),
                leading=leading,
            )
            await asyncio.sleep(_COUNT)

    control = Guard(control_app(lambda: latest, stopping.set), nobody_else)
    app = ByPath(PREFIX, jobs_app(session.service_of, stopping, nobody_else), control)
    with unix_listener(session.home.path, session.home.control_socket.name) as listener:
        counting = asyncio.create_task(count())
        try:
            async with answering(app, listener, grace=drain_timeout):
                yield
        finally:
            counting.cancel()
            with suppress(asyncio.CancelledError):
                await counting


def health(home: Home) -> tuple[bool, str]:
    """Whether the home's server is well, and what it says of itself; for probes that reach no port."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_PATIENCE)
        folder = os.open(home.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            connection.connect(f"/proc/self/fd/{folder}/{home.control_socket.name}")
            asking = http.client.HTTPConnection("trainyard")
            asking.sock = connection
            asking.request("GET", "/healthz")
            answer = asking.getresponse()
            return answer.status == 200, answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            return False, f"No server of {home.path} answers: {error}. Start one: trainyard serve."
        finally:
            os.close(folder)


def answers_kubectl(home: Home) -> bool:
    """Whether the address in the home's kubeconfig is answered."""
    try:
        config = json.loads(home.kubeconfig.read_bytes())
        url = urlsplit(config["clusters"][0]["cluster"]["server"])
        with socket.create_connection((url.hostname or "", url.port or 443), timeout=_PATIENCE):
            return _is_served(home)
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _is_served(home: Home) -> bool:
    """Whether a server holds the home: else it is a stranger who answers at a port that once was ours."""
    with home.server_lock.open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


@contextmanager
def _only_server(home: Home) -> Iterator[None]:
    """Hold the home as its one server. A command that leads for a moment is no server, and is waited for."""
    lock = os.open(home.server_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
            raise TrainyardError(
                f"Another `trainyard serve` (process {pid}) serves {home.path} already. Stop that one first, or name "
                "another home: --home, or TRAINYARD_HOME."
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(lock)
