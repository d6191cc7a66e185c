"""The command as a person types it: real processes, a home and a folder of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-c", "import sys; sys.argv[0] = 'trainyard'; from trainyard.cli.main import main; main()"]
PATIENCE = 60.0  # seconds that any one command may take on a busy machine


@dataclass(frozen=True)
class Shell:
    """A home, a folder for manifests, and the command run in both."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "TRAINYARD_HOME": str(self.home), "NO_COLOR": "1"}

    def __call__(self, *arguments: str | Path, want: int | None = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert want is None or done.returncode == want, (done.returncode, done.stdout, done.stderr)
        return done

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def job(self, name: str, command: str, **changes: str) -> Path:
        """A manifest whose job runs `command` in a shell; `changes` replace whole lines by their key."""
        lines = {
            "trainingJobName": name,
            "roleARN": "arn:aws:iam::123456789012:role/trainer",
            "algorithmSpecification": json.dumps(
                {
                    "trainingImage": "local/python",
                    "trainingInputMode": "File",
                    "containerEntrypoint": ["/bin/sh", "-c", command],
                    "metricDefinitions": [{"name": "loss", "regex": "loss=([0-9.]+)"}],
                }
            ),
            "outputDataConfig": "{s3OutputPath: 's3://out/models'}",
            "resourceConfig": "{instanceType: ml.m5.large, instanceCount: 1, volumeSizeInGB: 1}",
            "stoppingCondition": "{maxRuntimeInSeconds: 120}",
            **changes,
        }
        spec = "\n".join(f"  {key}: {value}" for key, value in lines.items())
        path = self.folder / f"{name}.yaml"
        path.write_text(
            f"apiVersion: sagemaker.services.k8s.aws/v1alpha1\nkind: TrainingJob\nmetadata:\n  name: {name}\n"
            f"spec:\n{spec}\n"
        )
        return path


def wait_for_line(process: subprocess.Popen[str], wanted: str) -> None:
    assert process.stdout is not None
    watchdog = threading.Timer(PATIENCE, process.kill)
    watchdog.start()
    try:
        assert any(line.strip() == wanted for line in process.stdout), f"{wanted!r} was never printed"
    finally:
        watchdog.cancel()


def fetch(path: Path, target: str) -> str:
    """An HTTP answer from a unix socket; empty while nobody answers."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return ""
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: local\r\nConnection: close\r\n\r\n".encode())
        with connection.makefile("r", encoding="utf-8") as answer:
            return answer.read()
