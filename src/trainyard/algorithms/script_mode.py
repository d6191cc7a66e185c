"""Script mode: what AWS's training toolkit does around a user's script, in one file of the standard library.

It is run by path in the user's own interpreter (`<python> script_mode.py train`), knows nothing of the rest of this
package, and needs Python 3.8 or newer. Two things differ from the toolkit on purpose: SIGTERM reaches the script, and
nothing is installed on the way (a requirements.txt is only pointed out).
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import traceback
from collections import deque
from pathlib import Path
from typing import Any

TAIL_LINES = 40
TAIL_BYTES = 16384


class ClientError(Exception):
    """The user's request cannot be run; the text is told as it stands."""


def main(arguments: list[str]) -> int:
    """Run the script of this job; its exit status. What fails is written to output/failure in the toolkit's form."""
    base = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
    if arguments != ["train"]:
        return _fail(base, f"Unknown command {shlex.join(arguments)!r}: this program knows `train`.", 1)
    try:
        return _train(base)
    except ClientError as wrong:
        return _fail(base, str(wrong), 1)
    except Exception as wrong:  # noqa: BLE001 - the boundary of the process
        return _fail(base, f"Framework Error: \n{traceback.format_exc()}\n{wrong}", 1)


def _train(base: Path) -> int:
    raw = _json(base / "input" / "config" / "hyperparameters.json")
    given = {name: decode(value) for name, value in raw.items()}
    program = str(given.get("sagemaker_program") or os.environ.get("SAGEMAKER_PROGRAM") or "")
    if not program:
        raise ClientError(
            "No script to run: set the hyperparameter sagemaker_program to its file name and "
            "sagemaker_submit_directory to where it lies, or use `trainyard run train.py`."
        )
    code = code_folder(base, given.get("sagemaker_submit_directory") or os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY"))
    script = _inside(code, program)
    if not script.is_file():
        raise ClientError(f"The script {program} is not in {code}: it holds {_listing(code)}.")
    own = {name: value for name, value in given.items() if not name.startswith("sagemaker_")}
    command = _command(script, program, to_arguments(own))
    env = {**os.environ, **environment(base, own, given, program, code)}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(code), os.environ.get("PYTHONPATH", "")]))
    env.setdefault("PYTHONUNBUFFERED", "1")
    for folder in ("model", "output/data", "output/intermediate"):
        (base / folder).mkdir(parents=True, exist_ok=True)
    if (code / "requirements.txt").is_file():
        print("requirements.txt is not installed here: the script runs in your own interpreter.", flush=True)  # noqa: T201
    print("Invoking script with the following command:\n\n" + shlex.join(command) + "\n", flush=True)  # noqa: T201
    status, tail = _run(command, env, code)
    if status:
        return _fail(base, _user_error(status, tail, command), status if status > 0 else 128 - status, told=True)
    (base / "output" / "success").write_text("", encoding="utf-8")
    return 0


def decode(value: Any) -> Any:
    """A hyperparameter as JSON, or as it stands where it is none."""
    try:
        return json.loads(value)
    except (TypeError, ValueError):
        return value


def to_arguments(hyperparameters: dict[str, Any]) -> list[str]:
    """`--key value`, sorted by key, and `-k value` for one letter; values as Python writes them."""
    arguments = []
    for name in sorted(hyperparameters):
        arguments += [f"-{name}" if len(name) == 1 else f"--{name}", str(hyperparameters[name])]
    return arguments


def code_folder(base: Path, submitted: Any) -> Path:
    """The folder with the script: a folder or a tar.gz under the base, a channel's name, or the `code` channel."""
    data = base / "input" / "data"
    if not submitted:
        return data / "code" if (data / "code").is_dir() else base / "code"
    text = str(submitted)
    if text.startswith("s3://"):
        raise ClientError(
            f"sagemaker_submit_directory {text} is not fetched here: give the source as a channel and name the channel."
        )
    path = Path(text)
    if path.parts[:3] == ("/", "opt", "ml"):
        path = base.joinpath(*path.parts[3:])  # where /opt/ml is not ours, its paths still mean the base
    if not path.is_absolute():
        path = data / text if (data / text).exists() else base / text
    if not path.exists():
        raise ClientError(f"sagemaker_submit_directory {text} does not exist; the channels are {_listing(data)}.")
    if path.is_dir():
        archives = sorted(path.glob("*.tar.gz"))
        return _unpacked(archives[0], base / "code") if [*path.iterdir()] == archives[:1] != [] else path
    return _unpacked(path, base / "code")


