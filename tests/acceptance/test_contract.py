"""What a field of the request does to a program, as a process and in containers: real jobs, from the first to the last.

Each proof of the support matrix's honoured rows is here under the name that the row gives. Programs are shell or Python
text; what they saw they copy to /opt/ml/model, which is read back from the archive that the job uploaded.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.jobs import (
    DEADLINE,
    KEEP_CONFIG,
    SLEEP,
    InEngine,
    Place,
    Ran,
    Where,
    channel,
    ended,
    found_by,
    home,
    program,
    python,
    request,
    run,
    shell,
    training,
    until,
)
from tests.engines import BUSYBOX, PACKED, load

from trainyard.kit.clock import SystemClock
from trainyard.model.errors import ValidationRefused
from trainyard.wiring.session import Session, open_session

# What a program can reach: its interfaces, a listener of the machine's at argv[1], one of its own.
PROBE = """
import json, os, socket, sys
def reaches(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True
own = socket.create_server(("127.0.0.1", 0))
seen = {
    "interfaces": sorted(name for _, name in socket.if_nameindex()),
    "machine": reaches(int(sys.argv[1])),
    "itself": reaches(own.getsockname()[1]),
    "credentials": sorted(name for name in os.environ if "CONTAINER_CREDENTIALS" in name or "ACCESS_KEY" in name),
}
open("/opt/ml/model/seen.json", "w").write(json.dumps(seen))
"""


@pytest.fixture(params=["process", "docker", "podman"], autouse=True)
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Every sentence of the contract holds in each of these."""
    found = Place() if request.param == "process" else InEngine(request.getfixturevalue(request.param))
    monkeypatch.setattr(Where, "place", found)
    return found


@contextmanager
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


async def reach(tmp_path: Path, **more: Any) -> dict[str, Any]:
    with listener() as port:
        ran = await run(tmp_path, python(PROBE, ContainerArguments=[str(port)]), **more)
    return dict(json.loads(ran.file("seen.json")))


def interfaces(place: Place) -> list[str]:
    """Those of the network that the launcher is in: the machine's, or the one that the tests gave the engine."""
    owner = str(place.engine.pid) if isinstance(place, InEngine) else "self"
    lines = Path(f"/proc/{owner}/net/dev").read_text().splitlines()[2:]
    return sorted(line.partition(":")[0].strip() for line in lines)


# AlgorithmSpecification

TELL = ("/bin/sh", "-c", 'printf "%s\\n" "$KIND" "$@" > /opt/ml/model/argv', "trainer")
TRAINER = "".join(
    f"""
[images."{name}"]
command = {json.dumps(TELL)}
env = {{ KIND = "ours" }}
"""
    for name in ("team/trainer", "our-trainer")
)


def trainer(place: Place) -> tuple[str, str]:
    """An image whose own entry point tells what it was given, and the settings that it needs."""
    if not isinstance(place, InEngine):
        return "registry.example.com/team/trainer:3", TRAINER
    name = "trainyard-test/trainer:3"
    load(place.engine.socket, name, PACKED[BUSYBOX](), f"ENTRYPOINT {json.dumps(TELL)}", "ENV KIND=ours")
    return name, ""


@pytest.mark.proves("AlgorithmSpecification", "AlgorithmSpecification.TrainingImage")
@pytest.mark.case(42)
async def test_training_image(tmp_path: Path, place: Place) -> None:
    image, settings = trainer(place)
    ran = await run(tmp_path, {"TrainingImage": image}, settings=settings)
    assert ran.file("argv") == b"ours\ntrain\n"
    assert ran.told["AlgorithmSpecification"]["TrainingImage"] == image
    assert ran.job.launcher == place.launcher
    with pytest.raises(ValidationRefused, match=r"No program is known for nobody/knows|has no image nobody/knows"):
        await run(tmp_path, {"TrainingImage": "nobody/knows"})


@pytest.mark.proves("AlgorithmSpecification.AlgorithmName")
async def test_algorithm_name(tmp_path: Path) -> None:
    ran = await run(tmp_path, {"AlgorithmName": "our-trainer"}, settings=TRAINER)
    assert ran.file("argv") == b"ours\ntrain\n"
    assert ran.told["AlgorithmSpecification"]["AlgorithmName"] == "our-trainer"
    with pytest.raises(ValidationRefused, match="No program is known for nobody-knows"):
        await run(tmp_path, {"AlgorithmName": "nobody-knows"})


@pytest.mark.proves(
    "AlgorithmSpecification.TrainingImageConfig",
    "AlgorithmSpecification.TrainingImageConfig.TrainingRepositoryAccessMode",
)
async def test_training_image_config(tmp_path: Path, place: Place) -> None:
    platform = {"TrainingRepositoryAccessMode": "Platform"}
    ran = await run(tmp_path, shell("true", TrainingImageConfig=platform))
    assert ran.ended == ("Completed", "Completed")
    assert ran.told["AlgorithmSpecification"]["TrainingImageConfig"] == platform
    private = shell("true", TrainingImageConfig={"TrainingRepositoryAccessMode": "Vpc"})
    within = {"VpcConfig": {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}}
    settings = '[networks."n"]\nsubnets = ["subnet-1"]\nsecurity_groups = ["sg-1"]\naccess = "none"\n'
    if place.launcher == "container":  # whatever the machine reaches, the engine may fetch from
        assert (await run(tmp_path / "private", private, settings=settings, **within)).ended[0] == "Completed"
        return
    with pytest.raises(ValidationRefused, match="no private registry is reached here"):
        await run(tmp_path / "private", private, settings=settings, **within)


@pytest.mark.proves("AlgorithmSpecification.ContainerArguments", "AlgorithmSpecification.ContainerArguments[]")
@pytest.mark.case(42)
async def test_container_arguments(tmp_path: Path, place: Place) -> None:
    arguments = ["two words", "$HOME", "--flag=ü", "*"]
    image, settings = trainer(place)
    ran = await run(tmp_path, {"TrainingImage": image, "ContainerArguments": arguments}, settings=settings)
    assert ran.file("argv").decode().splitlines() == ["ours", *arguments]


@pytest.mark.proves("AlgorithmSpecification.ContainerEntrypoint", "AlgorithmSpecification.ContainerEntrypoint[]")
@pytest.mark.case(42)
async def test_container_entrypoint(tmp_path: Path, place: Place) -> None:
    tell = "import os, sys; print(sys.argv[1:], os.getcwd(), sys.stdin.read() == '', os.isatty(1), os.getppid())"
    alone = await run(tmp_path / "alone", python(tell))
    assert alone.log == "[] / True False 0" if place.launcher == "container" else "[] /opt/ml/code True False 1"
    both = await run(tmp_path / "both", python(tell, ContainerArguments=["train", "-v"]))
    assert both.log.startswith("['train', '-v'] ")


@pytest.mark.proves("AlgorithmSpecification.TrainingInputMode", "InputDataConfig[].InputMode")
async def test_file_mode(tmp_path: Path) -> None:
    data = tmp_path / "data"
    contents = {"a.csv": b"1,2\n", "deep/er/b c.bin": bytes(range(256)) * 4096, "empty": b"", "ü.txt": b"\xff\x00"}
    for name, content in contents.items():
        (data / "train" / name).parent.mkdir(parents=True, exist_ok=True)
        (data / "train" / name).write_bytes(content)
    for name in ("part-1", "part-2", "other"):
        (data / name).write_text(name)
    ran = await run(
        tmp_path,
        shell("cp -r /opt/ml/input/data/. /opt/ml/model/"),
        InputDataConfig=[channel("train", f"file://{data}/train/", InputMode="File")],
    )
    assert ran.ended[0] == "Completed", ran.told.get("FailureReason")
    files = ran.files()
    assert {name.removeprefix("train/"): files[name] for name in files if name.startswith("train/")} == contents
    first, *objects = files["train-manifest"].decode().splitlines()
    assert first.endswith("data/train/")
    assert len(objects) == len(contents)


@pytest.mark.proves(
    "InputDataConfig",
    "InputDataConfig[]",
    "InputDataConfig[].ChannelName",
    "InputDataConfig[].DataSource",
    "InputDataConfig[].DataSource.S3DataSource",
    "InputDataConfig[].DataSource.S3DataSource.S3DataType",
    "InputDataConfig[].DataSource.S3DataSource.S3Uri",
    "InputDataConfig[].DataSource.S3DataSource.S3DataDistributionType",
    "InputDataConfig[].ContentType",
    "InputDataConfig[].CompressionType",
    "InputDataConfig[].RecordWrapperType",
)
async def test_input_channels(tmp_path: Path) -> None:
    for name in ("train", "test"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "rows").write_text(name)
    ran = await run(
        tmp_path,
        shell(KEEP_CONFIG + " && cp -r /opt/ml/input/data /opt/ml/model/"),
        InputDataConfig=[
            channel("train", f"file://{tmp_path}/data/train/", "ShardedByS3Key", ContentType="text/csv"),
            channel("test", f"file://{tmp_path}/data/test/", CompressionType="None", RecordWrapperType="None"),
        ],
    )
    assert ran.file("inputdataconfig.json") == (
        b'{"train":{"ContentType":"text/csv","TrainingInputMode":"File","S3DistributionType":"ShardedByS3Key",'
        b'"RecordWrapperType":"None"},"test":{"TrainingInputMode":"File","S3DistributionType":"FullyReplicated",'
        b'"RecordWrapperType":"None"}}'
    )
    assert (ran.file("data/train/rows"), ran.file("data/test/rows")) == (b"train", b"test")
    channels = json.loads(ran.file("init-config.json"))["channels"]
    assert {name: entry["sharded"] for name, entry in channels.items()} == {"train": True, "test": False}


@pytest.mark.proves(
    "AlgorithmSpecification.MetricDefinitions",
    "AlgorithmSpecification.MetricDefinitions[]",
    "AlgorithmSpecification.MetricDefinitions[].Name",
    "AlgorithmSpecification.MetricDefinitions[].Regex",
)
@pytest.mark.case(82)
async def test_metric_definitions(tmp_path: Path) -> None:
    definitions = [{"Name": "loss", "Regex": "loss=([0-9.]+)"}, {"Name": "never", "Regex": "never=([0-9.]+)"}]
    text = KEEP_CONFIG + "; echo loss=0.5; sleep .2; echo loss=0.25 >&2; sleep .2; echo loss=many; echo loss=0.0036"
    async with open_session(home(tmp_path), lead=True) as session:
        await session.service.create(request(tmp_path, "job", shell(text, MetricDefinitions=definitions)))
        ran = await ended(session, tmp_path)
        (series,) = await session.service.metrics("job", metric="loss")
    assert json.loads(ran.file("metric-definition-regex.json")) == definitions
    assert [value for _, value in series.points] == [0.5, 0.25, 0.0036]
    final = {metric["MetricName"]: metric["Value"] for metric in ran.told["FinalMetricDataList"]}
    assert final == {"loss": 0.003599999938160181}


@pytest.mark.proves("AlgorithmSpecification.EnableSageMakerMetricsTimeSeries")
@pytest.mark.case(84)
async def test_metrics_time_series(tmp_path: Path) -> None:
    write = """
import json, os, time
folder = os.environ.get("SAGEMAKER_METRICS_DIRECTORY")
print(folder)
if folder:
    with open(f"{folder}/{os.getpid()}.json", "w") as file:
        for step, value in enumerate((3.0, 2.0)):
            entry = {"MetricName": "train:loss", "Value": value, "Timestamp": time.time(), "IterationNumber": step}
            file.write(json.dumps(entry) + "\\n")
"""
    async with open_session(home(tmp_path), lead=True) as session:
        for name, wanted in (("on", True), ("off", False)):
            algorithm = python(write, EnableSageMakerMetricsTimeSeries=wanted)
            await session.service.create(request(tmp_path, name, algorithm))
        on, off = await ended(session, tmp_path, "on"), await ended(session, tmp_path, "off")
        (series,) = await session.service.metrics("on", metric="train:loss")
    assert (on.log, off.log) == ("/opt/ml/output/metrics/sagemaker", "None")
    assert [value for _, value in series.points] == [3.0, 2.0]
    assert "FinalMetricDataList" not in off.told


# What the program is told


@pytest.mark.proves("HyperParameters")
async def test_hyperparameters(tmp_path: Path) -> None:
    given = {"lr": "0.1", "s": '"abc"', "sagemaker_program": '"train.py"', "empty": "", "ü": "a, \\ and b"}
    ran = await run(tmp_path, shell(KEEP_CONFIG), HyperParameters=given)
    assert ran.file("hyperparameters.json") == (
        '{"lr":"0.1","s":"\\"abc\\"","sagemaker_program":"\\"train.py\\"","empty":"","ü":"a, \\\\ and b"}'.encode()
    )
    assert ran.told["HyperParameters"] == given
    bare = await run(tmp_path / "bare", shell(KEEP_CONFIG))
    assert bare.file("hyperparameters.json") == b"{}"


@pytest.mark.proves("Environment")
@pytest.mark.case(65)
async def test_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_CALLER", "not for the program")
    given = {"PLAIN": "1", "EMPTY": "", "TEXT": 'two "words"\nand $HOME ü', "DMLC_INTERFACE": "lo"}
    dump = "import json, os; open('/opt/ml/model/env', 'w').write(json.dumps(dict(os.environ)))"
    ran = await run(tmp_path, python(dump), Environment=given)
    seen = json.loads(ran.file("env"))
    expected = {
        **given, "TRAINING_JOB_NAME": "job", "TRAINING_JOB_ARN": ran.told["TrainingJobArn"], "AWS_REGION": "us-east-1",
    }  # fmt: skip
    assert {name: seen.get(name) for name in expected} == expected
    assert not {"OF_THE_CALLER", "SAGEMAKER_METRICS_DIRECTORY"} & seen.keys()
    assert not [name for name in seen if name.startswith("SM_")]
    assert ran.told["Environment"] == given


@pytest.mark.proves("TrainingJobName", "ResourceConfig", "ResourceConfig.InstanceCount")
async def test_resource_config(tmp_path: Path) -> None:
    ran = await run(tmp_path, shell(KEEP_CONFIG + "; hostname > /opt/ml/model/host; grep -qw algo-1 /etc/hosts"))
    assert ran.file("resourceconfig.json") == (
        b'{"current_host":"algo-1","current_instance_type":"ml.m5.large","current_group_name":"homogeneousCluster",'
        b'"hosts":["algo-1"],"instance_groups":[{"instance_group_name":"homogeneousCluster",'
        b'"instance_type":"ml.m5.large","hosts":["algo-1"]}],"network_interface_name":"eth0","topology":null}'
    )
    assert ran.told["TrainingJobArn"] == "arn:aws:sagemaker:us-east-1:000000000000:training-job/job"
    assert ran.told["ResourceConfig"]["InstanceCount"] == 1
    assert ran.output == tmp_path / "out" / "job" / "output"


@pytest.mark.proves(
    "DebugHookConfig",
    "DebugHookConfig.LocalPath",
    "DebugHookConfig.S3OutputPath",
    "DebugHookConfig.HookParameters",
    "DebugHookConfig.CollectionConfigurations",
    "DebugHookConfig.CollectionConfigurations[]",
    "DebugHookConfig.CollectionConfigurations[].CollectionName",
    "DebugHookConfig.CollectionConfigurations[].CollectionParameters",
)
async def test_debug_hook_config(tmp_path: Path) -> None:
    collections = [{"CollectionName": "losses", "CollectionParameters": {"save_interval": "500"}}]
    hook = {
        "S3OutputPath": f"file://{tmp_path}/hook/",
        "LocalPath": "/opt/ml/output/mine",
        "HookParameters": {"train.save_interval": "7"},
        "CollectionConfigurations": collections,
    }
    text = f"{KEEP_CONFIG}; mkdir /opt/ml/output/mine/index; echo loss > /opt/ml/output/mine/index/0"
    ran = await run(tmp_path, shell(text), DebugHookConfig=hook)
    assert (tmp_path / "hook/job/debug-output/index/0").read_text() == "loss\n"
    assert ran.file("debughookconfig.json") == (
        b'{"S3OutputPath":"file://%s/hook/job/debug-output","LocalPath":"/opt/ml/output/mine",'
        % os.fsencode(tmp_path)
        + b'"HookParameters":{"train.save_interval":"7"},'
        b'"CollectionConfigurations":[{"CollectionName":"losses","CollectionParameters":{"save_interval":"500"}}]}'
    )
    assert ran.told["DebugHookConfig"] == hook
    plain = await run(tmp_path / "plain", shell(KEEP_CONFIG), DebugHookConfig={"S3OutputPath": "s3://b/o"})
    assert plain.file("debughookconfig.json") == (
        b'{"S3OutputPath":"s3://b/o/job/debug-output","LocalPath":"/opt/ml/output/tensors","HookParameters":null,'
        b'"CollectionConfigurations":null}'
    )
    bare = await run(tmp_path / "bare", shell(KEEP_CONFIG))
    assert "debughookconfig.json" not in bare.files()


@pytest.mark.proves(
    "ProfilerConfig",
    "ProfilerConfig.S3OutputPath",
    "ProfilerConfig.ProfilingIntervalInMilliseconds",
    "ProfilerConfig.ProfilingParameters",
    "ProfilerConfig.DisableProfiler",
)
async def test_profiler_config(tmp_path: Path) -> None:
    text = f"{KEEP_CONFIG}; mkdir /opt/ml/output/profiler/system; echo 7 > /opt/ml/output/profiler/system/cpu"
    ran = await run(tmp_path, shell(text), ProfilerConfig={"S3OutputPath": f"file://{tmp_path}/profile"})
    assert (tmp_path / "profile/job/profiler-output/system/cpu").read_text() == "7\n"
    assert ran.file("profilerconfig.json") == (
        b'{"S3OutputPath":"file://%s/profile/job/profiler-output",'
        % os.fsencode(tmp_path)
        + b'"LocalPath":"/opt/ml/output/profiler/",'
        b'"ProfilingIntervalInMilliseconds":500,"ProfilingParameters":{}}'
    )
    detailed = {"ProfilingIntervalInMilliseconds": 1000, "ProfilingParameters": {"LocalPath": "/opt/ml/p"}}
    fine = await run(tmp_path / "fine", shell(KEEP_CONFIG), ProfilerConfig=detailed)
    assert fine.file("profilerconfig.json") == (
        b'{"S3OutputPath":null,"LocalPath":"/opt/ml/output/profiler/","ProfilingIntervalInMilliseconds":1000,'
        b'"ProfilingParameters":{"LocalPath":"/opt/ml/p"}}'
    )
    assert ran.told["ProfilingStatus"] == "Enabled"
    off = await run(tmp_path / "off", shell(KEEP_CONFIG), ProfilerConfig={"DisableProfiler": True})
    assert "profilerconfig.json" not in off.files()
    assert off.told["ProfilingStatus"] == "Disabled"


async def keys(session: Session, uri: str) -> list[str]:
    return [info.uri.removeprefix(uri) async for info in session.objects.list(uri)]


def let_go(session: Session) -> None:
    """Put what the one program waits for where it looks, wherever it runs."""
    (ml,) = session.home.attempts.glob("*/*/hosts/algo-1/opt/ml")
    (ml / "code/go").touch()


async def until_there(session: Session, uri: str, *expected: str) -> None:
    async with asyncio.timeout(DEADLINE):
        while await keys(session, uri) != list(expected):
            await asyncio.sleep(0.05)


@pytest.mark.proves("CheckpointConfig", "CheckpointConfig.S3Uri", "CheckpointConfig.LocalPath")
@pytest.mark.case(52, 53)
async def test_checkpoints(tmp_path: Path) -> None:
    text = """
set -e
cd /opt/ml/checkpoints
cat first > /opt/ml/model/first
cp /opt/ml/input/data/checkpoints-manifest /opt/ml/input/config/checkpointconfig.json /opt/ml/model/
rm first
mkdir deep scratch.sagemaker-ignore
echo 1 > deep/one; echo 2 > two.sagemaker-ignore; echo 3 > scratch.sagemaker-ignore/three
until [ -e /opt/ml/code/go ]; do sleep 0.05; done
echo last > last
"""
    async with open_session(home(tmp_path), lead=True) as session:
        await session.objects.put("s3://b/ckpt/first", b"earlier")
        await session.objects.put("s3://b/ckpt-2/other", b"another job's")
        spec = request(tmp_path, "job", shell(text), CheckpointConfig={"S3Uri": "s3://b/ckpt"})
        await session.service.create(spec)
        await until_there(session, "s3://b/ckpt/", "deep/one")
        assert (await session.service.describe("job")).description.secondary_status == "Training"
        let_go(session)
        ran = await ended(session, tmp_path)
        assert await keys(session, "s3://b/ckpt/") == ["deep/one", "last"]
        assert await session.objects.get("s3://b/ckpt/last") == b"last\n"
    assert ran.file("first") == b"earlier"
    assert ran.file("checkpoints-manifest") == b"ckpt/\ns3://b/ckpt/first"
    assert ran.file("checkpointconfig.json") == b'{"LocalPath":"/opt/ml/checkpoints/"}'
    elsewhere = {"S3Uri": "s3://b/ckpt", "LocalPath": "/state"}
    with pytest.raises(
        ValidationRefused, match=r"CheckpointConfig\.LocalPath is refused on (process|container): .* /opt/ml"
    ):
        await run(tmp_path / "elsewhere", shell("true"), CheckpointConfig=elsewhere)
    own = {"S3Uri": f"file://{tmp_path}/kept", "LocalPath": "/opt/ml/mine"}
    assert (await run(tmp_path / "own", shell("echo 1 > /opt/ml/mine/1"), CheckpointConfig=own)).ended[0] == "Completed"
    assert (tmp_path / "kept/1").read_text() == "1\n"


@pytest.mark.proves(
    "TensorBoardOutputConfig", "TensorBoardOutputConfig.S3OutputPath", "TensorBoardOutputConfig.LocalPath"
)
@pytest.mark.case(90)
async def test_tensor_board(tmp_path: Path) -> None:
    text = """
set -e
cp /opt/ml/input/config/tensorboardoutputconfig.json /opt/ml/model/
exec 3>/opt/ml/output/tensorboard/events
echo one >&3
until [ -e /opt/ml/code/go ]; do sleep 0.05; done
echo two >&3
"""
    board = {"S3OutputPath": "s3://b/board/"}
    async with open_session(home(tmp_path), lead=True) as session:
        await session.service.create(request(tmp_path, "job", shell(text), TensorBoardOutputConfig=board))
        await until_there(session, "s3://b/board/job/", "tensorboard-output/events")
        let_go(session)
        ran = await ended(session, tmp_path)
        assert await session.objects.get("s3://b/board/job/tensorboard-output/events") == b"one\ntwo\n"
    assert ran.file("tensorboardoutputconfig.json") == (
        b'{"S3OutputPath":"s3://b/board/job/tensorboard-output","LocalPath":"/opt/ml/output/tensorboard/"}'
    )
    own = {"S3OutputPath": f"file://{tmp_path}/own", "LocalPath": "/opt/ml/output/mine"}
    await run(tmp_path / "own", shell("echo 1 > /opt/ml/output/mine/1"), TensorBoardOutputConfig=own)
    assert (tmp_path / "own/job/tensorboard-output/1").read_text() == "1\n"


LEARNING = """
import json, os, pathlib, random, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # which the first process of a container has to ask for
state = pathlib.Path("/opt/ml/checkpoints/state.json")
weights = json.loads(state.read_text()) if state.exists() else {"step": 0, "w": [0.0] * 8}
print("from", weights["step"], flush=True)
while weights["step"] < 60:
    drawn = random.Random(weights["step"])
    weights = {"step": weights["step"] + 1, "w": [w + drawn.gauss(0, 1) for w in weights["w"]]}
    whole = state.with_name("state.json.sagemaker-ignore")
    whole.write_text(json.dumps(weights))
    whole.replace(state)
    time.sleep(PAUSE)
pathlib.Path("/opt/ml/model/weights.json").write_text(json.dumps(weights))
"""


@pytest.mark.case(74)
async def test_an_interrupted_job_ends_with_the_weights_of_one_that_was_not(tmp_path: Path) -> None:
    plain = await run(tmp_path / "plain", python(LEARNING.replace("PAUSE", "0")))
    limits = {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 600}
    async with open_session(home(tmp_path), lead=True) as session:
        spot = request(
            tmp_path, "job", python(LEARNING.replace("PAUSE", "0.1")), EnableManagedSpotTraining=True,
            StoppingCondition=limits, CheckpointConfig={"S3Uri": "s3://b/ckpt"},
        )  # fmt: skip
        await session.service.create(spot)
        for attempt in (1, 2, 3):
            await until(session, "job", lambda _job, n=attempt: has_begun(session, n))  # type: ignore[misc]
            await session.service.interrupt("job")
        ran = await ended(session, tmp_path)
    assert ran.job.attempt == 4
    assert ran.file("weights.json") == plain.file("weights.json")
    assert int(ran.log.split()[-1]) > 0, "the last attempt went on from a checkpoint"
    statuses = [entry["Status"] for entry in ran.told["SecondaryStatusTransitions"]]
    assert statuses.count("Interrupted") == 3
    assert "Uploading" not in statuses[:-2]


def has_begun(session: Session, attempt: int) -> bool:
    """Whether an attempt's program has begun to learn."""
    logs = list(session.home.attempts.glob(f"*/train-*-{attempt}/logs/algo-1.log"))
    return bool(logs) and b"from" in logs[0].read_bytes()


@pytest.mark.proves("DebugRuleConfigurations", "ProfilerRuleConfigurations")
async def test_empty_rule_lists(tmp_path: Path) -> None:
    rule = [{"RuleConfigurationName": "r", "RuleEvaluatorImage": "i"}]
    for member in ("DebugRuleConfigurations", "ProfilerRuleConfigurations"):
        ran = await run(tmp_path / member, shell("true"), **{member: []})
        assert (ran.ended[0], ran.told[member]) == ("Completed", [])
        assert not {"DebugRuleEvaluationStatuses", "ProfilerRuleEvaluationStatuses"} & ran.told.keys()
        with pytest.raises(
            ValidationRefused, match=f"{member} is refused on (process|container): rules do not run yet"
        ):
            await run(tmp_path / member, shell("true"), **{member: rule})


SWITCHES = {
    "RemoteDebugConfig": "EnableRemoteDebug",
    "InfraCheckConfig": "EnableInfraCheck",
    "SessionChainingConfig": "EnableSessionTagChaining",
}


@pytest.mark.proves(
    "RemoteDebugConfig",
    "RemoteDebugConfig.EnableRemoteDebug",
    "InfraCheckConfig",
    "InfraCheckConfig.EnableInfraCheck",
    "SessionChainingConfig",
    "SessionChainingConfig.EnableSessionTagChaining",
)
async def test_switches_that_are_off(tmp_path: Path) -> None:
    ran = await run(tmp_path, shell("true"), **{member: {switch: False} for member, switch in SWITCHES.items()})
    assert ran.ended == ("Completed", "Completed")
    assert ran.told["RemoteDebugConfig"] == {"EnableRemoteDebug": False}
    assert ran.told["InfraCheckConfig"] == {"EnableInfraCheck": False}
    assert "SessionChainingConfig" not in ran.told  # the service's answer has no such member
    for member, switch in SWITCHES.items():
        with pytest.raises(ValidationRefused, match=f"{member}.{switch} is refused on (process|container)"):
            await run(tmp_path, shell("true"), **{member: {switch: True}})


# What is kept beside the job


@pytest.mark.proves("ResourceConfig.KeepAlivePeriodInSeconds")
async def test_keep_alive(tmp_path: Path) -> None:
    kept = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1, "KeepAlivePeriodInSeconds": 600}
    ran = await run(tmp_path, shell("true"), ResourceConfig=kept)
    assert (ran.ended[0], ran.told["ResourceConfig"]) == ("Completed", kept)
    assert ran.told["WarmPoolStatus"] == {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 0}


