"""Entry point of the helper that takes over what a container left: `python -m trainyard.wiring.owning ATTEMPT`."""

from __future__ import annotations

import json
import sys
import tarfile
import time
from pathlib import Path

from trainyard.kit import atomic
from trainyard.runtimes.local.attempt import Attempt
from trainyard.runtimes.local.containers.engine import Engine
from trainyard.runtimes.local.containers.owning import owner, take_over
from trainyard.runtimes.local.containers.wire import EngineRefused, EngineUnreachable

PAUSES = (0.2, 1.0, 3.0)  # seconds before each further try: a busy engine refuses at times what it does a moment later


def run(folder: str) -> int:
    """Take over, or tell what stands against it: the job goes on with what can be read."""
    attempt = Attempt(Path(folder))
    container = json.loads(attempt.order.read_bytes())["container"]
    engine = Engine(container["socket"])
    left = _left(engine, container["name"], attempt.ml)
    for pause in PAUSES:
        if left is None:
            break
        time.sleep(pause)
        left = _left(engine, container["name"], attempt.ml)
    notices = [f"Files of the container's users stay in {attempt.ml}: {left}"] if left is not None else []
    atomic.write_json(attempt.folder / "owning-result.json", {"notices": notices})
    return 0


def _left(engine: Engine, container: str, ml: Path) -> Exception | None:
    """Take over what can be; what stood against the rest. What was taken over before is passed by."""
    try:
        take_over(engine, container, ml, owner(engine))
    except (EngineUnreachable, EngineRefused, OSError, tarfile.TarError) as error:
        return error
    return None


if __name__ == "__main__":
    sys.exit(run(sys.argv[1]))
