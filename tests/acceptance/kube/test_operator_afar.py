"""What the operator refuses to reach another Trainyard by; tests/acceptance/test_operator.py has what it reaches."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.kube_server import KubeServer

COMMAND = str(Path(sys.executable).with_name("trainyard"))


@pytest.mark.parametrize("url", ["http://plain:80", "trainyard", "unix://relative"])
def test_a_plain_connection_is_refused(url: str, kube: KubeServer, tmp_path: Path) -> None:
    done = subprocess.run(
        [COMMAND, "operator", "--service", url, "--kubeconfig", str(kube.kubeconfig)],
        env={**os.environ, "TRAINYARD_HOME": str(tmp_path / "home")},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "neither https:// nor unix:///" in done.stderr
