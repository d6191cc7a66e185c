"""`python -m trainyard.algorithms.xgboost train`: the image's entry point, over /opt/ml or SAGEMAKER_BASE_DIR."""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def main(arguments: Sequence[str]) -> int:
    """Train and answer the exit status: 0 trained, 1 the algorithm's fault, 2 the customer's. Failures are written."""
    base = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
    _log_as_the_image()
    if list(arguments) != ["train"]:
        return _fail(base, f"Unknown command {' '.join(arguments)!r}: this program knows `train`.", 2)
    _share_the_machine()
    # numpy and xgboost take a moment to import, and their absence is a failure to be told like any other
    from trainyard.algorithms.xgboost.errors import AlgorithmError, CustomerError  # noqa: PLC0415

    try:
        from trainyard.algorithms.xgboost.train import run  # noqa: PLC0415

        run(_inputs(base))
    except (CustomerError, AlgorithmError) as wrong:
        return _fail(base, str(wrong), wrong.exit_code)
    except Exception:  # noqa: BLE001 - the boundary of the process: what is not foreseen is told whole
        return _fail(base, f"Exception during training: {traceback.format_exc()}", 1)
    return 0


def _share_the_machine() -> None:
    """Let idle threads sleep: where another job wants the CPU, spinning ones cost a training 20 times its own work."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read once, when libgomp is loaded


def _inputs(base: Path) -> Any:
    from trainyard.algorithms.xgboost.train import Inputs  # noqa: PLC0415

    config = base / "input" / "config"
    hosts = _json(config / "resourceconfig.json").get("hosts", ["algo-1"])
    return Inputs(
        hyperparameters=_json(config / "hyperparameters.json"),
        channels=_json(config / "inputdataconfig.json"),
        hosts=tuple(hosts),
        data=base / "input" / "data",
        model=base / "model",
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return content if isinstance(content, dict) else {}


def _fail(base: Path, text: str, code: int) -> int:
    logging.getLogger(__name__).error("%s", text)
    target = base / "output" / "failure"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return code


def _log_as_the_image() -> None:
    logging.basicConfig(
        stream=sys.stdout,
        level=logging.INFO,
        format="[%(asctime)s:%(levelname)s] %(message)s",
        datefmt="%Y-%m-%d:%H:%M:%S",
        force=True,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
