"""The SageMaker API through its door beside moto_server, wrk the client of both, nobody placing jobs.

Each server is one process on loopback. Requests are unsigned but where it says signed: there every one is signed by a
key that the server verifies. At the end the same where another process leads the home, with its placement paused too.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from common import DISK, head, row, scratch, wire
from trainyard.kit.garbage import collected_at_rest
from trainyard.wiring.aws import aws_serving
from trainyard.wiring.listeners import AwsListener
from trainyard.wiring.session import open_session

SECONDS = 5
THREADS, CONNECTIONS = 1, 32
SIGNED = 30_000  # creations signed beforehand: signing must not be what is measured
KEY, SECRET = "AKIABENCHMARK", "benchmark"
SETTINGS = f'[keys."{KEY}"]\nsecret = "{SECRET}"\n'
LUA = """
local requests, n = {}, 0
for line in io.lines(os.getenv("BENCH_REQUESTS")) do requests[#requests + 1] = line end
function request()
  n = n % #requests + 1
  local headers, body = requests[n]:match("^(.-)\\t(.*)$")
  local all = {}
  for name, value in headers:gmatch("([^\\1:]+):([^\\1]*)") do all[name] = value end
  return wrk.format("POST", "/", all, body)
end
"""


@dataclass(frozen=True)
class Figures:
    """What wrk saw. Times in milliseconds."""

    rate: float
    p50: float
    p99: float
    refused: int


def job(name: str) -> dict[str, Any]:
    return wire(name, "/bin/true")


@contextmanager
def ours(folder: Path, name: str = "home", *, apart: bool = False) -> Iterator[str]:
    """Our door over a new home, in the process that leads or, apart, in another one."""
    home = folder / name
    home.mkdir(mode=0o700)
    (home / "trainyard.toml").write_text(SETTINGS)
    with ExitStack() as stack:
        if apart:
            leader = stack.enter_context(_process([sys.executable, __file__, "--lead", str(home)]))
            assert leader.stdout is not None
            leader.stdout.readline()
        process = stack.enter_context(_process([sys.executable, __file__, "--serve", str(home)]))
        assert process.stdout is not None
        yield process.stdout.readline().strip()


@contextmanager
def moto() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with _process([str(Path(sys.executable).with_name("moto_server")), "-p", str(port)]):
        url = f"http://127.0.0.1:{port}"
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                break
        yield url


@contextmanager
def _process(argv: list[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


async def lead(home: str) -> None:
    """Lead, and answer nobody."""
    async with collected_at_rest(), open_session(home, lead=True) as session:
        session.engine.placing = False
        while not session.leadership.held:
            await asyncio.sleep(0.01)
        print("leads", flush=True)
        await asyncio.Event().wait()


async def serve(home: str) -> None:
    """As `trainyard serve`, which leads; with placement paused, for jobs that run take processor time of their own."""
    async with (
        collected_at_rest(),
        open_session(home, lead=True) as session,
        aws_serving(session, AwsListener(port=0)) as url,
    ):
        session.engine.placing = False
        print(url, flush=True)
        await asyncio.Event().wait()


def line(url: str, operation: str, document: dict[str, Any], *, signed: bool = False) -> str:
    """One request as the script for wrk reads it."""
    body = json.dumps(document)
    headers = {
        "Host": url.removeprefix("http://"), "X-Amz-Target": f"SageMaker.{operation}",
        "Content-Type": "application/x-amz-json-1.1",
    }  # fmt: skip
    if signed:
        request = AWSRequest("POST", f"{url}/", data=body, headers=headers)
        SigV4Auth(Credentials(KEY, SECRET), "sagemaker", "us-east-1").add_auth(request)
        headers = dict(request.headers.items())
    return "\1".join(f"{name}:{value}" for name, value in headers.items()) + f"\t{body}\n"


def measured(url: str, lines: Iterator[str], folder: Path) -> Figures:
    """Send the requests, over and over if they are few."""
    script, requests = folder / "requests.lua", folder / "requests"
    script.write_text(LUA)
    requests.write_text("".join(lines))
    argv = ["wrk", "-t", str(THREADS), "-c", str(CONNECTIONS), "-d", str(SECONDS), "--latency", "-s", str(script), url]
    variables = {**os.environ, "BENCH_REQUESTS": str(requests)}
    said = subprocess.run(argv, capture_output=True, text=True, check=True, env=variables).stdout
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", said)
    assert rate is not None, said
    return Figures(float(rate[1]), _time(said, "50%"), _time(said, "99%"), int(refused[1]) if refused else 0)


def _time(said: str, share: str) -> float:
    found = re.search(rf"^\s+{share}\s+([0-9.]+)(us|ms|s) *$", said, re.MULTILINE)
    assert found is not None, said
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]


def creations(url: str, prefix: str, *, signed: bool = False) -> Iterator[str]:
    return (line(url, "CreateTrainingJob", job(f"{prefix}-{n}"), signed=signed) for n in range(SIGNED))


def descriptions(url: str, *, signed: bool = False) -> Iterator[str]:
    return itertools.repeat(line(url, "DescribeTrainingJob", {"TrainingJobName": "a-9"}, signed=signed), 1)


def told(what: str, mine: Figures, theirs: Figures) -> None:
    row(f"{what}, {CONNECTIONS} connections", mine.rate, theirs.rate, "per s", more_is_better=True)
    row(f"{what}, p50", mine.p50, theirs.p50, "ms")
    row(f"{what}, p99", mine.p99, theirs.p99, "ms")
    if mine.refused or theirs.refused:
        print(f"  refused: {mine.refused} and {theirs.refused}")


def main() -> None:
    if shutil.which("wrk") is None:
        print("wrk is not here: apt-get install wrk")
        return
    print(f"load average {os.getloadavg()[0]:.1f}, disk {DISK}")
    with scratch() as folder, ours(folder) as here, moto() as there:
        head("trainyard", "moto")
        told("CreateTrainingJob", *(measured(url, creations(url, "a"), folder) for url in (here, there)))
        plain = measured(there, descriptions(there), folder)
        told("DescribeTrainingJob", measured(here, descriptions(here), folder), plain)
        signed = measured(here, creations(here, "b", signed=True), folder)
        told(
            "CreateTrainingJob, signed and verified (moto: not)", signed, measured(there, creations(there, "b"), folder)
        )
        told(
            "DescribeTrainingJob, signed and verified (moto: not)",
            measured(here, descriptions(here, signed=True), folder),
            plain,
        )
    with scratch() as folder, ours(folder, apart=True) as here:
        alone = measured(here, creations(here, "a"), folder)
    print(f"CreateTrainingJob where another process leads: {alone.rate:.0f} per s, p99 {alone.p99:.0f} ms")
    print(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    if sys.argv[1:2] in (["--serve"], ["--lead"]):
        asyncio.run((serve if sys.argv[1] == "--serve" else lead)(sys.argv[2]))
    else:
        main()
