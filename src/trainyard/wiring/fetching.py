"""Objects brought here and taken there for a person: a job's model unpacked, prefixes to folders and back.

Several at once, and counted while they move.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

from trainyard.model.errors import ValidationRefused
from trainyard.model.status import TrainingJobStatus
from trainyard.ports.objects import PARTIAL, ObjectInfo, ObjectStore
from trainyard.ports.service import TrainingService

T = TypeVar("T")
AT_ONCE = 8


class Tally:
    """How far a transfer is: `objects` and `bytes` of their totals."""

    def __init__(self) -> None:
        self.objects, self.total_objects = 0, 0
        self.total_bytes = 0
        self._bytes = 0
        self._moving: set[Path] = set()

    @property
    def bytes(self) -> int:
        """Bytes that are here, those of files that are not whole yet among them."""
        return self._bytes + sum(_size(part) for folder in self._moving for part in folder.glob(f"{PARTIAL}*"))

    def expect(self, sizes: Sequence[int]) -> None:
        """So many objects of so many bytes are to come."""
        self.total_objects += len(sizes)
        self.total_bytes += sum(sizes)

    def begin(self, folder: Path) -> None:
        """A file is on its way into this folder."""
        self._moving.add(folder)

    def end(self, size: int) -> None:
        """One object is whole."""
        self.objects += 1
        self._bytes += size


async def fetch_model(
    service: TrainingService, objects: ObjectStore, name: str, folder: Path, tally: Tally
) -> list[Path]:
    """A job's model in a folder, unpacked; returns the files. Raises ValidationRefused where there is none."""
    uri = (await service.describe(name)).description.model_artifacts.s3_model_artifacts
    found = await model_at(objects, uri)
    if not found:
        status = TrainingJobStatus((await service.describe(name)).description.training_job_status)
        why = "it wrote none" if status.is_final else "a job writes it at its end"
        raise ValidationRefused(f"{name} has no model at {uri}: its status is {status}, and {why}.")
    folder.mkdir(parents=True, exist_ok=True)
    if found[0].uri == uri:
        return await _unpacked(objects, found[0], folder, tally)
    return await download(objects, found, f"{uri}/", folder, tally)


async def model_at(objects: ObjectStore, uri: str) -> list[ObjectInfo]:
    """The objects of a model: its archive, else what was uploaded file by file; none where a job wrote none."""
    whole = await objects.head(uri) if uri.endswith(".tar.gz") else None
    return [whole] if whole else [info async for info in objects.list(f"{uri}/")]


async def fetch_prefix(objects: ObjectStore, uri: str, folder: Path, tally: Tally) -> list[Path]:
    """Every object whose URI begins so, named by what follows the last slash of it. Raises where there is none."""
    found = [info async for info in objects.list(uri)]
    if not found:
        raise ValidationRefused(f"There is nothing at {uri} ({objects.place_of(uri)}).")
    return await download(objects, found, uri[: uri.rfind("/") + 1], folder, tally)


async def download(
    objects: ObjectStore, found: Sequence[ObjectInfo], base: str, folder: Path, tally: Tally
) -> list[Path]:
    """Objects as files below a folder, each at its key below `base`. A key that leads out of it is refused first."""
    targets = [(info, _below(folder, info.uri.removeprefix(base), info.uri)) for info in found]
    files = [(info, path) for info, path in targets if not info.uri.endswith("/")]  # the others mark empty folders
    tally.expect([info.size for info, _ in files])

    async def one(pair: tuple[ObjectInfo, Path]) -> None:
        info, path = pair
        path.parent.mkdir(parents=True, exist_ok=True)
        tally.begin(path.parent)
        tally.end(await objects.download(info, path))

    await _several(files, one)
    return [path for _, path in files]


async def upload(objects: ObjectStore, source: Path, uri: str, tally: Tally) -> list[str]:
    """A file, or every file below a folder, as objects; returns their URIs. Raises where there is nothing."""
    if source.is_file():
        pairs = [(source, uri + source.name if uri.endswith("/") else uri)]
    else:
        paths = sorted(path for path in source.rglob("*") if path.is_file())
        pairs = [(path, f"{uri.rstrip('/')}/{path.relative_to(source).as_posix()}") for path in paths]
    if not pairs:
        raise ValidationRefused(f"There is no file at {source}.")
    tally.expect([_size(path) for path, _ in pairs])

    async def one(pair: tuple[Path, str]) -> None:
        path, to = pair
        tally.end(await objects.upload(path, to))

    await _several(pairs, one)
    return [to for _, to in pairs]


async def _unpacked(objects: ObjectStore, info: ObjectInfo, folder: Path, tally: Tally) -> list[Path]:
    from trainyard.kit.unpacking import UnsafeArchive, unpack

    archive = folder / ".model.tar.gz"
    tally.expect([info.size])
    tally.begin(folder)
    try:
        tally.end(await objects.download(info, archive))
        return await asyncio.to_thread(unpack, archive, folder)
    except UnsafeArchive as error:
        raise ValidationRefused(f"{info.uri} cannot be unpacked safely: {error}.") from error
    finally:
        archive.unlink(missing_ok=True)


async def _several(items: Sequence[T], work: Callable[[T], Awaitable[None]]) -> None:
    """Do it for every item, a few at once; the first failure ends the others and is the one that is told."""
    free = asyncio.Semaphore(AT_ONCE)

    async def one(item: T) -> None:
        async with free:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for item in items:
                group.create_task(one(item))
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None


def _below(folder: Path, key: str, uri: str) -> Path:
    path = (folder / key).resolve()
    if not path.is_relative_to(folder.resolve()) or "\0" in key:
        raise ValidationRefused(f"The object {uri!r} would be written outside of {folder}.")
    return path


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # it was renamed or removed meanwhile
        return 0
