"""init, validate, plan: before anything runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from trainyard.cli import output
from trainyard.cli.errors import REFUSED, line_of, of_the_system
from trainyard.cli.manifests import ROLE, admitted, documents_of, judged, script_request, specs_of
from trainyard.cli.options import format_option, format_option_without, on_option
from trainyard.cli.output import safe
from trainyard.cli.sessions import service_option, with_jobs
from trainyard.lifecycle import support
from trainyard.lifecycle.support_rows import HONOURED
from trainyard.model.errors import InvalidJob
from trainyard.model.problems import Problem, Severity
from trainyard.model.spec import TrainingJobSpec
from trainyard.resource.manifest import write_manifest
from trainyard.wiring import regexes
from trainyard.wiring.session import Jobs

PLACES = {
    "process": "on this machine, as a process",
    "container": "on this machine, in a container",
    "kubernetes": "on a Kubernetes cluster",
    "sagemaker": "on Amazon SageMaker",
}
XGBOOST_HEADER = """\
# XGBoost on CSV files: the label in the first column, numbers only, no line of names. To run it here:
#   trainyard data cp train.csv s3://my-bucket/train/
#   trainyard data cp validation.csv s3://my-bucket/validation/
#   trainyard plan FILE
#   trainyard run FILE
# `trainyard explain FIELD` tells of any field, such as `trainyard explain stoppingCondition`.
"""
SCRIPT_HEADER = """\
# A script in the Python that you call from: `trainyard plan FILE`, `trainyard run FILE`. Its arguments are the
# hyperParameters without "sagemaker_"; it reads SM_CHANNEL_<NAME> and writes to SM_MODEL_DIR.
"""


@click.command("init")
@click.option("--script", type=click.Path(exists=True, dir_okay=False), help="A script to run instead of XGBoost.")
@click.option("--channel", "channels", multiple=True, metavar="NAME=PATH", help="An input of the script.")
@click.option("--name", default="my-job", show_default=True, help="The job's name.")
def init_command(script: str | None, channels: tuple[str, ...], name: str) -> None:
    """Print a manifest to start from; it runs nothing."""
    if script:
        folder = Path(script).absolute().parent
        request, header = script_request(script, f"file://{folder}/", channels, (), name), SCRIPT_HEADER
        click.echo(f"Its code channel is all of {folder}; `trainyard run {script}` takes less along.", err=True)
    elif channels:
        raise click.UsageError("--channel is a script's; name it with --script.")
    else:
        request, header = _xgboost_request(), XGBOOST_HEADER
    click.echo(header + write_manifest(admitted(request, name), name), nl=False)


@click.command("validate")
@click.argument("files", nargs=-1, required=True, type=click.Path())
@format_option_without("name")
def validate_command(files: tuple[str, ...], form: str) -> None:
    """Report every problem of manifests at once. Exit status 0 if there is no error, else 1."""
    problems: list[Problem] = []
    jobs = 0
    for name in files:
        try:
            documents = documents_of(name)
        except InvalidJob as error:  # the other files have problems of their own to tell
            problems += error.problems
            continue
        except OSError as error:
            problems.append(Problem(path=(), message=of_the_system(error), code="unreadable"))
            continue
        if not documents:
            problems.append(Problem(path=(), message=f"{name} holds no TrainingJob.", code="empty"))
        for document in documents:
            jobs += 1
            spec, found = judged(document)
            problems += [*found, *(document.locate(regexes.problems_of(spec)) if spec else ())]
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if form in ("json", "yaml"):
        output.document([_plain(problem) for problem in problems], form)
    else:
        for problem in problems:
            click.echo(line_of(problem, whole=form == "wide"))
        click.echo(f"{output.counted(jobs, 'job')}, {output.counted(len(errors), 'error')}")
    sys.exit(1 if errors else 0)


@click.command("plan")
@on_option
@click.argument("file", type=click.Path())
@format_option
def plan_command(file: str, form: str) -> None:
    """Say what would happen here, field by field. Exit status 2 if the job would be refused."""
    afar = service_option(click.get_current_context())
    specs = specs_of(file, travels=afar is not None)
    plans = with_jobs(lambda session: _plans(session, specs))
    if form in ("json", "yaml"):
        output.document(plans, form)
    elif form == "name":
        for plan in plans:
            click.echo(plan["name"])
    else:
        for plan in plans:
            _print_plan(plan, None if afar is None else afar.url, wide=form == "wide")
    sys.exit(REFUSED if any(plan["refused"] for plan in plans) else 0)


async def _plans(session: Jobs, specs: list[TrainingJobSpec]) -> list[dict[str, Any]]:
    return [await _plan(session, spec) for spec in specs]


async def _plan(session: Jobs, spec: TrainingJobSpec) -> dict[str, Any]:
    told = await session.service.plan(spec)
    errors = [problem.message for problem in told.problems if problem.severity is Severity.ERROR]
    outputs = dict(told.outputs)
    uris = [uri for _, uri, _, _ in told.stages] + [outputs["model"]]
    places = {uri: session.place_of(uri) for uri in uris} | dict(told.stores)
    plan: dict[str, Any] = {"name": spec.training_job_name, "place": told.place}
    plan |= {"refused": "; ".join(errors) or None, "problems": errors}
    if not errors:
        plan |= {"image": told.image, "launcher": told.launcher, "why": told.why, "waiting": told.waiting}
    if told.needs is not None:  # on Amazon nobody but its instance type says what a job takes
        needs = told.needs
        plan["needs"] = {"vCPU": needs.cpus, "memoryBytes": needs.memory, "gpus": needs.gpus}
    plan["notices"] = list(told.notices)
    plan["fields"] = [list(row) for row in told.fields]
    plan["inputs"] = [
        {"channel": name, "uri": uri, "place": places[uri], "objects": objects, "bytes": total}
        for name, uri, objects, total in told.stages
    ]
    plan["model"] = {"uri": outputs["model"], "place": places[outputs["model"]]}
    return plan


def _print_plan(plan: dict[str, Any], afar: str | None, *, wide: bool) -> None:
    place = PLACES[plan["place"]]
    place = place if afar in (None, plan["place"]) else place.replace("this machine", str(afar))
    click.echo(safe(f"{plan['name']}: {place}"))
    for reason in plan["problems"]:
        click.echo(safe(f"  refused {reason}"))
    if not plan["problems"]:
        why = f": {plan['why']}" if plan["why"] else ""
        click.echo(safe(f"  runs    {plan['image']}{why}"))
    if plan.get("waiting"):
        click.echo(safe(f"  now     {plan['waiting']}"))
    for one in plan["inputs"]:
        click.echo(safe(f"  input   {one['channel']}: {_counted(one)} from {one['uri']} ({one['place']})"))
    click.echo(safe(f"  model   {plan['model']['uri']} ({plan['model']['place']})"))
    for notice in plan["notices"]:
        click.echo(safe(f"  notice  {notice}"))
    plain = [field for field in plan["fields"] if not wide and field[1:] == [HONOURED, support.PLAINLY]]
    rows = [field for field in plan["fields"] if field not in plain]
    if rows:
        output.table(("FIELD", "HERE", "REMARK"), rows, indent="  ")
    if plain:
        more = "other field" if rows else "field"
        click.echo(f"  {output.counted(len(plain), more)} honoured {support.PLAINLY} (-o wide lists them)")


def _counted(stage: dict[str, Any]) -> str:
    if stage["objects"] is None:
        return "objects that cannot be counted now"
    return f"{output.counted(stage['objects'], 'object')}, {output.size(stage['bytes'])}"


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
