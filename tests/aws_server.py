"""The AWS doors to test against, over a yard in memory, on a loopback port; and stock clients that know no better."""

from __future__ import annotations

import asyncio
import http.client
import threading
import uuid
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from tests.fakes.yard import SCOPE, TestYard, a_running_yard

from trainyard.access.guard import Loopback
from trainyard.access.keys import Key
from trainyard.access.seals import Seals
from trainyard.access.sessions import Sessions
from trainyard.doors.aws.front import Door, Front
from trainyard.doors.aws.identity import Identities
from trainyard.doors.cloudwatch.door import cloudwatch_door
from trainyard.doors.ecr.door import ecr_door
from trainyard.doors.iam.door import Question, Roles, iam_door
from trainyard.doors.logs.door import logs_door
from trainyard.doors.sagemaker.door import sagemaker_door
from trainyard.doors.sts.door import Assuming, sts_door
from trainyard.kit.clock import SystemClock
from trainyard.model.arn import role_arn
from trainyard.model.keys import Scope
from trainyard.ports.service import TrainingService
from trainyard.wiring.answering import answering
from trainyard.wiring.sockets import tcp_listener

SEALS = Seals(lambda: b"k" * 32)  # of all servers
DEADLINE = 20.0  # seconds for anything that must happen
T = TypeVar("T")


@dataclass(frozen=True)
class AwsServer:
    """Doors that answer, and the yard behind them, which lives on the server's own loop."""

    url: str
    yard: TestYard
    loop: asyncio.AbstractEventLoop
    calls: list[str] = field(default_factory=list)

    def count(self, operation: str) -> int:
        """How often an operation of the JSON services was asked for."""
        return sum(one.endswith(f".{operation}") for one in self.calls)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something with the yard."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(DEADLINE)

    def send(
        self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """A raw request's status, headers (lower-case) and body."""
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=DEADLINE)
        with closing(connection):
            connection.request(method, target, body, headers or {})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()

    def client(self, service: str, **more: Any) -> Any:
        """A stock boto3 client; what is not said is as an ordinary user has it."""
        known = {
            "endpoint_url": self.url, "region_name": SCOPE.region, "aws_access_key_id": SCOPE.account,
            "aws_secret_access_key": "anything", "config": Config(retries={"max_attempts": 1}),
        }  # fmt: skip
        return boto3.Session().client(service, **{**known, **more})


@contextmanager
def an_aws_server(
    *, keys: dict[str, Key] | None = None, verifies: bool = False,
    wrap: Callable[[TrainingService], TrainingService] = lambda service: service,
) -> Iterator[AwsServer]:  # fmt: skip
    """The doors on a loopback port, in a thread with a loop of its own, for as long as the block lasts."""
    ready, made, calls = threading.Event(), {}, list[str]()

    async def serve() -> None:
        stop = asyncio.Event()
        async with a_running_yard() as yard:
            front = _front(wrap(yard.service), keys or {}, verifies=verifies)
            loop = asyncio.get_running_loop()
            async with answering(_counted(front.app(), calls), listener, grace=1.0):
                made.update(yard=yard, loop=loop, stop=lambda: loop.call_soon_threadsafe(stop.set))
                ready.set()
                await stop.wait()

    with tcp_listener("127.0.0.1", 0, usual=0, option="") as listener:
        thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
        thread.start()
        assert ready.wait(DEADLINE), "the doors did not open"
        try:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            yield AwsServer(url, made["yard"], made["loop"], calls)
        finally:
            made["stop"]()
            thread.join(DEADLINE)
            assert not thread.is_alive(), "the doors did not close"


def _counted(app: Any, calls: list[str]) -> Any:
    """The doors, and every operation that is asked of them."""

    async def counted(scope: Any, receive: Any, send: Any) -> None:
        calls.extend(value.decode() for name, value in scope.get("headers", ()) if name == b"x-amz-target")
        await app(scope, receive, send)

    return counted


def _front(service: TrainingService, keys: dict[str, Key], *, verifies: bool) -> Front:
    def service_of(scope: Scope) -> TrainingService:
        return service if scope == SCOPE else _Elsewhere(scope, service)  # type: ignore[return-value]

    clock = SystemClock()
    sessions = Sessions(SEALS, clock.now)
    doors: dict[str, Door] = {
        "sagemaker": sagemaker_door(service_of, clock.now),
        "logs": logs_door(service_of),
        "monitoring": cloudwatch_door(service_of, clock.now),
        "sts": sts_door(Assuming(sessions, lambda role: not role.endswith("/nobody"))),
        "iam": iam_door(_roles()),
        "ecr": ecr_door(clock.now, lambda call, _until: f"password of {call.scope.account}"),
    }
    identities = Identities(keys=keys.get, home=SCOPE, verifies=verifies, sessions=sessions)
    return Front(
        doors=doors, streams={}, identities=identities, judge=Loopback(), now=clock.now,
        new_id=lambda: str(uuid.uuid4()),
    )  # fmt: skip


def _roles() -> Roles:
    """Every role but `nobody`; of one bucket none may write anything."""

    async def allows(question: Question) -> bool:
        return not (question.action == "s3:PutObject" and question.resource.startswith("arn:aws:s3:::others"))

    return Roles(
        arn_of=lambda name, scope: None if name == "nobody" else role_arn(scope.region, scope.account, name),
        knows=lambda arn: not arn.endswith("/nobody"), allows=allows, since=lambda: 1_767_229_323.0,
    )  # fmt: skip


@dataclass
class _Elsewhere:
    """The same yard for another tenant."""

    scope: Scope
    service: Any

    def __getattr__(self, name: str) -> Any:
        from trainyard.yard.service import YardService

        known: Any = self.service
        other = YardService(self.scope, known._yard, known._preflight, new_uid=known._new_uid)
        return getattr(other, name)
