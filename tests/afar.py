"""A `trainyard serve` that is reached over TLS, and the commands that reach it: real processes, real certificates."""

from __future__ import annotations

import datetime as dt
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

COMMAND = str(Path(sys.executable).with_name("trainyard"))
DEADLINE = 60.0
TOKEN = "token"  # the file of the one that every test has
SETTINGS = """
[images.shell]
command = ["/bin/sh", "-c"]
"""
MANIFEST = """
apiVersion: sagemaker.services.k8s.aws/v1alpha1
kind: TrainingJob
metadata: {{name: {name}}}
spec:
  trainingJobName: {name}
  roleARN: arn:aws:iam::123456789012:role/trainer
  algorithmSpecification:
    trainingImage: shell
    trainingInputMode: File
    containerArguments: ["{script}"]
    metricDefinitions: [{{name: loss, regex: "loss=([0-9.]+)"}}]
  outputDataConfig: {{s3OutputPath: "s3://bucket/out"}}
  resourceConfig: {{instanceType: ml.m5.large, instanceCount: 1, volumeSizeInGB: 1}}
  stoppingCondition: {{maxRuntimeInSeconds: 120}}
"""


@dataclass
class Afar:
    """A folder with a server's home, its authority and certificate, and the files of who calls it."""

    folder: Path
    port: int = 0

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca(self) -> Path:
        return self.folder / "ca.pem"

    def prepare(self) -> Afar:
        """The home, an authority, a certificate, and a token in the file `token`."""
        self.home.mkdir(mode=0o700)
        (self.home / "trainyard.toml").write_text(SETTINGS)
        self.certify()
        self.token("anna", "--role", "submit", "--place", "000000000000/us-east-1")
        return self

    def certify(self, *, name: str = "127.0.0.1", until: dt.datetime | None = None) -> None:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(self.ca))
        made = authority.issue_cert(name, not_after=until).private_key_and_cert_chain_pem
        made.write_to_path(str(self.folder / "server.pem"))

    def token(self, name: str, *options: str) -> Path:
        """The file of a new token."""
        made = self.here("token", "create", name, *options)
        assert made.returncode == 0, made.stderr
        file = self.folder / (TOKEN if name == "anna" else name)
        file.write_text(made.stdout)
        return file

    @contextmanager
    def serving(self) -> Iterator[subprocess.Popen[str]]:
        """The server, on the port that it had before if it had one."""
        pem = str(self.folder / "server.pem")
        argv = [COMMAND, "--home", str(self.home), "serve", "--kube-host", "0.0.0.0", "--kube-port", str(self.port)]  # noqa: S104
        argv += ["--tls-cert", pem, "--tls-key", pem, "--trust-submitters"]
        with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as process:
            try:
                assert process.stderr is not None
                heard: list[str] = []
                while (found := re.search(r"job API at https://0\.0\.0\.0:(\d+)", heard[-1] if heard else "")) is None:
                    line = process.stderr.readline()
                    assert line, "".join(heard)
                    heard.append(line)
                self.port = int(found[1])
                yield process
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(DEADLINE)

    def here(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command with the server's own home."""
        return _run(self.folder, {"TRAINYARD_HOME": str(self.home)}, *arguments)

    def environment(self, *, token: str = TOKEN, ca: str = "ca.pem", url: str = "") -> dict[str, str]:
        """What a caller exports."""
        return {
            "TRAINYARD_HOME": str(self.folder / "callers-home"), "TRAINYARD_SERVICE": url or self.url, "NO_COLOR": "1",
            "TRAINYARD_SERVICE_TOKEN_FILE": str(self.folder / token),
            "TRAINYARD_SERVICE_CA_FILE": str(self.folder / ca),
        }  # fmt: skip

    def __call__(self, *arguments: str, **files: str) -> subprocess.CompletedProcess[str]:
        """A command of a caller who has a home of his own."""
        return _run(self.folder, self.environment(**files), *arguments)

    def manifest(self, name: str, script: str = "true") -> str:
        (self.folder / f"{name}.yaml").write_text(MANIFEST.format(name=name, script=script))
        return f"{name}.yaml"


def _run(folder: Path, more: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [COMMAND, *arguments], cwd=folder, env={**os.environ, **more}, capture_output=True, text=True, timeout=DEADLINE,
        check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done
