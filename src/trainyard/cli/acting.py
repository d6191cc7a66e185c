"""stop, delete, interrupt, artifacts, data: what is done to jobs and their objects."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import click

from trainyard.cli import output
from trainyard.cli.output import safe
from trainyard.cli.sessions import with_session
from trainyard.model.errors import ServiceError, ValidationRefused
from trainyard.ports.objects import ObjectInfo
from trainyard.wiring.session import Session


@click.command("stop")
@click.argument("names", nargs=-1, required=True)
def stop_command(names: tuple[str, ...]) -> None:
    """Stop jobs gracefully: SIGTERM, SIGKILL 120 s later, then the upload."""
    _each(names, lambda session, name: session.service.stop(name), "stopping")


@click.command("delete")
@click.argument("names", nargs=-1, required=True)
def delete_command(names: tuple[str, ...]) -> None:
    """Forget final jobs; their artifacts stay where they are, their names are free again."""
    _each(names, lambda session, name: session.service.delete(name), "deleted")


@click.command("interrupt")
@click.argument("name")
def interrupt_command(name: str) -> None:
    """Take a running managed-spot job's place away, as a rehearsal of a real interruption."""
    _each((name,), lambda session, one: session.service.interrupt(one), "interrupted")


@click.command("artifacts")
@click.argument("name")
@click.option("--to", "target", type=click.Path(file_okay=False, path_type=Path), required=True, help="The folder.")
def artifacts_command(name: str, target: Path) -> None:
    """Download a job's model into a folder, unpacked."""

    async def fetch(session: Session) -> list[str]:
        job = await session.service.describe(name)
        uri = job.description.model_artifacts.s3_model_artifacts
        found = [info async for info in session.objects.list(uri)]
        if not found:
            raise ValidationRefused(f"{name} has written no model: there is nothing at {uri}.")
        target.mkdir(parents=True, exist_ok=True)
        if uri.endswith(".tar.gz"):
            return await _unpacked(session, found[0], target)
        return [str(await _copied(session, info, target, uri + "/")) for info in found]

    for path in with_session(fetch):
        click.echo(safe(path))


@click.group("data")
def data_command() -> None:
    """Copy and list objects, wherever their bucket lies."""


@data_command.command("ls")
@click.argument("uri")
def list_objects(uri: str) -> None:
    """List the objects under a prefix."""

    async def fetch(session: Session) -> list[ObjectInfo]:
        return [info async for info in session.objects.list(_whole_uri(uri))]

    rows = [(output.moment(info.modified), str(info.size), info.uri) for info in with_session(fetch)]
    output.table(("MODIFIED", "BYTES", "URI"), rows)


@data_command.command("cp")
@click.argument("source")
@click.argument("target")
def copy_objects(source: str, target: str) -> None:
    """Copy a file or folder to a URI, or objects to a folder."""
    if ("://" in source) == ("://" in target):
        raise click.UsageError("One side is a path here, the other a URI.")
    if "://" in target:
        copied = with_session(lambda session: _uploaded(session, Path(source), target))
    else:
        copied = with_session(lambda session: _downloaded(session, source, Path(target)))
    for name in copied:
        click.echo(safe(name))


def _each(names: tuple[str, ...], act: Callable[[Session, str], Awaitable[None]], word: str) -> None:
    async def all_of_them(session: Session) -> None:
        refused: ServiceError | None = None
        for name in names:
            try:
                await act(session, name)
            except ServiceError as error:
                refused = error
                click.echo(safe(f"error: {name}: {error}"), err=True)
                continue
            click.echo(f"{safe(name)} {word}")
        if refused is not None:
            raise click.exceptions.Exit(2)

    with_session(all_of_them)


async def _unpacked(session: Session, info: ObjectInfo, target: Path) -> list[str]:
    archive = target / ".model.tar.gz.partial"
    try:
        await session.objects.download(info, archive)
        with tarfile.open(archive) as tar:
            tar.extractall(target, filter="data")  # refuses what would leave the folder
            return [str(target / member.name) for member in tar.getmembers()]
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise ValidationRefused(f"{info.uri} cannot be unpacked safely: {error}") from error
    finally:
        archive.unlink(missing_ok=True)


async def _uploaded(session: Session, source: Path, uri: str) -> list[str]:
    if not source.exists():
        raise ValidationRefused(f"There is nothing at {source}.")
    if source.is_file():
        whole = uri + source.name if uri.endswith("/") else uri
        await session.objects.upload(source, whole)
        return [whole]
    names = []
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        names.append(f"{uri.rstrip('/')}/{path.relative_to(source).as_posix()}")
        await session.objects.upload(path, names[-1])
    return names


async def _downloaded(session: Session, uri: str, target: Path) -> list[str]:
    base = uri[: uri.rfind("/") + 1]
    names = [str(await _copied(session, info, target, base)) async for info in session.objects.list(uri)]
    if not names:
        raise ValidationRefused(f"There is nothing at {uri}.")
    return names


async def _copied(session: Session, info: ObjectInfo, target: Path, base: str) -> Path:
    path = (target / info.uri.removeprefix(base)).resolve()
    if not path.is_relative_to(target.resolve()):
        raise ValidationRefused(f"The object {info.uri!r} would be written outside of {target}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    await session.objects.download(info, path)
    return path


def _whole_uri(uri: str) -> str:
    return uri if "://" in uri else f"file://{Path(uri).absolute()}"
