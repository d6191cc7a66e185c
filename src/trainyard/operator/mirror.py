"""Jobs that other doors took in, shown as read-only resources, so that kubectl sees everything that trains here."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Awaitable, Callable

from trainyard.kubeapi.client import Client, Object
from trainyard.kubeapi.errors import AlreadyExists, ApiError, NotFound
from trainyard.kubeapi.kinds import Kind
from trainyard.model.errors import ResourceNotFound, TrainyardError
from trainyard.model.job import Job
from trainyard.model.listing import ListQuery
from trainyard.operator.decide import observed_spec
from trainyard.operator.index import Index
from trainyard.ports.service import TrainingService
from trainyard.resource import tagging
from trainyard.resource.names import API_VERSION, KIND, Annotation, OwnAnnotation

_PAGE = 100
_AT_ONCE = 8  # each waits for the disk
_RETRY = 5.0  # seconds before what could not be mirrored is tried again
_LONGEST = 253
_LOG = logging.getLogger(__name__)


class Mirror:
    """Makes the resources; reconciling fills in their status and removes those whose job is gone.

    A job that a resource made is none of it, also when that resource was deleted and the job stayed.
    """

    def __init__(
        self,
        client: Client,
        kind: Kind,
        service: Callable[[], Awaitable[TrainingService]],
        index: Index,
        namespace: str = "default",
    ) -> None:
        self._client, self._kind, self._service = client, kind, service
        self._index, self._namespace = index, namespace
        self._noticed: asyncio.Queue[str] = asyncio.Queue()

    def noticed(self, name: str) -> None:
        """A job moved that no resource means."""
        self._noticed.put_nowait(name)

    async def run(self, guard: Callable[[], None]) -> None:
        """Mirror what is there, then what comes, for ever. Raises NotLeading, in a group."""
        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(self._show_all(guard))
            await self._all()

    async def _show_all(self, guard: Callable[[], None]) -> None:
        while True:
            name = await self._noticed.get()
            guard()
            try:
                await self._show(name)
            except (ApiError, TrainyardError, TimeoutError, OSError) as error:
                _LOG.warning("the job %s is not mirrored yet: %s", name, error)
                asyncio.get_running_loop().call_later(_RETRY, self.noticed, name)

    async def _all(self) -> None:
        token: str | None = None
        while True:
            try:
                page = await (await self._service()).list(ListQuery(limit=_PAGE, token=token))
            except (TrainyardError, TimeoutError, OSError) as error:
                _LOG.warning("the service's jobs cannot be listed yet: %s", error)
                await asyncio.sleep(_RETRY)
                continue
            for one in page.items:
                if not self._index.keys_of(one.name):
                    self.noticed(one.name)
            token = page.token
            if token is None:
                return

    async def _show(self, name: str) -> None:
        if self._index.keys_of(name):
            return
        try:
            job = await (await self._service()).describe(name)
        except ResourceNotFound:
            return
        if tagging.owner_of(job.tags) is not None:
            return
        for candidate in (dns_name(name), f"{dns_name(name)[: _LONGEST - 9]}-{_digest(name)}"):
            try:
                await self._client.create(self._kind, self._namespace, _resource(candidate, job))
            except AlreadyExists:
                if self._index.keys_of(name) or await self._is_shown_by(candidate, name):
                    return
                continue
            return

    async def _is_shown_by(self, candidate: str, name: str) -> bool:
        """Whether the resource of that name means the job: the watch may not have brought it yet."""
        try:
            resource = await self._client.get(self._kind, self._namespace, candidate)
        except NotFound:
            return False
        found: bool = (resource.get("spec") or {}).get("trainingJobName") == name
        return found


def dns_name(name: str) -> str:
    """A job's name as metadata.name may be: lower case, and nothing else for names that the service takes."""
    return re.sub(r"[^a-z0-9.-]", "-", name.lower()).strip("-.")[:_LONGEST] or "job"


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:8]


def _resource(name: str, job: Job) -> Object:
    annotations = (Annotation.ADOPTED, Annotation.READ_ONLY, OwnAnnotation.MIRRORED)
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name, "annotations": dict.fromkeys(map(str, annotations), "true")},
        "spec": observed_spec(job),
    }