@pytest.mark.proves("Tags", "Tags[]", "Tags[].Key", "Tags[].Value")
async def test_tags(tmp_path: Path) -> None:
    async with open_session(home(tmp_path), lead=True) as session:
        given = [{"Key": "team", "Value": "blue"}, {"Key": "empty", "Value": ""}]
        await session.service.create(request(tmp_path, "job", shell("true"), Tags=given))
        await session.service.create(request(tmp_path, "other", shell("true")))
        ran, _ = await ended(session, tmp_path), await ended(session, tmp_path, "other")
        assert await found_by(session, "Tags.team", "blue") == ["job"]
    assert ran.job.tags == (("team", "blue"), ("empty", ""))


@pytest.mark.proves(
    "ExperimentConfig",
    "ExperimentConfig.ExperimentName",
    "ExperimentConfig.TrialName",
    "ExperimentConfig.TrialComponentDisplayName",
    "ExperimentConfig.RunName",
)
async def test_experiment_config(tmp_path: Path) -> None:
    experiment = {
        "ExperimentName": "sweep", "TrialName": "first", "TrialComponentDisplayName": "shown", "RunName": "r1",
    }  # fmt: skip
    async with open_session(home(tmp_path), lead=True) as session:
        await session.service.create(request(tmp_path, "job", shell("true"), ExperimentConfig=experiment))
        await session.service.create(request(tmp_path, "other", shell("true")))
        ran, _ = await ended(session, tmp_path), await ended(session, tmp_path, "other")
        assert await found_by(session, "ExperimentConfig.ExperimentName", "sweep") == ["job"]
    assert ran.told["ExperimentConfig"] == experiment


