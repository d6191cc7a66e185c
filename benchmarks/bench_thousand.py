"""A thousand live jobs: how soon a fresh engine has looked at all, and what watching one costs in memory.

Beside them, what a user would write instead: a small Python that starts the program and waits for it (`nohup` style),
and a look at /proc for each. `bench_thousand.py [JOBS]`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common import head, row, scratch, session, spec
from trainyard.model.keys import RunKey
from trainyard.model.observation import Observation
from trainyard.runtimes.local import identity
from trainyard.runtimes.local.runtime import LocalRuntime

JOBS = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
PATIENCE = 40.0  # seconds for starting them; what is live then is measured
SAMPLED = 50  # processes whose memory is read
SETTINGS = "[capacity]\ncpus = 100000\nmemory_gib = 10000000\n"
LONG = "3600"
KEEPER = f"import subprocess; subprocess.run(['/bin/sleep', '{LONG}'])"


def found(home: Path, name: str) -> list[dict[str, Any]]:
    """Identities noted in every attempt's folder."""
    return [json.loads(path.read_bytes()) for path in (home / "attempts").glob(f"*/*/{name}")]


def pss(pid: int) -> float:
    """A process's proportional share of memory, in KiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("Pss:")))


def spent(pids: list[int]) -> float:
    """Processor seconds that processes have spent so far."""
    stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(fields[11]) + int(fields[12]) for fields in stats) / os.sysconf("SC_CLK_TCK")


async def started(home: Path) -> tuple[int, float]:
    """How many jobs are Training, and after how many seconds."""
    begin = time.perf_counter()
    async with session(home, lead=True) as opened:
        opened.leadership.leave = lambda: None  # type: ignore[method-assign] # or a supervisor would start an engine
        for number in range(JOBS):
            await opened.service.create(spec(f"job-{number}", "/bin/sleep", LONG))
        while True:
            records = await opened.engine.unfinished()
            live, seconds = sum(record.secondary == "Training" for record in records), time.perf_counter() - begin
            if live == JOBS or seconds > PATIENCE:
                break
            await asyncio.sleep(0.5)
    return live, seconds


async def observed(home: Path, live: int) -> float:
    """Seconds until a fresh engine has looked at every run once."""
    seen: set[RunKey] = set()
    every = asyncio.Event()
    observe = LocalRuntime.observe

    async def counting(self: LocalRuntime, key: RunKey) -> Observation:
        answer = await observe(self, key)
        seen.add(key)
        if len(seen) >= live:
            every.set()
        return answer

    LocalRuntime.observe = counting  # type: ignore[method-assign]
    async with session(home) as opened:
        opened.engine.placing = False
        begin = time.perf_counter()
        async with opened.engine.running():
            await every.wait()
            seconds = time.perf_counter() - begin
    LocalRuntime.observe = observe  # type: ignore[method-assign]
    return seconds


def keepers(live: int) -> tuple[float, float]:
    """KiB of one hand-written keeper among several, and seconds of one look at each of `live` processes."""
    several = [subprocess.Popen([sys.executable, "-I", "-S", "-c", KEEPER], start_new_session=True) for _ in range(20)]
    try:
        time.sleep(1.0)
        memory = statistics.median(pss(one.pid) for one in several)
        begin = time.perf_counter()
        for number in range(live):
            Path(f"/proc/{several[number % len(several)].pid}/stat").read_bytes()
        return memory, time.perf_counter() - begin
    finally:
        for one in several:
            os.killpg(one.pid, signal.SIGKILL)
            one.wait()


def stop_all(home: Path) -> None:
    """End supervisors first, so that none reports; then every shim, which ends its program before itself."""
    for who in found(home, "supervisor.json"):
        identity.send(who, signal.SIGKILL)
    shims = found(home, "shim.json")
    for who in shims:
        identity.send(who, signal.SIGUSR1)
    end = time.monotonic() + 20.0
    while time.monotonic() < end and any(identity.is_alive(who) for who in shims):
        time.sleep(0.1)
    for who in shims:
        identity.send(who, signal.SIGKILL)


def left(home: Path) -> Iterator[int]:
    """Processes that still name the home, or sleep for us."""
    marks = (str(home).encode(), b"/bin/sleep\0" + LONG.encode())
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if any(mark in line for mark in marks):
            yield int(path.parent.name)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # through `finally`: nothing may be left
    with scratch() as folder:
        home = folder / "home"
        home.mkdir(mode=0o700)
        (home / "trainyard.toml").write_text(SETTINGS)
        try:
            live, seconds = asyncio.run(started(home))
            print(f"{live} of {JOBS} jobs were live after {seconds:.1f} s", flush=True)
            pids = [who["pid"] for who in found(home, "supervisor.json") if identity.is_alive(who)]
            before = spent(pids)
            time.sleep(3.0)
            print(f"{len(pids)} supervisors spend {(spent(pids) - before) / 3.0:.2f} processors, nobody leading")
            ours = asyncio.run(observed(home, live))
            supervisors, shims = (
                [pss(who["pid"]) for who in found(home, name)[:SAMPLED]] for name in ("supervisor.json", "shim.json")
            )
        finally:
            stop_all(home)
        memory, look = keepers(live)
        head("trainyard", "by hand")
        row(f"a fresh engine's first look at all {live}", ours * 1e3, look * 1e3, "ms")
        both = statistics.median(supervisors) + statistics.median(shims)
        row("PSS of supervisor and shim of one job", both / 1024, memory / 1024, "MiB")
        row("  of these, the supervisor", statistics.median(supervisors) / 1024, memory / 1024, "MiB")
        assert not list(left(home)), "processes were left"


if __name__ == "__main__":
    main()
