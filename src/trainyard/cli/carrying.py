"""artifacts, data: objects brought here and taken there."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import click

from trainyard.cli import output
from trainyard.cli.options import JOB, format_option, on_option
from trainyard.cli.output import moment, safe, size
from trainyard.cli.screen import screen
from trainyard.cli.sessions import described, with_objects
from trainyard.ports.objects import ObjectInfo
from trainyard.wiring import fetching
from trainyard.wiring.session import JobsAndObjects

_LOOK = 0.2  # seconds between looks at how far a transfer is


@click.command("artifacts")
@on_option
@click.argument("name", type=JOB)
@click.option("--to", "target", type=click.Path(file_okay=False, path_type=Path), required=True, help="The folder.")
def artifacts_command(name: str, target: Path) -> None:
    """Download a job's model into a folder, unpacked. Nothing is written outside of the folder."""

    async def fetch(session: JobsAndObjects) -> list[Path]:
        await described(session, name)
        async with _shown() as tally:
            return await fetching.fetch_model(session.service, session.objects, name, target, tally)

    _print(with_objects(fetch))


@click.group("data")
def data_command() -> None:
    """Copy and list objects, wherever their bucket lies."""


@data_command.command("ls")
@on_option
@click.argument("uri", type=click.Path())
@format_option
def list_objects(uri: str, form: str) -> None:
    """List the objects under a prefix."""
    whole = uri if "://" in uri else f"file://{Path(uri).absolute()}"

    async def fetch(session: JobsAndObjects) -> tuple[list[ObjectInfo], str]:
        return [info async for info in session.objects.list(whole)], session.objects.place_of(whole)

    found, place = with_objects(fetch)
    if form in ("json", "yaml"):
        output.document([_plain(info) for info in found], form)
    elif form == "name":
        _print([info.uri for info in found])
    elif found:
        _print_objects(found, wide=form == "wide")
        click.echo(
            f"{output.counted(len(found), 'object')}, {size(sum(one.size for one in found))} ({safe(place)})", err=True
        )
    else:
        click.echo(safe(f"There is nothing at {whole} ({place})."), err=True)


@data_command.command("cp")
@on_option
@click.argument("source", type=click.Path())
@click.argument("target", type=click.Path())
def copy_objects(source: str, target: str) -> None:
    """Copy a file or folder to a URI, or the objects of a prefix to a folder."""
    if ("://" in source) == ("://" in target):
        raise click.UsageError("One side is a path here, the other a URI such as s3://bucket/prefix/.")

    async def copy(session: JobsAndObjects) -> Sequence[Path | str]:
        async with _shown() as tally:
            if "://" in target:
                return await fetching.upload(session.objects, Path(source), target, tally)
            return await fetching.fetch_prefix(session.objects, source, Path(target), tally)

    _print(with_objects(copy))


@contextlib.asynccontextmanager
async def _shown() -> AsyncIterator[fetching.Tally]:
    """A tally that a terminal sees rise; at the end what was moved, and how fast, stands on standard error."""
    tally, begin, shown = fetching.Tally(), time.monotonic(), screen()

    async def show() -> None:
        while True:
            moved = tally.bytes
            shown.status([_moved(moved, tally, time.monotonic() - begin)])
            await asyncio.sleep(_LOOK)

    showing = asyncio.create_task(show())
    try:
        yield tally
    finally:
        showing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await showing
        shown.close()
    elapsed = time.monotonic() - begin
    rate = size(tally.bytes / elapsed if elapsed else 0)
    told = f"{output.counted(tally.objects, 'object')}, {size(tally.bytes)}"
    click.echo(f"{told} in {output.exact_span(elapsed)} ({rate}/s)", err=True)


def _moved(moved: int, tally: fetching.Tally, elapsed: float) -> str:
    rate = size(moved / elapsed if elapsed else 0)
    objects = f"{tally.objects} of {output.counted(tally.total_objects, 'object')}"
    return f"{objects}, {size(moved)} of {size(tally.total_bytes)}, {rate}/s"


def _print_objects(found: Sequence[ObjectInfo], *, wide: bool) -> None:
    header = ("MODIFIED", "BYTES", *(("ETAG",) if wide else ()), "URI")
    rows = [(moment(one.modified), str(one.size), *((one.etag or "-",) if wide else ()), one.uri) for one in found]
    output.table(header, rows)


def _plain(info: ObjectInfo) -> dict[str, object]:
    return {"uri": info.uri, "bytes": info.size, "modified": moment(info.modified), "etag": info.etag}


def _print(names: Sequence[Path | str]) -> None:
    for name in names:
        click.echo(safe(str(name)))