# What comes out


@pytest.mark.proves("OutputDataConfig", "OutputDataConfig.S3OutputPath")
@pytest.mark.case(49, 50)
async def test_output_path(tmp_path: Path) -> None:
    text = """
        mkdir -p /opt/ml/model/deep && echo weights > /opt/ml/model/deep/w && chmod 750 /opt/ml/model/deep/w
        ln -s deep/w /opt/ml/model/link && echo scores > /opt/ml/output/data/scores && echo no > /opt/ml/output/other
    """
    ran = await run(tmp_path, shell(text), OutputDataConfig={"S3OutputPath": f"file://{tmp_path}/out/"})
    model = f"file://{tmp_path}/out/job/output/model.tar.gz"
    assert ran.told["ModelArtifacts"] == {"S3ModelArtifacts": model}
    with tarfile.open(ran.output / "model.tar.gz") as tar:
        members = {member.name: member for member in tar}
    assert list(members) == ["deep", "deep/w", "link"]
    assert {(member.uid, member.gid) for member in members.values()} == {(0, 0)}
    assert (members["deep/w"].mode, members["link"].linkname) == (0o750, "deep/w")
    assert (ran.output / "model.tar.gz").read_bytes()[4:8] == bytes(4)
    assert ran.files("output.tar.gz") == {"scores": b"scores\n"}
    empty = await run(tmp_path / "empty", shell("true"))
    assert not empty.output.exists()
    assert empty.told["ModelArtifacts"]["S3ModelArtifacts"].endswith("/out/job/output/model.tar.gz")


