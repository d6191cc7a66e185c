"""Entry point of the staging helper: `python -m trainyard.wiring.stage ATTEMPT`."""

from __future__ import annotations

import sys

from trainyard.agent.orders import TransferOrders
from trainyard.agent.staging import fetch, stage
from trainyard.agent.syncing import Syncing, as_channel
from trainyard.kit.clock import SystemClock
from trainyard.ports.objects import ObjectStore
from trainyard.wiring.transfer import Transfer, run


async def _stage(transfer: Transfer, orders: TransferOrders, store: ObjectStore) -> dict[str, object]:
    checkpoints = [order for order in orders.syncs if order.is_checkpoints]
    total = 0
    for channel in (*orders.channels, *map(as_channel, checkpoints)):
        async for info in store.list(channel.uri):
            total += info.size
    for channel in orders.channels:
        transfer.begin(channel.name, total)
        await stage(store, channel, transfer.moved)
    for order in checkpoints:
        transfer.begin("checkpoints", total)
        await fetch(store, as_channel(order), transfer.moved)
        Syncing(store, order, transfer.folder, SystemClock()).brought_back()
    return {}


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], "stage-result.json", "Data download failed", _stage))