def _unpacked(archive: Path, folder: Path) -> Path:
    """Extract with the standard library's data filter: no member leaves the folder, no device, no link outside."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        with tarfile.open(archive) as source:
            if not hasattr(tarfile, "data_filter"):
                raise ClientError("This Python cannot unpack archives safely; use a folder, or Python 3.11.4 or newer.")
            source.extractall(folder, filter="data")
    except (tarfile.TarError, OSError, EOFError) as wrong:
        raise ClientError(f"The source archive {archive.name} cannot be unpacked: {wrong}") from wrong
    return folder


def _inside(folder: Path, name: str) -> Path:
    script = (folder / name).resolve()
    if folder.resolve() not in script.parents:
        raise ClientError(f"The script {name} lies outside of {folder}.")
    return script


def _listing(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return ", ".join(names[:10]) or "nothing"


def _command(script: Path, program: str, arguments: list[str]) -> list[str]:
    if script.suffix == ".sh":
        return ["/bin/sh", "-c", shlex.join([f"./{program}", *arguments])] if os.access(script, os.X_OK) else [
            "/bin/sh", str(script), *arguments,
        ]  # fmt: skip
    return [sys.executable, program, *arguments]


def environment(base: Path, own: dict[str, Any], given: dict[str, Any], program: str, code: Path) -> dict[str, str]:
    """The SM_* variables of the toolkit, as strings."""
    config = base / "input" / "config"
    resources = _json(config / "resourceconfig.json")
    channels = _json(config / "inputdataconfig.json")
    hosts = resources.get("hosts", ["algo-1"])
    current = resources.get("current_host", "algo-1")
    groups = resources.get("instance_groups", [])
    paths = {name: str(base / "input" / "data" / name) for name in sorted(channels)}
    values: dict[str, Any] = {
        "hosts": hosts,
        "current_host": current,
        "network_interface_name": resources.get("network_interface_name", "eth0"),
        "hps": own,
        "user_entry_point": program,
        "framework_params": {name: value for name, value in given.items() if name.startswith("sagemaker_")},
        "resource_config": resources,
        "input_data_config": channels,
        "output_data_dir": str(base / "output" / "data"),
        "channels": sorted(channels),
        "module_name": program.removesuffix(".py"),
        "module_dir": str(code),
        "log_level": given.get("sagemaker_container_log_level", 20),
        "input_dir": str(base / "input"),
        "input_config_dir": str(config),
        "output_dir": str(base / "output"),
        "output_intermediate_dir": str(base / "output" / "intermediate"),
        "model_dir": str(base / "model"),
        "num_cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "num_gpus": _gpus(),
        "num_neurons": 0,
        "framework_module": "",
        "current_instance_type": resources.get("current_instance_type", "local"),
        "current_instance_group": resources.get("current_group_name", "homogeneousCluster"),
        "current_instance_group_hosts": next(
            (g.get("hosts", []) for g in groups if g.get("instance_group_name") == resources.get("current_group_name")),
            hosts,
        ),
        "instance_groups": [group.get("instance_group_name") for group in groups],
        "instance_groups_dict": {group.get("instance_group_name"): group for group in groups},
        "distribution_instance_groups": [],
        "is_hetero": len(groups) > 1,
        "topology": resources.get("topology"),
        "user_args": to_arguments(own),
    }
    whole = {
        "additional_framework_parameters": {},
        "channel_input_dirs": paths,
        "hyperparameters": own,
        "input_data_config": channels,
        "is_master": current == min(hosts),
        "job_name": given.get("sagemaker_job_name") or os.environ.get("TRAINING_JOB_NAME"),
        "master_hostname": min(hosts),
        **{name: value for name, value in values.items() if name not in ("hps", "user_args", "channels")},
    }
    env = {f"SM_{name.upper()}": _text(value) for name, value in values.items()}
    env["SM_TRAINING_ENV"] = json.dumps(whole, sort_keys=True)
    env.update({f"SM_CHANNEL_{name.upper()}": path for name, path in paths.items()})
    env.update({f"SM_HP_{name.upper().replace('-', '_')}": _text(value) for name, value in own.items()})
    return env


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, (dict, list, bool)):
        return json.dumps(value, sort_keys=True)
    return str(value)


def _gpus() -> int:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([name for name in visible.split(",") if name.strip() not in ("", "-1")])
    return len([node for node in Path("/dev").glob("nvidia[0-9]*") if node.name[6:].isdigit()])


def _run(command: list[str], env: dict[str, str], folder: Path) -> tuple[int, str]:
    """Run the script with signals passed on; (status, the last lines of its standard error)."""
    child = subprocess.Popen(command, env=env, cwd=folder, stderr=subprocess.PIPE)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, lambda got, _frame: child.send_signal(got))
    tail: deque[bytes] = deque(maxlen=TAIL_LINES)
    kept = child.stderr
    while kept is not None:
        piece = kept.readline(65536)  # a line without end is passed on in pieces, never gathered
        if not piece:
            break
        sys.stderr.buffer.write(piece)
        sys.stderr.buffer.flush()
        tail.append(piece[-4096:])
    return child.wait(), b"".join(tail)[-TAIL_BYTES:].decode("utf-8", "replace")


def _user_error(status: int, tail: str, command: list[str]) -> str:
    start = tail.rfind("Traceback (most recent call last)")
    message = tail[start:].strip() if start >= 0 else tail.strip()
    return f'ExecuteUserScriptError:\nExitCode {status}\nErrorMessage "{message}"\nCommand "{shlex.join(command)}"'


def _fail(base: Path, text: str, code: int, *, told: bool = False) -> int:
    if not told:
        print(text, file=sys.stderr, flush=True)  # noqa: T201
    target = base / "output" / "failure"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return code


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return value if isinstance(value, dict) else {}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
