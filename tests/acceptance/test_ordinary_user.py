"""What root gets, an ordinary user gets too: a private /opt/ml, a network kept apart, and nothing left afterwards."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.test_unbreakable import _carrying, _processes, manifest, until
from tests.nobody import as_nobody, ordinary_folder

TRAINYARD = str(Path(sys.executable).with_name("trainyard"))
LOOK = """
import json, os, socket
def reached(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return True
    except OSError:
        return False
seen = {"uid": os.getuid(), "first": os.getppid(), "reached": reached(int(os.environ["PORT"])),
        "before": sorted(os.listdir("/opt/ml/model")), "home": os.path.realpath("/opt/ml")}
open("/opt/ml/model/seen.json", "w").write(json.dumps(seen))
print(json.dumps(seen))
"""
SHARED = """
import json
def is_refused(mode):
    try:
        open(f"/opt/ml/input/data/{mode}/new", "w").close()
    except OSError:
        return True
    return False
places = ["ro", "rw"]
read = [open(f"/opt/ml/input/data/{mode}/a").read() for mode in places]
print(json.dumps({"read": read, "refused": [mode for mode in places if is_refused(mode)]}))
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with ordinary_folder() as folder:
        as_nobody("mkdir", "-m", "700", str(folder / "home"))
        yield folder


def _run(folder: Path, name: str, text: str, **spec: object) -> dict[str, object]:
    """What `describe` tells of a job that an ordinary user ran to its end."""
    script = folder / f"{name}.py"
    script.write_text(text)
    file = manifest(folder, name, sys.executable, str(script), **spec)
    variables = {"TRAINYARD_HOME": str(folder / "home")}
    ran = as_nobody(TRAINYARD, "run", file, **variables)
    assert "Traceback" not in ran.stderr, ran.stderr
    told: dict[str, object] = json.loads(as_nobody(TRAINYARD, "describe", name, "-o", "json", **variables).stdout)
    assert told["TrainingJobStatus"] == "Completed", (told, ran.stdout, ran.stderr)
    return told


def _seen(folder: Path, name: str) -> dict[str, object]:
    (job,) = (
        log.read_text()
        for log in folder.glob("home/attempts/*/*/logs/algo-1.log")
        if json.loads((log.parents[1] / "attempt.json").read_text())["argv"][1].endswith(f"/{name}.py")
    )
    return dict(json.loads(job.splitlines()[-1]))


def test_two_jobs_of_an_ordinary_user_have_an_opt_ml_each_and_a_network_as_they_ask(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        variables = {"PORT": str(server.getsockname()[1])}
        _run(folder, "open", LOOK, Environment=variables)
        _run(folder, "apart", LOOK, Environment=variables, EnableNetworkIsolation=True)
    uid = 65534 if os.geteuid() == 0 else os.getuid()
    open_, apart = _seen(folder, "open"), _seen(folder, "apart")
    assert (open_["reached"], apart["reached"]) == (True, False)
    assert [seen["before"] for seen in (open_, apart)] == [[], []]
    assert [(seen["uid"], seen["first"], seen["home"]) for seen in (open_, apart)] == [(uid, 1, "/opt/ml")] * 2
    assert not Path("/opt/ml/model/seen.json").exists()


def test_an_ordinary_users_file_system_is_read_only_where_that_is_asked_for(folder: Path) -> None:
    as_nobody("sh", "-c", f"mkdir -p {folder}/set {folder}/home && echo 1 > {folder}/set/a")
    settings = f"""
        [networks.open]
        subnets = ["subnet-1"]
        security_groups = ["sg-1"]
        [file_systems."fs-0123456789abcdef0"]
        folder = "{folder}"
    """
    (folder / "home/trainyard.toml").write_text(settings)
    members = {"FileSystemType": "EFS", "FileSystemId": "fs-0123456789abcdef0", "DirectoryPath": "/set"}
    channels = [
        {"ChannelName": mode, "DataSource": {"FileSystemDataSource": {**members, "FileSystemAccessMode": mode}}}
        for mode in ("ro", "rw")
    ]
    vpc = {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    _run(folder, "shared", SHARED, VpcConfig=vpc, InputDataConfig=channels)
    assert _seen(folder, "shared") == {"read": ["1\n", "1\n"], "refused": ["ro"]}
    assert sorted(path.name for path in (folder / "set").iterdir()) == ["a", "new"]


def test_an_ordinary_user_reads_a_fast_file_channel_with_fuse_or_without(folder: Path) -> None:
    as_nobody("sh", "-c", f"mkdir -p {folder}/set && echo 1 > {folder}/set/a")
    data = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"file://{folder}/set/"}}
    channels = [{"ChannelName": "train", "InputMode": "FastFile", "DataSource": data}]
    text = "import json; print(json.dumps({'read': open('/opt/ml/input/data/train/a').read()}))"
    _run(folder, "fast", text, InputDataConfig=channels)
    assert _seen(folder, "fast") == {"read": "1\n"}


def test_nothing_of_an_ordinary_users_job_is_left(folder: Path) -> None:
    daemon = "import subprocess; subprocess.Popen(['sleep', '987'], start_new_session=True)"
    _run(folder, "daemons", daemon, Environment={"MARK": str(folder)})
    until(lambda: not _carrying(str(folder)) and not _processes(str(folder)))
