"""What namespaces say about the resources in them, by ACK's annotations."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from trainyard.kubeapi.client import Client, Object
from trainyard.kubeapi.errors import ApiError, Forbidden
from trainyard.kubeapi.informer import Informer
from trainyard.kubeapi.kinds import NAMESPACES
from trainyard.ports.clock import Clock
from trainyard.resource.names import NamespaceAnnotation

_LOG = logging.getLogger(__name__)


class Namespaces:
    """Follows them; without the right to list them they count as saying nothing, as in ACK.

    changed : is given the name of a namespace whose annotations of ACK's are others now.
    """

    def __init__(self, client: Client, clock: Clock, changed: Callable[[str], None], *, silence: float) -> None:
        self._client, self._changed = client, changed
        self._informer = Informer(client, NAMESPACES, clock, self._happened, silence=silence)
        self._denied = asyncio.Event()

    async def run(self) -> None:
        """Follow them for ever, or until it is clear that we may not."""
        try:
            await self._client.list_page(NAMESPACES, limit=1)
        except Forbidden as error:
            _LOG.warning("annotations of namespaces are not read: %s", error)
            self._denied.set()
            return
        except ApiError:
            pass
        await self._informer.run()

    async def known(self) -> None:
        """Wait until it is known what they say: one that wants its jobs retained must not be met before that."""
        waits = [asyncio.ensure_future(event.wait()) for event in (self._informer.synced, self._denied)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def annotations_of(self, namespace: str) -> Mapping[str, str]:
        """What one says."""
        found = self._informer.get(namespace) or {}
        annotations: Mapping[str, str] = (found.get("metadata") or {}).get("annotations") or {}
        return annotations

    def _happened(self, name: str, namespace: Object | None, before: Object | None) -> None:
        if self._informer.synced.is_set() and _acks(namespace) != _acks(before):
            self._changed(name)


def _acks(namespace: Object | None) -> dict[str, str]:
    annotations = ((namespace or {}).get("metadata") or {}).get("annotations") or {}
    return {key: annotations[key] for key in NamespaceAnnotation if key in annotations}
