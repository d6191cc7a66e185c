"""`trainyard serve` with a webhook: a real job, a receiver that fails first, a server that is killed in between."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

DEADLINE = 90.0
TRAINYARD = str(Path(sys.executable).with_name("trainyard"))


@contextmanager
def receiver() -> Iterator[tuple[str, queue.Queue[dict[str, Any]]]]:
    """A server that is not ready for its first request."""
    got: queue.Queue[dict[str, Any]] = queue.Queue()
    answers = iter([503])

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = next(answers, 200)
            if status == 200:
                got.put(json.loads(body))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def serving(home: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [TRAINYARD, "--home", str(home), "serve"], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_every_state_change_is_told_once_although_the_server_was_killed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    manifest = tmp_path / "job.yaml"
    manifest.write_text(
        "TrainingJobName: told\nRoleArn: arn:aws:iam::123456789012:role/trainer\n"
        "AlgorithmSpecification: {TrainingImage: shell, TrainingInputMode: File, "
        f'ContainerArguments: ["-c", "until [ -e {tmp_path}/go ]; do sleep 0.05; done"]}}\n'
        "OutputDataConfig: {S3OutputPath: s3://bucket/out}\n"
        "ResourceConfig: {InstanceType: ml.m5.large, InstanceCount: 1, VolumeSizeInGB: 1}\n"
    )
    with receiver() as (url, got):
        (home / "trainyard.toml").write_text(f'[images.shell]\ncommand = ["/bin/sh"]\n[webhook]\nurl = "{url}"\n')
        told: list[dict[str, Any]] = []
        with serving(home):
            _until(home / "webhook.json")
            subprocess.run(
                [TRAINYARD, "--home", str(home), "run", "--detach", str(manifest)], check=True, capture_output=True
            )
            while not told or told[-1]["detail"]["SecondaryStatus"] != "Training":
                told.append(got.get(timeout=DEADLINE))
        with serving(home):
            (tmp_path / "go").touch()
            while told[-1]["detail"]["TrainingJobStatus"] != "Completed":
                told.append(got.get(timeout=DEADLINE))
    steps = list(dict.fromkeys((event["id"], event["detail"]["SecondaryStatus"]) for event in told))
    described = subprocess.run(
        [TRAINYARD, "--home", str(home), "describe", "told", "-o", "json"], check=True, capture_output=True
    )
    history = json.loads(described.stdout)["SecondaryStatusTransitions"]
    assert [status for _, status in steps] == [step["Status"] for step in history]
    assert told[0]["detail-type"] == "SageMaker Training Job State Change"


def _until(path: Path) -> None:
    """Wait until somebody made a file: the webhook tells what happens after that."""
    for _ in range(int(DEADLINE / 0.05)):
        if path.exists():
            return
        threading.Event().wait(0.05)
    raise AssertionError(f"{path} did not appear; {os.listdir(path.parent)}")
