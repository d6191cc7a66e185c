"""The command `trainyard`: its verbs, each imported when it is used, so that `--help` starts in a moment."""

from __future__ import annotations

import gc
import importlib
import os
import re
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import click

# verb: (module, one line of help). The help stands here so that listing the verbs imports none of them.
VERBS = {
    "run": ("running", "Run a manifest or a script, and watch it."),
    "attach": ("running", "Watch a job that runs already."),
    "wait": ("running", "Wait until a job is final."),
    "init": ("checking", "Print a manifest to start from."),
    "validate": ("checking", "Report every problem of manifests, with file:line:column."),
    "plan": ("checking", "Say what would happen, field by field; change nothing."),
    "explain": ("explaining", "Explain a field: type, limits, what it does here."),
    "crd": ("defining", "Print the TrainingJob's custom resource definition."),
    "list": ("listing", "List jobs, newest first."),
    "describe": ("describing", "Tell everything about a job."),
    "logs": ("reading", "Show a job's output."),
    "metrics": ("measuring", "Show a job's metrics."),
    "events": ("describing", "Show what happened to a job."),
    "stop": ("acting", "Stop jobs gracefully."),
    "delete": ("acting", "Forget final jobs."),
    "interrupt": ("acting", "Take a managed-spot job's place away, as a rehearsal."),
    "artifacts": ("carrying", "Download a job's model."),
    "data": ("carrying", "Copy and list objects."),
    "prune": ("keeping", "Delete final jobs older than a given age."),
    "df": ("keeping", "Show what takes the home's space."),
    "doctor": ("keeping", "Check this machine and say where everything is."),
    "serve": ("keeping", "Lead the engine as a server."),
    "env": ("connecting", "Print the variables that lead AWS clients here."),
    "kubeconfig": ("connecting", "Print how kubectl reaches a server."),
    "token": ("admitting", "Make, list and revoke tokens for a server."),
    "operator": ("operating", "Carry out the TrainingJob resources of a Kubernetes API."),
    "completion": ("keeping", "Print the shell completion script."),
    "version": ("keeping", "Show the versions of what matters here."),
}
SAGEMAKER = "sagemaker"  # the --service that is Amazon's own
SERVICE = "trainyard.service"  # where a context keeps the ServiceOption
GARBAGE = 50_000  # new objects between collections: imports make many objects and no garbage
REGION, ACCOUNT = "[a-z0-9]+(-[a-z0-9]+)+", "[0-9]{12}"  # as in trainyard.toml
UNREAD = 141  # as a shell tells SIGPIPE
ALIASES = {"ls": "list", "ps": "list", "get": "describe"}


class ServiceOption(NamedTuple):
    """Another Trainyard, as the command line or the environment names it."""

    url: str
    token_file: str | None
    ca_file: str | None


class Verbs(click.Group):
    """Finds a verb's module when the verb is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """All verbs, in the order of a job's life."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """The command of a verb or its alias."""
        name = ALIASES.get(cmd_name, cmd_name)
        if name not in VERBS:
            return None
        module = importlib.import_module(f"trainyard.cli.{VERBS[name][0]}")
        command: click.Command = getattr(module, f"{name}_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of the first word; a misspelt one is told its nearest."""
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], [*VERBS, *ALIASES], n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"No such command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb; a reader that is gone ends it as SIGPIPE would. click alone would say 1: the job failed."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still unwritten has no reader either
            raise click.exceptions.Exit(UNREAD) from None
        return result

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """The verbs with their lines, importing none."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])


def _spelt(pattern: str) -> Callable[[click.Context, click.Parameter, str | None], str | None]:
    """A check of an option's spelling: what it names becomes part of every job's ARN."""

    def checked(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(pattern, value):
            raise click.BadParameter(f"{value!r} must match {pattern}.")
        return value

    return checked


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--home", envvar="TRAINYARD_HOME", type=click.Path(file_okay=False), help="Where state lives.")
@click.option("--region", callback=_spelt(REGION), help="The region that names are unique in, such as us-east-1.")
@click.option("--account", callback=_spelt(ACCOUNT), help="The account that names are unique in: twelve digits.")
@click.option(
    "--service",
    envvar="TRAINYARD_SERVICE",
    metavar="URL",
    help="Other jobs than this home's: another Trainyard's (https://…), or `sagemaker`.",
)
@click.option("--service-token-file", envvar="TRAINYARD_SERVICE_TOKEN_FILE", metavar="FILE", help="The token for it.")
@click.option(
    "--service-ca-file",
    envvar="TRAINYARD_SERVICE_CA_FILE",
    metavar="FILE",
    help="The certificates that it is trusted by, instead of the system's.",
)
@click.version_option(package_name="trainyard")
@click.pass_context
def trainyard(
    ctx: click.Context,
    home: str | None,
    region: str | None,
    account: str | None,
    service: str | None,
    service_token_file: str | None,
    service_ca_file: str | None,
) -> None:
    """One TrainingJob, run anywhere."""
    ctx.obj = {"home": home, "region": region, "account": account}
    if service:
        ctx.meta[SERVICE] = ServiceOption(service, service_token_file, service_ca_file)


def main() -> None:
    """Run the command; every error is a sentence and an exit status, never a traceback."""
    if sys.platform == "win32":
        sys.exit("Trainyard does not run on Windows; use WSL.")
    gc.set_threshold(GARBAGE)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        # Without standalone mode click returns the status of an Exit; commands return nothing.
        status = trainyard(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        status = 2
    except (click.Abort, KeyboardInterrupt):
        status = 130
    except Exception as error:  # noqa: BLE001 - the last place that can tell a person
        from trainyard.cli.errors import explain

        status = explain(error)
    sys.exit(status)
