"""From a submitted job to its program's first instruction in a container, and its output, beside the engine's client.

Root only: the engines are started in namespaces of their own, as for the tests.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from common import head, quantile, row, scratch, session, wire

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.engines import BUSYBOX, TestEngine, running

from trainyard.model.spec import TrainingJobSpec

JOBS = 20
MEGABYTES = 64
STAMP = ("/bin/touch", "/opt/ml/output/data/stamp")  # the file's time is the first instruction's
LINE = "epoch=1 step=2 loss=0.123456789 accuracy=0.87654321 a line as trainers write them"
LINES = f"yes '{LINE}' | head -c {MEGABYTES << 20}"


def client(engine: TestEngine, *arguments: str) -> list[str]:
    """The engine's own command line."""
    if engine.kind == "docker":
        return ["docker", "--host", f"unix://{engine.socket}", *arguments]
    folder = engine.folder
    stores = ["--root", f"{folder}/store", "--runroot", f"{folder}/run", "--network-config-dir", f"{folder}/networks"]
    inside = ["nsenter", "--target", str(engine.pid), "--mount", "--net"]
    return [*inside, "podman", *stores, *arguments]


def variables(engine: TestEngine) -> dict[str, str]:
    """Podman reads its configuration wherever it is started."""
    return {**os.environ, "CONTAINERS_CONF": f"{engine.folder}/containers.conf"}


def called(engine: TestEngine, *arguments: str, into: Path | None = None) -> None:
    out = into.open("wb") if into else subprocess.DEVNULL
    subprocess.run(client(engine, *arguments), env=variables(engine), stdout=out, stderr=subprocess.DEVNULL, check=True)


def bare(engine: TestEngine, folder: Path, image: str) -> list[float]:
    """Seconds from `run` to the first instruction."""
    seconds = []
    for number in range(JOBS):
        place = folder / f"bare-{number}"
        (place / "output/data").mkdir(parents=True)
        begin = time.time()
        called(engine, "run", "--rm", "--network", "none", "-v", f"{place}:/opt/ml", image, *STAMP)
        seconds.append((place / "output/data/stamp").stat().st_mtime - begin)
    return seconds


def job(name: str, *argv: str) -> TrainingJobSpec:
    plain = wire(name, *argv)
    plain["AlgorithmSpecification"] = {**dict(plain["AlgorithmSpecification"]), "TrainingImage": BUSYBOX}  # type: ignore[call-overload]
    return TrainingJobSpec.from_wire({**plain, "EnableNetworkIsolation": True})


def home(engine: TestEngine, folder: Path) -> Path:
    place = folder / f"home-{engine.kind}"
    place.mkdir(mode=0o700)
    (place / "trainyard.toml").write_text(f'[container]\nsocket = "{engine.socket}"\n')
    return place


async def submitted(place: Path) -> list[float]:
    """Seconds from `create()` to the first instruction."""
    seconds = []
    async with session(place, lead=True) as opened:
        await asyncio.sleep(0.5)
        for number in range(JOBS):
            begin = time.time()
            await opened.service.create(job(f"job-{number}", *STAMP))
            while not (found := list(opened.home.attempts.glob("*/*/hosts/algo-1/opt/ml/output/data/stamp"))):
                await asyncio.sleep(0.002)
            seconds.append(found[0].stat().st_mtime - begin)
            while await opened.engine.unfinished():
                await asyncio.sleep(0.02)
    return seconds


def logged(engine: TestEngine, folder: Path, image: str) -> float:
    """Megabytes of output a second, followed by the engine's own client into a file."""
    called(engine, "create", "--name", "logged", "--log-driver", "json-file" if engine.kind == "docker" else "k8s-file",
           "--network", "none", image, "/bin/sh", "-c", LINES)  # fmt: skip
    called(engine, "start", "logged")
    begin = time.time()
    called(engine, "logs", "--follow", "logged", into=folder / "logged")
    return (folder / "logged").stat().st_size / (1 << 20) / (time.time() - begin)


async def carried(place: Path) -> tuple[float, float, float]:
    """Megabytes of output a second of a job, how large its supervisor became, in MiB, and its processor time, s."""
    async with session(place, lead=True) as opened:
        await opened.service.create(job("chatty", "/bin/sh", "-c", LINES))
        while (await opened.service.describe("chatty")).description.secondary_status != "Training":
            await asyncio.sleep(0.01)
        begin, memory, spent = time.time(), 0.0, 0.0
        while (log := next(opened.home.attempts.glob("*/*/logs/algo-1.log"))).stat().st_size < MEGABYTES << 20:
            await asyncio.sleep(0.1)
            who = next(opened.home.attempts.glob("*/*/supervisor.json"))
            memory, spent = max(memory, peak(who)), max(spent, processor_time(who))
        assert log.stat().st_size == MEGABYTES << 20
        return MEGABYTES / (time.time() - begin), memory, spent


def peak(identity: Path) -> float:
    """Peak resident memory of the process that a file names, MiB."""
    try:
        lines = Path(f"/proc/{json.loads(identity.read_bytes())['pid']}/status").read_text().splitlines()
    except FileNotFoundError:  # it has done its work
        return 0.0
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def processor_time(identity: Path) -> float:
    """Seconds of processor time that the process of a file has used."""
    try:
        fields = Path(f"/proc/{json.loads(identity.read_bytes())['pid']}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:  # it has done its work
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    for kind in ("docker", "podman"):
        with scratch() as folder, running(kind) as engine:
            name = engine.image(BUSYBOX)
            image = f"localhost/{name}" if kind == "podman" else name
            first_bare = bare(engine, folder, image)
            place = home(engine, folder)
            first = asyncio.run(submitted(place))
            head("trainyard", f"{kind} run")
            for share in (0.5, 0.9):
                told = f"submit to first instruction, p{share * 100:.0f} of {JOBS}"
                row(told, quantile(first, share) * 1e3, quantile(first_bare, share) * 1e3, "ms")
            head("trainyard", f"{kind} logs")
            ours, memory, spent = asyncio.run(carried(home_of_logs(engine, folder)))
            row(f"{MEGABYTES} MiB of output", ours, logged(engine, folder, image), "MiB/s", more_is_better=True)
            print(f"the supervisor with that output: peak {memory:.1f} MiB, {spent:.1f} s of a processor")
            print(f"load average {os.getloadavg()[0]:.1f}")


def home_of_logs(engine: TestEngine, folder: Path) -> Path:
    (folder / "logs").mkdir()
    return home(engine, folder / "logs")


if __name__ == "__main__":
    main()
