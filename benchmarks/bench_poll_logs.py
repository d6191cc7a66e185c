"""A thousand clients that read growing logs by GetLogEvents every 2 s, from `trainyard serve` and from moto_server.

Ten real jobs print lines; the first has written 64 MiB before. Each client keeps one connection and reads on with the
token that came last. moto's streams are filled by PutLogEvents at the same rate, without the 64 MiB.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import boto3

from common import DISK, TRAINYARD, head, quantile, row, scratch, wire

CLIENTS, EVERY, SECONDS = 1000, 2.0, 30.0
JOBS, LINES_A_SECOND = 10, 10
GROUP = "/aws/sagemaker/TrainingJobs"
BEFORE = 64 << 20  # bytes
PROGRAM = f"""
import sys, time
if sys.argv[1] == "0":
    for _ in range({BEFORE} // 100):
        sys.stdout.write("x" * 99 + "\\n")
end = time.monotonic() + 300
while time.monotonic() < end:  # it goes also where nobody stops it
    print(f"step={{time.time():.3f}} " + "y" * 60, flush=True)
    time.sleep(1 / {LINES_A_SECOND})
"""


@dataclass
class Seen:
    """What came of the polling."""

    seconds: list[float] = field(default_factory=list)
    events: int = 0
    refused: int = 0
    memory: int = 0
    words: bytes = b""


def rss(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def spent(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def client(session: aiohttp.ClientSession, url: str, stream: str, number: int, seen: Seen, end: float) -> None:
    """One of the thousand."""
    credential = (
        "Credential=000000000000/20260101/us-east-1/logs/aws4_request"  # moto asks the signature for the service
    )
    headers = {
        "X-Amz-Target": "Logs_20140328.GetLogEvents", "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Date": "20260101T000000Z",
        "Authorization": f"AWS4-HMAC-SHA256 {credential}, SignedHeaders=host;x-amz-date, Signature={'0' * 64}",
    }  # fmt: skip
    token: dict[str, Any] = {"limit": 100}
    due = time.monotonic() + EVERY * number / CLIENTS
    while due < end:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        due += EVERY
        request = json.dumps({"logGroupName": GROUP, "logStreamName": stream, **token})
        begin = time.perf_counter()
        try:
            async with session.post(url, data=request, headers=headers) as answer:
                body = await answer.read()
        except aiohttp.ClientError as error:
            seen.refused, seen.words = seen.refused + 1, str(error).encode()
            continue
        seen.seconds.append(time.perf_counter() - begin)
        if answer.status != 200:
            seen.refused += 1
            seen.words = body[:200]
            continue
        told = json.loads(body)
        seen.events += len(told["events"])
        token = {"nextToken": told["nextForwardToken"]}


async def polled(url: str, pid: int, streams: list[str]) -> Seen:
    seen, end = Seen(), time.monotonic() + SECONDS
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        polling = asyncio.gather(
            *(client(session, url, streams[number % len(streams)], number, seen, end) for number in range(CLIENTS))
        )
        while not polling.done():
            seen.memory = max(seen.memory, rss(pid))
            await asyncio.sleep(0.2)
        await polling
    return seen


def known(url: str, service: str) -> Any:
    return boto3.Session("000000000000", "x", region_name="us-east-1").client(service, endpoint_url=url)


@contextmanager
def ours(folder: Path) -> Iterator[tuple[str, int, list[str]]]:
    """Our server, and the streams of jobs that run."""
    home, program = folder / "home", folder / "program.py"
    home.mkdir(mode=0o700)
    (home / "trainyard.toml").write_text(f"[capacity]\ncpus = {2 * JOBS}\nmemory_gib = {8 * JOBS}\ngpus = 0\n")
    program.write_text(PROGRAM)
    argv = [TRAINYARD, "--home", str(home), "serve", "--kube-port", "0", "--aws-port", "0"]
    server = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
    try:
        waited((home / "aws.json").exists)
        url = json.loads((home / "aws.json").read_bytes())["url"]
        sagemaker, logs = known(url, "sagemaker"), known(url, "logs")
        for number in range(JOBS):
            sagemaker.create_training_job(**wire(f"job-{number}", sys.executable, str(program), str(number)))
        waited(lambda: len(streams_of(logs)) == JOBS)
        big = next(name for name in streams_of(logs) if name.startswith("job-0/"))
        waited(lambda: "step=" in last(logs, big))
        try:
            yield url, server.pid, streams_of(logs)
        finally:
            for number in range(JOBS):
                sagemaker.stop_training_job(TrainingJobName=f"job-{number}")
            waited(lambda: not sagemaker.list_training_jobs(StatusEquals="Stopping")["TrainingJobSummaries"])
    finally:
        server.terminate()
        server.wait()


def streams_of(logs: Any) -> list[str]:
    return [one["logStreamName"] for one in logs.describe_log_streams(logGroupName=GROUP)["logStreams"]]


def last(logs: Any, stream: str) -> str:
    events = logs.get_log_events(logGroupName=GROUP, logStreamName=stream, limit=1)["events"]
    return str(events[0]["message"]) if events else ""


@contextmanager
def moto() -> Iterator[tuple[str, int, list[str]]]:
    """moto_server, and streams that a thread of ours fills."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    argv = [str(Path(sys.executable).with_name("moto_server")), "-p", str(port)]
    server = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stop = threading.Event()
    try:
        waited(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
        logs = known(f"http://127.0.0.1:{port}", "logs")
        logs.create_log_group(logGroupName=GROUP)
        streams = [f"job-{number}/algo-1-1" for number in range(JOBS)]
        for stream in streams:
            logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)
        filling = threading.Thread(target=fill, args=(logs, streams, stop))
        filling.start()
        try:
            yield f"http://127.0.0.1:{port}", server.pid, streams
        finally:
            stop.set()
            filling.join()
    finally:
        server.terminate()
        server.wait()


def fill(logs: Any, streams: list[str], stop: threading.Event) -> None:
    while not stop.wait(1.0):
        for stream in streams:
            now = int(time.time() * 1000)
            events = [{"timestamp": now, "message": f"step={now} " + "y" * 60} for _ in range(LINES_A_SECOND)]
            logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)


