"""Where a channel's data comes from, and how it is read: real jobs, from the request to what their program saw."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.jobs import DEADLINE, ended, home, python, request, run, shell

from trainyard.model.errors import ValidationRefused
from trainyard.runtimes.local import fuse, identity
from trainyard.wiring.session import Session, open_session

VPC = {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
NETWORK = '[networks.open]\nsubnets = ["subnet-1"]\nsecurity_groups = ["sg-1"]\n'
KEEP_DATA = "cp -r /opt/ml/input/data /opt/ml/model/"


def source(uri: str, kind: str = "S3Prefix", **more: Any) -> dict[str, Any]:
    return {"S3DataSource": {"S3DataType": kind, "S3Uri": uri, **more}}


def files(tmp_path: Path, *names: str) -> Path:
    for name in names:
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "data"


@pytest.mark.case(57)
async def test_manifest_file(tmp_path: Path) -> None:
    data = files(tmp_path, "a.csv", "deep/b.csv", "c.csv")
    (tmp_path / "list").write_text(json.dumps([{"prefix": f"file://{data}/"}, "deep/b.csv", "a.csv"]))
    channels = [{"ChannelName": "train", "DataSource": source(f"file://{tmp_path}/list", "ManifestFile")}]
    ran = await run(tmp_path, shell(KEEP_DATA), InputDataConfig=channels)
    assert ran.file("data/train/deep/b.csv") == b"deep/b.csv"
    assert sorted(ran.files()) == ["data/train-manifest", "data/train/a.csv", "data/train/deep/b.csv"]


async def test_a_manifest_that_is_wrong_fails_the_job_with_its_place(tmp_path: Path) -> None:
    data = files(tmp_path, "a.csv")
    (tmp_path / "list").write_text(json.dumps([{"prefix": f"file://{data}/"}, "a.csv", 7]))
    channels = [{"ChannelName": "train", "DataSource": source(f"file://{tmp_path}/list", "ManifestFile")}]
    ran = await run(tmp_path, shell("true"), InputDataConfig=channels)
    assert ran.told["FailureReason"] == (
        f"ClientError: Data download failed:The manifest file://{tmp_path}/list, entry 3: "
        "it must be an object's name behind the prefix, not 7."
    )


async def test_a_manifest_that_is_not_there_is_refused_at_once(tmp_path: Path) -> None:
    channels = [{"ChannelName": "train", "DataSource": source("s3://b/list", "ManifestFile")}]
    with pytest.raises(ValidationRefused, match='No S3 objects found under S3 URL "s3://b/list"'):
        await run(tmp_path, shell("true"), InputDataConfig=channels)


@pytest.mark.proves("InputDataConfig[].ShuffleConfig", "InputDataConfig[].ShuffleConfig.Seed")
@pytest.mark.case(60)
async def test_shuffle_config(tmp_path: Path) -> None:
    data = files(tmp_path, *(f"{number:02}" for number in range(20)))
    channels = [
        {"ChannelName": name, "DataSource": source(f"file://{data}/"), "ShuffleConfig": {"Seed": seed}}
        for name, seed in (("one", 7), ("same", 7), ("other", 8))
    ]
    ran = await run(
        tmp_path, shell(f"{KEEP_DATA} && cp -r /opt/ml/input/config /opt/ml/model"), InputDataConfig=channels
    )
    one, same, other = (ran.file(f"data/{name}-manifest").splitlines() for name in ("one", "same", "other"))
    assert one == same != other
    assert sorted(one) == sorted(other)
    assert one[1:] != sorted(one[1:])
    known = json.loads(ran.file("config/init-config.json"))["channels"]
    assert known["one"]["shuffleConfig"] == {"seed": 7}


def _file_system(name: str, path: str, mode: str, identity: str = "fs-0123456789abcdef0") -> dict[str, Any]:
    members = {"FileSystemType": "EFS", "FileSystemId": identity}
    where = {**members, "DirectoryPath": path, "FileSystemAccessMode": mode}
    return {"ChannelName": name, "DataSource": {"FileSystemDataSource": where}}


def _known(folder: Path) -> str:
    return f'{NETWORK}[file_systems."fs-0123456789abcdef0"]\nfolder = "{folder}"\n'


@pytest.mark.proves(
    "InputDataConfig[].DataSource.FileSystemDataSource",
    "InputDataConfig[].DataSource.FileSystemDataSource.FileSystemId",
    "InputDataConfig[].DataSource.FileSystemDataSource.FileSystemAccessMode",
    "InputDataConfig[].DataSource.FileSystemDataSource.FileSystemType",
    "InputDataConfig[].DataSource.FileSystemDataSource.DirectoryPath",
)
async def test_file_system(tmp_path: Path) -> None:
    data = files(tmp_path, "set/a.csv", "set/deep/b.csv", "other/c.csv")
    text = """
        cp -r /opt/ml/input/data/. /opt/ml/input/config /opt/ml/model/
        echo new > /opt/ml/input/data/kept/new
        echo new > /opt/ml/input/data/fixed/new || echo refused > /opt/ml/model/refused
    """
    channels = [_file_system("fixed", "/set", "ro"), _file_system("kept", "/other/", "rw")]
    ran = await run(tmp_path, shell(text), settings=_known(data), VpcConfig=VPC, InputDataConfig=channels)
    assert (ran.file("fixed/deep/b.csv"), ran.file("kept/c.csv")) == (b"set/deep/b.csv", b"other/c.csv")
    assert ran.file("refused") == b"refused\n"
    assert sorted(str(path.relative_to(data)) for path in data.rglob("*") if path.is_file()) == [
        "other/c.csv", "other/new", "set/a.csv", "set/deep/b.csv",
    ]  # fmt: skip
    known = json.loads(ran.file("config/inputdataconfig.json"))
    assert known["fixed"]["S3DistributionType"] == "FullyReplicated"


@pytest.mark.parametrize(
    ("identity", "path", "told"),
    [
        ("fs-0000000000000000a", "/set", r'say in trainyard.toml which folder it is: \[file_systems."fs-0000000000000'),
        ("fs-0123456789abcdef0", "/gone", "has no folder /gone"),
        ("fs-0123456789abcdef0", "/../..", "leads out of the file system"),
        ("fs-0123456789abcdef0", "/link", "Links are not followed"),
    ],
)
async def test_a_file_system_that_is_no_folder_here_is_refused(
    tmp_path: Path, identity: str, path: str, told: str
) -> None:
    data = files(tmp_path, "set/a.csv")
    (data / "link").symlink_to("/etc")
    channels = [_file_system("fixed", path, "ro", identity)]
    with pytest.raises(ValidationRefused, match=told):
        await run(tmp_path, shell("true"), settings=_known(data), VpcConfig=VPC, InputDataConfig=channels)


async def test_a_file_system_that_goes_before_the_start_fails_the_job(tmp_path: Path) -> None:
    data = files(tmp_path, "set/a.csv")
    channels = [_file_system("fixed", "/set", "ro")]
    async with open_session(home(tmp_path, _known(data))) as session:
        spec = request(tmp_path, "job", shell("true"), VpcConfig=VPC, InputDataConfig=channels)
        await session.service.create(spec)
        (data / "set").rename(data / "gone")
    async with open_session(home(tmp_path), lead=True) as session:
        ran = await ended(session, tmp_path)
    assert (
        ran.told["FailureReason"] == f"ClientError: {data}/set cannot be the channel fixed: No such file or directory."
    )


# Reads a pipe whole: argv[1] is a channel and an epoch. RecordIO frames are read by what MXNet's format says of them.
PIPE = """
import os, struct, sys, time
def pipe(name):
    path = f"/opt/ml/input/data/{name}"
    deadline = time.monotonic() + 30
    while not os.path.exists(path):
        assert time.monotonic() < deadline, path
        time.sleep(0.01)
    return open(path, "rb")
