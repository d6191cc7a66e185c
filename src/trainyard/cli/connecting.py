"""kubeconfig, env: how clients of Kubernetes and of AWS reach a server."""

from __future__ import annotations

import shlex
import time
from pathlib import Path

import click

from trainyard.access.callers import Role
from trainyard.cli import output
from trainyard.model.errors import TrainyardError
from trainyard.wiring.home import Home

_LOOK = 0.05  # seconds between looks for a server


@click.command("kubeconfig")
@click.option("--user", help="Make a token for this name, for a server beyond loopback. It is shown this once.")
@click.option("--role", type=click.Choice([str(one) for one in Role]), default=str(Role.READ), show_default=True)
@click.option("--namespace", "namespaces", multiple=True, help="Hold the token to this namespace; may be repeated.")
@click.option("--server", help="The server's URL, as clients see it: https://HOST:PORT.")
@click.option("--ca", type=click.Path(path_type=Path, exists=True), help="The certificate that clients are to trust.")
@click.option(
    "--wait",
    "patience",
    type=click.FloatRange(0),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for a server that is starting.",
)
@click.pass_context
def kubeconfig_command(
    context: click.Context,
    user: str | None,
    role: str,
    namespaces: tuple[str, ...],
    server: str | None,
    ca: Path | None,
    patience: float,
) -> None:
    """Print a kubeconfig for `trainyard serve`.

    Without options: the one that the server of this home wrote; it needs no token, for the server knows its user.
    """
    from trainyard.access import tokens
    from trainyard.wiring.kube import kubeconfig

    home = Home.open(context.obj["home"])
    if user is None:
        click.echo(_written(home, patience), nl=False)
        click.echo(f"export KUBECONFIG={home.kubeconfig}", err=True)
        return
    if server is None:
        raise click.UsageError("--user needs --server: the URL that its owner is to use.")
    token = tokens.add(home.tokens, user, Role(role), namespaces)
    namespace = namespaces[0] if namespaces else "default"
    click.echo(kubeconfig(server, token=token, authority=ca, namespace=namespace).decode())


@click.command("env")
@click.option("-o", "--output", "form", type=click.Choice(["shell", "json"]), default="shell", show_default=True)
@click.option("--endpoint", help="The server's URL, as clients see it, where it is not the one that it listens on.")
@click.pass_context
def env_command(context: click.Context, form: str, endpoint: str | None) -> None:
    """Print the variables that lead boto3, the AWS CLI and the SageMaker SDK to `trainyard serve`.

    In a shell: `eval "$(trainyard env)"`. A session token and a profile of your own are taken away, for they would go
    before. On loopback the server knows its user, and the keys are only there because clients want some; beyond it they
    are those of trainyard.toml, and secret. The SDK is given a file of defaults, which your own go before: the name of
    its bucket, and that it reports to nobody.
    """
    from trainyard.wiring import sdk_defaults
    from trainyard.wiring.aws import variables
    from trainyard.wiring.settings import load

    home = Home.open(context.obj["home"])
    settings = load(home.settings)
    names = variables(home, settings, account=context.obj["account"], region=context.obj["region"])
    if endpoint is not None:
        names["AWS_ENDPOINT_URL"] = endpoint
    else:  # a file of this machine leads no client of another
        account, region = context.obj["account"] or settings.account, names["AWS_REGION"]
        names[sdk_defaults.VARIABLE] = str(sdk_defaults.write(home, account=account, region=region))
    if form == "json":
        output.document(names, form)
        return
    click.echo("unset AWS_SESSION_TOKEN AWS_PROFILE AWS_ENDPOINT_URL_SAGEMAKER AWS_ENDPOINT_URL_S3")
    for name, value in names.items():
        click.echo(f"export {name}={shlex.quote(value)}")


def _written(home: Home, patience: float) -> str:
    """What the server wrote. One that has just been started in the background is waited for."""
    from trainyard.wiring.serving import answers_kubectl

    deadline = time.monotonic() + patience
    while not (answered := answers_kubectl(home)) and time.monotonic() < deadline:
        time.sleep(_LOOK)
    try:
        written = home.kubeconfig.read_text(encoding="utf-8") + "\n"
    except FileNotFoundError:
        raise TrainyardError(
            f"No server answers Kubernetes clients from {home.path}: start one, `trainyard serve`, and ask again."
        ) from None
    if not answered:
        click.echo(f"No server of {home.path} answers now; start one: trainyard serve", err=True)
    return written
