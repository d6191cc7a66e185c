"""Real jobs for tests: a request, the program it runs, and what came of it."""

from __future__ import annotations

import asyncio
import base64
import sys
import tarfile
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.engines import BUSYBOX, PYTHON, TestEngine

from trainyard.model.job import Condition, Job, SearchQuery
from trainyard.model.spec import TrainingJobSpec
from trainyard.objects.buckets import Buckets, Route
from trainyard.wiring.session import Session, open_session

DEADLINE = 60.0
LONGEST_ENTRY = 256  # characters of one ContainerEntrypoint member
ROLE = "arn:aws:iam::123456789012:role/trainer"
KEEP_CONFIG = "cp /opt/ml/input/config/* /opt/ml/model/"
SLEEP = "trap 'exit 143' TERM; sleep 600 & wait"  # the first process of a container has to ask for its SIGTERM


class Place:
    """Where tests run their programs: as processes of this machine, which is a place like any other."""

    launcher = "process"
    settings = ""
    interpreter = sys.executable

    def image(self, name: str) -> str:
        """What runs a program that is given whole."""
        return "local/python"

    def kept_short(self, folder: Path, argv: list[str]) -> list[str]:
        """A program's text goes into a file where the API does not take it: 256 characters on one line."""
        for number, text in enumerate(argv):
            if len(text) > LONGEST_ENTRY or "\n" in text:
                file = folder / f"program-{uuid.uuid4().hex[:8]}"
                file.write_text(text)
                sourced = f"exec(compile(open({str(file)!r}).read(), '-c', 'exec'))"
                argv[number] = f". {file}" if argv[0] == "/bin/sh" else sourced
        return argv


class InEngine(Place):
    """Containers of an engine. A program's text goes along in pieces: no file of the machine is seen from there."""

    launcher = "container"
    interpreter = "/bin/python3"

    def __init__(self, engine: TestEngine) -> None:
        self.engine = engine
        self.settings = f'[container]\nsocket = "{engine.socket}"\npull = "never"\n'

    def image(self, name: str) -> str:
        return self.engine.image(name)

    def kept_short(self, folder: Path, argv: list[str]) -> list[str]:
        text = argv[-1]
        if len(text) <= LONGEST_ENTRY and "\n" not in text:
            return argv
        coded = base64.b64encode(text.encode()).decode()
        pieces = [coded[place : place + 250] for place in range(0, len(coded), 250)]
        count = len(pieces)
        if argv[0] == "/bin/sh":
            gather = f'p=; n={count}; while [ $n -gt 0 ]; do p="$p$1"; shift; n=$((n-1)); done'
            boot = f'{gather}; eval "$(echo $p | base64 -d)"'
            return [*argv[:-1], boot, "sh", *pieces]
        taken = f"sys.argv[1:{count + 1}]"
        boot = f"import sys,base64;t=base64.b64decode(''.join({taken}));del {taken};exec(t)"
        return [*argv[:-1], boot, *pieces]


class Where:
    """The place that the test at hand is about."""

    place: Place = Place()


@dataclass(frozen=True)
class Ran:
    """A job that ended: as the service tells it, and where its artifacts are."""

    job: Job
    told: dict[str, Any]
    log: str
    output: Path

    @property
    def ended(self) -> tuple[str, str]:
        return self.told["TrainingJobStatus"], self.told["SecondaryStatus"]

    def files(self, archive: str = "model.tar.gz") -> dict[str, bytes]:
        with tarfile.open(self.output / archive) as tar:
            return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}  # type: ignore[union-attr]

    def file(self, name: str) -> bytes:
        assert self.ended[0] == "Completed", (self.told.get("FailureReason"), self.log)
        return self.files()[name]


def request(tmp_path: Path, name: str, algorithm: dict[str, Any], **more: Any) -> TrainingJobSpec:
    plain = {
        "TrainingJobName": name,
        "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingInputMode": "File", **_kept_short(tmp_path, algorithm)},
        "OutputDataConfig": {"S3OutputPath": f"file://{tmp_path}/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        **more,
    }
    return TrainingJobSpec.from_wire(plain)


def _kept_short(tmp_path: Path, algorithm: dict[str, Any]) -> dict[str, Any]:
    argv = list(algorithm.get("ContainerEntrypoint", ()))
    return {**algorithm, "ContainerEntrypoint": Where.place.kept_short(tmp_path, argv)} if argv else algorithm


def program(*argv: str, image: str = BUSYBOX, **more: Any) -> dict[str, Any]:
    return {"TrainingImage": Where.place.image(image), "ContainerEntrypoint": list(argv), **more}


def shell(text: str, **more: Any) -> dict[str, Any]:
    return program("/bin/sh", "-c", text, **more)


def python(text: str, **more: Any) -> dict[str, Any]:
    return program(Where.place.interpreter, "-c", text, image=PYTHON, **more)


def home(tmp_path: Path, settings: str = "") -> str:
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if settings or Where.place.settings:
        (folder / "trainyard.toml").write_text(Where.place.settings + settings)
    return str(folder)


async def until(session: Session, name: str, found: Callable[[Job], bool], deadline: float = DEADLINE) -> Job:
    async with asyncio.timeout(deadline):
        while not found(job := await session.service.describe(name)):
            await asyncio.sleep(0.02)
    return job


async def ended(session: Session, tmp_path: Path, name: str = "job", deadline: float = DEADLINE) -> Ran:
    job = await until(session, name, _is_final, deadline)
    page = await session.service.logs(name)
    log = "\n".join(event.message for event in page.items)
    return Ran(job, job.description.to_wire(), log, tmp_path / "out" / name / "output")


def _is_final(job: Job) -> bool:
    return job.description.training_job_status not in ("InProgress", "Stopping")


async def training(session: Session, name: str) -> Job:
    return await until(session, name, lambda job: job.description.secondary_status == "Training")


async def run(tmp_path: Path, algorithm: dict[str, Any], *, settings: str = "", **more: Any) -> Ran:
    async with open_session(home(tmp_path, settings), lead=True) as session:
        await session.service.create(request(tmp_path, "job", algorithm, **more))
        return await ended(session, tmp_path)


def shorten_grace(session: Session, seconds: float) -> None:
    """Let this session's runtime wait for less than the service's two minutes."""
    runtime: Any = session.service._yard.runtime
    runtime._options = replace(runtime._options, grace=seconds)


def channel(name: str, uri: str, distribution: str = "FullyReplicated", **more: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": distribution}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, **more}


async def found_by(session: Session, name: str, value: str) -> list[str | None]:
    page = await session.service.search(SearchQuery(conditions=(Condition(name=name, value=value),)))
    return [job.description.training_job_name for job in page.items]


def stored(home: Path, uri: str) -> bytes:
    """An object of the home's embedded store."""
    with closing(Buckets({}, Route(embedded=str(home / "s3")))) as buckets:
        return asyncio.run(buckets.get(uri))