def records(file):
    while head := file.read(8):
        magic, length = struct.unpack("<II", head)
        assert magic == 0xCED7230A
        yield file.read(length)
        file.read(-length % 4)
def keep(name, content):
    open(f"/opt/ml/model/{name}", "wb").write(content)
"""


def piped(name: str, source_of: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"ChannelName": name, "DataSource": source_of, "InputMode": "Pipe", **more}


@pytest.mark.case(59)
async def test_a_pipe_for_two_epochs_and_one_closed_early(tmp_path: Path) -> None:
    data = files(tmp_path, "a", "b", "folder/c")
    (data / "d").write_bytes(bytes(range(256)) * 40_000)
    text = f"""{PIPE}
keep("0", pipe("train_0").read())
early = pipe("train_1")
early.read(3)
early.close()
keep("2", pipe("train_2").read())
keep("left", " ".join(sorted(os.listdir("/opt/ml/input/data"))).encode())
"""
    channels = [piped("train", source(f"file://{data}/"))]
    ran = await run(tmp_path, python(text), InputDataConfig=channels)
    whole = b"ab" + bytes(range(256)) * 40_000 + b"folder/c"
    assert (ran.file("0"), ran.file("2")) == (whole, whole)
    assert ran.file("left") == b"train_3"


@pytest.mark.proves("InputDataConfig[].DataSource.S3DataSource.AttributeNames")
@pytest.mark.proves("InputDataConfig[].DataSource.S3DataSource.AttributeNames[]")
@pytest.mark.case(58)
async def test_augmented_manifest_file(tmp_path: Path) -> None:
    data = files(tmp_path, "cat.jpg", "dog.jpg")
    lines = [{"source-ref": f"file://{data}/{name}.jpg", "is-a-cat": int(name == "cat")} for name in ("cat", "dog")]
    (tmp_path / "list").write_text("\n".join(map(json.dumps, lines)))
    described = source(f"file://{tmp_path}/list", "AugmentedManifestFile", AttributeNames=["source-ref", "is-a-cat"])
    text = f"""{PIPE}
