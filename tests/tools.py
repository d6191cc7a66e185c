"""Stock programs that judge us: those of `make tools`, else the machine's own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[1] / ".tools"


def stock(name: str) -> str:
    """The path of helm or kubectl; skips the test, with what to do, where there is none."""
    found = shutil.which(name, path=str(TOOLS)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not here: make tools")
    return found
