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


def test_nothing_of_an_ordinary_users_job_is_left(folder: Path) -> None:
    daemon = "import subprocess; subprocess.Popen(['sleep', '987'], start_new_session=True)"
    _run(folder, "daemons", daemon, Environment={"MARK": str(folder)})
    until(lambda: not _carrying(str(folder)) and not _processes(str(folder)))
