"""Where jobs are carried out, for whoever works in several places at once: the operator, as resources ask for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from trainyard.model.keys import Scope
from trainyard.ports.service import TrainingService


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """An account and region, and the way there.

    role     : the ARN of the role that is assumed for it; "" for the caller's own credentials.
    endpoint : a URL in place of the service's own; "" for none.
    """

    account: str
    region: str
    role: str = ""
    endpoint: str = ""

    @property
    def scope(self) -> Scope:
        """The account and region that names are unique in."""
        return Scope(self.account, self.region)


class Places(Protocol):
    """Services by place, each made when it is first needed and kept."""

    @property
    def home(self) -> Place:
        """The place of whoever says nothing."""
        ...

    async def service(self, place: Place) -> TrainingService:
        """The service there. Raises TrainyardError where the place cannot be had."""
        ...


@dataclass(frozen=True, slots=True)
class OnlyPlace:
    """Places of a service that has one scope: whoever asks for another gets this one."""

    only: TrainingService

    @property
    def home(self) -> Place:
        """The service's own scope."""
        return Place(self.only.scope.account, self.only.scope.region)

    async def service(self, place: Place) -> TrainingService:  # noqa: ARG002 - there is one
        """The service."""
        return self.only
