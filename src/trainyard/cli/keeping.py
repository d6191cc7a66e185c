"""prune, df, doctor, serve, completion: the home and the machine."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import click

from trainyard.cli import output
from trainyard.cli.options import AGE, format_option_without
from trainyard.cli.sessions import with_session
from trainyard.kit.clock import SystemClock
from trainyard.model.errors import ResourceNotFound
from trainyard.model.listing import JobSummary, ListQuery
from trainyard.wiring import code, examining, serving
from trainyard.wiring.home import Home
from trainyard.wiring.listeners import AwsListener, KubeListener
from trainyard.wiring.session import Session


@click.command("prune")
@click.option(
    "--older-than", type=AGE, default="7d", show_default=True, metavar="AGE", help="How long a job has been final."
)
@click.option("--dry-run", is_flag=True, help="Only say which.")
def prune_command(older_than: float, *, dry_run: bool) -> None:
    """Delete final jobs older than a given age: records, logs, what is left of data and code. Artifacts stay."""
    before = SystemClock().now() - older_than

    async def prune(session: Session) -> tuple[int, int]:
        at_first = await asyncio.to_thread(_bytes_of_jobs, session.home)
        names = [one.name async for one in _old(session, before)]
        for name in names:
            if not dry_run:
                with contextlib.suppress(ResourceNotFound):  # somebody else was faster
                    await session.service.delete(name)
            click.echo(f"{name} {'would be deleted' if dry_run else 'deleted'}")
        if not dry_run:
            in_use = code.folders_of(await session.engine.unfinished())
            await asyncio.to_thread(code.forget, session.home.code, before=before, in_use=in_use)
        return len(names), at_first - await asyncio.to_thread(_bytes_of_jobs, session.home)

    count, freed = with_session(prune)
    click.echo(output.counted(count, "job") + ("" if dry_run else f", {output.size(max(0, freed))} freed"), err=True)


@click.command("df")
@format_option_without("name")
def df_command(form: str) -> None:
    """Show what takes the home's space."""

    async def measure(session: Session) -> list[tuple[str, int, str]]:
        home = session.home
        places = {
            "records": home.database, "attempts": home.attempts, "code of scripts": home.code,
            "embedded store": home.embedded_store,
        }  # fmt: skip
        return [(what, await asyncio.to_thread(_bytes, path), str(path)) for what, path in places.items()]

    sizes = with_session(measure)
    if form in ("json", "yaml"):
        output.document([{"what": what, "bytes": count, "path": path} for what, count, path in sizes], form)
    else:
        rows = [(what, output.size(count), path) for what, count, path in sizes]
        header = ("WHAT", "SIZE", *(("PATH",) if form == "wide" else ()))
        output.table(header, [row[: len(header)] for row in rows])


@click.command("doctor")
@format_option_without("wide", "name")
def doctor_command(form: str) -> None:
    """Check this machine and say where everything is. Exit status 1 if something cannot work."""

    async def examine(session: Session) -> list[examining.Check]:
        return await asyncio.to_thread(examining.examine, session)

    checks = with_session(examine)
    if form in ("json", "yaml"):
        output.document([dataclasses.asdict(check) for check in checks], form)
    else:
        output.table(("CHECK", "RESULT", "DETAIL"), [(one.name, one.result, one.detail) for one in checks])
        for check in checks:
            if check.advice:
                click.echo(f"{output.coloured(check.result)}: {check.name}: {check.advice}")
    sys.exit(1 if any(check.result == "fail" for check in checks) else 0)


@click.command("serve")
@click.option("--drain-timeout", type=float, default=30.0, show_default=True, help="Seconds for requests to end.")
@click.option("--check", is_flag=True, help="Only ask the server of this home how it is; exit status 0 is well.")
@click.option("--kube-host", default="127.0.0.1", show_default=True, help="Where Kubernetes clients are answered.")
@click.option("--kube-port", type=click.IntRange(0, 65535), help="The port for them; 0 for any.  [default: 7446]")
@click.option("--aws-host", default="127.0.0.1", show_default=True, help="Where AWS clients are answered.")
@click.option("--aws-port", type=click.IntRange(0, 65535), help="The port for them; 0 for any.  [default: 7447]")
@click.option("--tls-cert", type=click.Path(path_type=Path, exists=True), help="A certificate, beyond loopback.")
@click.option("--tls-key", type=click.Path(path_type=Path, exists=True), help="Its key.")
@click.option("--trust-submitters", is_flag=True, help="Beyond loopback: who holds a token may do what you may here.")
def serve_command(  # noqa: PLR0913 - one option, one argument
    drain_timeout: float,
    kube_host: str,
    kube_port: int | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    *,
    aws_host: str,
    aws_port: int | None,
    trust_submitters: bool,
    check: bool,
) -> None:
    """Lead the engine until SIGTERM, and be a Kubernetes API for TrainingJobs, and the AWS services of training.

    kubectl and every Kubernetes client work with it: see `trainyard kubeconfig`. Beyond loopback its port is also for
    commands elsewhere, with tokens: see `trainyard token` and --service. boto3, the AWS CLI and the SageMaker SDK work
    with the other port: see `trainyard env`. Health and metrics are answered on
    control.sock in the home. Commands beside it hand their jobs to it. On SIGTERM it starts no more jobs, lets requests
    end and goes; jobs that run go on, and are led by whoever comes next.
    """
    if check:
        well, words = serving.health(Home.open(click.get_current_context().find_root().obj["home"]))
        click.echo(words, err=not well)
        sys.exit(0 if well else 1)
    kube = KubeListener(host=kube_host, port=kube_port, certificate=tls_cert, key=tls_key, trusting=trust_submitters)
    aws = AwsListener(host=aws_host, port=aws_port, certificate=tls_cert, key=tls_key, trusting=trust_submitters)

    async def serve(session: Session) -> None:
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with contextlib.suppress(NotImplementedError):
                loop.add_signal_handler(number, stopping.set)

        def tell(urls: Mapping[str, str]) -> None:
            click.echo(f"serving {session.home.path}; control socket {session.home.control_socket}", err=True)
            for what, url in urls.items():
                click.echo(f"{what} at {url}", err=True)

        await serving.serve(session, stopping, drain_timeout, kube, aws, tell)

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


@click.command("version")
def version_command() -> None:
    """Show the versions of what matters here: ours, Python's, the built-in algorithms'."""
    from importlib.metadata import PackageNotFoundError, version

    rows = [("trainyard", version("trainyard")), ("python", sys.version.split()[0])]
    for name in ("xgboost-cpu", "obstore", "pydantic"):
        with contextlib.suppress(PackageNotFoundError):
            rows.append((name, version(name)))
    output.table(("WHAT", "VERSION"), rows)


async def _old(session: Session, before: float) -> AsyncIterator[JobSummary]:
    """Jobs that are final and were last written before that time."""
    token = None
    while True:
        query = ListQuery(limit=1000, modified_before=before, descending=False, token=token)
        page = await session.service.list(query)
        for one in page.items:
            if one.status.is_final:
                yield one
        token = page.token
        if token is None:
            return


def _bytes_of_jobs(home: Home) -> int:
    return _bytes(home.attempts) + _bytes(home.code)


def _bytes(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
    return total
