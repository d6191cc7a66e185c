"""What the helpers beside a running program share: one of each per attempt, keys that hold, an end that is told.

A helper outlives its supervisor. It goes when the program has ended or its attempt is gone. One that can go no further
says why and stays until then: what it holds open would otherwise read as a regular end.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import json
import os
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from trainyard.agent.orders import ChannelOrder, TransferOrders
from trainyard.kit import atomic
from trainyard.model.errors import ServiceError, Transient
from trainyard.objects.buckets import Buckets
from trainyard.ports.objects import ObjectInfo, ObjectStore
from trainyard.runtimes.local import credentials, identity
from trainyard.runtimes.local.attempt import Attempt

MOST_NOTICES = 20
LOOK = 2.0  # seconds between looks whether the program is still there


class Beside:
    """One helper, called `name`, of an attempt."""

    def __init__(self, attempt: Attempt, name: str) -> None:
        self.attempt, self._name = attempt, name
        self.plain = json.loads(attempt.order.read_bytes())
        self._orders = TransferOrders.from_plain(self.plain["transfers"])
        self._buckets = Buckets.from_plain(self._orders.routes)
        self._signed: tuple[int, ObjectStore] | None = None
        self._notices: list[str] = []
        self._turn = threading.Lock()

    def channels(self, mode: str) -> Sequence[ChannelOrder]:
        """The channels of that mode."""
        return [channel for channel in self._orders.channels if channel.mode == mode]

    async def read(self, info: ObjectInfo, start: int, stop: int) -> bytes:
        """A part of an object, as the role may read it with the keys that it has now."""
        return await self._store().read(info, start, stop)

    def ready(self) -> None:
        """Tell the supervisor that the program may start."""
        atomic.write_json(self.attempt.stream(self._name), identity.identify(os.getpid()))

    def notice(self, sentence: str) -> None:
        """Tell the user something, once, and no more than a person reads; from any thread."""
        with self._turn:
            if sentence not in self._notices and len(self._notices) < MOST_NOTICES:
                self._notices.append(sentence)
                atomic.write_json(self.attempt.stream_notices(self._name), self._notices)

    def conclude(self, **verdict: str) -> None:
        """Tell it how the work ended: `fault` and `detail` of what prevents the program from going on, or nothing."""
        if not self.attempt.stream_result(self._name).exists():
            atomic.write_json(self.attempt.stream_result(self._name), verdict)

    def _store(self) -> ObjectStore:
        try:
            written = self.attempt.role.stat().st_mtime_ns
        except FileNotFoundError:
            written = 0
        if self._signed is None or self._signed[0] != written:
            self._signed = written, self._buckets.signed(credentials.keys_of(self.attempt))
        return self._signed[1]


Work = Callable[[Beside], Awaitable[None]]


def run(folder_name: str, name: str, work: Work) -> None:
    """Do the work beside the program once nobody else does; ends the process without waiting for its threads."""
    attempt = Attempt(Path(folder_name))
    lock = os.open(attempt.folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    if not (_is_over(attempt) or attempt.stream_result(name).exists()):
        asyncio.run(_run(Beside(attempt, name), work))
    os._exit(0)


async def _run(beside: Beside, work: Work) -> None:
    working = asyncio.ensure_future(_told(beside, work))
    while not _is_over(beside.attempt):
        await asyncio.wait([working], timeout=LOOK)
        if working.done():
            working.result()  # a bug ends the process, and its supervisor sees to what follows
            await asyncio.sleep(LOOK)
    if beside.attempt.folder.exists():
        beside.conclude()
    working.cancel()
    await asyncio.wait([working])


async def _told(beside: Beside, work: Work) -> None:
    try:
        await work(beside)
    except (ServiceError, Transient) as error:
        beside.conclude(fault="ClientError", detail=str(error))
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        text = f"The disk that holds {beside.attempt.folder} is full." if full else f"A channel failed: {error}."
        beside.conclude(fault="ClientError" if full else "InternalServerError", detail=text)


def _is_over(attempt: Attempt) -> bool:
    return attempt.exit.exists() or attempt.released.exists() or not attempt.folder.exists()
