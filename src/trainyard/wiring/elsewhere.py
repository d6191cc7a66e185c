"""Another Trainyard in place of this home: for the operator, and for commands."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from trainyard.model.errors import TrainyardError
from trainyard.model.keys import Scope
from trainyard.remote.connection import Address, Connection
from trainyard.remote.faults import token_in
from trainyard.remote.patience import PatientConnection
from trainyard.remote.service import RemoteService
from trainyard.wiring.home import Home
from trainyard.wiring.session import LOOK
from trainyard.wiring.settings import load


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsElsewhere:
    """What a command works with when jobs are another Trainyard's: see `wiring.session.Jobs`."""

    service: RemoteService
    where: str
    look: float = LOOK

    def place_of(self, uri: str) -> str:
        """Where an object's bytes are: that is for the settings there to say."""
        return f"{uri}, as {self.where} keeps it"

    async def holds(self, uri: str) -> bool:  # noqa: ARG002 - the buckets there are not ours to look into
        """Whether a model is there: taken to be so."""
        return True

    def fetching(self, name: str, uri: str) -> str:  # noqa: ARG002 - its bucket is known there alone
        """How a person gets at a job's model, in a sentence."""
        return f"It is kept by {self.where}; fetch it on that machine with: trainyard artifacts {name} --to FOLDER"


def address_of(url: str, *, token_file: str | None, ca_file: str | None) -> Address:
    """`unix:///path/of/control.sock`, or `https://host:port` with a token.

    Raises TrainyardError for any other: no token goes over a plain connection.
    """
    token = partial(token_in, Path(token_file)) if token_file else None
    if url.startswith("unix:///"):
        return Address(socket=Path(url.removeprefix("unix://")), token=token)
    if not url.startswith("https://"):
        raise TrainyardError(f"--service {url} is neither https:// nor unix:///; no token goes over plain http.")
    return Address(url=url.rstrip("/"), token=token, ca=Path(ca_file) if ca_file else None)


@asynccontextmanager
async def service_at(address: Address, scope: Scope) -> AsyncIterator[RemoteService]:
    """Another Trainyard's jobs."""
    async with Connection(address) as connection:
        yield RemoteService(scope, connection)


@asynccontextmanager
async def jobs_at(address: Address, scope: Scope, tell: Callable[[str], None]) -> AsyncIterator[JobsElsewhere]:
    """Another Trainyard's jobs for a person's command, which is told of gaps and bears them for a while."""
    async with PatientConnection(address, tell) as connection:
        yield JobsElsewhere(service=RemoteService(scope, connection), where=connection.where)


def scope_of(home: str | None, region: str | None, account: str | None) -> Scope:
    """The scope that was named whole, else as the home's settings complete it; a pod needs no home for the former."""
    if region and account:
        return Scope(account, region)
    settings = load(Home.open(home).settings)
    return Scope(account or settings.account, region or settings.region)
