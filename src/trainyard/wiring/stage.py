"""Entry point of the staging helper: `python -m trainyard.wiring.stage ATTEMPT`."""

from __future__ import annotations

import sys

from trainyard.agent.orders import TransferOrders
from trainyard.agent.staging import stage
from trainyard.ports.objects import ObjectStore
from trainyard.wiring.transfer import Transfer, run


async def _stage(transfer: Transfer, orders: TransferOrders, store: ObjectStore) -> dict[str, object]:
    total = 0
    for channel in orders.channels:
        async for info in store.list(channel.uri):
            total += info.size
    for channel in orders.channels:
        transfer.begin(channel.name, total)
        await stage(store, channel, transfer.moved)
    return {}


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], "stage-result.json", "Data download failed", _stage))
