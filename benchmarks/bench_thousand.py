"""A thousand live jobs: how soon they live, what they cost, and how soon a fresh engine has looked at all.

Beside them what a user would write instead: `subprocess.Popen` for each, a shell's `&` for each, a small Python that
starts the program and waits for it (`nohup` style), and a look at /proc for each. `bench_thousand.py [JOBS]`.
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
PATIENCE = 150.0  # seconds for starting them; what is live then is measured
WATCHED = 10.0  # seconds that they are watched doing nothing
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
    """Processor seconds that processes have spent so far, with those of their own that have ended."""
    stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(sum(int(field) for field in fields[11:15]) for fields in stats) / os.sysconf("SC_CLK_TCK")


def living(home: Path, name: str) -> list[int]:
    """Pids of those whose identity is noted under that name."""
    return [who["pid"] for who in found(home, name) if identity.is_alive(who)]


def programs(home: Path) -> int:
    """How many programs of jobs really run: children of their shims."""
    shims = living(home, "shim.json")
    return sum(bool(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()) for pid in shims)


async def started(home: Path) -> tuple[float, float]:
    """Seconds until all are Training, or until patience ends; processor seconds of all of ours."""
    begin, before = time.perf_counter(), time.process_time()
    async with session(home, lead=True) as opened:
        opened.leadership.leave = lambda: None  # type: ignore[method-assign] # or a supervisor would start an engine
        for number in range(JOBS):
            await opened.service.create(spec(f"job-{number}", "/bin/sleep", LONG))
        while (seconds := time.perf_counter() - begin) < PATIENCE:
            shims = sum(1 for _ in (home / "attempts").glob("*/*/shim.json"))
            records = await opened.engine.unfinished() if shims == JOBS else []
            if sum(record.secondary == "Training" for record in records) == JOBS:
                break
            await asyncio.sleep(0.5)
        helpers = [pid for pid in left(home) if pid != os.getpid()]
        return seconds, time.process_time() - before + spent(helpers)


async def observed(home: Path, live: int) -> tuple[float, float]:
    """Seconds until a fresh engine has looked at every run once, and its processor seconds for that."""
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
        begin, before = time.perf_counter(), time.process_time()
        async with opened.engine.running():
            await every.wait()
            seconds, own = time.perf_counter() - begin, time.process_time() - before
    LocalRuntime.observe = observe  # type: ignore[method-assign]
    return seconds, own


def watched(pids: list[int]) -> float:
    """Processors that processes spend while nothing happens."""
    before = spent(pids)
    time.sleep(WATCHED)
    return (spent(pids) - before) / WATCHED


async def led(home: Path) -> float:
    """Processors that an engine spends while nothing happens to its jobs."""
    async with session(home) as opened:
        opened.engine.placing = False
        async with opened.engine.running():
            await asyncio.sleep(WATCHED)
            before = time.process_time()
            await asyncio.sleep(WATCHED)
            return (time.process_time() - before) / WATCHED


def by_popen(jobs: int) -> float:
    """Seconds until as many programs live, started one by one from Python."""
    begin = time.perf_counter()
    several = [subprocess.Popen(["/bin/sleep", LONG], start_new_session=True) for _ in range(jobs)]
    seconds = time.perf_counter() - begin
    for one in several:
        one.kill()
        one.wait()
    return seconds


def by_shell(jobs: int) -> float:
    """Seconds until as many programs live, started in the background of a shell."""
    script = f"for n in $(seq {jobs}); do /bin/sleep {LONG} & done; echo live; wait"
    begin = time.perf_counter()
    with subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True) as shell:
        try:
            assert shell.stdout is not None
            shell.stdout.readline()
            return time.perf_counter() - begin
        finally:
            os.killpg(shell.pid, signal.SIGKILL)


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
    """Processes that name the home: launcher, supervisors, shims, engines."""
    marks = (str(home).encode(),)
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
            seconds, processors = asyncio.run(started(home))
            live = programs(home)
            print(f"{live} of {JOBS} programs run after {seconds:.1f} s; load {os.getloadavg()[0]:.1f}", flush=True)
            idle = watched(living(home, "supervisor.json"))
            look, own = asyncio.run(observed(home, live))
            leading = asyncio.run(led(home))
            supervisors, shims = (
                [pss(pid) for pid in living(home, name)[:SAMPLED]] for name in ("supervisor.json", "shim.json")
            )
        finally:
            stop_all(home)
        memory, glance = keepers(live)
        head("trainyard", "by Popen")
        row(f"all {live} live", seconds, by_popen(live), "s")
        row(f"all {live} live", seconds, by_shell(live), "s, sh &")
        print(f"  processor time of one start, all of ours: {processors / max(1, live) * 1e3:.1f} ms")
        head("trainyard", "by hand")
        row(f"a fresh engine's first look at all {live}", look * 1e3, glance * 1e3, "ms")
        print(f"  processor time of that: {own * 1e3:.0f} ms")
        both = statistics.median(supervisors) + statistics.median(shims)
        row("PSS of supervisor and shim of one job", both / 1024, memory / 1024, "MiB")
        row("  of these, the supervisor", statistics.median(supervisors) / 1024, memory / 1024, "MiB")
        print(f"processors spent while nothing happens: supervisors {idle:.3f}, the engine {leading:.3f}; Popen's 0")
        assert not list(left(home)), "processes were left"


if __name__ == "__main__":
    main()
