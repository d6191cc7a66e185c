"""Keys that expire are renewed while their attempt lives, by whoever leads, beside everything else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from trainyard.ports.clock import Clock
from trainyard.runtimes.local import credentials
from trainyard.runtimes.local.attempt import Attempt
from trainyard.runtimes.local.credentials import Credentials, RoleUnusable

AGAIN = 30.0  # seconds after which a renewal that failed is tried again
_LOG = logging.getLogger(__name__)


class Renewals:
    """When which attempt's keys are due; `resolve` asks for a role's keys, which may take its time."""

    def __init__(self, resolve: Callable[[str | None], Credentials], clock: Clock) -> None:
        self._resolve, self._clock = resolve, clock
        self._due: dict[Path, float | None] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    def see_to(self, attempt: Attempt) -> None:
        """Begin a renewal that is due, without waiting for it."""
        if attempt.folder not in self._due:
            self._learn(attempt)
        due = self._due.get(attempt.folder)
        if due is not None and self._clock.now() >= due:
            self._due[attempt.folder] = self._clock.now() + AGAIN
            task = asyncio.create_task(self._renew(attempt))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    def forget(self, attempt: Attempt) -> None:
        """The attempt is over."""
        self._due.pop(attempt.folder, None)

    def _learn(self, attempt: Attempt) -> None:
        """When it is due; not yet where nothing was handed out yet, or cannot be read now."""
        with suppress(OSError, ValueError):
            if attempt.role.exists():
                renewal = credentials.renewal_of(attempt)
                self._due[attempt.folder] = None if renewal is None else renewal[1]

    async def _renew(self, attempt: Attempt) -> None:
        try:
            await asyncio.to_thread(self._replace, attempt)
            self._learn(attempt)
        except (RoleUnusable, OSError) as error:
            _LOG.warning("the keys of %s are not renewed and tried again: %s", attempt.folder, error)

    def _replace(self, attempt: Attempt) -> None:
        renewal = credentials.renewal_of(attempt)
        if renewal is not None:
            arn = renewal[0]
            credentials.renew(attempt, self._resolve(arn), arn=arn, now=self._clock.now())