keep("0", repr(list(records(pipe("train_0")))).encode())
"""
    ran = await run(tmp_path, python(text), InputDataConfig=[piped("train", described, RecordWrapperType="RecordIO")])
    assert ran.file("0") == b"[b'cat.jpg', b'1', b'dog.jpg', b'0']"


@pytest.mark.proves("InputDataConfig[].CompressionType", "InputDataConfig[].RecordWrapperType")
@pytest.mark.case(62)
async def test_packed_and_framed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name in ("a", "b"):
        (data / name).write_bytes(gzip.compress(name.encode() * 3))
    channels = [
        piped("plain", source(f"file://{data}/"), CompressionType="Gzip"),
        piped("framed", source(f"file://{data}/"), CompressionType="Gzip", RecordWrapperType="RecordIO"),
        piped("raw", source(f"file://{data}/"), RecordWrapperType="RecordIO"),
    ]
    text = f"""{PIPE}
keep("plain", pipe("plain_0").read())
keep("framed", b"|".join(records(pipe("framed_0"))))
keep("raw", b"|".join(records(pipe("raw_0"))))
"""
    algorithm = python(f"{text}import shutil; shutil.copytree('/opt/ml/input/config', '/opt/ml/model/config')")
    ran = await run(tmp_path, algorithm, InputDataConfig=channels)
    assert (ran.file("plain"), ran.file("framed")) == (b"aaabbb", b"aaa|bbb")
    assert ran.file("raw") == b"|".join((data / name).read_bytes() for name in "ab")
    known = json.loads(ran.file("config/inputdataconfig.json"))["framed"]
    assert (known["TrainingInputMode"], known["RecordWrapperType"]) == ("Pipe", "RecordIO")


async def test_what_cannot_be_piped_fails_the_job_with_its_name(tmp_path: Path) -> None:
    data = files(tmp_path, "plain")
    channels = [piped("train", source(f"file://{data}/"), CompressionType="Gzip")]
    ran = await run(tmp_path, python(f"{PIPE}pipe('train_0').read()"), InputDataConfig=channels)
    assert ran.told["FailureReason"].startswith(f"ClientError: The object file://{data}/plain cannot be unpacked")
    statuses = [entry["Status"] for entry in ran.told["SecondaryStatusTransitions"]]
    assert statuses == ["Starting", "Downloading", "Training", "Failed"]


async def test_a_pipe_that_is_not_read_times_out_in_the_services_words(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "much").write_bytes(bytes(8 << 20))
    settings = "[channels]\npipe_timeout_seconds = 0.3\n"
    channels = [piped("train", source(f"file://{data}/"))]
    text = f"{PIPE}keep('kept', b'1')\nfile = pipe('train_0')\ntime.sleep(600)"
    ran = await run(tmp_path, python(text), settings=settings, InputDataConfig=channels)
    assert ran.told["FailureReason"] == "ClientError: Platform Error: SageMaker pipe channel timed out."
    assert ran.files() == {"kept": b"1"}


async def test_a_program_that_reads_nothing_ends_as_it_likes(tmp_path: Path) -> None:
    channels = [piped("train", source(f"file://{files(tmp_path, 'a')}/"))]
    async with open_session(home(tmp_path), lead=True) as session:
        await session.service.create(request(tmp_path, "job", shell("exit 0"), InputDataConfig=channels))
        ran = await ended(session, tmp_path)
        assert ran.ended == ("Completed", "Completed")
        await until_gone(tmp_path)


async def until_gone(tmp_path: Path) -> None:
    """Until no process of ours names this folder: what was beside a program goes with it."""
    async with asyncio.timeout(DEADLINE):
        while any(b"trainyard.wiring." in line and b"caretaker" not in line for line in _commands(tmp_path)):
            await asyncio.sleep(0.02)


def _commands(tmp_path: Path) -> list[bytes]:
    lines = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            lines.append(process.read_bytes())
    return [line for line in lines if str(tmp_path).encode() in line]


async def beside(tmp_path: Path, name: str = "pipes") -> dict[str, Any]:
    """The helper beside the job's program, once it is there."""
    async with asyncio.timeout(DEADLINE):
        while True:
            for path in tmp_path.glob(f"home/attempts/*/*/{name}.json"):
                who = json.loads(path.read_text())
                if identity.is_alive(who):
                    return dict(who)
            await asyncio.sleep(0.02)


