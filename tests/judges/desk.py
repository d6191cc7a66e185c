"""Runs in a judge's own interpreter: calls functions of a file, told by a line of JSON each, and answers likewise.

Standard library only. A judge takes seconds to import; so one process stays for many calls.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import runpy
import sys
from typing import Any


def main(programs: str) -> None:
    """Serve calls until standard input ends. What a call prints is part of its answer."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what prints past sys.stdout is no answer
    functions = runpy.run_path(programs)
    for line in sys.stdin:
        order = json.loads(line)
        answers.write(json.dumps(_call(functions[order["name"]], order["arguments"])) + "\n")
        answers.flush()


def _call(function: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            told = {"value": function(**arguments)}
    except Exception as failed:  # noqa: BLE001 - whatever it is, it is the answer
        told = {"failure": type(failed).__name__, "text": str(failed)}
    return {**told, "printed": printed.getvalue()}


if __name__ == "__main__":
    main(sys.argv[1])
