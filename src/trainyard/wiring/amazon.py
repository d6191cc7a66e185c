"""Amazon SageMaker in place of this home, for commands: credentials and region as every AWS tool finds them."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from trainyard.amazon.calling import Calling
from trainyard.amazon.places import AmazonPlaces
from trainyard.amazon.service import AmazonService
from trainyard.kit.backoff import Backoff
from trainyard.kit.clock import SystemClock
from trainyard.model.errors import TrainyardError, Transient, Unsupported
from trainyard.model.keys import Scope
from trainyard.objects.buckets import Buckets, Route
from trainyard.ports.places import Place
from trainyard.wiring.fetching import model_at

if TYPE_CHECKING:
    import boto3

LOOK = 5.0  # seconds between looks at a job: each is a call that counts against the account's rate


class JobsOnAmazon:
    """What a command works with when jobs run on SageMaker: see `wiring.session.JobsAndObjects`."""

    look = LOOK

    def __init__(self, service: AmazonService, calling: Calling) -> None:
        self.service, self._calling = service, calling

    @cached_property
    def objects(self) -> Buckets:
        """S3 as the caller's credentials see it, where the AWS configuration says that it is."""
        endpoint = self._calling.endpoint("s3")
        at_amazon = (urlsplit(endpoint).hostname or "").endswith((".amazonaws.com", ".amazonaws.com.cn"))
        place = None if at_amazon else endpoint
        return Buckets({}, Route(endpoint=place, region=self.service.scope.region, credentials=self._calling.keys()))

    @property
    def where(self) -> str:
        """The place, as a person names it."""
        return f"Amazon SageMaker, account {self.service.scope.account}"

    def place_of(self, uri: str) -> str:
        """Where an object's bytes are."""
        return f"{uri} on Amazon S3"

    async def holds(self, uri: str) -> bool:
        """Whether a model is there; True where these credentials may not look, for the job's role could."""
        try:
            return bool(await model_at(self.objects, uri))
        except TrainyardError:
            return True

    def fetching(self, name: str, uri: str) -> str:  # noqa: ARG002 - the object's address says everything
        """How a person brings a job's model here, in a sentence."""
        return f"Fetch it with: aws s3 cp {uri} ."


@asynccontextmanager
async def jobs_on_amazon(*, region: str | None, account: str | None) -> AsyncIterator[JobsOnAmazon]:
    """SageMaker's jobs. Raises TrainyardError where the credentials belong to another account than the one named."""
    session = _session(region)
    async with Calling(session, user_agent=f"trainyard/{version('trainyard')}") as calling:
        scope = await calling.scope()
        _check(scope, account)
        yield JobsOnAmazon(AmazonService(scope, calling, SystemClock()), calling)


@asynccontextmanager
async def places_on_amazon(
    *, region: str | None, account: str | None, endpoints: Mapping[str, str]
) -> AsyncIterator[AmazonPlaces]:
    """SageMaker in every place that resources ask for, for the operator. An STS that is out of order is waited for.

    Raises TrainyardError as `jobs_on_amazon` does.
    """
    session, user_agent, clock = _session(region), f"trainyard-operator/{version('trainyard')}", SystemClock()
    async with Calling(session, user_agent=user_agent, endpoints=endpoints) as calling:
        scope = await _patiently(calling.scope)
    _check(scope, account)
    home = Place(scope.account, scope.region, endpoint=endpoints.get("sagemaker", ""))
    async with AmazonPlaces(session, clock, home, user_agent=user_agent, endpoints=endpoints) as places:
        yield places


async def _patiently(ask: Callable[[], Awaitable[Scope]]) -> Scope:
    backoff = Backoff(1.0, 30.0, jitter=0.3)
    while True:
        try:
            return await ask()
        except Transient as error:
            pause = backoff.next()
            logging.getLogger(__name__).warning("AWS does not answer yet, next try in %.1f s: %s", pause, error)
            await asyncio.sleep(pause)


def _session(region: str | None) -> boto3.Session:
    if importlib.util.find_spec("boto3") is None:
        raise Unsupported("Amazon SageMaker needs an extra: pip install 'trainyard[aws]'.")
    import boto3

    session = boto3.Session(region_name=region or os.environ.get("AWS_REGION"))  # boto3 itself reads AWS_DEFAULT_REGION
    if session.region_name is None:
        raise TrainyardError("No AWS region is set: give --region, or set AWS_REGION or the profile's.")
    return session


def _check(scope: Scope, account: str | None) -> None:
    if account is not None and account != scope.account:
        raise TrainyardError(f"The AWS credentials belong to account {scope.account}, not to {account}.")
