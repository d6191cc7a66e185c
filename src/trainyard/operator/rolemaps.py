"""ACK's two ConfigMaps of role ARNs, by account and by team, followed as they change."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from trainyard.kubeapi.client import Client, Object, Selection
from trainyard.kubeapi.errors import ApiError, Forbidden
from trainyard.kubeapi.informer import Informer
from trainyard.kubeapi.kinds import CONFIG_MAPS
from trainyard.operator.placing import RoleMaps
from trainyard.ports.clock import Clock

ACCOUNTS, TEAMS = "ack-role-account-map", "ack-role-team-map"
_LOG = logging.getLogger(__name__)


class FollowedMaps:
    """Both maps of one namespace. Without the right to read one it counts as not there, as in ACK.

    changed : is called when one says something else.
    """

    def __init__(
        self, client: Client, clock: Clock, namespace: str, changed: Callable[[], None], *, silence: float
    ) -> None:
        self._client, self._namespace, self._changed = client, namespace, changed
        self._informers = {
            name: Informer(
                client, CONFIG_MAPS, clock, self._happened, namespace=namespace, silence=silence,
                selected=Selection(fields=f"metadata.name={name}"),
            )
            for name in (ACCOUNTS, TEAMS)
        }  # fmt: skip
        self._denied = {name: asyncio.Event() for name in self._informers}

    async def run(self) -> None:
        """Follow them for ever, as far as we may."""
        async with asyncio.TaskGroup() as group:
            for name in self._informers:
                group.create_task(self._run(name))

    async def known(self) -> None:
        """Wait until it is known what they say."""
        for name, informer in self._informers.items():
            waits = [asyncio.ensure_future(event.wait()) for event in (informer.synced, self._denied[name])]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()

    def current(self) -> RoleMaps:
        """What they say now."""
        return RoleMaps(accounts=self._data(ACCOUNTS), teams=self._data(TEAMS))

    async def _run(self, name: str) -> None:
        try:
            await self._client.list_page(CONFIG_MAPS, self._namespace, limit=1, fields=f"metadata.name={name}")
        except Forbidden as error:
            _LOG.warning("the ConfigMap %s/%s is not read: %s", self._namespace, name, error)
            self._denied[name].set()
            return
        except ApiError:
            pass
        await self._informers[name].run()

    def _data(self, name: str) -> Mapping[str, str] | None:
        found = self._informers[name].get(f"{self._namespace}/{name}")
        return None if found is None else {str(key): str(value) for key, value in (found.get("data") or {}).items()}

    def _happened(self, _key: str, now: Object | None, before: Object | None) -> None:
        if (now or {}).get("data") != (before or {}).get("data"):
            self._changed()
