"""Script mode: what AWS's training toolkit does around a user's script, in one file of the standard library.

It is run by path in the user's own interpreter (`<python> script_mode.py train`), knows nothing of the rest of this
package, and needs Python 3.9 or newer. What differs from the toolkit, on purpose: SIGTERM reaches the script; nothing
is installed on the way (a requirements.txt is only pointed out); SM_MODULE_DIR is the folder that the source lies in;
and a hyperparameter with a dash in its name has a variable without one beside the toolkit's own.
"""

from __future__ import annotations

import json
import os
import queue
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

# Hyperparameters that are the toolkit's own and no script's, beside all that begin with "sagemaker_".
OWN_HYPERPARAMETERS = (
    "sagemaker_program", "sagemaker_submit_directory", "sagemaker_enable_cloudwatch_metrics", "sagemaker_region",
    "sagemaker_container_log_level", "sagemaker_job_name", "default_user_module_name", "_tuning_objective_metric",
    "sagemaker_s3_output",
)  # fmt: skip
# Ways of starting a script on many processes, none of which is built here.
LAUNCHERS = (
    "sagemaker_mpi_enabled", "sagemaker_parameter_server_enabled", "sagemaker_distributed_dataparallel_enabled",
    "sagemaker_pytorch_ddp_enabled", "sagemaker_pytorch_xla_multi_worker_enabled",
    "sagemaker_multi_worker_mirrored_strategy_enabled", "sagemaker_torch_distributed_enabled",
)  # fmt: skip
TAIL_LINES = 40
TAIL_BYTES = 16384
DRAINING = 2.0  # seconds for the last of a script's standard error after its end


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
    launchers = [name for name in LAUNCHERS if given.get(name)]
    if launchers:
        raise ClientError(f"{', '.join(launchers)}: starting a script on many processes is not available here.")
    own = {name: value for name, value in given.items() if _is_the_scripts(name)}
    command = _command(script, program, to_arguments(own))
    env = {**os.environ, **environment(base, given, program, code)}
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
    """`--key value`, sorted by key, and `-k value` for one letter; values as Python writes them, a map as `k=v,k=v`."""
    arguments = []
    for name in sorted(hyperparameters):
        arguments += [f"-{name}" if len(name) == 1 else f"--{name}", _argument(hyperparameters[name])]
    return arguments


def _argument(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}={part}" for name, part in sorted(value.items()))
    return "" if value is None else str(value)


def _is_the_scripts(name: str) -> bool:
    return not name.startswith("sagemaker_") and name not in OWN_HYPERPARAMETERS


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


def environment(base: Path, given: dict[str, Any], program: str, code: Path) -> dict[str, str]:
    """The variables of the toolkit: SM_*, and three that it sets for its own use and scripts have come to read."""
    resources = _json(base / "input" / "config" / "resourceconfig.json")
    own = {name: value for name, value in given.items() if _is_the_scripts(name)}
    more = {name: given[name] for name in given if not _is_the_scripts(name) and name not in OWN_HYPERPARAMETERS}
    shared = {**_places(base, code), **_hosts(resources, given), **_machine(), **_program(program, given)}
    shared["resource_config"] = resources
    shared["input_data_config"] = channels = _json(base / "input" / "config" / "inputdataconfig.json")
    paths = {name: str(base / "input" / "data" / name) for name in channels}
    whole = {**shared, **_for_training_env(shared), "topology": resources.get("topology", [])}
    whole |= {"channel_input_dirs": paths, "hyperparameters": own, "additional_framework_parameters": more}
    alone = {"hps": own, "channels": sorted(paths), "framework_params": more, "user_args": to_arguments(own)}
    if resources.get("topology"):
        alone["topology"] = resources["topology"]
    values = {**shared, **alone, "training_env": whole}
    values.update({f"channel_{name}": path for name, path in paths.items()})
    values.update({f"hp_{name.replace('-', '_')}": value for name, value in own.items()})
    values.update({f"hp_{name}": value for name, value in own.items()})
    return {**{f"SM_{name.upper()}": _text(value) for name, value in values.items()}, **_of_the_toolkit(shared, given)}


