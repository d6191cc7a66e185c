"""prune, df, doctor, serve, completion: the home and the machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

import click

from trainyard.cli import output
from trainyard.cli.options import AGE
from trainyard.cli.sessions import with_session
from trainyard.kit.clock import SystemClock
from trainyard.model.job import ListQuery
from trainyard.wiring import serving
from trainyard.wiring.session import Session


@click.command("prune")
@click.option(
    "--older-than", type=AGE, default="7d", show_default=True, metavar="AGE", help="How long a job has been final."
)
@click.option("--dry-run", is_flag=True, help="Only say which.")
def prune_command(older_than: float, *, dry_run: bool) -> None:
    """Delete final jobs older than a given age: records, logs, what is left of their data. Artifacts stay."""
    before = SystemClock().now() - older_than

    async def prune(session: Session) -> None:
        page = await session.service.list(ListQuery(limit=1000, modified_before=before, descending=False))
        for one in page.items:
            if one.status.is_final:
                if not dry_run:
                    await session.service.delete(one.name)
                click.echo(f"{one.name} {'would be deleted' if dry_run else 'deleted'}")

    with_session(prune)


@click.command("df")
def df_command() -> None:
    """Show what takes the home's space."""

    async def measure(session: Session) -> list[tuple[str, str]]:
        home = session.home
        places = {"records": home.database, "attempts": home.attempts, "embedded store": home.embedded_store}
        return [(what, output.size(await asyncio.to_thread(_bytes, path))) for what, path in places.items()]

    output.table(("WHAT", "SIZE"), with_session(measure))


@click.command("doctor")
def doctor_command() -> None:
    """Check this machine and say where everything is. Exit status 1 if something cannot work."""

    async def examine(session: Session) -> list[tuple[str, str, str]]:
        return serving.examine(session)

    checks = with_session(examine)
    output.table(("CHECK", "RESULT", "DETAIL"), checks)
    sys.exit(1 if any(result == "fail" for _, result, _ in checks) else 0)


@click.command("serve")
@click.option("--drain-timeout", type=float, default=30.0, show_default=True, help="Seconds for requests to end.")
def serve_command(drain_timeout: float) -> None:
    """Lead the engine until SIGTERM; health and metrics are answered on control.sock in the home."""

    async def serve(session: Session) -> None:
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(NotImplementedError):
                loop.add_signal_handler(number, stopping.set)
        click.echo(f"serving {session.home.path}; control socket {session.home.control_socket}", err=True)
        await serving.serve(session, stopping, drain_timeout)

    with_session(serve, lead=True)


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion_command(shell: str) -> None:
    """Print the completion script: `eval "$(trainyard completion bash)"`."""
    from click.shell_completion import get_completion_class

    from trainyard.cli.main import trainyard

    maker = get_completion_class(shell)
    if maker is not None:
        click.echo(maker(trainyard, {}, "trainyard", "_TRAINYARD_COMPLETE").source())


def _bytes(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
    return total


@click.command("version")
def version_command() -> None:
    """Show the versions of what matters here: ours, Python's, the built-in algorithms'."""
    from importlib.metadata import PackageNotFoundError, version

    rows = [("trainyard", version("trainyard")), ("python", sys.version.split()[0])]
    for name in ("xgboost-cpu", "obstore", "pydantic"):
        with contextlib.suppress(PackageNotFoundError):
            rows.append((name, version(name)))
    output.table(("WHAT", "VERSION"), rows)
