"""File mode: the objects under a prefix become files of a channel's folder, as the service lays them out.

A run that was killed is simply repeated: files that are there with their full size are not fetched again, and
what it left half-fetched is removed, for all that lies in a channel is data to a program.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path, PurePosixPath

from trainyard.agent.orders import ChannelOrder
from trainyard.model.errors import ValidationRefused
from trainyard.ports.objects import PARTIAL, ObjectInfo, ObjectStore

PARALLEL = 16  # transfers at once; small objects are bound by latency
Report = Callable[[int], None]


async def stage(store: ObjectStore, order: ChannelOrder, report: Report) -> int:
    """Fetch a whole channel; returns how many objects it has. `report` is told the bytes of each file as it lands.

    Raises ValidationRefused for an empty prefix or a key that cannot be a file below the channel's folder.
    """
    count = await fetch(store, order, report)
    if count == 0:
        os.unlink(order.manifest)
        raise ValidationRefused(f'No S3 objects found under S3 URL "{order.uri}" given in input data source.')
    return count


async def fetch(store: ObjectStore, order: ChannelOrder, report: Report) -> int:
    """Fetch what there is, which may be nothing; as `stage` in all else."""
    root = Path(order.folder)
    root.mkdir(parents=True, exist_ok=True)
    _remove_remains(root)
    uri = _plain(order.uri)
    base = uri[: uri.rfind("/") + 1]
    partial = Path(order.manifest + ".partial")
    count = 0
    with partial.open("w", encoding="utf-8", errors="surrogateescape") as manifest:
        manifest.write(_key(uri))
        async for info in _fetched(store, uri, base, root, report):
            manifest.write(f"\n{info.uri}")
            count += 1
    os.replace(partial, order.manifest)
    return count


def _remove_remains(root: Path) -> None:
    """Files that another run of ours was killed over. An object of such a name is fetched again."""
    for folder, _, names in os.walk(root):
        for name in names:
            if name.startswith(PARTIAL):
                os.unlink(os.path.join(folder, name))


def local_path(uri: str, base: str, root: Path) -> Path:
    """Where an object goes: its key without the prefix up to the last slash, below `root` and nowhere else."""
    relative = uri[len(base) :]
    parts = PurePosixPath(relative).parts
    unsafe = relative.startswith("/") or ".." in parts or "." in relative.split("/") or "\0" in relative
    if (
        unsafe
        or "//" in relative
        or not parts
        or any(len(part.encode("utf-8", "surrogatepass")) > 255 for part in parts)
    ):
        raise ValidationRefused(f"The object {uri!r} has a key that cannot be a file below its channel's folder.")
    return root.joinpath(*parts)


async def _fetched(store: ObjectStore, uri: str, base: str, root: Path, report: Report) -> AsyncIterator[ObjectInfo]:
    """Every object under `uri`, once its file is there; at most PARALLEL under way, memory flat."""
    running: dict[asyncio.Task[None], ObjectInfo] = {}
    try:
        async for info in store.list(uri):
            if len(running) >= PARALLEL:
                await _settle(running)
            running[asyncio.create_task(_fetch(store, info, base, root, report))] = info
            yield info
        while running:
            await _settle(running)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _settle(running: dict[asyncio.Task[None], ObjectInfo]) -> None:
    done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        del running[task]
        task.result()


async def _fetch(store: ObjectStore, info: ObjectInfo, base: str, root: Path, report: Report) -> None:
    if info.uri == base:
        return  # the marker of the folder itself
    target = local_path(info.uri, base, root)
    is_marker = info.uri.endswith("/") and info.size == 0
    try:
        (target if is_marker else target.parent).mkdir(parents=True, exist_ok=True)
        if is_marker:
            return
        if not (target.is_file() and target.stat().st_size == info.size):
            await store.download(info, target)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        text = f"The object {info.uri!r} cannot be a file: one key is a file and a folder at once."
        raise ValidationRefused(text) from error
    report(info.size)


def _plain(uri: str) -> str:
    """The URI as listings spell it: `https://s3.<region>.amazonaws.com/bucket/key` is `s3://bucket/key`."""
    scheme, _, rest = uri.partition("://")
    if scheme == "https":
        scheme, rest = "s3", rest.partition("/")[2]
    return f"{scheme}://{rest}" if "/" in rest else f"{scheme}://{rest}/"


def _key(uri: str) -> str:
    """The URI without scheme and bucket."""
    rest = uri.split("://", 1)[-1]
    return rest.split("/", 1)[1] if "/" in rest else ""