@pytest.mark.proves("OutputDataConfig.CompressionType")
@pytest.mark.case(51)
async def test_output_compression_none(tmp_path: Path) -> None:
    text = "mkdir /opt/ml/model/deep; echo w > /opt/ml/model/deep/w; echo s > /opt/ml/output/data/s"
    output = {"S3OutputPath": f"file://{tmp_path}/out", "CompressionType": "NONE"}
    ran = await run(tmp_path, shell(text), OutputDataConfig=output)
    assert ran.ended[0] == "Completed"
    found = {path.relative_to(ran.output).as_posix(): path.read_text() for path in ran.output.rglob("*")
             if path.is_file()}  # fmt: skip
    assert found == {"model/deep/w": "w\n", "data/s": "s\n"}
    uri = ran.told["ModelArtifacts"]["S3ModelArtifacts"]
    assert uri.rstrip("/") == f"file://{tmp_path}/out/job/output/model"


# Limits and places

FOUR = "[capacity]\ncpus = 4.0\nmemory_gib = 16\ngpus = 0\n"


def on(instance: str) -> dict[str, Any]:
    return {"ResourceConfig": {"InstanceType": instance, "InstanceCount": 1, "VolumeSizeInGB": 1}}


@pytest.mark.proves("ResourceConfig.InstanceType")
async def test_instance_type(tmp_path: Path) -> None:
    async with open_session(home(tmp_path, FOUR), lead=True) as session:
        for name in ("first", "second"):
            await session.service.create(request(tmp_path, name, shell(SLEEP), **on("ml.m5.large")))
        await training(session, "first")
        await training(session, "second")
        large = await session.service.create(request(tmp_path, "third", shell(KEEP_CONFIG), **on("ml.p3.8xlarge")))
        assert any("ml.p3.8xlarge has 32 vCPU" in notice for notice in large.notices)
        waiting = await until(session, "third", lambda job: job.waiting is not None)
        assert waiting.waiting == "waiting for 4 vCPU, 0 of 4 free"
        for name in ("first", "second"):
            await session.service.stop(name)
            assert (await ended(session, tmp_path, name)).ended == ("Stopped", "Stopped")
        third = await ended(session, tmp_path, "third")
    assert json.loads(third.file("resourceconfig.json"))["current_instance_type"] == "ml.p3.8xlarge"


