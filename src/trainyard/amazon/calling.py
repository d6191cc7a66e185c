"""Calls of AWS: one client a service, made when first needed, its blocking calls in a bounded pool.

boto3 slows down by itself where a service throttles (its adaptive mode: a token bucket that the answers steer), one
bucket a client: so there is one client for a whole process and all of its jobs.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from trainyard.amazon.errors import ours
from trainyard.model.keys import Scope

CALLS_AT_ONCE = 16
CONNECTING, READING = 10, 30  # seconds of patience
TRIES = 6  # the first one counted


class Calling:
    """The AWS account and region of one set of credentials. `async with` gives its threads back."""

    def __init__(
        self,
        session: boto3.Session,
        *,
        user_agent: str,
        tries: int = TRIES,
        endpoints: Mapping[str, str] | None = None,
        pool: ThreadPoolExecutor | None = None,
    ) -> None:
        """`endpoints`: URLs by service in place of their own; `pool`: threads that are another's to give back."""
        self._session, self._endpoints = session, endpoints or {}
        self._config = Config(
            retries={"mode": "adaptive", "total_max_attempts": tries},
            user_agent_extra=user_agent,
            max_pool_connections=CALLS_AT_ONCE,
            connect_timeout=CONNECTING,
            read_timeout=READING,
        )
        self._owns_pool = pool is None
        self._pool = pool or ThreadPoolExecutor(CALLS_AT_ONCE, "amazon")
        self._clients: dict[str, Any] = {}
        self._making = threading.Lock()  # a session makes one client at a time

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._owns_pool:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def keys(self) -> dict[str, str]:
        """The credentials as they are now, for clients that are not boto3's. It may block. Raises TrainyardError."""
        try:
            found = self._session.get_credentials()
            if found is None:
                raise NoCredentialsError
            frozen = found.get_frozen_credentials()
        except (ClientError, BotoCoreError) as error:
            raise ours(error) from error
        given = {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "session_token": frozen.token,
        }
        return {name: value for name, value in given.items() if value}

    def endpoint(self, service: str) -> str:
        """Where a service is asked, as the AWS configuration and the environment say."""
        return str(self._client(service).meta.endpoint_url)

    async def scope(self) -> Scope:
        """The account that the credentials belong to, and the region."""
        identity = await self("sts", "get_caller_identity")
        return Scope(str(identity["Account"]), str(self._session.region_name))

    async def __call__(self, service: str, operation: str, **request: Any) -> Mapping[str, Any]:
        """One call. Raises the tree of model.errors; see `amazon.errors`."""
        try:
            return await self.raw(service, operation, **request)
        except (ClientError, BotoCoreError) as error:
            raise ours(error) from error

    async def raw(self, service: str, operation: str, **request: Any) -> Mapping[str, Any]:
        """One call whose errors are still botocore's, for those who must look into them."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._blocking, service, operation, request)

    async def pages(self, service: str, operation: str, **request: Any) -> AsyncIterator[Mapping[str, Any]]:
        """All pages of an operation that pages by NextToken or nextToken."""
        while True:
            page = await self(service, operation, **request)
            yield page
            name = "NextToken" if "NextToken" in page else "nextToken"
            if not page.get(name):
                return
            request[name] = page[name]

    def _blocking(self, service: str, operation: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = getattr(self._client(service), operation)(**request)
        return answer

    def _client(self, service: str) -> Any:
        with self._making:
            if service not in self._clients:
                # The name is the caller's: boto3's typed overloads know literal names alone.
                make: Any = self._session.client
                endpoint = self._endpoints.get(service) or None
                self._clients[service] = make(service, config=self._config, endpoint_url=endpoint)
            return self._clients[service]
