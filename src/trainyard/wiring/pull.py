"""Entry point of the helper that has the engine fetch a training image: `python -m trainyard.wiring.pull ATTEMPT`."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from trainyard.kit import atomic
from trainyard.kit.clock import SystemClock
from trainyard.runtimes.local import credentials
from trainyard.runtimes.local.attempt import Attempt
from trainyard.runtimes.local.containers.engine import Engine
from trainyard.runtimes.local.containers.pulling import PullFailed, Pulling, reference
from trainyard.runtimes.local.containers.wire import EngineRefused, EngineUnreachable, Stream
from trainyard.wiring import registries
from trainyard.wiring.home import Home
from trainyard.wiring.settings import load
from trainyard.wiring.transfer import REFUSED, REPORT_EVERY

TRIES, PAUSE = 4, 2.0  # seconds before the second try; twice as long before each further one
SILENCE = 300.0  # seconds that an engine may work on an image without a word
_WHAT = "training image"


def run(folder: str) -> int:
    """Fetch the image of an attempt's container; the exit status tells the supervisor."""
    attempt = Attempt(Path(folder))
    order = json.loads(attempt.order.read_bytes())
    image, engine = order["container"]["image"], Engine(order["container"]["socket"])
    try:
        found = _fetched(attempt, engine, image, Home(attempt.folder.parents[2]))
    except (PullFailed, registries.NoCredentials) as error:
        told = f"Unable to download training image: {image}. {error}"
        atomic.write_json(attempt.folder / "pull-result.json", {"fault": "ClientError", "detail": told})
        return REFUSED
    exact = next(iter(found.get("RepoDigests") or ()), found["Id"])
    notice = f"The training image {image} was downloaded: {exact}."
    atomic.write_json(attempt.folder / "pull-result.json", {"image": found["Id"], "notices": [notice]})
    return 0


def _fetched(attempt: Attempt, engine: Engine, image: str, home: Home) -> dict[str, Any]:
    """What the engine has once it has it. Raises PullFailed, NoCredentials."""
    tables = load(home.settings).registries
    for number in range(TRIES):
        if number:
            time.sleep(PAUSE * 2 ** (number - 1))
        try:
            key = registries.credentials_for(image, tables, credentials.keys_of(attempt), os.environ)
            return _pulled(attempt, engine, image, key)
        except (EngineUnreachable, EngineRefused) as error:
            failed = PullFailed(str(error))
        except PullFailed as error:
            failed = error
        if failed.is_final:
            break
    raise failed


def _pulled(attempt: Attempt, engine: Engine, image: str, key: str | None) -> dict[str, Any]:
    stream = engine.pull(*reference(image), key)
    try:
        _follow(stream, attempt)
    except ValueError as error:
        raise EngineUnreachable("what the engine tells of the download is no JSON") from error
    finally:
        stream.close()
    found = engine.image(image)
    if found is None:
        raise PullFailed(f"The engine at {engine.path} fetched it, and does not have it.")
    return found


def _follow(stream: Stream, attempt: Attempt) -> None:
    """Tell how far it is until it is done."""
    pulling, clock, rest = Pulling(), SystemClock(), b""
    began = reported = clock.boottime()
    while piece := stream.wait(SILENCE):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line.strip():
                pulling.take(json.loads(line))
        moment = clock.boottime()
        if moment >= reported + REPORT_EVERY:
            reported = moment
            plain = {
                "what": _WHAT, "done": pulling.done, "total": pulling.total,
                "rate": round(pulling.done / (moment - began)), "at": clock.now(),
            }  # fmt: skip
            atomic.write_json(attempt.progress, plain, durable=False)
    if rest.strip():
        pulling.take(json.loads(rest))


if __name__ == "__main__":
    sys.exit(run(sys.argv[1]))