# Reads an epoch when told to: the flag's name is in argv[1].
STEPWISE = f"""{PIPE}
def step(name):
    open(sys.argv[1] + "/at-" + name, "w").close()
    while not os.path.exists(sys.argv[1] + "/" + name):
        time.sleep(0.01)
"""


@asynccontextmanager
async def stepwise(tmp_path: Path, text: str, **more: Any) -> AsyncIterator[Session]:
    channel = piped("train", source(f"file://{much(tmp_path)}/"))
    async with stepping(tmp_path, text, channel, **more) as session:
        yield session


async def reached(tmp_path: Path, name: str) -> None:
    async with asyncio.timeout(DEADLINE):
        while not (tmp_path / f"at-{name}").exists():
            await asyncio.sleep(0.02)


async def test_a_feeder_killed_between_epochs_is_followed_by_another(tmp_path: Path) -> None:
    text = """
first = pipe("train_0").read()
step("between")
keep("same", str(first == pipe("train_1").read() == bytes(range(256)) * (64 << 10)).encode())
"""
    async with stepwise(tmp_path, text) as session:
        await reached(tmp_path, "between")
        who = await beside(tmp_path)
        os.kill(who["pid"], signal.SIGKILL)
        (tmp_path / "between").touch()
        ran = await ended(session, tmp_path)
    assert ran.file("same") == b"True"


