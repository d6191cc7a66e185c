"""Follows the change feed and posts every state change, in order, until the receiver has it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from trainyard.kit.atomic import read_json, write_json
from trainyard.kit.backoff import Backoff
from trainyard.model.errors import ResourceNotFound, TrainyardError
from trainyard.model.keys import Scope
from trainyard.model.ledger import Change
from trainyard.ports.clock import Clock
from trainyard.ports.service import TrainingService
from trainyard.webhook.event import state_change
from trainyard.webhook.progress import Progress, from_plain

Post = Callable[[bytes, Mapping[str, str]], Awaitable[int]]
SIGNATURE = "X-Trainyard-Signature"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 60.0  # seconds
_LOG = logging.getLogger(__name__)


class Telling:
    """State changes of one scope's jobs. `post` answers the HTTP status, and raises OSError where nobody answers.

    `secret` signs each body (HMAC-SHA256), so that a receiver knows who speaks.
    """

    def __init__(
        self, service: TrainingService, post: Post, place: Path, clock: Clock, secret: bytes | None = None
    ) -> None:
        self._service, self._post, self._place, self._clock, self._secret = service, post, place, clock, secret

    async def run(self) -> None:
        """Tell for ever; what could not be told yet is told after a restart."""
        progress = from_plain(read_json(self._place)) or await self._begun()
        pause = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE, jitter=0.2)
        while True:
            try:
                async for change in self._service.changes(progress.revision):
                    progress = await self._told(progress, change)
                    pause.reset()
            except TrainyardError as error:
                _LOG.warning("the feed of changes broke: %s", error)
            await asyncio.sleep(pause.next())

    async def _begun(self) -> Progress:
        progress = Progress(revision=await self._service.revision(), since=self._clock.now())
        write_json(self._place, progress.to_plain())
        return progress

    async def _told(self, progress: Progress, change: Change) -> Progress:
        if Scope(change.account, change.region) != self._service.scope:
            return progress
        try:
            job = await self._service.describe(change.name)
        except ResourceNotFound:
            return progress  # it was deleted meanwhile
        untold = progress.untold(job)
        for step in untold:
            await self._deliver(state_change(job, step, self._service.scope))
        moved = progress.with_told(job, change.revision)
        if untold:
            await asyncio.to_thread(write_json, self._place, moved.to_plain())
        return moved

    async def _deliver(self, event: Mapping[str, Any]) -> None:
        """Post until it is taken, or refused for good; later events wait, so that they keep their order."""
        body = json.dumps(event, separators=(",", ":")).encode()
        pause = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE, jitter=0.2)
        while True:
            why = await self._tried(body)
            if why is None:
                return
            _LOG.warning("the webhook did not take %s: %s", event["id"], why)
            await asyncio.sleep(pause.next())

    async def _tried(self, body: bytes) -> str | None:
        """None once nothing more is to be done, else why to try again."""
        try:
            status = await self._post(body, self._headers(body))
        except (OSError, TimeoutError) as error:
            return str(error) or type(error).__name__
        if status >= 500 or status in (408, 425, 429):
            return f"HTTP {status}"
        if not 200 <= status < 300:
            _LOG.error("the webhook refused an event with HTTP %d; it is not sent again", status)
        return None

    def _headers(self, body: bytes) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        if self._secret is not None:
            headers[SIGNATURE] = f"sha256={hmac.new(self._secret, body, hashlib.sha256).hexdigest()}"
        return headers