@pytest.mark.proves("StoppingCondition", "StoppingCondition.MaxRuntimeInSeconds")
@pytest.mark.case(69)
async def test_max_runtime(tmp_path: Path) -> None:
    trap = "trap 'echo told > /opt/ml/model/last; exit 0' TERM"
    text = f"{trap}; echo x > /opt/ml/output/data/x; while :; do sleep .05; done"
    ran = await run(tmp_path, shell(text), StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert ran.ended == ("Stopped", "MaxRuntimeExceeded")
    assert "FailureReason" not in ran.told
    assert ran.files() == {"last": b"told\n"}
    assert ran.files("output.tar.gz") == {"x": b"x\n"}


@pytest.mark.proves("ResourceConfig.VolumeSizeInGB")
async def test_volume_size(tmp_path: Path) -> None:
    small = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
    text = f"fallocate -l 1100000000 /opt/ml/output/data/big; {SLEEP}"
    ran = await run(tmp_path, shell(text), ResourceConfig=small)
    assert ran.ended == ("Failed", "Failed")
    assert ran.told["FailureReason"] == (
        "ClientError: Please use a larger volume: the training job filled VolumeSizeInGB."
    )


async def crowded_out(tmp_path: Path, then: Callable[[], None] = lambda: None, **more: Any) -> Ran:
    """The end of a job that never got the place that another one holds; `then` is called once it waits."""
    async with open_session(home(tmp_path, FOUR), lead=True) as session:
        await session.service.create(request(tmp_path, "holder", shell(SLEEP), **on("ml.m5.xlarge")))
        await training(session, "holder")
        await session.service.create(request(tmp_path, "job", shell("true"), **on("ml.m5.large"), **more))
        then()
        ran = await ended(session, tmp_path)
        assert (await session.service.describe("holder")).description.secondary_status == "Training"
        await session.service.stop("holder")
        await ended(session, tmp_path, "holder")
    assert "TrainingStartTime" not in ran.told
    return ran


@pytest.mark.proves("StoppingCondition.MaxWaitTimeInSeconds")
@pytest.mark.case(75)
async def test_max_wait(tmp_path: Path) -> None:
    limits = {"MaxRuntimeInSeconds": 1, "MaxWaitTimeInSeconds": 1}
    ran = await crowded_out(tmp_path, EnableManagedSpotTraining=True, StoppingCondition=limits)
    assert ran.ended == ("Stopped", "MaxWaitTimeExceeded")
    assert ran.told["TrainingEndTime"] - ran.told["CreationTime"] == pytest.approx(1.0, abs=0.01)


@pytest.mark.proves("EnableManagedSpotTraining")
async def test_managed_spot(tmp_path: Path) -> None:
    limits = {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 600}
    text = f"grep -q 'jobRunNumber.:2' /opt/ml/input/config/init-config.json && exit 0; {SLEEP}"
    async with open_session(home(tmp_path), lead=True) as session:
        spec = request(tmp_path, "job", shell(text), EnableManagedSpotTraining=True, StoppingCondition=limits)
        await session.service.create(spec)
        await training(session, "job")
        await session.service.interrupt("job")
        ran = await ended(session, tmp_path)
    assert (ran.ended, ran.job.attempt) == (("Completed", "Completed"), 2)
    statuses = [entry["Status"] for entry in ran.told["SecondaryStatusTransitions"]]
    assert statuses[:5] == ["Starting", "Downloading", "Training", "Interrupted", "Starting"]
    assert ran.told["EnableManagedSpotTraining"] is True


@pytest.mark.proves("StoppingCondition.MaxPendingTimeInSeconds")
async def test_max_pending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SystemClock.now
    limits = {"MaxRuntimeInSeconds": 600, "MaxPendingTimeInSeconds": 7200}
    ran = await crowded_out(
        tmp_path,
        lambda: monkeypatch.setattr(SystemClock, "now", lambda self: clock(self) + 7200),
        StoppingCondition=limits,
    )
    assert ran.ended == ("Stopped", "Stopped")
    assert any("got no place within MaxPendingTimeInSeconds" in notice for notice in ran.job.notices)


def destroy(place: Place, session: Session) -> None:
    """Take away, behind our back, whatever keeps the one running program and its exit code."""
    (attempt,) = session.home.attempts.glob("*/*-1")
    if isinstance(place, InEngine):  # an engine first kills what it removes: nobody shall see the end in between
        supervisor = json.loads((attempt / "supervisor.json").read_bytes())["pid"]
        os.kill(supervisor, signal.SIGSTOP)
        place.engine.engine.remove(json.loads((attempt / "container.json").read_bytes())["name"])
        os.kill(supervisor, signal.SIGCONT)
    else:
        os.kill(json.loads((attempt / "shim.json").read_bytes())["pid"], signal.SIGKILL)


@pytest.mark.proves("RetryStrategy", "RetryStrategy.MaximumRetryAttempts")
@pytest.mark.case(76)
async def test_retry_strategy(tmp_path: Path, place: Place) -> None:
    text = f"grep -q 'jobRunNumber.:2' /opt/ml/input/config/init-config.json && exit 0; {SLEEP}"
    retries = {"RetryStrategy": {"MaximumRetryAttempts": 2}}
    async with open_session(home(tmp_path), lead=True) as session:
        await session.service.create(request(tmp_path, "lost", shell(text), **retries))
        await training(session, "lost")
        destroy(place, session)
        lost = await ended(session, tmp_path, "lost")
        await session.service.create(request(tmp_path, "wrong", shell("exit 1"), **retries))
        wrong = await ended(session, tmp_path, "wrong")
    assert (lost.ended, lost.job.attempt) == (("Completed", "Completed"), 2)
    assert (wrong.ended, wrong.job.attempt) == (("Failed", "Failed"), 1)


@pytest.mark.proves("EnableNetworkIsolation")
@pytest.mark.case(64)
async def test_network_isolation(tmp_path: Path, place: Place) -> None:
    isolated = await reach(tmp_path, EnableNetworkIsolation=True)
    assert isolated == {"interfaces": ["lo"], "machine": False, "itself": True, "credentials": []}
    free = await reach(tmp_path / "free", EnableNetworkIsolation=False)
    if place.launcher == "container":  # an address of its own, as a host of the service has
        assert (free["interfaces"], free["machine"]) == (["eth0", "lo"], False)
    else:
        assert (free["interfaces"], free["machine"]) == (interfaces(place), True)


@pytest.mark.proves("EnableInterContainerTrafficEncryption")
async def test_traffic_encryption(tmp_path: Path) -> None:
    ran = await run(tmp_path, shell(KEEP_CONFIG), EnableInterContainerTrafficEncryption=True)
    assert json.loads(ran.file("resourceconfig.json"))["hosts"] == ["algo-1"]  # nobody to send anything to
    assert ran.told["EnableInterContainerTrafficEncryption"] is True
    two = {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1}
    with pytest.raises(ValidationRefused, match="jobs of several hosts are not built yet"):
        await run(tmp_path, shell("true"), EnableInterContainerTrafficEncryption=True, ResourceConfig=two)


@pytest.mark.proves(
    "VpcConfig",
    "VpcConfig.SecurityGroupIds",
    "VpcConfig.SecurityGroupIds[]",
    "VpcConfig.Subnets",
    "VpcConfig.Subnets[]",
)
async def test_vpc_networks(tmp_path: Path, place: Place) -> None:
    settings = (
        '[networks."closed"]\nsubnets = ["subnet-1", "subnet-2"]\nsecurity_groups = ["sg-1"]\naccess = "none"\n'
        '[networks."open"]\nsubnets = ["subnet-3"]\nsecurity_groups = ["sg-3"]\naccess = "host"\n'
    )
    closed = await reach(
        tmp_path / "closed", settings=settings, VpcConfig={"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    )
    assert (closed["interfaces"], closed["machine"]) == (["lo"], False)
    opened = await reach(
        tmp_path / "open", settings=settings, VpcConfig={"Subnets": ["subnet-3"], "SecurityGroupIds": ["sg-3"]}
    )
    assert (opened["interfaces"], opened["machine"]) == (interfaces(place), place.launcher == "process")
    with pytest.raises(ValidationRefused, match="No network in trainyard"):
        await reach(
            tmp_path / "mixed", settings=settings, VpcConfig={"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-3"]}
        )


# Programs that do wrong


@pytest.mark.case(46)
async def test_a_program_that_exits_1_fails_with_its_code_and_keeps_its_output(tmp_path: Path) -> None:
    ran = await run(tmp_path, shell("echo partial > /opt/ml/output/data/log; exit 1"))
    assert ran.told["FailureReason"] == "AlgorithmError: Exit Code: 1"
    assert (ran.ended, ran.job.exit_code) == (("Failed", "Failed"), 1)
    assert ran.files("output.tar.gz") == {"log": b"partial\n"}


@pytest.mark.case(45)
async def test_ten_megabytes_of_failure_become_1024_characters(tmp_path: Path) -> None:
    raising = "open('/opt/ml/output/failure', 'w').write('ü' * 5_000_000); raise ValueError('too much')"
    ran = await run(tmp_path, python(raising))
    reason = ran.told["FailureReason"]
    assert len(reason) == 1024
    assert reason.startswith("AlgorithmError: üüü")
    assert reason.endswith("ü, exit code: 1")
    assert ran.log.endswith("ValueError: too much")


async def test_a_program_that_is_killed_exits_as_137(tmp_path: Path) -> None:
    ran = await run(tmp_path, shell("sh -c 'kill -9 $$'; exit $?"))  # nothing in a container kills its first process
    assert (ran.told["FailureReason"], ran.job.exit_code) == ("AlgorithmError: Exit Code: 137", 137)


async def test_a_daemon_left_behind_is_gone_after_the_end(tmp_path: Path) -> None:
    mark = f"left-behind-{tmp_path.name}-{os.getpid()}"
    daemon = f"setsid sh -c 'trap \"\" TERM HUP; touch /opt/ml/output/up; sleep 600; : {mark}' & "
    ran = await run(tmp_path, shell(daemon + "while [ ! -e /opt/ml/output/up ]; do :; done; exit 0"))
    assert ran.ended[0] == "Completed"
    assert [path for path in Path("/proc").glob("[0-9]*/cmdline") if mark in _text(path)] == []


async def test_a_program_that_is_not_there_exits_as_127(tmp_path: Path) -> None:
    ran = await run(tmp_path, program("/no/such/program"))
    assert (ran.told["FailureReason"], ran.job.exit_code) == ("AlgorithmError: Exit Code: 127", 127)
    assert ran.log == "cannot start '/no/such/program': No such file or directory"


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
