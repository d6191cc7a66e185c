"""The examination of a machine and a home: what jobs here depend on, how it is, and what to do where it is not well."""

from __future__ import annotations

import importlib.util
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trainyard.runtimes.local import fuse
from trainyard.runtimes.local.containers import finding
from trainyard.runtimes.local.runtime import machine
from trainyard.wiring.leadership import is_led
from trainyard.wiring.session import Session

ROOM = 2 * 10**9  # bytes free, below which a warning is given
FILES = 1024  # open files that a leader of many jobs needs
PROBE_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. `result` is ok, warn (something does less than it could) or fail (jobs cannot run)."""

    name: str
    result: str
    detail: str
    advice: str = ""


def examine(session: Session) -> list[Check]:
    """Every finding, in the order in which a job meets them."""
    checks: tuple[Callable[[Session], Check], ...] = (
        _python, _home, _disk, _leader, _machine, _files, _private_folders, _fast_file, _containers, _buckets, _xgboost,
        _server,
        _interpreter,
    )  # fmt: skip
    return [check(session) for check in checks]


def _python(_session: Session) -> Check:
    return Check("python", "ok", f"{sys.version.split()[0]} ({sys.executable})")


def _home(session: Session) -> Check:
    path = session.home.path
    if not os.access(path, os.W_OK | os.X_OK):
        return Check("home", "fail", f"{path} cannot be written", "Name another: --home, or TRAINYARD_HOME.")
    return Check("home", "ok", str(path))


def _disk(session: Session) -> Check:
    room = shutil.disk_usage(session.home.path).free
    free = f"{room / 10**9:.1f} GB free"
    if room > ROOM:
        return Check("disk", "ok", free)
    advice = "`trainyard df` shows what takes the room, `trainyard prune` frees what is old."
    return Check("disk", "warn", free, advice)


def _leader(session: Session) -> Check:
    if is_led(session.home):
        return Check("engine", "ok", "led by a running command, `serve` or the caretaker")
    return Check("engine", "ok", "at rest; whoever runs a job leads it")


def _machine(_session: Session) -> Check:
    size = machine()
    return Check("machine", "ok", f"{size.cpus:g} vCPU, {size.memory / 1024**3:.1f} GiB, {size.gpus} GPU")


def _files(_session: Session) -> Check:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= FILES:
        return Check("open files", "ok", f"{soft} allowed")
    return Check("open files", "warn", f"{soft} allowed", f"Many jobs need more: ulimit -n {4 * FILES}")


def _private_folders(_session: Session) -> Check:
    if _can_unshare():
        return Check("private /opt/ml", "ok", "by namespaces: every job sees its own")
    advice = (
        "Allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, and on Ubuntu "
        "kernel.apparmor_restrict_unprivileged_userns=0), or read the paths from SM_* and SAGEMAKER_BASE_DIR."
    )
    return Check("private /opt/ml", "warn", "not on this system: jobs get real folders", advice)


def _fast_file(_session: Session) -> Check:
    missing = fuse.missing()
    if missing is None:
        return Check("FastFile mode", "ok", "by FUSE: files are fetched when they are read")
    return Check("FastFile mode", "warn", f"is File mode here, for {missing}")


def _containers(session: Session) -> Check:
    socket = session.launchers.socket
    if session.settings.launcher == "process":
        return Check("containers", "ok", "not wanted: settings run all jobs as processes (launcher)")
    if socket is None:
        advice = (
            "Images that no program stands for need Docker or Podman; name its socket under [container] if it has one."
        )
        return Check("containers", "warn", "no engine was found: jobs run as processes", advice)
    engine, fault = finding.told(socket)
    if fault is None:
        return Check("containers", "ok", f"{engine}: images that it has, and those that are no program here, run in it")
    advice = "Start the engine, name another socket under [container], or set launcher to process."
    return Check("containers", "warn", f"{engine} cannot be asked: {fault}", advice)


def _buckets(session: Session) -> Check:
    return Check("s3://", "ok", session.objects.place_of("s3://any-other-bucket/"))


def _xgboost(_session: Session) -> Check:
    if importlib.util.find_spec("xgboost") is not None:
        return Check("built-in XGBoost", "ok", "installed")
    return Check("built-in XGBoost", "warn", "not installed", "pip install 'trainyard[xgboost]'")


def _server(_session: Session) -> Check:
    if importlib.util.find_spec("uvicorn") is not None:
        return Check("serve", "ok", "installed")
    return Check("serve", "warn", "not installed", "pip install 'trainyard[serve]'")


def _interpreter(session: Session) -> Check:
    python = session.catalogue.python
    if Path(python).exists():
        return Check("local/python", "ok", python)
    return Check("local/python", "warn", f"{python} is gone", "Activate the environment that scripts are to run in.")


def _can_unshare() -> bool:
    """Whether a process of ours may have mounts of its own: asked of the system by doing it."""
    tool = shutil.which("unshare")
    if tool is None:
        return os.geteuid() == 0
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    try:
        done = subprocess.run(
            [tool, *user, "--mount", "true"], capture_output=True, timeout=PROBE_PATIENCE, check=False
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
