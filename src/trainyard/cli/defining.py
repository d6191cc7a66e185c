"""crd: what a Kubernetes cluster has to know of a TrainingJob."""

from __future__ import annotations

import json

import click

from trainyard.resource.crd import Validation, definition
from trainyard.resource.manifest import as_yaml


@click.command("crd")
@click.option(
    "--validation",
    type=click.Choice([str(one) for one in Validation]),
    default=str(Validation.STRICT),
    show_default=True,
    help="strict: the API server refuses what SageMaker surely refuses. ack: types only, as ACK's own definition.",
)
@click.option("-o", "--output", "form", type=click.Choice(["yaml", "json"]), default="yaml", help="How to print.")
def crd_command(validation: str, form: str) -> None:
    """Print the TrainingJob's custom resource definition: `trainyard crd | kubectl apply -f -`."""
    manifest = definition(Validation(validation))
    click.echo(as_yaml(manifest) if form == "yaml" else json.dumps(manifest, indent=2) + "\n", nl=False)
