"""Files to admitted specs, and scripts to requests."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from trainyard.cli.output import counted, safe, size
from trainyard.lifecycle.admission.admit import admit
from trainyard.model.errors import InvalidJob, ValidationRefused
from trainyard.model.problems import Problem, Severity
from trainyard.model.spec import TrainingJobSpec
from trainyard.resource.manifest import Document, read_manifests
from trainyard.wiring.code import Code, survey

ROLE = "arn:aws:iam::000000000000:role/trainyard-local"
_LEFT_OUT_SHOWN = 6
CODE = "/opt/ml/input/data/code"


def documents_of(name: str) -> list[Document]:
    """The documents of a file, or of standard input for `-`."""
    content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    return read_manifests(content, name)


def judged(document: Document) -> tuple[TrainingJobSpec | None, tuple[Problem, ...]]:
    """A document's spec, and everything that is to be said about it with its place in the file."""
    named = {} if document.wire.get("TrainingJobName") else {"TrainingJobName": document.metadata.name}
    admission = admit({**document.wire, **named}, nameless=True)
    is_whole = not any(problem.severity is Severity.ERROR for problem in document.problems)
    return admission.spec if is_whole else None, (*document.problems, *document.locate(admission.problems))


def specs_of(name: str, *, travels: bool = False) -> list[TrainingJobSpec]:
    """The admitted specs of a file. Raises InvalidJob with every problem of every document.

    travels: they are to run on another machine, where a relative path means nothing.
    """
    specs, faults = [], []
    for document in documents_of(name):
        spec, problems = judged(document)
        errors = [problem for problem in problems if problem.severity is Severity.ERROR]
        faults += errors
        if spec is not None and not errors:
            specs.append(_local_uris(spec, None if travels else Path(name).parent))
    if faults:
        raise InvalidJob(faults)
    return specs


def code_of(script: str, channels: tuple[str, ...]) -> Code:
    """What goes along with a script: its folder, but for what is no code and what its channels give it."""
    path = Path(script).absolute()
    if not path.is_file():
        raise click.UsageError(f"There is no script {script}." if not path.exists() else f"{script} is no file.")
    given = (_named(text)[1] for text in channels)
    return survey(path, [Path(place).absolute() for place in given if "://" not in place])


def code_words(code: Code) -> str:
    """`code: 3 files, 4.1 kB of /home/me/project (left out: .git, .venv)`."""
    names = [*code.left_out[:_LEFT_OUT_SHOWN], *(["…"] if len(code.left_out) > _LEFT_OUT_SHOWN else [])]
    behind = f" (left out: {', '.join(names)})" if names else ""
    return safe(f"code: {counted(len(code.files), 'file')}, {size(code.size)} of {code.folder}{behind}")


def script_request(
    script: str, code: str, channels: tuple[str, ...], arguments: tuple[str, ...], name: str | None
) -> dict[str, Any]:
    """The request that runs a script in the caller's own Python, in the API's spelling; `code` is its folder's URI."""
    hyperparameters = {key: _as_json(value) for key, value in _pairs(arguments).items()}
    program = {"sagemaker_program": json.dumps(Path(script).name), "sagemaker_submit_directory": json.dumps(CODE)}
    inputs = [_channel("code", code), *(_given_channel(channel) for channel in channels)]
    return {
        "TrainingJobName": name or "",
        "RoleArn": ROLE,
        "HyperParameters": {**hyperparameters, **program},
        "AlgorithmSpecification": {"TrainingImage": "local/python", "TrainingInputMode": "File"},
        "InputDataConfig": inputs,
        "OutputDataConfig": {"S3OutputPath": "s3://trainyard-output/models"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
    }


def admitted(request: dict[str, Any], name: str) -> TrainingJobSpec:
    """A request of our own making, judged like any other."""
    admission = admit({**request, "TrainingJobName": name})
    if admission.spec is None:
        raise InvalidJob(admission.problems)
    return admission.spec


def _named(text: str) -> tuple[str, str]:
    name, _, place = text.partition("=")
    if not name or not place:
        raise click.UsageError(f"--channel wants NAME=PATH or NAME=URI, not {text!r}.")
    return name, place


def _given_channel(text: str) -> dict[str, Any]:
    name, place = _named(text)
    if "://" in place:
        return _channel(name, place)
    path = Path(place).absolute()
    if not path.exists():
        raise click.UsageError(f"--channel {name}: there is nothing at {path}.")
    return _channel(name, f"file://{path}/" if path.is_dir() else f"file://{path}")


def _channel(name: str, uri: str) -> dict[str, Any]:
    return {"ChannelName": name, "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}}


def _pairs(arguments: tuple[str, ...]) -> dict[str, str]:
    """`--lr 0.1 --fast` as {"lr": "0.1", "fast": "true"}."""
    pairs: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        flag = rest.pop(0)
        if not flag.startswith("-"):
            raise click.UsageError(f"Arguments of a script are --name value pairs; {flag!r} is none.")
        key, equals, value = flag.lstrip("-").partition("=")
        pairs[key] = value if equals else rest.pop(0) if rest and not rest[0].startswith("--") else "true"
    return pairs


def _as_json(text: str) -> str:
    try:
        json.loads(text)
    except ValueError:
        return json.dumps(text)
    return text


def _local_uris(spec: TrainingJobSpec, folder: Path | None) -> TrainingJobSpec:
    """Relative paths in a file mean places beside that file; nothing, where there is no such folder."""
    wire = spec.to_wire()
    for channel in wire.get("InputDataConfig", []):
        source = channel["DataSource"].get("S3DataSource")
        if source:
            source["S3Uri"] = _absolute(source["S3Uri"], folder)
    output = wire["OutputDataConfig"]
    output["S3OutputPath"] = _absolute(output["S3OutputPath"], folder)
    return TrainingJobSpec.from_wire(wire)


def _absolute(uri: str, folder: Path | None) -> str:
    if "://" in uri:
        return uri
    if folder is None:
        raise ValidationRefused(
            f"{uri} is a path beside the manifest, which nobody can read from elsewhere: write an "
            "s3:// URI, or file:///… for a folder of that machine."
        )
    return f"file://{(folder / uri).absolute()}" + ("/" if uri.endswith("/") else "")


def renamed(spec: TrainingJobSpec, name: str) -> TrainingJobSpec:
    """The same job under another name, which is judged like any other. Raises InvalidJob."""
    return admitted(spec.to_wire(), name)
