"""Shards and shuffles: every item once, the same for the same seed, another order in every epoch."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainyard.agent.dealing import places, shuffled

SEEDS = st.none() | st.integers()
ORDER = [5, 1, 8, 9, 6, 2, 7, 0, 4, 3]
NEXT = [4, 2, 9, 0, 7, 1, 6, 5, 3, 8]


@pytest.mark.case(61)
@given(st.integers(0, 200), SEEDS, st.integers(0, 1000), st.integers(1, 12))
def test_hosts_get_every_item_exactly_once(count: int, seed: int | None, epoch: int, hosts: int) -> None:
    shares = [places(count, seed=seed, epoch=epoch, host=host, hosts=hosts) for host in range(hosts)]
    assert sorted(place for share in shares for place in share) == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.case(60)
@given(st.integers(0, 100), st.integers(), st.integers(0, 1000))
def test_a_seed_repeats_its_order(count: int, seed: int, epoch: int) -> None:
    assert list(shuffled(count, seed, epoch)) == list(shuffled(count, seed, epoch))


@given(st.integers(30, 100), st.integers(), st.integers(0, 1000))
def test_another_epoch_and_another_seed_have_another_order(count: int, seed: int, epoch: int) -> None:
    first = list(shuffled(count, seed, epoch))
    assert first != list(shuffled(count, seed, epoch + 1))
    assert first != list(shuffled(count, seed + 1, epoch))


def test_the_order_of_a_seed_is_the_same_on_every_machine_and_release() -> None:
    assert list(shuffled(10, 42, 0)) == ORDER
    assert list(shuffled(10, 42, 1)) == NEXT


def test_without_a_seed_the_order_stays() -> None:
    assert list(places(5, seed=None, epoch=3, host=0, hosts=1)) == [0, 1, 2, 3, 4]


def test_an_epoch_deals_to_another_host_where_it_shuffles() -> None:
    first, second = (set(places(40, seed=1, epoch=epoch, host=0, hosts=2)) for epoch in (0, 1))
    assert first != second