@pytest.mark.parametrize("after", ["time.sleep(600)", "file.read()"])
async def test_a_feeder_killed_within_an_epoch_is_never_an_end_of_data(tmp_path: Path, after: str) -> None:
    text = f"""
file = pipe("train_0")
file.read(10)
step("within")
{after}
"""
    async with stepwise(tmp_path, text) as session:
        await reached(tmp_path, "within")
        who = await beside(tmp_path)
        os.kill(who["pid"], signal.SIGKILL)
        (tmp_path / "within").touch()
        ran = await ended(session, tmp_path)
    assert ran.told["FailureReason"] == (
        "InternalServerError: We encountered an internal error. Please try again. "
        "(the helper that feeds the job's pipes was killed while the program read)"
    )


async def test_a_job_that_may_be_tried_again_reads_all_of_it_then(tmp_path: Path) -> None:
    text = """
file = pipe("train_0")
head = file.read(10)
if not os.path.exists(sys.argv[1] + "/within"):
    step("within")
keep("all", str(head + file.read() == bytes(range(256)) * (64 << 10)).encode())
"""
    async with stepwise(tmp_path, text, RetryStrategy={"MaximumRetryAttempts": 1}) as session:
        await reached(tmp_path, "within")
        os.kill((await beside(tmp_path))["pid"], signal.SIGKILL)
        (tmp_path / "within").touch()
        ran = await ended(session, tmp_path)
    assert ran.file("all") == b"True"


async def test_a_feeder_outlives_its_supervisor(tmp_path: Path) -> None:
    text = """
file = pipe("train_0")
head = file.read(10)
step("within")
keep("all", str(head + file.read() == bytes(range(256)) * (64 << 10)).encode())
step("done")
"""
    async with stepwise(tmp_path, text) as session:
        await reached(tmp_path, "within")
        feeder, supervisor = await beside(tmp_path), await beside(tmp_path, "supervisor")
        os.kill(supervisor["pid"], signal.SIGKILL)
        (tmp_path / "within").touch()
        await reached(tmp_path, "done")
        assert (await beside(tmp_path, "supervisor"))["pid"] != supervisor["pid"]
        assert await beside(tmp_path) == feeder
        (tmp_path / "done").touch()
        ran = await ended(session, tmp_path)
        await until_gone(tmp_path)
    assert ran.file("all") == b"True"


async def test_a_stop_ends_a_job_that_waits_for_its_pipe(tmp_path: Path) -> None:
    text = "keep('kept', b'1')\nfile = pipe('train_0')\nfile.read(1)\nstep('within')"
    async with stepwise(tmp_path, text) as session:
        await reached(tmp_path, "within")
        await session.service.stop("job")
        ran = await ended(session, tmp_path)
        await until_gone(tmp_path)
    assert ran.ended == ("Stopped", "Stopped")
    assert ran.files() == {"kept": b"1"}


MOUNTED = pytest.mark.skipif(fuse.missing() is not None, reason=f"no FastFile here: {fuse.missing()}")


def fast(name: str, uri: str, **more: Any) -> dict[str, Any]:
    return {"ChannelName": name, "DataSource": source(uri, **more), "InputMode": "FastFile"}


@MOUNTED
@pytest.mark.case(63)
async def test_fast_file(tmp_path: Path) -> None:
    data = files(tmp_path, "a.csv", "deep/er/b c.bin", "ü.txt", "empty")
    (data / "empty").write_bytes(b"")
    (data / "big").write_bytes(bytes(range(256)) * (40 << 10))
    text = """
        cp -r /opt/ml/input/data/. /opt/ml/model/
        for attempt in "echo x > /opt/ml/input/data/train/new" "rm /opt/ml/input/data/train/a.csv" \\
            "echo x >> /opt/ml/input/data/train/a.csv" "mkdir /opt/ml/input/data/train/folder"; do
            sh -c "$attempt" && echo "$attempt" >> /opt/ml/model/done
        done
        stat -c '%s %A %Y' /opt/ml/input/data/train/big > /opt/ml/model/stat
        grep -c fuse.trainyard /proc/self/mounts > /opt/ml/model/mounts
        ls -a /opt > /opt/ml/model/opt
    """
    channels = [fast("train", f"file://{data}/"), fast("other", f"file://{data}/deep/")]
    ran = await run(tmp_path, shell(text), InputDataConfig=channels)
    assert ran.ended[0] == "Completed", (ran.told.get("FailureReason"), ran.log)
    kept = ran.files()
    for name in ("a.csv", "deep/er/b c.bin", "ü.txt", "empty", "big"):
        assert kept[f"train/{name}"] == (data / name).read_bytes()
    assert kept["other/er/b c.bin"] == b"deep/er/b c.bin"
    assert kept["train-manifest"].decode().splitlines()[1] == f"file://{data}/a.csv"
    assert "done" not in kept
    assert kept["stat"].decode() == f"{10 << 20} -r--r--r-- {int((data / 'big').stat().st_mtime)}\n"
    assert (kept["mounts"], b"channels" in kept["opt"]) == (b"2\n", False)
    await until_gone(tmp_path)


