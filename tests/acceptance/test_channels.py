"""Where a channel's data comes from, and how it is read: real jobs, from the request to what their program saw."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.jobs import ended, home, request, run, shell

from trainyard.model.errors import ValidationRefused
from trainyard.wiring.session import open_session

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
