"""Which items of a channel a host gets in an epoch, and in which order.

Pure, and the same on every host, machine and release: what was seen in a run can be seen again. The service tells that
the order comes of the seed, that it is another in each epoch, and that with ShardedByS3Key an epoch may give a host
what another had before; how it is made it does not tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b


def places(count: int, *, seed: int | None, epoch: int, host: int, hosts: int) -> Sequence[int]:
    """The places, among `count` items, of those that are the host's (of 0 … hosts - 1), in the epoch's order.

    Hosts are dealt to in turn, so that each item is exactly one host's and no host has two more than another.
    """
    whole = range(count) if seed is None else shuffled(count, seed, epoch)
    return whole[host::hosts]


def shuffled(count: int, seed: int, epoch: int) -> Sequence[int]:
    """The numbers below `count` in an order that only seed and epoch decide: that of their keyed digests."""
    key = blake2b(f"{seed} {epoch}".encode(), digest_size=32).digest()
    return sorted(range(count), key=lambda place: blake2b(place.to_bytes(8, "big"), key=key, digest_size=16).digest())