def waited(found: Callable[[], object]) -> None:
    end = time.monotonic() + 120
    while not found():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.1)


def measured(url: str, pid: int, streams: list[str]) -> tuple[Seen, float]:
    before = spent(pid)
    seen = asyncio.run(polled(url, pid, streams))
    return seen, spent(pid) - before


def main() -> None:
    print(f"load average {os.getloadavg()[0]:.1f}, disk {DISK}")
    with scratch() as folder, ours(folder) as (url, pid, streams):
        mine, mine_spent = measured(url, pid, streams)
        print(f"trainyard: {len(mine.seconds):,} polls, {mine.memory / 1e6:.0f} MB", flush=True)
    with moto() as (url, pid, streams):
        theirs, theirs_spent = measured(url, pid, streams)
    head("trainyard", "moto")
    row(f"most memory of the server, {CLIENTS} clients", mine.memory / 1e6, theirs.memory / 1e6, "MB")
    row("polls answered", len(mine.seconds) / SECONDS, len(theirs.seconds) / SECONDS, "per s", more_is_better=True)
    row("a poll, p50", 1e3 * quantile(mine.seconds, 0.5), 1e3 * quantile(theirs.seconds, 0.5), "ms")
    row("a poll, p99", 1e3 * quantile(mine.seconds, 0.99), 1e3 * quantile(theirs.seconds, 0.99), "ms")
    row(
        "processor time of a poll", 1e3 * mine_spent / len(mine.seconds), 1e3 * theirs_spent / len(theirs.seconds), "ms"
    )
    row("events read", mine.events, theirs.events, "", more_is_better=True)
    print(f"  refused: {mine.refused} and {theirs.refused} {mine.words or theirs.words!r}")


if __name__ == "__main__":
    main()
