"""One job in a notebook."""

from __future__ import annotations

import asyncio
import html
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

from trainyard.model.status import TrainingJobStatus
from trainyard.wiring import fetching
from trainyard.wiring.session import Session

_LOOK = 0.05  # seconds between looks at a job that is waited for
Call = Callable[[Coroutine[Any, Any, Any]], Any]


class JobHandle:
    """One job, by name. Every answer is asked for anew."""

    def __init__(self, session: Session, call: Call, name: str) -> None:
        self._session, self._call, self.name = session, call, name

    @property
    def status(self) -> str:
        """TrainingJobStatus now."""
        return str(self.describe()["TrainingJobStatus"])

    @property
    def tags(self) -> dict[str, str]:
        """The job's tags now."""
        return dict(self._call(self._session.service.describe(self.name)).tags)

    def describe(self) -> dict[str, Any]:
        """The DescribeTrainingJob answer; times in seconds since the epoch."""
        wire: dict[str, Any] = self._call(self._session.service.describe(self.name)).description.to_wire()
        return wire

    def wait(self, timeout: float | None = None) -> JobHandle:
        """Return once the job is final. Raises TimeoutError after `timeout` seconds."""
        self._call(asyncio.wait_for(self._final(), timeout))
        return self

    def stop(self) -> None:
        """Ask it to end gracefully. Raises ValidationRefused if it is final."""
        self._call(self._session.service.stop(self.name))

    def delete(self) -> None:
        """Forget it; its artifacts stay. Raises ResourceInUse while it is not final."""
        self._call(self._session.service.delete(self.name))

    def logs(self, *, follow: bool = False) -> Iterator[str]:
        """The lines written so far; with `follow`, those that come until the job is final as well."""
        token = None
        while True:
            final = TrainingJobStatus(self.status).is_final
            page = self._call(self._session.service.logs(self.name, token=token))
            yield from (event.message for event in page.items)
            token = page.token
            if not page.items and (final or not follow):
                return
            if not page.items:
                self._call(asyncio.sleep(_LOOK))

    def metrics(self, *, times: bool = False) -> dict[str, list[Any]]:
        """The algorithm's metrics, each in order of time: values, or (seconds since the epoch, value) with `times`."""
        series = self._call(self._session.service.metrics(self.name))
        return {
            one.name: list(one.points) if times else [value for _, value in one.points]
            for one in series
            if not one.host and one.points
        }

    def events(self) -> list[tuple[float, str, str]]:
        """(seconds since the epoch, reason, message) of what happened, oldest first."""
        found: list[tuple[float, str, str]] = []
        token = None
        while True:
            page = self._call(self._session.service.events(self.name, token=token))
            found += [(event.at, event.reason, event.message) for event in page.items]
            token = page.token
            if token is None:
                return found

    def artifacts(self, to: str | Path) -> list[Path]:
        """The model in a folder, unpacked; returns its files. Raises ValidationRefused where there is none."""
        fetched: list[Path] = self._call(
            fetching.fetch_model(self._session.service, self._session.objects, self.name, Path(to), fetching.Tally())
        )
        return fetched

    def __repr__(self) -> str:
        return f"<TrainingJob {self.name}: {self._standing()}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(name)}</td><td>{values[-1]:.6g}</td></tr>" for name, values in self.metrics().items()
        )
        return f"<b>{html.escape(self.name)}</b> {html.escape(self._standing())}<table>{rows}</table>"

    def _standing(self) -> str:
        told = self.describe()
        reason = f", {told['FailureReason']}" if told.get("FailureReason") else ""
        return f"{told['TrainingJobStatus']} ({told['SecondaryStatus']}){reason}"

    async def _final(self) -> None:
        while True:
            told = (await self._session.service.describe(self.name)).description
            if TrainingJobStatus(told.training_job_status).is_final:
                return
            await asyncio.sleep(_LOOK)
