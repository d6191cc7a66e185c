"""The Helm chart, rendered by stock helm."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from tests.tools import stock

ROOT = Path(__file__).parents[1]
CHART = ROOT / "deploy" / "helm" / "trainyard"
Manifest = dict[str, Any]


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it."""
    return subprocess.run([stock("helm"), *arguments], capture_output=True, text=True, timeout=60, check=False)


def rendered(values: tuple[str, ...]) -> list[Manifest]:
    """What would be installed into the namespace `jobs`."""
    settings = [word for value in values for word in ("--set", value)]
    done = helm("template", "yard", str(CHART), "--namespace", "jobs", *settings)
    assert done.returncode == 0, done.stderr
    return [manifest for manifest in YAML(typ="safe").load_all(done.stdout) if manifest]


def pods(manifests: list[Manifest]) -> Iterator[Manifest]:
    """The specs of all pods."""
    for manifest in manifests:
        if manifest["kind"] in ("Deployment", "StatefulSet"):
            yield manifest["spec"]["template"]["spec"]


def containers(manifests: list[Manifest]) -> Iterator[Manifest]:
    """Every container of every pod."""
    for pod in pods(manifests):
        yield from (*pod.get("initContainers", ()), *pod["containers"])
