"""Entry point of the helper that takes over what a container left: `python -m trainyard.wiring.owning ATTEMPT`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from trainyard.kit import atomic
from trainyard.runtimes.local.attempt import Attempt
from trainyard.runtimes.local.containers.engine import Engine
from trainyard.runtimes.local.containers.owning import owner, take_over
from trainyard.runtimes.local.containers.wire import EngineRefused, EngineUnreachable


def run(folder: str) -> int:
    """Take over, or tell what stands against it: the job goes on with what can be read."""
    attempt = Attempt(Path(folder))
    container = json.loads(attempt.order.read_bytes())["container"]
    engine = Engine(container["socket"])
    notices = []
    try:
        take_over(engine, container["name"], attempt.ml, owner(engine))
    except (EngineUnreachable, EngineRefused, OSError) as error:
        notices = [f"Files of the container's users stay in {attempt.ml}: {error}"]
    atomic.write_json(attempt.folder / "owning-result.json", {"notices": notices})
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1]))
