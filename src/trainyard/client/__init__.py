"""The public Python surface: a few lines in a notebook.

    from trainyard import Client
    job = Client().run("job.yaml")
    job.wait().status, job.metrics()["validation:merror"][-1]

Blocking on purpose: an event loop of its own in a thread, so that it works inside a notebook's loop as well.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from trainyard.lifecycle.admission.admit import admit
from trainyard.model.casing import to_api
from trainyard.model.errors import InvalidJob
from trainyard.model.job import JobSummary, ListQuery
from trainyard.model.problems import Severity
from trainyard.model.spec import TrainingJobSpec
from trainyard.model.status import TrainingJobStatus
from trainyard.resource.manifest import read_manifests
from trainyard.wiring.session import Session, open_session

T = TypeVar("T")
_LOOK = 0.05  # seconds between looks at a job that is waited for


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
        return JobHandle(self, accepted.description.training_job_name)

    def job(self, name: str) -> JobHandle:
        """A job that exists. Raises ResourceNotFound."""
        self._call(self._session.service.describe(name))
        return JobHandle(self, name)

    def list(self, limit: int = 100) -> tuple[JobSummary, ...]:
        """The newest jobs."""
        return self._call(self._session.service.list(ListQuery(limit=limit))).items

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


class JobHandle:
    """One job, by name."""

    def __init__(self, client: Client, name: str) -> None:
        self._client, self.name = client, name

    @property
    def status(self) -> str:
        """TrainingJobStatus now."""
        return str(self.describe()["TrainingJobStatus"])

    def describe(self) -> dict[str, Any]:
        """The DescribeTrainingJob answer."""
        service = self._client._session.service  # noqa: SLF001 - the handle is the client's own other half
        return self._client._call(service.describe(self.name)).description.to_wire()  # noqa: SLF001

    def wait(self, timeout: float | None = None) -> JobHandle:
        """Return once the job is final. Raises TimeoutError after `timeout` seconds."""
        self._client._call(asyncio.wait_for(self._final(), timeout))  # noqa: SLF001
        return self

    def stop(self) -> None:
        """Ask it to end gracefully."""
        self._client._call(self._client._session.service.stop(self.name))  # noqa: SLF001

    def logs(self) -> Iterator[str]:
        """The lines written so far."""
        page = self._client._call(self._client._session.service.logs(self.name, limit=1_000_000))  # noqa: SLF001
        return (event.message for event in page.items)

    def metrics(self) -> dict[str, list[float]]:
        """The algorithm's metrics, each in order of time."""
        series = self._client._call(_listed(self._client._session, self.name))  # noqa: SLF001
        return {one: values for one, values in series.items() if values}

    async def _final(self) -> None:
        service = self._client._session.service  # noqa: SLF001
        while True:
            told = (await service.describe(self.name)).description
            if TrainingJobStatus(told.training_job_status).is_final:
                return
            await asyncio.sleep(_LOOK)


async def _result(opened: asyncio.Future[Session]) -> Session:
    return await opened


async def _listed(session: Session, name: str) -> dict[str, list[float]]:
    series = await session.service.metrics(name)
    return {one.name: [value for _, value in one.points] for one in series if not one.host}


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
