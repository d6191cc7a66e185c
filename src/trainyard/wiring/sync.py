"""Entry point of the helper that uploads while a program runs: `python -m trainyard.wiring.sync ATTEMPT`.

It goes on until SIGTERM, whatever the store says; what goes wrong for long is noted beside the attempt. The upload's
helper does the rest once the program has ended: `python -m trainyard.wiring.sync ATTEMPT over` looks once more and ends
with a result.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence

from trainyard.agent.orders import TransferOrders
from trainyard.agent.syncing import Syncing, remove_copies
from trainyard.kit import atomic
from trainyard.kit.clock import SystemClock
from trainyard.kit.signals import set_within
from trainyard.model.errors import ServiceError, Transient
from trainyard.ports.objects import ObjectStore
from trainyard.wiring.transfer import Transfer, run

PAUSE = 2.0  # seconds between two looks, at least
SHARE = 10.0  # of the time that a look takes: so much later comes the next one
PATIENCE = 3  # looks that fail one after the other before it is told


def syncings(transfer: Transfer, orders: TransferOrders, store: ObjectStore) -> Sequence[Syncing]:
    """One for each folder."""
    return [Syncing(store, order, transfer.folder, SystemClock()) for order in orders.syncs]


async def _meanwhile(transfer: Transfer, orders: TransferOrders, store: ObjectStore) -> dict[str, object]:
    remove_copies(transfer.folder)
    clock, over, failed = SystemClock(), asyncio.Event(), 0
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    every = syncings(transfer, orders, store)
    while not over.is_set():
        began = clock.boottime()
        try:
            for one in every:
                await one.look()
            failed = 0
        except (ServiceError, Transient, OSError) as error:
            failed += 1
            if failed == PATIENCE:
                text = f"What the program writes cannot be uploaded while it runs, which is tried again: {error}"
                atomic.write_json(transfer.folder / "sync-trouble.json", text)
        pause = max(PAUSE, SHARE * (clock.boottime() - began)) * (1 + failed)
        await set_within(over, pause)
    return {}


async def _over(transfer: Transfer, orders: TransferOrders, store: ObjectStore) -> dict[str, object]:
    remove_copies(transfer.folder)
    for one in syncings(transfer, orders, store):
        await one.look(is_over=True)
    return {}


if __name__ == "__main__":
    work = _over if sys.argv[2:] == ["over"] else _meanwhile
    sys.exit(run(sys.argv[1], "sync-result.json", "Checkpoint upload failed", work))