def _of_the_toolkit(shared: dict[str, Any], given: dict[str, Any]) -> dict[str, str]:
    return {
        "CURRENT_HOST": shared["current_host"],
        "SAGEMAKER_JOB_NAME": _text(given.get("sagemaker_job_name")),
        "SAGEMAKER_REGION": _text(given.get("sagemaker_region", os.environ.get("AWS_REGION"))),
    }


def _places(base: Path, code: Path) -> dict[str, str]:
    return {
        "module_dir": str(code),
        "input_dir": str(base / "input"),
        "input_config_dir": str(base / "input" / "config"),
        "output_dir": str(base / "output"),
        "output_data_dir": str(base / "output" / "data"),
        "output_intermediate_dir": str(base / "output" / "intermediate"),
        "model_dir": str(base / "model"),
    }


def _program(program: str, given: dict[str, Any]) -> dict[str, Any]:
    return {
        "framework_module": os.environ.get("SAGEMAKER_TRAINING_MODULE"),
        "user_entry_point": program,
        "module_name": program.removesuffix(".py"),
        "log_level": given.get("sagemaker_container_log_level", 20),
    }


def _machine() -> dict[str, int]:
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"num_cpus": cpus, "num_gpus": _gpus(), "num_neurons": 0}


def _hosts(resources: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """What resourceconfig.json says of the hosts and their groups."""
    groups = resources.get("instance_groups") or []
    current = resources.get("current_group_name", "homogeneousCluster")
    named = {group["instance_group_name"]: group for group in groups}
    return {
        "hosts": resources.get("hosts", ["algo-1"]),
        "current_host": resources.get("current_host", "algo-1"),
        "network_interface_name": resources.get("network_interface_name", "eth0"),
        "current_instance_type": resources.get("current_instance_type", "local"),
        "current_instance_group": current,
        "current_instance_group_hosts": named.get(current, {}).get("hosts", []),
        "instance_groups": list(named),
        "instance_groups_dict": named,
        "distribution_instance_groups": given.get("sagemaker_distribution_instance_groups", []),
        "is_hetero": len(groups) > 1,
    }


def _for_training_env(hosts: dict[str, Any]) -> dict[str, Any]:
    """What stands in SM_TRAINING_ENV alone."""
    groups = hosts["instance_groups_dict"]
    spread = [group["hosts"] for name, group in groups.items() if name in hosts["distribution_instance_groups"]]
    chosen = [host for part in spread for host in part] if groups else list(hosts["hosts"])
    master = (chosen or hosts["hosts"])[0]
    return {
        "distribution_hosts": chosen,
        "master_hostname": master,
        "is_master": hosts["current_host"] == master,
        "is_modelparallel_enabled": None,
        "is_smddprun_installed": False,
        "is_smddpmprun_installed": False,
        "job_name": os.environ.get("TRAINING_JOB_NAME"),
    }


def _text(value: Any) -> str:
    """As the toolkit writes values: text as it stands, nothing for null, the rest as compact JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))


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
    tail: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    passing = threading.Thread(target=_pass_on, args=(child.stderr, tail), daemon=True)
    passing.start()
    status = child.wait()
    passing.join(DRAINING)  # not to the end: a daemon that the script left behind may hold the pipe open for ever
    return status, b"".join(_rest(tail))[-TAIL_BYTES:].decode("utf-8", "replace")


def _pass_on(source: IO[bytes] | None, tail: queue.SimpleQueue[bytes]) -> None:
    while source is not None and (piece := source.readline(65536)):  # a line without end is passed on in pieces
        sys.stderr.buffer.write(piece)
        sys.stderr.buffer.flush()
        tail.put(piece[-4096:])
        if tail.qsize() > TAIL_LINES:
            tail.get()


def _rest(tail: queue.SimpleQueue[bytes]) -> Iterator[bytes]:
    for _ in range(tail.qsize()):
        yield tail.get()


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
