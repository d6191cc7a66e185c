"""Script mode as a process of its own, over a base folder of its own."""

import json
import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from trainyard.algorithms import script_mode

SHOW = """
import json, os, sys
print('SEEN' + json.dumps([sys.argv[1:], {k: v for k, v in os.environ.items() if k[:3] == 'SM_'}]))
"""


def _lay(base: Path, script: str, hyperparameters: dict[str, Any] | None = None) -> Path:
    config = base / "input" / "config"
    config.mkdir(parents=True)
    code = base / "input" / "data" / "code"
    code.mkdir(parents=True)
    (code / "train.py").write_text(script)
    given = {"sagemaker_program": "train.py", "sagemaker_submit_directory": "code", **(hyperparameters or {})}
    (config / "hyperparameters.json").write_text(json.dumps({name: json.dumps(value) for name, value in given.items()}))
    (config / "inputdataconfig.json").write_text('{"train":{"TrainingInputMode":"File"},"code":{}}')
    (config / "resourceconfig.json").write_text('{"current_host":"algo-1","hosts":["algo-1"]}')
    return code


def _command() -> list[str]:
    return [sys.executable, script_mode.__file__, "train"]


def _start(base: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "SAGEMAKER_BASE_DIR": str(base)}
    return subprocess.run(_command(), env=env, capture_output=True, text=True, timeout=30, check=False)


def test_arguments_and_environment(tmp_path: Path) -> None:
    _lay(tmp_path, SHOW, {"lr": 0.1, "e": 3, "flag": True, "name": "a b", "layers": [1, 2], "batch-size": 8})
    done = _start(tmp_path)
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("SEEN"))
    arguments, env = json.loads(line[4:])
    expected = "--batch-size 8 -e 3 --flag True --layers [1,_2] --lr 0.1 --name a_b"
    assert arguments == [word.replace("_", " ") for word in expected.split()]
    assert env["SM_CHANNEL_TRAIN"] == str(tmp_path / "input" / "data" / "train")
    assert env["SM_MODEL_DIR"] == str(tmp_path / "model")
    assert env["SM_HP_BATCH_SIZE"] == "8"
    assert json.loads(env["SM_HPS"])["layers"] == [1, 2]
    assert json.loads(env["SM_CHANNELS"]) == ["code", "train"]
    assert json.loads(env["SM_TRAINING_ENV"])["channel_input_dirs"]["train"] == env["SM_CHANNEL_TRAIN"]
    assert env["SM_OUTPUT_DATA_DIR"] == str(tmp_path / "output" / "data")
    assert int(env["SM_NUM_CPUS"]) >= 1
    assert (tmp_path / "output" / "success").exists()


def test_a_map_and_a_null_as_arguments() -> None:
    assert script_mode.to_arguments({"d": {"b": [2], "a": 1}, "none": None}) == ["-d", "a=1,b=[2]", "--none", ""]


def test_a_launcher_that_is_not_here_is_refused(tmp_path: Path) -> None:
    _lay(tmp_path, SHOW, {"sagemaker_mpi_enabled": True})
    assert _start(tmp_path).returncode == 1
    assert (tmp_path / "output" / "failure").read_text().startswith("sagemaker_mpi_enabled: ")


JUDGE = """
import json, os
from sagemaker_training import environment
judged = environment.Environment()
also = {name: os.environ[name] for name in ("CURRENT_HOST", "SAGEMAKER_REGION", "SAGEMAKER_JOB_NAME")}
print("JUDGED" + json.dumps([judged.to_cmd_args(), {**judged.to_env_vars(), **also}]))
"""
TOOLKIT = "sagemaker-training==5.1.4"


def _line(text: str, mark: str) -> Any:
    (line,) = (line for line in text.splitlines() if line.startswith(mark))
    return json.loads(line.removeprefix(mark))


