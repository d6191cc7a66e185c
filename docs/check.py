"""Prose that can lie is executed: links must lead somewhere, marked examples must run, generated pages be current.

A fenced block whose info string is `sh exec` is run by bash with a home of its own, from the repository's root, with
the virtual environment first on PATH. One page's blocks share one home, in order.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")
BLOCK = re.compile(r"^```sh exec\n(.*?)^```$", re.DOTALL | re.MULTILINE)
GENERATORS = sorted((ROOT / "docs").glob("generate_*.py"))


def pages() -> list[Path]:
    """Every page that a reader meets."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def broken_links(page: Path) -> list[str]:
    """Relative links that lead nowhere."""
    targets = LINK.findall(page.read_text(encoding="utf-8"))
    return [
        f"{page.relative_to(ROOT)}: dead link {target}" for target in targets if not (page.parent / target).exists()
    ]


def failing_examples(page: Path) -> list[str]:
    """Marked examples that exit with anything but zero."""
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    if not blocks:
        return []
    with tempfile.TemporaryDirectory(prefix="trainyard-docs-") as home:
        environment = {
            **os.environ,
            "TRAINYARD_HOME": f"{home}/home",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "NO_COLOR": "1",
        }
        script = "\n".join(["set -euo pipefail", *blocks])
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    if done.returncode == 0:
        return []
    return [f"{page.relative_to(ROOT)}: an example exits {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"]


def stale_pages(generator: Path) -> list[str]:
    """Generated pages that differ from what their generator says now."""
    done = subprocess.run([sys.executable, generator, "--check"], capture_output=True, text=True, check=False)
    return [] if done.returncode == 0 else [f"{generator.name}: {done.stdout}{done.stderr}"]


def main() -> int:
    """Report everything that is untrue; 1 if there is any."""
    faults = [fault for page in pages() for fault in broken_links(page)]
    faults += [fault for generator in GENERATORS for fault in stale_pages(generator)]
    faults += [fault for page in pages() for fault in failing_examples(page)]
    for fault in faults:
        sys.stderr.write(fault + "\n")
    sys.stdout.write(f"docs: {len(pages())} pages, {len(faults)} faults\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
