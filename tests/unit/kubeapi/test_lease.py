"""Leader election on clocks that disagree."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from tests.unit.operator.world import an_api

from trainyard.kit.clock import SystemClock
from trainyard.kubeapi.client import Client
from trainyard.kubeapi.lease import Lease, NotLeading, Terms

FAST = Terms(duration=1.0, renew_within=0.6, retry=0.05)


@dataclass
class Skewed:
    """A clock whose wall time is wrong by `by` seconds."""

    by: float

    def now(self) -> float:
        """Wrong."""
        return SystemClock().now() + self.by

    def boottime(self) -> float:
        """Right: it counts only here."""
        return SystemClock().boottime()


def a_lease(client: Client, who: str, skew: float = 0.0) -> Lease:
    return Lease(client, Skewed(skew), namespace="default", name="lease", identity=who, terms=FAST)


@pytest.mark.parametrize("skew", [-100_000.0, 0.0, 100_000.0])
async def test_one_leads_and_the_other_follows_whatever_their_clocks_say(skew: float) -> None:
    async with an_api() as (_, client):
        first, second = a_lease(client, "one"), a_lease(client, "two", skew)
        async with first.leading():
            waiting = asyncio.create_task(second._try())
            assert await waiting is False
            first.check()
            with pytest.raises(NotLeading):
                second.check()
        async with asyncio.timeout(10), second.leading():  # given back: at once
            second.check()
            assert not first.held


async def test_a_dead_leaders_lease_is_taken_after_its_time() -> None:
    async with an_api() as (api, client):
        dead, next_one = a_lease(client, "dead"), a_lease(client, "next", 5000)
        assert await dead._try()
        async with asyncio.timeout(10), next_one.leading():
            assert not dead.held, "both led at once"
            assert api.get("leases", "lease")["spec"]["leaseTransitions"] == 1


async def test_who_cannot_renew_stops_before_others_may_begin() -> None:
    async with an_api() as (api, client):
        lease = a_lease(client, "one")

        async def lead() -> None:
            async with lease.leading():
                spec = api.get("leases", "lease")
                api.put("leases", {**spec, "spec": {**spec["spec"], "holderIdentity": "thief"}})
                await asyncio.Event().wait()

        with pytest.raises(ExceptionGroup) as raised:
            await lead()
        assert raised.group_contains(NotLeading)
        assert not lease.held
