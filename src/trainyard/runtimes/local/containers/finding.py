"""Which container engine this user has: the sockets where Docker and Podman are found, in the order of asking."""

from __future__ import annotations

import os
from collections.abc import Mapping

from trainyard.runtimes.local.containers.engine import Engine
from trainyard.runtimes.local.containers.wire import EngineRefused, EngineUnreachable


def sockets(variables: Mapping[str, str], uid: int) -> tuple[str, ...]:
    """Where an engine may listen: as DOCKER_HOST says, else the user's own engines, else the machine's."""
    named = variables.get("DOCKER_HOST") or variables.get("CONTAINER_HOST") or ""
    if named:
        return (named.removeprefix("unix://"),) if named.startswith("unix://") else ()
    own = variables.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}"
    users = (f"{own}/docker.sock", f"{own}/podman/podman.sock")
    machines = ("/run/docker.sock", "/var/run/docker.sock", "/run/podman/podman.sock")
    return (*machines, *users) if uid == 0 else (*users, *machines)


def found(setting: str | None, variables: Mapping[str, str]) -> str | None:
    """The socket of the engine to ask: the one that settings name, else the first that we may open; None for none."""
    if setting is not None:
        return setting
    return next((path for path in sockets(variables, os.geteuid()) if os.access(path, os.R_OK | os.W_OK)), None)


def told(path: str) -> tuple[str, str | None]:
    """The engine behind a socket in words, and why it cannot be used; None where it can."""
    try:
        plain = Engine(path).version()
    except (EngineUnreachable, EngineRefused) as error:
        return path, str(error)
    components = [str(one.get("Name", "")) for one in plain.get("Components") or ()]
    kind = "Podman" if any("Podman" in name for name in components) else "Docker"
    return f"{kind} {plain.get('Version', 'of unknown version')} at {path}", None
