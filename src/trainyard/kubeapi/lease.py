"""Leader election by a Lease: one process acts, others wait.

client-go's rules. A foreign lease is taken only after it has not changed for its whole duration by our own clock, so
clocks need not agree. Whoever leads asks `check` before every write, and stops acting well before others may begin.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from trainyard.kit.backoff import spread
from trainyard.kit.times import rfc3339_micro
from trainyard.kubeapi.client import Client, Object
from trainyard.kubeapi.errors import AlreadyExists, ApiError, Conflict, NotFound
from trainyard.kubeapi.kinds import LEASES
from trainyard.model.errors import TrainyardError
from trainyard.ports.clock import Clock

_LOG = logging.getLogger(__name__)


class NotLeading(TrainyardError):  # noqa: N818 - it names a state
    """Another process may lead now: nothing may be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Seconds, client-go's: how long a lease holds others off, within what it must be renewed, between tries."""

    duration: float = 15.0
    renew_within: float = 10.0
    retry: float = 2.0


class Lease:
    """One lease and our part in it."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        *,
        namespace: str,
        name: str,
        identity: str,
        terms: Terms | None = None,
    ) -> None:
        self._client, self._clock = client, clock
        self._namespace, self._name, self.identity = namespace, name, identity
        self._terms = terms or Terms()
        self._good_until = float("-inf")
        self._seen: tuple[Any, float] | None = None  # the last foreign record, and since when it stands

    @property
    def held(self) -> bool:
        """Whether we lead, beyond doubt."""
        return self._clock.boottime() < self._good_until

    def check(self) -> None:
        """Raises NotLeading unless we lead, beyond doubt."""
        if not self.held:
            raise NotLeading("The lease is not ours any more.")

    @asynccontextmanager
    async def leading(self) -> AsyncIterator[None]:
        """Wait for the lease, then hold it for as long as the block lasts. Cancels the block when it is lost."""
        while not await self._try():
            await asyncio.sleep(self._terms.retry * spread(1.0, 1.2))
        _LOG.info("leading as %s", self.identity)
        async with asyncio.TaskGroup() as group:
            renewing = group.create_task(self._renew())
            try:
                yield
            finally:
                renewing.cancel()
                await self._give_back()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._terms.retry)
            if not await self._try() and not self.held:
                raise NotLeading("The lease was lost.")

    async def _try(self) -> bool:
        """Take or renew the lease; False where another has it or the server did not let us."""
        began = self._clock.boottime()
        try:
            async with asyncio.timeout(self._terms.renew_within):
                taken = await self._take()
        except (ApiError, TimeoutError) as error:
            _LOG.warning("the lease cannot be renewed: %s", error)
            return False
        if taken:
            self._good_until = began + self._terms.renew_within
        else:
            self._good_until = float("-inf")
        return taken

    async def _take(self) -> bool:
        try:
            lease = await self._client.get(LEASES, self._namespace, self._name)
        except NotFound:
            with suppress(AlreadyExists):
                await self._client.create(LEASES, self._namespace, self._record({}, 0))
                return True
            return False
        spec = lease.get("spec") or {}
        if spec.get("holderIdentity") not in ("", None, self.identity) and not self._expired(spec):
            return False
        changes = int(spec.get("leaseTransitions") or 0) + (spec.get("holderIdentity") != self.identity)
        with suppress(Conflict):
            await self._client.replace(LEASES, self._namespace, self._name, self._record(lease, changes))
            return True
        return False

    def _expired(self, spec: Object) -> bool:
        """Whether a foreign lease has stood unchanged for its duration since we first saw it so."""
        record, now = (
            (spec.get("holderIdentity"), spec.get("renewTime"), spec.get("leaseTransitions")),
            self._clock.boottime(),
        )
        if self._seen is None or self._seen[0] != record:
            self._seen = (record, now)
        return now - self._seen[1] > float(spec.get("leaseDurationSeconds") or self._terms.duration)

    def _record(self, lease: Object, changes: int) -> Object:
        now, before = rfc3339_micro(self._clock.now()), lease.get("spec") or {}
        ours = before.get("holderIdentity") == self.identity
        spec = {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": max(1, int(self._terms.duration)),
            "acquireTime": before.get("acquireTime") if ours and before.get("acquireTime") else now,
            "renewTime": now,
            "leaseTransitions": changes,
        }
        metadata = {"name": self._name, "namespace": self._namespace, **(lease.get("metadata") or {})}
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}

    async def _give_back(self) -> None:
        """Let the next one in at once."""
        if not self.held:
            return
        self._good_until = float("-inf")
        with suppress(ApiError, TimeoutError):
            async with asyncio.timeout(self._terms.retry):
                lease = await self._client.get(LEASES, self._namespace, self._name)
                spec = lease.get("spec") or {}
                if spec.get("holderIdentity") == self.identity:
                    body = {**lease, "spec": {**spec, "holderIdentity": "", "leaseDurationSeconds": 1}}
                    await self._client.replace(LEASES, self._namespace, self._name, body)
