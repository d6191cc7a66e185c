"""What both transfer helpers share: one at a time per attempt, progress, retries, a result that is whole or absent."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from trainyard.agent.orders import TransferOrders
from trainyard.kit import atomic
from trainyard.kit.clock import SystemClock
from trainyard.kit.crashpoint import crashpoint
from trainyard.model.errors import ServiceError, Transient
from trainyard.objects.buckets import Buckets
from trainyard.ports.objects import ObjectStore
from trainyard.runtimes.local import credentials
from trainyard.runtimes.local.attempt import Attempt

REFUSED, FULL_DISK = 3, 4  # exit statuses that the supervisor knows
TRIES = 5
REPORT_EVERY = 0.2  # seconds


class Transfer:
    """Progress of one helper, written for whoever watches."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._clock = SystemClock()
        self._what, self._done, self._total = "", 0, None  # type: tuple[str, int, int | None]
        self._since = self._clock.boottime()
        self._next = 0.0

    def begin(self, what: str, total: int | None) -> None:
        """A channel or an output is next; `total` bytes are to be moved in all."""
        self._what, self._total = what, total

    def moved(self, size: int) -> None:
        """So many bytes more are there."""
        self._done += size
        moment = self._clock.boottime()
        if moment >= self._next:
            self._next = moment + REPORT_EVERY
            rate = self._done / max(1e-6, moment - self._since)
            plain = {
                "what": self._what, "done": self._done, "total": self._total, "rate": round(rate),
                "at": self._clock.now(),
            }  # fmt: skip
            atomic.write_json(self.folder / "progress.json", plain, durable=False)


Work = Callable[[Transfer, TransferOrders, ObjectStore], Awaitable[dict[str, object]]]


def run(folder_name: str, result_name: str, failed: str, work: Work) -> int:
    """Do the work once nobody else does it; the exit status tells the supervisor."""
    folder = Path(folder_name)
    lock = os.open(folder / "helper.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    crashpoint(f"before-{result_name}")
    order = json.loads((folder / "attempt.json").read_bytes())
    orders = TransferOrders.from_plain(order["transfers"])
    buckets = Buckets.from_plain(orders.routes)
    try:
        result = asyncio.run(_tried(Transfer(folder), orders, buckets, work))
    except (ServiceError, Transient) as error:
        return _refused(folder / result_name, f"{failed}:{error}")
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return FULL_DISK
    finally:
        buckets.close()
    crashpoint(f"moved-{result_name}")
    atomic.write_json(folder / result_name, result)
    crashpoint(f"after-{result_name}")
    return 0


async def _tried(transfer: Transfer, orders: TransferOrders, buckets: Buckets, work: Work) -> dict[str, object]:
    for attempt in range(TRIES - 1):
        try:
            return await work(transfer, orders, _as_role(transfer, buckets))
        except Transient as error:
            await asyncio.sleep(error.after * 2**attempt)
    return await work(transfer, orders, _as_role(transfer, buckets))


def _as_role(transfer: Transfer, buckets: Buckets) -> ObjectStore:
    """The objects as the role sees them with the keys that it has now."""
    return buckets.signed(credentials.keys_of(Attempt(transfer.folder)))


def _refused(path: Path, detail: str) -> int:
    atomic.write_json(path, {"fault": "ClientError", "detail": detail})
    return REFUSED