@pytest.mark.slow
def test_the_toolkit_itself_says_the_same(tmp_path: Path) -> None:
    """The real toolkit's source is fetched from the package index and asked about the same files."""
    fetch = ["-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "-d", str(tmp_path), TOOLKIT]
    subprocess.run([sys.executable, *fetch], check=True, timeout=300, capture_output=True)
    with tarfile.open(next(tmp_path.glob("sagemaker_training*.tar.gz"))) as source:
        source.extractall(tmp_path / "toolkit", filter="data")
    (package,) = (tmp_path / "toolkit").glob("*/src")
    given = {
        "lr": 0.1, "e": 3, "batch-size": 8, "d": {"b": [2], "a": 1}, "n": None, "s": "x y ü", "flag": True, "t": 1e-05,
        "_tuning_objective_metric": "validation:loss", "sagemaker_region": "eu-west-1", "sagemaker_job_name": "job",
        "sagemaker_container_log_level": 10, "sagemaker_of_a_framework": {"a": 1},
    }  # fmt: skip
    code = _lay(tmp_path, SHOW.replace("k[:3] == 'SM_'", "True"), given)
    config = tmp_path / "input" / "config"
    hyperparameters = json.loads((config / "hyperparameters.json").read_text())
    hyperparameters |= {"sagemaker_submit_directory": json.dumps(str(code)), "raw": "no json"}
    (config / "hyperparameters.json").write_text(json.dumps(hyperparameters))
    (config / "resourceconfig.json").write_text(
        '{"current_host":"algo-1","current_instance_type":"ml.c5.xlarge","current_group_name":"homogeneousCluster",'
        '"hosts":["algo-1"],"instance_groups":[{"instance_group_name":"homogeneousCluster",'
        '"instance_type":"ml.c5.xlarge","hosts":["algo-1"]}],"network_interface_name":"eth0","topology":null}'
    )
    env = {**os.environ, "SAGEMAKER_BASE_DIR": str(tmp_path), "TRAINING_JOB_NAME": "job"}
    judge = subprocess.run(
        [sys.executable, "-c", JUDGE], env={**env, "PYTHONPATH": str(package)}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert "JUDGED" in judge.stdout, judge.stderr
    theirs_arguments, theirs = _line(judge.stdout, "JUDGED")
    ours = subprocess.run(_command(), env=env, capture_output=True, text=True, timeout=60, check=False)
    arguments, seen = _line(ours.stdout, "SEEN")
    assert arguments == theirs_arguments
    assert {name: seen.get(name) for name in theirs} == theirs
    added = {name for name in seen if name.startswith("SM_")} - theirs.keys()
    assert added == {"SM_HP_BATCH_SIZE"}


def test_a_raising_script_is_told_in_the_toolkits_form(tmp_path: Path) -> None:
    _lay(tmp_path, "raise ValueError('no such thing')", {"lr": 0.1})
    assert _start(tmp_path).returncode == 1
    failure = (tmp_path / "output" / "failure").read_text()
    assert failure.startswith('ExecuteUserScriptError:\nExitCode 1\nErrorMessage "Traceback')
    assert "ValueError: no such thing" in failure
    assert failure.endswith('train.py --lr 0.1"')


def test_the_scripts_own_status_is_the_status(tmp_path: Path) -> None:
    _lay(tmp_path, "import sys; sys.exit(7)")
    assert _start(tmp_path).returncode == 7


def test_a_killed_script_is_137(tmp_path: Path) -> None:
    _lay(tmp_path, "import os; os.kill(os.getpid(), 9)")
    assert _start(tmp_path).returncode == 137


def test_sigterm_reaches_the_script(tmp_path: Path) -> None:
    _lay(
        tmp_path,
        "import signal, sys\nsignal.signal(15, lambda *_: sys.exit(3))\nprint('ready', flush=True)\nsignal.pause()\n",
    )
    env = {**os.environ, "SAGEMAKER_BASE_DIR": str(tmp_path)}
    with subprocess.Popen(_command(), env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line == "ready\n":
                child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=20) == 3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"sagemaker_program": ""}, "No script to run"),
        ({"sagemaker_program": "other.py"}, "other.py is not in .*it holds train.py"),
        ({"sagemaker_program": "../../config/hyperparameters.json"}, "lies outside"),
        ({"sagemaker_submit_directory": "nowhere"}, "nowhere does not exist; the channels are code"),
        ({"sagemaker_submit_directory": "s3://b/source.tar.gz"}, "is not fetched here"),
    ],
)
def test_a_request_that_cannot_run_says_why(tmp_path: Path, given: dict[str, str], said: str) -> None:
    import re

    _lay(tmp_path, SHOW, given)
    assert _start(tmp_path).returncode == 1
    assert re.search(said, (tmp_path / "output" / "failure").read_text())


def test_source_in_an_archive(tmp_path: Path) -> None:
    code = _lay(tmp_path, "print('ran from the archive')")
    with tarfile.open(code / "source.tar.gz", "w:gz") as archive:
        archive.add(code / "train.py", "train.py")
    (code / "train.py").unlink()
    done = _start(tmp_path)
    assert "ran from the archive" in done.stdout, done.stderr


def test_an_archive_never_leaves_its_folder(tmp_path: Path) -> None:
    code = _lay(tmp_path, "")
    (code / "evil").write_text("x")
    with tarfile.open(code / "source.tar.gz", "w:gz") as archive:
        archive.add(code / "evil", "../../../escaped")
    for name in ("evil", "train.py"):
        (code / name).unlink()
    assert _start(tmp_path).returncode == 1
    assert "cannot be unpacked" in (tmp_path / "output" / "failure").read_text()
    assert not list(tmp_path.rglob("escaped"))


def test_opt_ml_means_the_base(tmp_path: Path) -> None:
    _lay(tmp_path, "print('found')", {"sagemaker_submit_directory": "/opt/ml/input/data/code"})
    assert "found" in _start(tmp_path).stdout


def test_the_file_stands_alone() -> None:
    source = Path(script_mode.__file__).read_text()
    assert "import trainyard" not in source
    assert "from trainyard" not in source


def test_a_value_that_is_no_json_is_itself() -> None:
    assert script_mode.decode("abc") == "abc"
    assert script_mode.decode('"abc"') == "abc"
