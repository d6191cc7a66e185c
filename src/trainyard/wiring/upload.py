"""Entry point of the uploading helper: `python -m trainyard.wiring.upload ATTEMPT`."""

from __future__ import annotations

import sys

from trainyard.agent import outputs
from trainyard.agent.orders import TransferOrders
from trainyard.ports.objects import ObjectStore
from trainyard.wiring.transfer import Transfer, run


async def _upload(transfer: Transfer, orders: TransferOrders, store: ObjectStore) -> dict[str, object]:
    notices: list[str] = []
    model_uri = None
    for order in orders.outputs:
        if outputs.is_empty(order):
            continue
        transfer.begin("model" if order.is_model else "output", None)
        notices += await outputs.upload(store, order, transfer.folder)
        model_uri = order.uri if order.is_model else model_uri
    return {"notices": notices, "model_uri": model_uri}


if __name__ == "__main__":
    sys.exit(run(sys.argv[1], "upload-result.json", "Artifact upload failed", _upload))
