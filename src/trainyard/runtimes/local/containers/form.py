"""What a container engine is asked to make for one host of a job: SageMaker's contract in the engine's words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trainyard.model.resources import Resources
from trainyard.model.spec import TrainingJobSpec

LABEL = "ai.trainyard"  # the beginning of every label of ours
PERIOD = 100_000  # microseconds in which a program may use its processors' time
# What a training program needs of root's powers: files of any owner, other users, ports below 1024, a root of its own.
CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID", "SYS_CHROOT",
)  # fmt: skip


def labels(*, home: str, job: str, run: str, host: str, token: str) -> dict[str, str]:
    """By which whatever we make in an engine is found again, and known to be ours."""
    told = {"home": home, "job": job, "run": run, "host": host, "token": token}
    return {f"{LABEL}.{name}": value for name, value in told.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """One container to be made.

    image    : an id, or a name that the engine has.
    env      : variables of the platform and of the request; the image's own hold where these say nothing.
    mounts   : our folder, where the program sees it, whether it may only read there.
    needs    : what the instance type gives it: a limit of memory and processors, and GPUs.
    network  : none, host, default (the engine's own), or the name of one of the engine's.
    ulimits  : name → "soft:hard", or one number for both; -1 for no limit.
    log_cap  : bytes of output that the engine keeps.
    confined : whether the machine labels files (SELinux), so that the program could not enter our folders otherwise.
    """

    image: str
    env: Mapping[str, str]
    mounts: Sequence[tuple[str, str, bool]]
    needs: Resources
    labels: Mapping[str, str]
    log_cap: int
    host: str = "algo-1"
    network: str = "default"
    ulimits: Mapping[str, str] = field(default_factory=dict)
    confined: bool = False


def form(spec: TrainingJobSpec, making: Making) -> dict[str, Any]:
    """The body of `POST /containers/create`."""
    return {
        "Image": making.image,
        **command(spec),
        "Env": [f"{name}={value}" for name, value in {**_devices(making.needs), **making.env}.items()],
        "Hostname": making.host if making.network != "host" else "",
        "Labels": dict(making.labels),
        "Tty": False,
        "OpenStdin": False,
        "HostConfig": {
            "Mounts": [
                {"Type": "bind", "Source": ours, "Target": theirs, "ReadOnly": read_only}
                for ours, theirs, read_only in making.mounts
            ],
            "NetworkMode": making.network,
            "ExtraHosts": [f"{making.host}:127.0.0.1"] if making.network == "none" else [],
            **_limits(making.needs),
            "Ulimits": [_ulimit(name, value) for name, value in making.ulimits.items()],
            "CapDrop": ["ALL"],
            "CapAdd": list(CAPABILITIES),
            "SecurityOpt": ["no-new-privileges", *(["label=disable"] if making.confined else [])],
            "LogConfig": {"Type": "json-file", "Config": {"max-size": str(making.log_cap)}},
            "Init": False,
            "AutoRemove": False,
            "RestartPolicy": {"Name": "no"},
        },
    }


def command(spec: TrainingJobSpec) -> dict[str, Sequence[str]]:
    """ContainerEntrypoint in place of the image's, with ContainerArguments or none; else `train` or the arguments."""
    algorithm = spec.algorithm_specification
    entrypoint = list(algorithm.container_entrypoint or ()) if algorithm else []
    arguments = list(algorithm.container_arguments or ()) if algorithm else []
    return {"Entrypoint": entrypoint, "Cmd": arguments} if entrypoint else {"Cmd": arguments or ["train"]}


def _limits(needs: Resources) -> dict[str, Any]:
    """Shared memory as large as the host's memory, of which it is a part; no swapping beyond it.

    Processors as a quota, which may be larger than the machine, where settings say that it has more than it has.
    """
    limits: dict[str, Any] = {"CpuPeriod": PERIOD, "CpuQuota": int(needs.cpus * PERIOD)} if needs.cpus else {}
    if needs.memory:
        limits |= {"Memory": needs.memory, "MemorySwap": needs.memory, "ShmSize": needs.memory}
    if needs.gpus:
        limits["DeviceRequests"] = [{"Driver": "", "Count": needs.gpus, "Capabilities": [["gpu"]]}]
    return limits


def _devices(needs: Resources) -> dict[str, str]:
    """An image that asks for GPUs by itself gets none on a host that has none."""
    return {} if needs.gpus else {"NVIDIA_VISIBLE_DEVICES": "void"}


def _ulimit(name: str, value: str) -> dict[str, Any]:
    soft, _, hard = value.partition(":")
    return {"Name": name, "Soft": int(soft), "Hard": int(hard or soft)}
