"""init, validate, plan: before anything runs."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from trainyard.cli import output
from trainyard.cli.errors import REFUSED, line_of
from trainyard.cli.manifests import ROLE, admitted, documents_of, judged, script_request, specs_of
from trainyard.cli.options import format_option
from trainyard.cli.output import safe
from trainyard.cli.sessions import service_option, with_jobs
from trainyard.model.problems import Problem, Severity
from trainyard.model.spec import TrainingJobSpec
from trainyard.resource.manifest import write_manifest
from trainyard.wiring.session import Jobs


@click.command("init")
@click.option("--script", type=click.Path(exists=True, dir_okay=False), help="A script to run instead of XGBoost.")
@click.option("--channel", "channels", multiple=True, metavar="NAME=PATH", help="An input of the script.")
@click.option("--name", default="my-job", show_default=True, help="The job's name.")
def init_command(script: str | None, channels: tuple[str, ...], name: str) -> None:
    """Print a manifest to start from; it runs nothing."""
    request = script_request(script, channels, (), name) if script else _xgboost_request()
    click.echo(write_manifest(admitted(request, name), name), nl=False)


@click.command("validate")
@click.argument("files", nargs=-1, required=True)
@format_option
def validate_command(files: tuple[str, ...], form: str) -> None:
    """Report every problem of manifests at once. Exit status 0 if there is no error, else 1."""
    problems: list[Problem] = []
    jobs = 0
    for name in files:
        documents = documents_of(name)
        if not documents:
            problems.append(Problem(path=(), message=f"{name} holds no TrainingJob.", code="empty"))
        for document in documents:
            jobs += 1
            problems += judged(document)[1]
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if form in ("json", "yaml"):
        output.document([_plain(problem) for problem in problems], form)
    else:
        for problem in problems:
            click.echo(line_of(problem))
        click.echo(f"{jobs} job{'s' * (jobs != 1)}, {len(errors)} error{'s' * (len(errors) != 1)}")
    sys.exit(1 if errors else 0)


@click.command("plan")
@click.argument("file")
@format_option
def plan_command(file: str, form: str) -> None:
    """Say what would happen here, field by field. Exit status 2 if the job would be refused."""
    afar = service_option(click.get_current_context())
    specs = specs_of(file, travels=afar is not None)
    plans = with_jobs(lambda session: _plans(session, specs))
    if form in ("json", "yaml"):
        output.document(plans, form)
    else:
        for plan in plans:
            _print_plan(plan, "this machine" if afar is None else afar.url)
    sys.exit(REFUSED if any(plan["refused"] for plan in plans) else 0)


async def _plans(session: Jobs, specs: list[TrainingJobSpec]) -> list[dict[str, Any]]:
    return [await _plan(session, spec) for spec in specs]


async def _plan(session: Jobs, spec: TrainingJobSpec) -> dict[str, Any]:
    told = await session.service.plan(spec)
    errors = [problem.message for problem in told.problems if problem.severity is Severity.ERROR]
    outputs = dict(told.outputs)
    uris = [uri for _, uri, _, _ in told.stages] + [outputs["model"]]
    places = {uri: session.place_of(uri) for uri in uris} | dict(told.stores)
    plan: dict[str, Any] = {"name": spec.training_job_name, "place": told.place, "refused": "; ".join(errors) or None}
    if told.needs is not None:
        needs = told.needs
        plan |= {"image": told.image, "launcher": told.launcher, "waiting": told.waiting}
        plan["needs"] = {"vCPU": needs.cpus, "memoryBytes": needs.memory, "gpus": needs.gpus}
    plan["notices"] = list(told.notices)
    plan["fields"] = [list(row) for row in told.fields]
    plan["inputs"] = [
        {"channel": name, "uri": uri, "place": places[uri], "objects": objects, "bytes": total}
        for name, uri, objects, total in told.stages
    ]
    plan["model"] = {"uri": outputs["model"], "place": places[outputs["model"]]}
    return plan


def _print_plan(plan: dict[str, Any], where: str) -> None:
    click.echo(safe(f"{plan['name']}: on {where}, as a process"))
    if plan["refused"]:
        click.echo(safe(f"  refused: {plan['refused']}"))
    else:
        click.echo(safe(f"  runs    {plan['image']}"))
    if plan.get("waiting"):
        click.echo(safe(f"  now     {plan['waiting']}"))
    for one in plan["inputs"]:
        click.echo(safe(f"  input   {one['channel']}: {_counted(one)} from {one['uri']} ({one['place']})"))
    click.echo(safe(f"  model   {plan['model']['uri']} ({plan['model']['place']})"))
    for notice in plan["notices"]:
        click.echo(safe(f"  notice  {notice}"))
    output.table(
        ("  FIELD", "HERE", "REMARK"), [("  " + path, verdict, remark) for path, verdict, remark in plan["fields"]]
    )


def _counted(stage: dict[str, Any]) -> str:
    if stage["objects"] is None:
        return "objects that cannot be counted now"
    return f"{stage['objects']} objects, {output.size(stage['bytes'])}"


def _plain(problem: Problem) -> dict[str, Any]:
    position = problem.position
    return {
        "path": list(problem.path), "message": problem.message, "code": problem.code, "severity": str(problem.severity),
        "suggestion": problem.suggestion,
        "position": position and {"file": position.file, "line": position.line, "column": position.column},
    }  # fmt: skip


def _xgboost_request() -> dict[str, Any]:
    def channel(name: str) -> dict[str, Any]:
        source = {
            "S3DataType": "S3Prefix",
            "S3Uri": f"s3://my-bucket/{name}/",
            "S3DataDistributionType": "FullyReplicated",
        }
        return {"ChannelName": name, "DataSource": {"S3DataSource": source}, "ContentType": "text/csv"}

    return {
        "RoleArn": ROLE,
        "HyperParameters": {
            "objective": "reg:squarederror",
            "num_round": "50",
            "max_depth": "5",
            "eta": json.dumps(0.2),
        },
        "AlgorithmSpecification": {"AlgorithmName": "xgboost", "TrainingInputMode": "File"},
        "InputDataConfig": [channel("train"), channel("validation")],
        "OutputDataConfig": {"S3OutputPath": "s3://my-bucket/models"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }
