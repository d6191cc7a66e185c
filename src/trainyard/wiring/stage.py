"""Entry point of the staging helper: `python -m trainyard.wiring.stage ATTEMPT`."""

from __future__ import annotations

import sys

from trainyard.agent.fastfile import Tree
from trainyard.agent.listing import Listing, write_listing
from trainyard.agent.orders import TransferOrders
from trainyard.agent.staging import stage, write_manifest
from trainyard.agent.syncing import Syncing, as_channel
from trainyard.kit.clock import SystemClock
from trainyard.ports.objects import ObjectStore
from trainyard.wiring.transfer import Transfer, run


async def _stage(transfer: Transfer, orders: TransferOrders, store: ObjectStore) -> dict[str, object]:
    checkpoints = [(order, as_channel(order, transfer.folder)) for order in orders.syncs if order.is_checkpoints]
    channels = (*orders.channels, *(channel for _, channel in checkpoints))
    written = [(channel, await write_listing(store, channel)) for channel in channels]
    files = [(channel, listed.bytes) for channel, listed in written if channel.mode == "File"]
    total = sum(size for _, size in files)
    for channel, _ in files:
        transfer.begin(channel.name, total)
        await stage(store, channel, transfer.moved)
    for channel in (channel for channel in orders.channels if channel.mode == "FastFile"):
        listing = Listing(channel)
        Tree().add(channel.name, listing)  # tells now of keys that can be no files
        write_manifest(channel, listing)
    for order, _ in checkpoints:
        Syncing(store, order, transfer.folder, SystemClock()).brought_back()
    return {}


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], "stage-result.json", "Data download failed", _stage))