@asynccontextmanager
async def stepping(tmp_path: Path, text: str, *channels: dict[str, Any], **more: Any) -> AsyncIterator[Session]:
    algorithm = python(f"{STEPWISE}{text}", ContainerArguments=[str(tmp_path)])
    async with open_session(home(tmp_path), lead=True) as session:
        await session.service.create(request(tmp_path, "job", algorithm, InputDataConfig=list(channels), **more))
        yield session


def read_by(pid: int) -> int:
    """Bytes that a process has read from anywhere."""
    facts = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(facts["rchar"])


@MOUNTED
async def test_a_look_into_ten_gib_fetches_little(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with (tmp_path / "data/big").open("wb") as file:
        file.seek(5 << 30)
        file.write(b"here")
        file.truncate(10 << 30)
    text = """
with open("/opt/ml/input/data/train/big", "rb") as file:
    step("opened")
    file.seek(5 << 30)
    keep("read", file.read(1 << 20)[:4])
    step("read")
"""
    async with stepping(tmp_path, text, fast("train", f"file://{tmp_path}/data/")) as session:
        await reached(tmp_path, "opened")
        pid = (await beside(tmp_path, "mounts"))["pid"]
        before = read_by(pid)
        (tmp_path / "opened").touch()
        await reached(tmp_path, "read")
        assert read_by(pid) - before < 32 << 20
        (tmp_path / "read").touch()
        ran = await ended(session, tmp_path)
    assert ran.file("read") == b"here"


READ_ALL = """
file = open("/opt/ml/input/data/train/much", "rb", buffering=0)
head = file.read(10)
step("within")
try:
    keep("all", str(head + file.read() == bytes(range(256)) * (64 << 10)).encode())
except OSError as error:
    keep("error", error.strerror.encode())
step("done")
"""


def much(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    data.mkdir()
    (data / "much").write_bytes(bytes(range(256)) * (64 << 10))
    return data


@MOUNTED
async def test_a_killed_server_of_files_fails_reads_and_the_attempt(tmp_path: Path) -> None:
    async with stepping(tmp_path, READ_ALL, fast("train", f"file://{much(tmp_path)}/")) as session:
        await reached(tmp_path, "within")
        os.kill((await beside(tmp_path, "mounts"))["pid"], signal.SIGKILL)
        (tmp_path / "within").touch()
        ran = await ended(session, tmp_path)
    assert ran.told["FailureReason"] == (
        "InternalServerError: We encountered an internal error. Please try again. "
        "(the helper that serves the job's FastFile channels was killed while the program read)"
    )


@MOUNTED
async def test_a_mount_outlives_its_supervisor_and_goes_with_its_program(tmp_path: Path) -> None:
    async with stepping(tmp_path, READ_ALL, fast("train", f"file://{much(tmp_path)}/")) as session:
        await reached(tmp_path, "within")
        server, supervisor = await beside(tmp_path, "mounts"), await beside(tmp_path, "supervisor")
        os.kill(supervisor["pid"], signal.SIGKILL)
        (tmp_path / "within").touch()
        await reached(tmp_path, "done")
        assert (await beside(tmp_path, "supervisor"))["pid"] != supervisor["pid"]
        assert await beside(tmp_path, "mounts") == server
        (tmp_path / "done").touch()
        ran = await ended(session, tmp_path)
        await until_gone(tmp_path)
    assert ran.file("all") == b"True"
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()


@MOUNTED
async def test_a_file_that_changes_under_its_reader_is_an_error_and_told(tmp_path: Path) -> None:
    data = much(tmp_path)
    text = READ_ALL.replace("head = file.read(10)", "head = b''")
    async with stepping(tmp_path, text, fast("train", f"file://{data}/")) as session:
        await reached(tmp_path, "within")
        (data / "much").write_bytes(b"other")
        for step in ("within", "done"):
            (tmp_path / step).touch()
        ran = await ended(session, tmp_path)
    assert ran.file("error") == b"Input/output error"
    told = f"/opt/ml/input/data/train/much could not be read: The object file://{data}/much is not what it was"
    assert any(told in notice for notice in ran.job.notices)


async def test_without_fuse_the_files_are_downloaded_and_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fuse, "missing", lambda: "libfuse 3 is not installed")
    data = files(tmp_path, "a", "deep/b")
    ran = await run(tmp_path, shell(KEEP_DATA), InputDataConfig=[fast("train", f"file://{data}/")])
    assert (ran.file("data/train/a"), ran.file("data/train/deep/b")) == (b"a", b"deep/b")
    notice = "There is no FastFile mode here, for libfuse 3 is not installed: train was downloaded as in File mode."
    assert notice in ran.job.notices


async def test_a_part_of_a_folders_name_is_no_channel_in_fast_file_mode(tmp_path: Path) -> None:
    data = files(tmp_path, "train-01/a", "one")
    for uri in (f"file://{data}/train-01", f"file://{data}/one"):
        ran = await run(tmp_path / uri.rpartition("/")[2], shell("true"), InputDataConfig=[fast("train", uri)])
        assert ran.ended[0] == "Completed"
    with pytest.raises(ValidationRefused, match="is a part of a name only; in FastFile mode it must name a folder"):
        await run(tmp_path / "part", shell("true"), InputDataConfig=[fast("train", f"file://{data}/train")])


@pytest.mark.parametrize("mode", ["File", "FastFile"])
async def test_a_key_that_is_no_file_fails_the_job_with_its_name(tmp_path: Path, mode: str) -> None:
    async with open_session(home(tmp_path), lead=True) as session:
        for key in ("a", "../../../escaped"):
            await session.objects.put(f"s3://mine/p/{key}", b"x")
        channels = [{"ChannelName": "train", "DataSource": source("s3://mine/p/"), "InputMode": mode}]
        await session.service.create(request(tmp_path, "job", shell("true"), InputDataConfig=channels))
        ran = await ended(session, tmp_path)
    assert ran.told["FailureReason"] == (
        "ClientError: Data download failed:The object 's3://mine/p/../../../escaped' has a key that cannot be a file "
        "below its channel's folder."
    )
    assert not list(tmp_path.rglob("escaped"))


async def test_one_channel_is_the_same_in_every_mode(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for number in range(5):
        (data / f"{number}.bin").write_bytes(os.urandom(1 + number * 1_500_000))
    text = f"""{PIPE}
import glob, hashlib
seen = hashlib.sha256()
if os.path.isdir("/opt/ml/input/data/train"):
    for name in sorted(glob.glob("/opt/ml/input/data/train/*")):
        seen.update(open(name, "rb").read())
else:
    seen.update(pipe("train_0").read())
keep("sha256", seen.hexdigest().encode())
"""
    seen = []
    for mode in ("File", "FastFile", "Pipe"):
        channels = [{"ChannelName": "train", "DataSource": source(f"file://{data}/"), "InputMode": mode}]
        ran = await run(tmp_path / mode, python(text), InputDataConfig=channels)
        seen.append(ran.file("sha256").decode())
    whole = hashlib.sha256(b"".join((data / f"{number}.bin").read_bytes() for number in range(5)))
    assert seen == [whole.hexdigest()] * 3
