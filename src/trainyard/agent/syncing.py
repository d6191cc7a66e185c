"""Folders kept in step with an object store while a program writes them: checkpoints, tensors, profiles, TensorBoard.

A checkpoint goes up once nobody writes it any more, from a private copy, so that no object is half of one. The other
folders hold files that grow for as long as a program runs: they go up as far as they are.

What a program removes is removed from the store when all else is there: a crash in between leaves more, never less.
What is known to be in the store is kept on disk beside the attempt, so that a helper that was killed goes on.
"""

from __future__ import annotations

import asyncio
import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from trainyard.agent.orders import ChannelOrder, SyncOrder
from trainyard.kit import atomic, beneath
from trainyard.kit.stillness import Looks, copied, copied_if_still, looks
from trainyard.lifecycle.syncing import is_kept
from trainyard.ports.clock import Clock
from trainyard.ports.objects import PARTIAL, ObjectStore

PARALLEL = 8  # files under way at once: each has a private copy for as long
COPY = f"{PARTIAL}sync-"
CHANNEL = "checkpoints"  # what the service calls the channel that it makes of them


@dataclass(frozen=True, slots=True)
class Round:
    """What one look at a folder did: files uploaded, objects deleted, files left for later because they are written."""

    uploaded: int = 0
    deleted: int = 0
    left: int = 0


class Syncing:
    """One folder of one attempt. `scratch` is a folder of ours that private copies and what is known are kept in."""

    def __init__(self, store: ObjectStore, order: SyncOrder, scratch: Path, clock: Clock) -> None:
        self._store, self._order, self._scratch, self._clock = store, order, scratch, clock
        self._note = scratch / f"synced-{order.folder.replace('/', '-')}.json"
        self._known: dict[str, Looks] = {
            path: Looks(*one) for path, one in (atomic.read_json(self._note) or {}).items()
        }

    def brought_back(self) -> int:
        """Take what lies in the folder for what is in the store, after it was fetched from there; how many files."""
        self._known = dict(self._seen())
        self._keep()
        return len(self._known)

    async def look(self, *, is_over: bool = False) -> Round:
        """Upload what is new or changed, then delete what is gone. is_over: no program writes here any more.

        Raises what the store raises; what was done until then is known.
        """
        seen = dict(self._seen())
        news = [path for path, how in seen.items() if self._known.get(path) != how]
        gone = [path for path in self._known if path not in seen]
        if not news and not gone:
            return Round()
        try:
            uploaded = await self._upload(news, is_over=is_over)
            left = len(news) - uploaded
            deleted = 0 if left else await self._delete(gone)
        finally:
            self._keep()
        return Round(uploaded, deleted, left)

    def _seen(self) -> Iterator[tuple[str, Looks]]:
        """Every file that is to be in the store, with its looks; also those that a link within the folder leads to."""
        with ExitStack() as stack:
            try:
                folder = stack.enter_context(beneath.folder(Path(self._order.root), self._order.folder))
            except OSError:  # removed, or something else is in its place: to us it is empty, and nothing is deleted
                yield from self._known.items()
                return
            for entry in beneath.walk(folder):
                if stat.S_ISDIR(entry.status.st_mode) or not self._is_kept(entry.path):
                    continue
                try:
                    descriptor = self._open(folder, entry.path)
                except OSError:  # a pipe, a link that leads elsewhere, or gone meanwhile
                    continue
                try:
                    yield entry.path, looks(descriptor)
                finally:
                    os.close(descriptor)

    def _is_kept(self, path: str) -> bool:
        return is_kept(path) or not self._order.is_checkpoints

    def _open(self, folder: int, path: str) -> int:
        return beneath.follow(folder, path, seen_at=f"/opt/ml/{self._order.folder}")

    async def _upload(self, paths: list[str], *, is_over: bool) -> int:
        """Upload files, PARALLEL at a time; returns how many went up. All are tried before a fault is raised."""
        turn = asyncio.Semaphore(PARALLEL)

        async def one(path: str) -> bool:
            async with turn:
                return await (self._upload_itself(path) if is_over else self._upload_copy(path))

        done = await asyncio.gather(*(one(path) for path in paths), return_exceptions=True)
        for outcome in done:
            if isinstance(outcome, BaseException):
                raise outcome
        return sum(outcome is True for outcome in done)

    async def _upload_itself(self, path: str) -> bool:
        try:
            descriptor = self._opened(path)
        except OSError:  # gone since it was seen
            return False
        try:
            how = looks(descriptor)
            await self._store.upload(Path(f"/proc/self/fd/{descriptor}"), f"{self._order.uri}/{path}")
        finally:
            os.close(descriptor)
        self._known[path] = how
        return True

    async def _upload_copy(self, path: str) -> bool:
        copy = self._scratch / f"{COPY}{uuid.uuid4().hex}"
        how = await asyncio.to_thread(self._copied, path, copy)
        if how is None:
            return False
        try:
            await self._store.upload(copy, f"{self._order.uri}/{path}")
        finally:
            copy.unlink(missing_ok=True)
        self._known[path] = how
        return True

    def _copied(self, path: str, copy: Path) -> Looks | None:
        try:
            descriptor = self._opened(path)
        except OSError:  # gone since it was seen
            return None
        try:
            if not self._order.is_checkpoints:
                return copied(descriptor, copy)
            return copied_if_still(descriptor, copy, now=self._clock.now())
        finally:
            os.close(descriptor)

    def _opened(self, path: str) -> int:
        with beneath.folder(Path(self._order.root), self._order.folder) as folder:
            return self._open(folder, path)

    async def _delete(self, paths: list[str]) -> int:
        for path in paths:
            if self._order.is_checkpoints:
                await self._store.delete(f"{self._order.uri}/{path}")
            del self._known[path]
        return len(paths)

    def _keep(self) -> None:
        atomic.write_json(self._note, self._known, durable=False)


def as_channel(order: SyncOrder, scratch: Path) -> ChannelOrder:
    """Checkpoints are brought back as a channel is staged, from the folder that their URI is."""
    root = Path(order.root)
    return ChannelOrder(
        name=CHANNEL, uri=f"{order.uri}/", folder=str(root / order.folder), may_be_empty=True,
        manifest=str(root / "input/data" / f"{CHANNEL}-manifest"), listing=str(scratch / "listings" / CHANNEL),
    )  # fmt: skip


def remove_copies(scratch: Path) -> None:
    """Remove what a killed helper left."""
    for copy in scratch.glob(f"{COPY}*"):
        copy.unlink(missing_ok=True)
