"""Laws 1 to 3 on real processes: whatever is killed, the job goes on or its end is told, and nothing runs twice."""

from __future__ import annotations

import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tarfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.acceptance.jobs import stored

from trainyard.runtimes.local import identity

# Appends a number every few milliseconds, each line with its pid: a repeat, a gap or a second writer shows.
WITNESS = (
    "import os, sys, time\n"
    "for n in range(int(sys.argv[1])):\n"
    "    os.write(1, f'{os.getpid()} {n}\\n'.encode()); time.sleep(0.01)\n"
)
DEADLINE = 60.0


def command(home: Path, *arguments: str, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TRAINYARD_HOME": str(home), "NO_COLOR": "1", **variables}
    program = str(Path(sys.executable).with_name("trainyard"))
    done = subprocess.run(
        [program, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0 or not check, done.stdout + done.stderr
    return done


def manifest(folder: Path, name: str, *argv: str, **spec: object) -> str:
    request = {
        "TrainingJobName": name,
        "RoleArn": "arn:aws:iam::123456789012:role/trainer",
        "AlgorithmSpecification": {
            "TrainingImage": "local/python",
            "TrainingInputMode": "File",
            "ContainerEntrypoint": list(argv),
        },
        "OutputDataConfig": {"S3OutputPath": "s3://out/models"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        **spec,
    }
    path = folder / f"{name}.json"
    path.write_text(json.dumps(request))
    return str(path)


def witness(tmp_path: Path, name: str, count: int, **spec: object) -> str:
    script = tmp_path / "witness.py"
    script.write_text(WITNESS)
    return manifest(tmp_path, name, sys.executable, str(script), str(count), **spec)


def until(found: Callable[[], object]) -> object:
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        value = found()
        if value:
            return value
        time.sleep(0.02)
    pytest.fail("it did not come to pass in time")


def attempt_file(home: Path, name: str, attempt: int = 1) -> dict[str, object] | None:
    for path in (home / "attempts").glob(f"*/train-train-{attempt}/{name}"):
        return dict(json.loads(path.read_text()))
    return None


def log_lines(home: Path) -> list[list[str]]:
    return [
        line.split()
        for path in (home / "attempts").glob("*/*/logs/algo-1.log")
        for line in path.read_text().splitlines()
    ]


def status(home: Path, name: str) -> str:
    return str(json.loads(command(home, "describe", name, "-o", "json").stdout)["TrainingJobStatus"])


def assert_one_writer_counted_to(home: Path, count: int) -> None:
    lines = log_lines(home)
    assert [int(number) for _, number in lines] == list(range(count))
    assert len({pid for pid, _ in lines}) == 1


def kill(who: dict[str, object]) -> None:
    assert identity.is_alive(who)
    os.kill(int(str(who["pid"])), signal.SIGKILL)


def training(home: Path) -> object:
    return until(lambda: len(log_lines(home)) > 5)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_three_detached_jobs_on_a_one_job_machine_finish_by_themselves(home: Path, tmp_path: Path) -> None:
    files = [manifest(tmp_path, f"job-{n}", "/bin/sh", "-c", "echo done") for n in range(3)]
    for file in files:
        command(home, "run", "--detach", file)
    until(lambda: len(list((home / "attempts").glob("*/*/released"))) == 3)
    assert {status(home, f"job-{n}") for n in range(3)} == {"Completed"}


def test_a_killed_supervisor_is_replaced_and_the_program_never_notices(home: Path, tmp_path: Path) -> None:
    command(home, "run", "--detach", witness(tmp_path, "seen", 200))
    training(home)
    for _ in range(2):
        kill(dict(until(lambda: _alive(home, "supervisor.json"))))  # type: ignore[call-overload]
    until(lambda: status(home, "seen") == "Completed")
    assert_one_writer_counted_to(home, 200)


@pytest.mark.case(77)
def test_a_killed_leader_leaves_the_job_running_and_its_end_is_known(home: Path, tmp_path: Path) -> None:
    file = witness(tmp_path, "orphan", 150)
    environment = {**os.environ, "TRAINYARD_HOME": str(home)}
    leader = subprocess.Popen(
        [str(Path(sys.executable).with_name("trainyard")), "run", file], env=environment, stdout=subprocess.DEVNULL
    )
    training(home)
    leader.kill()
    leader.wait()
    until(lambda: in_the_store(home) == {"Completed": 1})  # no command looks: a supervisor started an engine
    assert_one_writer_counted_to(home, 150)


def test_a_leader_killed_with_the_last_command_is_followed_by_an_engine(home: Path, tmp_path: Path) -> None:
    """No further command: a supervisor finds nobody leading. What waits for its place comes to its turn as well."""
    go = tmp_path / "go"
    files = [manifest(tmp_path, "first", "/bin/sh", "-c", f"while [ ! -e {go} ]; do sleep .05; done")]
    files += [manifest(tmp_path, name, "/bin/true") for name in ("second", "third")]
    home.mkdir(mode=0o700)
    (home / "trainyard.toml").write_text("[capacity]\ncpus = 1\n")
    for file in files:
        command(home, "run", "--detach", file)
    until(lambda: _alive(home, "shim.json"))
    (leader,) = leaders(home)
    os.kill(leader, signal.SIGKILL)
    go.touch()
    until(lambda: len(list((home / "attempts").glob("*/*/released"))) == 3)
    assert in_the_store(home) == {"Completed": 3}
    until(lambda: not leaders(home))


def test_a_killed_shim_is_a_lost_attempt_and_never_completed(home: Path, tmp_path: Path) -> None:
    command(home, "run", "--detach", witness(tmp_path, "lost", 2000))
    training(home)
    kill(dict(until(lambda: _alive(home, "shim.json"))))  # type: ignore[call-overload]
    until(lambda: status(home, "lost") == "Failed")
    told = json.loads(command(home, "describe", "lost", "-o", "json").stdout)
    assert told["FailureReason"].startswith("InternalServerError: We encountered an internal error. Please try again.")


def test_a_lost_attempt_is_tried_again_only_as_the_retry_strategy_says(home: Path, tmp_path: Path) -> None:
    file = witness(tmp_path, "again", 60, RetryStrategy={"MaximumRetryAttempts": 1})
    command(home, "run", "--detach", file)
    training(home)
    kill(dict(until(lambda: _alive(home, "shim.json"))))  # type: ignore[call-overload]
    until(lambda: status(home, "again") == "Completed")
    assert attempt_file(home, "exit.json", attempt=2) == {"code": 0}


@pytest.mark.parametrize("place", ["launching", "forked", "launched", "exited", "uploading"])
def test_a_supervisor_that_dies_at_a_named_point_costs_nothing(home: Path, tmp_path: Path, place: str) -> None:
    count = 20
    script = tmp_path / "model.py"
    script.write_text(WITNESS + "open('/opt/ml/model/weights', 'w').write('w')\n")
    file = manifest(tmp_path, "crash", sys.executable, str(script), str(count))
    flag = tmp_path / "died"
    command(home, "run", "--detach", file, TRAINYARD_CRASHPOINT=f"{place}={flag}")
    until(lambda: status(home, "crash") == "Completed")
    assert flag.exists()
    assert_one_writer_counted_to(home, count)
    assert stored(home, "s3://out/models/crash/output/model.tar.gz")


@pytest.mark.parametrize("result", ["stage-result.json", "upload-result.json"])
@pytest.mark.parametrize("moment", ["before", "moved", "after"])
def test_a_helper_that_dies_at_a_named_point_costs_nothing(
    home: Path, tmp_path: Path, moment: str, result: str
) -> None:
    data, count = tmp_path / "data", 20
    data.mkdir()
    (data / "numbers").write_text("1 2 3")
    script = tmp_path / "model.py"
    script.write_text(
        WITNESS + "given = open('/opt/ml/input/data/train/numbers').read()\n"
        "open('/opt/ml/model/weights', 'w').write(given)\n"
    )
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"{data.as_uri()}/"}}
    channels = [{"ChannelName": "train", "DataSource": source}]
    mark = f"chaos-{tmp_path}"
    file = manifest(
        tmp_path, "helped", sys.executable, str(script), str(count),
        InputDataConfig=channels, Environment={"MARK": mark},
    )  # fmt: skip
    flag = tmp_path / "died"
    command(home, "run", "--detach", file, TRAINYARD_CRASHPOINT=f"{moment}-{result}={flag}", TRAINYARD_MARK=mark)
    until(lambda: status(home, "helped") == "Completed")
    assert flag.exists()
    assert_one_writer_counted_to(home, count)
    model = stored(home, "s3://out/models/helped/output/model.tar.gz")
    with tarfile.open(fileobj=io.BytesIO(model)) as archive:
        weights = archive.extractfile("weights")
        assert weights is not None
        assert weights.read() == b"1 2 3"
    until(lambda: not _carrying(mark))


def test_a_reboot_loses_the_attempt_and_says_so(home: Path, tmp_path: Path) -> None:
    command(home, "run", "--detach", witness(tmp_path, "reboot", 3000))
    training(home)
    supervisor, shim = (attempt_file(home, name) for name in ("supervisor.json", "shim.json"))
    assert supervisor is not None
    assert shim is not None
    os.kill(int(str(supervisor["pid"])), signal.SIGSTOP)  # else it may find that nobody leads
    for pid in leaders(home):
        os.kill(pid, signal.SIGKILL)
    kill(supervisor)
    kill(shim)
    command(home, "wait", "reboot", check=False, TRAINYARD_BOOT_ID="another-boot")
    told = json.loads(command(home, "describe", "reboot", "-o", "json").stdout)
    assert (told["TrainingJobStatus"], "restarted" in told["FailureReason"]) == ("Failed", True)


def test_no_process_of_a_finished_job_is_left(home: Path, tmp_path: Path) -> None:
    mark = f"trainyard-daemon-{os.getpid()}"
    file = manifest(tmp_path, "daemons", "/bin/sh", "-c", f"setsid sleep 987 {mark} & exec true")
    command(home, "run", file, check=False)
    assert not _processes(mark)


def _alive(home: Path, name: str) -> dict[str, object] | None:
    who = attempt_file(home, name)
    return who if who is not None and identity.is_alive(who) else None


def leaders(home: Path) -> list[int]:
    """Detached engines of a home."""
    return sorted(set(_processes("caretaker")) & set(_processes(str(home))))


def in_the_store(home: Path) -> Counter[str]:
    """How many jobs have which status, as the store has it: no command looks first."""
    with closing(sqlite3.connect(f"file:{home / 'jobs.db'}?mode=ro", uri=True)) as store:
        return Counter(status for (status,) in store.execute("SELECT status FROM jobs"))


def _processes(text: str) -> list[int]:
    """Processes with the text in their arguments."""
    return _holding(text, "cmdline")


def _carrying(text: str) -> list[int]:
    """Processes with the text in the environment they were started with, whatever they call themselves."""
    return _holding(text, "environ")


def _holding(text: str, file: str) -> list[int]:
    found = []
    for path in Path("/proc").glob(f"[0-9]*/{file}"):
        try:
            if text.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found
