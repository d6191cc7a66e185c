"""token: who may use a server beyond loopback."""

from __future__ import annotations

import re

import click

from trainyard.access import tokens
from trainyard.access.callers import Role
from trainyard.cli import output
from trainyard.cli.options import format_option
from trainyard.cli.output import safe
from trainyard.wiring.home import Home

_PLACE = re.compile(r"[0-9]{12}/([a-z0-9]+(-[a-z0-9]+)+|\*)")


@click.group("token")
def token_command() -> None:
    """Make, list and revoke the tokens of a server beyond loopback; a running one heeds it at once."""


@token_command.command("create")
@click.argument("name")
@click.option("--role", type=click.Choice([str(one) for one in Role]), default=str(Role.READ), show_default=True)
@click.option(
    "--place", "places", multiple=True, metavar="ACCOUNT/REGION", help="Hold it to these jobs; REGION may be *."
)
@click.option("--namespace", "namespaces", multiple=True, help="Hold it to this Kubernetes namespace; may be repeated.")
def create_token(name: str, role: str, places: tuple[str, ...], namespaces: tuple[str, ...]) -> None:
    """Make a token for NAME and print it, this once; only its hash is kept.

    One that is held to a place is for the job API (--service), one that is held to a namespace for the Kubernetes API;
    without either it is for all of both.
    """
    for place in places:
        if not _PLACE.fullmatch(place):
            raise click.UsageError(f"--place wants ACCOUNT/REGION, such as 123456789012/us-east-1, not {place!r}.")
    for namespace in namespaces:
        if "/" in namespace or not namespace:
            raise click.UsageError(f"{namespace!r} is no namespace.")
    click.echo(tokens.add(_home().tokens, name, Role(role), (*places, *namespaces)))


@token_command.command("list")
@format_option
def list_tokens(form: str) -> None:
    """Who has a token, with which role, held to what."""
    callers = sorted(tokens.load(_home().tokens).callers.values(), key=lambda caller: caller.name)
    if form in ("json", "yaml"):
        plain = [{"name": one.name, "role": str(one.role), "heldTo": sorted(one.scopes)} for one in callers]
        output.document(plain, form)
    elif form == "name":
        for one in callers:
            click.echo(safe(one.name))
    elif callers:
        rows = [(safe(one.name), str(one.role), safe(", ".join(sorted(one.scopes)) or "nothing")) for one in callers]
        output.table(("NAME", "ROLE", "HELD-TO"), rows)
    else:
        click.echo("No tokens yet; make one: trainyard token create NAME --role submit", err=True)


@token_command.command("revoke")
@click.argument("name")
def revoke_token(name: str) -> None:
    """Take NAME's token back; what it has open ends within seconds."""
    tokens.revoke(_home().tokens, name)
    click.echo(f"{safe(name)} revoked")


def _home() -> Home:
    return Home.open(click.get_current_context().find_root().obj["home"])
