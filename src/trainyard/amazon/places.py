"""SageMaker in several accounts and regions at once: one service for each place, made when first needed and kept.

A place in another account is reached by a role, which STS hands out keys for; they are renewed before they end.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Any, Self

import boto3
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.session import Session

from trainyard.amazon.calling import TRIES, Calling
from trainyard.amazon.service import LOOK, AmazonService
from trainyard.ports.clock import Clock
from trainyard.ports.places import Place

CALLS_AT_ONCE = 32  # of all places together
_SESSION = "trainyard-operator"  # how CloudTrail names who assumed a role


class AmazonPlaces:
    """ports.places.Places over the caller's credentials. `async with` gives the threads back.

    endpoints : URLs in place of SageMaker's and STS's own, by service; a place's endpoint counts before the first.
    """

    def __init__(
        self,
        session: boto3.Session,
        clock: Clock,
        home: Place,
        *,
        user_agent: str,
        endpoints: Mapping[str, str] | None = None,
        tries: int = TRIES,
        look: float = LOOK,
    ) -> None:
        self._session, self._clock, self._home = session, clock, home
        self._look = look
        self._endpoints = {name: url for name, url in (endpoints or {}).items() if url}
        self._pool = ThreadPoolExecutor(CALLS_AT_ONCE, "amazon")
        self._make = partial(Calling, user_agent=user_agent, tries=tries, pool=self._pool)
        self._services: dict[Place, AmazonService] = {}
        self._making = asyncio.Lock()
        self._botocore = threading.Lock()  # its session makes one client at a time

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    @property
    def home(self) -> Place:
        """The account of the caller's credentials, and the region that he named."""
        return self._home

    async def service(self, place: Place) -> AmazonService:
        """The service there. No call is made for it: a role that may not be assumed is told by the first one."""
        async with self._making:
            if place not in self._services:
                session = await asyncio.get_running_loop().run_in_executor(self._pool, self._session_of, place)
                endpoints = {**self._endpoints, **({"sagemaker": place.endpoint} if place.endpoint else {})}
                calling = self._make(session, endpoints=endpoints)
                self._services[place] = AmazonService(place.scope, calling, self._clock, look=self._look)
            return self._services[place]

    def _session_of(self, place: Place) -> boto3.Session:
        known: Any = self._session._session  # noqa: SLF001 - boto3 hands its botocore session out by no other name
        inner = Session()
        inner.register_component("data_loader", known.get_component("data_loader"))  # the APIs' shapes, read once
        inner._credentials = self._assumed(known, place) if place.role else known.get_credentials()  # type: ignore[attr-defined]  # noqa: SLF001
        return boto3.Session(botocore_session=inner, region_name=place.region)

    def _assumed(self, known: Any, place: Place) -> DeferredRefreshableCredentials:
        """Keys of a role, fetched when the first call needs them and again before they end."""

        def make(*names: Any, **given: Any) -> Any:
            with self._botocore:
                endpoint = self._endpoints.get("sts")
                return known.create_client(*names, region_name=place.region, endpoint_url=endpoint, **given)

        fetcher = AssumeRoleCredentialFetcher(
            client_creator=make,
            source_credentials=known.get_credentials(),
            role_arn=place.role,
            extra_args={"RoleSessionName": _SESSION},
        )
        return DeferredRefreshableCredentials(refresh_using=fetcher.fetch_credentials, method="assume-role")
