"""The public Python surface: a few lines in a notebook.

    from trainyard import Client
    job = Client().run("job.yaml")
    job.wait().status, job.metrics()["validation:merror"][-1]

Blocking on purpose: an event loop of its own in a thread, so that it works inside a notebook's loop as well.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from trainyard.client.handle import JobHandle
from trainyard.lifecycle.admission.admit import admit
from trainyard.model.casing import to_api
from trainyard.model.errors import InvalidJob
from trainyard.model.job import JobSummary, ListQuery
from trainyard.model.problems import Severity
from trainyard.model.spec import TrainingJobSpec
from trainyard.resource.manifest import read_manifests
from trainyard.wiring.session import Session, open_session

T = TypeVar("T")
_PAGE = 1000  # jobs asked for at once


class Client:
    """Jobs of one home. It leads the engine while it lives; close it, or use it as a context manager."""

    def __init__(self, home: str | None = None, *, region: str | None = None, account: str | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="trainyard-client", daemon=True)
        self._thread.start()
        self._leaving = asyncio.Event()
        opened: asyncio.Future[Session] = self._call(self._make_future())
        self._holding = asyncio.run_coroutine_threadsafe(self._hold(opened, home, region, account), self._loop)
        try:
            self._session: Session = self._call(_result(opened))
        except BaseException:
            self._end_loop()
            raise

    def run(self, job: str | Path | Mapping[str, Any]) -> JobHandle:
        """Start a manifest file, or a request as a mapping in either spelling. Raises InvalidJob with every problem."""
        spec = _from_file(Path(job)) if isinstance(job, str | Path) else _admitted(to_api(job))
        accepted = self._call(self._session.service.create(spec))
        return JobHandle(self._session, self._call, accepted.description.training_job_name)

    def job(self, name: str) -> JobHandle:
        """A job that exists. Raises ResourceNotFound."""
        self._call(self._session.service.describe(name))
        return JobHandle(self._session, self._call, name)

    def list(self, limit: int = 100) -> tuple[JobSummary, ...]:
        """The newest jobs."""
        found: tuple[JobSummary, ...] = ()
        token: str | None = None
        while len(found) < limit:
            page = self._call(self._session.service.list(ListQuery(limit=min(limit - len(found), _PAGE), token=token)))
            found, token = found + page.items, page.token
            if token is None:
                break
        return found

    def close(self) -> None:
        """Leave; running jobs go on."""
        self._loop.call_soon_threadsafe(self._leaving.set)
        self._holding.result()
        self._end_loop()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _make_future(self) -> asyncio.Future[Session]:
        return self._loop.create_future()

    async def _hold(
        self, opened: asyncio.Future[Session], home: str | None, region: str | None, account: str | None
    ) -> None:
        try:
            async with AsyncExitStack() as stack:
                session = await stack.enter_async_context(open_session(home, region=region, account=account, lead=True))
                opened.set_result(session)
                await self._leaving.wait()
        except Exception as error:
            if opened.done():
                raise
            opened.set_exception(error)


async def _result(opened: asyncio.Future[Session]) -> Session:
    return await opened


def _from_file(path: Path) -> TrainingJobSpec:
    documents = read_manifests(path.read_bytes(), str(path))
    if len(documents) != 1:
        raise ValueError(f"{path} holds {len(documents)} jobs; run takes one.")
    faults = [problem for problem in documents[0].problems if problem.severity is Severity.ERROR]
    if faults:
        raise InvalidJob(faults)
    return _admitted(documents[0].wire)


def _admitted(wire: Mapping[str, Any]) -> TrainingJobSpec:
    admission = admit(wire)
    if admission.spec is None:
        raise InvalidJob(admission.problems)
    return admission.spec
