"""run, attach, wait: a job under a person's eyes."""

from __future__ import annotations

import asyncio
import sys
import uuid
from pathlib import Path

import click

from trainyard.cli.manifests import admitted, code_of, code_words, renamed, script_request, specs_of
from trainyard.cli.options import JOB, on_option
from trainyard.cli.output import safe
from trainyard.cli.reading import last_lines, print_line
from trainyard.cli.sessions import service_option, with_jobs
from trainyard.cli.watching import EXIT, LEFT, final, outcome, watch
from trainyard.lifecycle import naming
from trainyard.model.listing import ListQuery
from trainyard.model.spec import TrainingJobSpec
from trainyard.wiring.code import keep
from trainyard.wiring.home import Home
from trainyard.wiring.session import Jobs


@click.command("run")
@on_option
@click.argument("file", type=click.Path())
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option("--channel", "channels", multiple=True, metavar="NAME=PATH", help="An input of a script.")
@click.option("--name", help="The job's name instead of the manifest's.")
@click.option("--again", is_flag=True, help="Take the next free name if the job's is taken.")
@click.option("-d", "--detach", is_flag=True, help="Start it and leave; the job goes on.")
def run_command(
    file: str, arguments: tuple[str, ...], channels: tuple[str, ...], name: str | None, *, again: bool, detach: bool
) -> None:
    """Run the manifest FILE, or FILE.py with ARGUMENTS after `--`, and watch it.

    Ctrl-C stops the job gracefully; on a terminal it first gives you three seconds to press it again and leave the job
    running. Exit status: 0 Completed, 1 Failed, 2 refused, 3 Stopped, 130 left running.
    """
    afar = service_option(click.get_current_context())
    if file.endswith(".py"):
        if afar is not None:
            raise click.UsageError(
                f"{file} lies on this machine, which {afar.url} cannot read: put it where that one finds it, and name "
                "it in a manifest (`trainyard init --script` prints one)."
            )
        specs = [_script(file, channels, arguments, name or _generated(Path(file).stem))]
    elif _is_script(file):
        raise click.UsageError(f"{file} is a script of another kind; `run` takes FILE.py or a manifest that names it.")
    elif channels or arguments:
        raise click.UsageError(f"--channel and arguments are a script's; {file} is read as a manifest.")
    else:
        specs = [
            spec if spec.training_job_name else renamed(spec, _generated("job"))
            for spec in specs_of(file, travels=afar is not None)
        ]
        specs = [renamed(spec, name) for spec in specs] if name else specs
    if not specs:
        raise click.UsageError(f"{file} holds no TrainingJob.")
    sys.exit(with_jobs(lambda session: _run(session, specs, again=again, detach=detach), lead=not detach))


@click.command("attach")
@on_option
@click.argument("name", type=JOB)
def attach_command(name: str) -> None:
    """Watch a job from its first line on, as `run` does; the exit status is the same."""
    sys.exit(with_jobs(lambda session: watch(session, name), lead=True))


@click.command("wait")
@on_option
@click.argument("name", type=JOB)
@click.option(
    "--timeout", type=click.FloatRange(0), metavar="SECONDS", help="Wait at most so long; then exit status 4."
)
def wait_command(name: str, timeout: float | None) -> None:
    """Wait until a job is final; the exit status is as of `run`. Ctrl-C leaves it running."""

    async def wait(session: Jobs) -> int:
        try:
            async with asyncio.timeout(timeout):
                job = await final(session, name)
        except TimeoutError:
            click.echo(f"{name} is not final after {timeout:g} s; it goes on.", err=True)
            return 4
        for event in await last_lines(session, job):
            print_line(event)
        click.echo(outcome(job))
        return EXIT[str(job.description.training_job_status)]

    sys.exit(with_jobs(wait, lead=True))


def _is_script(file: str) -> bool:
    """Whether a file says itself what runs it: no manifest begins so."""
    path = Path(file)
    if not path.is_file():
        return False
    with path.open("rb") as opened:
        return opened.read(2) == b"#!"


def _script(file: str, channels: tuple[str, ...], arguments: tuple[str, ...], name: str) -> TrainingJobSpec:
    """The job of a script, whose code is kept as it is now."""
    found = code_of(file, channels)
    home = Home.open(click.get_current_context().find_root().obj["home"])
    request = script_request(file, f"file://{keep(found, home.code)}/", channels, arguments, name)
    click.echo(code_words(found), err=True)
    return admitted(request, name)


async def _run(session: Jobs, specs: list[TrainingJobSpec], *, again: bool, detach: bool) -> int:
    worst = 0
    for spec in specs:
        chosen = renamed(spec, await _free_name(session, spec.training_job_name)) if again else spec
        job = await session.service.create(chosen)
        name = job.description.training_job_name
        if detach:
            click.echo(name)
            continue
        click.echo(f"{name}: {safe(job.image)}; model to {safe(session.place_of(naming.model_uri(chosen)))}", err=True)
        worst = min(worst, await watch(session, name), key=_gravest)
        if worst == LEFT and len(specs) > 1:
            click.echo("The jobs that follow in the file were not started.", err=True)
            break
    return worst


def _gravest(status: int) -> int:
    """Failed before left running, before stopped, before completed."""
    return (1, LEFT, 3, 0).index(status)


async def _free_name(session: Jobs, name: str) -> str:
    taken: set[str] = set()
    token = None
    while True:
        page = await session.service.list(ListQuery(limit=1000, name_contains=name[:50], token=token))
        taken |= {summary.name for summary in page.items}
        token = page.token
        if token is None:
            return naming.next_free_name(name, taken)


def _generated(base: str) -> str:
    kept = "".join(char if char.isascii() and char.isalnum() else "-" for char in base).strip("-")[:50] or "job"
    return f"{kept}-{uuid.uuid4().hex[:8]}"
