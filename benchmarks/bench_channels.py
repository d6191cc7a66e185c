"""How fast a program reads a channel: a pipe, a FastFile mount for the first and the second time, many small objects.

The objects lie in the embedded store. Beside it, `cat` of the same bytes from a file. `bench_channels.py [MIB]`.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from common import head, row, scratch, session, wire
from trainyard.model.spec import TrainingJobSpec
from trainyard.wiring.session import Session

MIB = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
SMALL, SMALL_BYTES = 4000, 64 << 10
# Reads what argv names, once each, and writes down the seconds and when the first byte came.
READER = """
import json, os, sys, time
found = []
for path in sys.argv[2:]:
    while not os.path.exists(path):
        time.sleep(0.001)
    begin, first, size = time.perf_counter(), 0.0, 0
    descriptor = os.open(path, os.O_RDONLY)
    while data := os.read(descriptor, 1 << 20):
        first = first or time.perf_counter() - begin
        size += len(data)
    os.close(descriptor)
    found.append([size, time.perf_counter() - begin, first])
json.dump(found, open(sys.argv[1], "w"))
"""


def channel(name: str, mode: str, prefix: str) -> dict[str, Any]:
    """A channel of the store's bucket."""
    source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://bench/{prefix}/"}
    return {"ChannelName": name, "InputMode": mode, "DataSource": {"S3DataSource": source}}


async def read(session: Session, folder: Path, name: str, paths: list[str], *channels: dict[str, Any]) -> list[Any]:
    """What a job's program measured."""
    script, told = folder / "reader.py", folder / f"{name}.json"
    script.write_text(READER)
    argv = [sys.executable, str(script), str(told), *(f"/opt/ml/input/data/{path}" for path in paths)]
    members = {"InputDataConfig": list(channels), "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1}}
    await session.service.create(TrainingJobSpec.from_wire({**wire(name, *argv), **members}))
    while not told.exists() or not told.stat().st_size:
        await asyncio.sleep(0.05)
        described = await session.service.describe(name)
        assert described.description.training_job_status != "Failed", described.description.failure_reason
    await asyncio.sleep(0.5)  # the attempt is over
    return list(json.loads(told.read_text()))


def cat(path: Path) -> float:
    """MB/s of the same bytes out of a file."""
    begin = time.perf_counter()
    subprocess.run(["/bin/sh", "-c", f"cat {path} | cat > /dev/null"], check=True)
    return path.stat().st_size / 1e6 / (time.perf_counter() - begin)


async def measure(folder: Path) -> None:
    """All figures."""
    (folder / "home").mkdir(mode=0o700)
    big = folder / "big"
    with big.open("wb") as file:
        for _ in range(MIB):
            file.write(os.urandom(1 << 20))
    async with session(folder / "home", lead=True) as opened:
        await opened.objects.upload(big, "s3://bench/big/one")
        for number in range(SMALL):
            await opened.objects.put(f"s3://bench/small/{number:05}", os.urandom(SMALL_BYTES))
        plain = cat(big)
        head("channel", "cat")
        [pipe] = await read(opened, folder, "pipe", ["c_0"], channel("c", "Pipe", "big"))
        row(f"pipe, one object of {MIB} MiB, MB/s", pipe[0] / 1e6 / pipe[1], plain, "MB/s", more_is_better=True)
        first, second = await read(opened, folder, "fast", ["c/one", "c/one"], channel("c", "FastFile", "big"))
        for what, seen in (("first", first), ("second", second)):
            row(f"FastFile, {what} read, MB/s", seen[0] / 1e6 / seen[1], plain, "MB/s", more_is_better=True)
        print(f"{'FastFile, first byte, ms':<58} {1000 * first[2]:>12,.2f}", flush=True)
        [small] = await read(opened, folder, "small", ["c_0"], channel("c", "Pipe", "small"))
        print(f"{'pipe, objects of 64 KiB a second':<58} {SMALL / small[1]:>12,.2f}", flush=True)


if __name__ == "__main__":
    with scratch() as place:
        asyncio.run(measure(place))
