"""From a run's order to what its supervisor asks a container engine for, and which containers are this home's."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from trainyard.kit import atomic, beneath
from trainyard.model.instances import GIB
from trainyard.model.keys import RunKey
from trainyard.ports.runtime import RunOrder
from trainyard.runtimes.local.attempt import Attempt
from trainyard.runtimes.local.containers import form as forms
from trainyard.runtimes.local.containers.engine import Engine
from trainyard.runtimes.local.containers.form import LABEL, Making
from trainyard.runtimes.local.credentials import SEEN_AT

WRITTEN = ("model", "output", "output/data", "output/metrics/sagemaker", "checkpoints", "code")
_MARK = "containers.id"
_SELINUX = Path("/sys/fs/selinux/enforce")


def mark_of(attempts: Path) -> str:
    """What the home's containers are labelled with: made once, and told by no path, for homes move."""
    path = attempts.parent / _MARK
    with suppress(FileExistsError), path.open("x") as file:
        file.write(secrets.token_hex(8))
    return path.read_text()


def name_of(key: RunKey, host: str = "algo-1") -> str:
    """A container's name: the same for the same run, so that asking for it twice makes one."""
    return f"trainyard-{key.job_uid}-{key.kind}-{key.name}-{key.attempt}-{host}"


def container_of(
    attempt: Attempt, order: RunOrder, env: Mapping[str, str], *, mark: str, log_cap: int
) -> dict[str, Any]:
    """The member `container` of attempt.json: the engine's socket, the name, and what is to be made there."""
    program: Mapping[str, Any] = order.placement.program
    needs = order.placement.needs
    folders = [(str(attempt.ml), "/opt/ml", False), *(_channel(attempt, mount) for mount in program.get("mounts", ()))]
    if attempt.private.is_dir():
        folders.append((str(attempt.private), SEEN_AT, False))
    key = order.key
    labels = forms.labels(
        home=mark, job=key.job_uid, run=f"{key.kind}-{key.name}-{key.attempt}", host="algo-1",
        token=secrets.token_hex(16),
    )  # fmt: skip
    making = Making(
        image=program["image"], env=env, mounts=folders, needs=needs, labels=labels, log_cap=log_cap,
        network="none" if order.spec.enable_network_isolation else program["network"],
        ulimits=program.get("ulimits", {}), confined=_SELINUX.exists(),
    )  # fmt: skip
    may = f"It may use {needs.memory / GIB:.1f} GiB."
    return {
        "socket": program["socket"],
        "name": name_of(key),
        "image": program["name"],
        "pulls": bool(program["pull"]),
        "form": forms.form(order.spec, making),
        "may": may,
        "oom": f"The program was killed for want of memory. {may}",
    }


def _channel(attempt: Attempt, mount: Mapping[str, Any]) -> tuple[str, str, bool]:
    """A folder of this machine in the place of a channel. Raises OSError where a link has come into its way."""
    place = attempt.ml / "input" / "data" / mount["channel"]
    place.mkdir(exist_ok=True)  # else the engine makes it, as root
    with beneath.folder(Path(mount["folder"]), mount["path"]) as source:
        return os.readlink(f"/proc/self/fd/{source}"), f"/opt/ml/input/data/{mount['channel']}", mount["read_only"]


def open_up(attempt: Attempt, synced: Sequence[str]) -> None:
    """Let the image's own user write where programs write: nobody else can come this far, the home is its owner's."""
    for name in (*WRITTEN, *synced):
        os.chmod(attempt.ml / name, 0o777)  # noqa: S103 - see above


def remove(attempt: Attempt, key: RunKey) -> None:
    """Remove the run's container, if it has one. Raises EngineUnreachable: then it may still be there.

    An engine that is not there at all is not waited for: what it still has when it comes back is a stray.
    """
    container = (atomic.read_json(attempt.order) or {}).get("container")
    if container and os.path.exists(container["socket"]):
        Engine(container["socket"]).remove(name_of(key))


def sweep(socket: str, attempts: Path) -> None:
    """Remove what a release could not remove. Raises EngineUnreachable, EngineRefused."""
    engine = Engine(socket)
    if (attempts.parent / _MARK).exists():
        for name in strays(engine, mark_of(attempts), attempts):
            engine.remove(name)


def strays(engine: Engine, mark: str, attempts: Path) -> Iterator[str]:
    """Names of this home's containers whose attempt was released, or is gone with its job."""
    for found in engine.labelled(f"{LABEL}.home={mark}"):
        labels = found.get("Labels") or {}
        folder = attempts / labels.get(f"{LABEL}.job", "") / labels.get(f"{LABEL}.run", "")
        if not (folder / "attempt.json").exists() or (folder / "released").exists():
            yield found["Id"]
