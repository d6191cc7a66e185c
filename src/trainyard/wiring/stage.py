"""Entry point of the staging helper: `python -m trainyard.wiring.stage ATTEMPT`."""

from __future__ import annotations

import sys

from trainyard.agent.listing import write_listing
from trainyard.agent.orders import TransferOrders
from trainyard.agent.staging import stage
from trainyard.agent.syncing import Syncing, as_channel
from trainyard.kit.clock import SystemClock
from trainyard.ports.objects import ObjectStore
from trainyard.wiring.transfer import Transfer, run


async def _stage(transfer: Transfer, orders: TransferOrders, store: ObjectStore) -> dict[str, object]:
    checkpoints = [(order, as_channel(order, transfer.folder)) for order in orders.syncs if order.is_checkpoints]
    channels = (*orders.channels, *(channel for _, channel in checkpoints))
    total = sum([(await write_listing(store, channel)).bytes for channel in channels])
    for channel in channels:
        transfer.begin(channel.name, total)
        await stage(store, channel, transfer.moved)
    for order, _ in checkpoints:
        Syncing(store, order, transfer.folder, SystemClock()).brought_back()
    return {}


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], "stage-result.json", "Data download failed", _stage))
