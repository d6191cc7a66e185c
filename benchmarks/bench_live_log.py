"""A live child that prints 100,000 lines a second and is scanned for metrics: nothing lost, memory flat.

Beside it, what a user would write instead: a `subprocess` whose pipe is read line by line with `re` and kept in a
file; and `tee`, which keeps the lines and finds no metric. `bench_live_log.py [SECONDS]`.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from bench_scan import NAMES, NUMBER
from common import TRAINYARD, command, head, row, scratch, wire

RATE = 100_000  # lines a second
SECONDS = int(sys.argv[1]) if len(sys.argv) > 1 else 10
LINES = RATE * SECONDS
EVERY = 100
DEFINITIONS = [(name, rf"{re.escape(name)}={NUMBER}") for name in NAMES]
SAMPLE = 0.1  # seconds between looks at memory
# Every hundredth line tells a metric; each line has its number. Told how fast it was, once it is through.
CHILD = f"""
import os, sys, time
names = {NAMES!r}
def line(n):
    if n % {EVERY} == 0:
        return f"[{{n}}]#011{{names[n // {EVERY} % len(names)]}}={{n}}\\n"
    return f"[{{n}}] 2026-01-01 00:00:00 INFO trainer.py:117 worker 3 read its shard, queue depth 12\\n"
begin = time.monotonic()
for first in range(0, {LINES}, {RATE // 100}):
    data = "".join(line(n) for n in range(first, first + {RATE // 100})).encode()
    while data:
        data = data[os.write(1, data):]
    time.sleep(max(0.0, begin + (first / {RATE}) - time.monotonic()))
open(sys.argv[1], "w").write(str(time.monotonic() - begin))
"""


def rss(pid: int) -> int:
    """Resident bytes; 0 once it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def spent(pid: int) -> float:
    """Seconds of processor time of a living process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Watched:
    """Memory and processor time of a process, sampled while `work` is done."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.memory: list[int] = []
        self.seconds = 0.0

    def sample(self) -> None:
        """Look once."""
        self.memory.append(rss(self.pid))
        self.seconds = max(self.seconds, spent(self.pid))

    @property
    def growth(self) -> float:
        """MiB between the median of the second tenth of its life and the most that it held after."""
        alive = [one for one in self.memory if one]
        settled = sorted(alive[len(alive) // 10 : len(alive) // 5 + 1])
        return (max(alive) - settled[len(settled) // 2]) / 2**20

    @property
    def most(self) -> float:
        """MiB."""
        return max(self.memory) / 2**20


def waited(found: Callable[[], object], *watched: Watched) -> None:
    """Until something is so; what is watched is sampled meanwhile."""
    end = time.monotonic() + 20 * SECONDS + 60
    while not found():
        assert time.monotonic() < end, "it took too long"
        for one in watched:
            one.sample()
        time.sleep(SAMPLE)


def lost(log: Path) -> int:
    """Numbers that are missing in a log, out of order ones included."""
    wanted = misses = 0
    with log.open("rb") as file:
        for line in file:
            number = int(line[1 : line.index(b"]")])
            misses += abs(number - wanted)
            wanted = number + 1
    return misses + LINES - wanted


def ours(folder: Path) -> tuple[Watched, Watched, dict[str, float]]:
    """Leader, supervisor, and what came of the job."""
    home, told = folder / "home", folder / "told"
    home.mkdir(mode=0o700)
    request = wire("live", sys.executable, str(folder / "child.py"), str(told))
    request["AlgorithmSpecification"] |= {  # type: ignore[operator]
        "MetricDefinitions": [{"Name": name, "Regex": regex} for name, regex in DEFINITIONS]
    }
    (folder / "live.json").write_text(json.dumps(request))
    command(home, TRAINYARD, "run", "--detach", str(folder / "live.json"))
    waited(lambda: list(home.glob("attempts/*/*/shim.json")))
    (supervisor,) = home.glob("attempts/*/*/supervisor.json")
    watched = (
        Watched(leader_of(home)),
        Watched(int(json.loads(supervisor.read_bytes())["pid"])),
    )
    waited(told.exists, *watched)
    end = time.perf_counter()
    with closing(sqlite3.connect(f"file:{home / 'jobs.db'}?mode=ro", uri=True)) as store:
        waited(lambda: points(store)[0] == LINES // EVERY, *watched)
        behind = time.perf_counter() - end
        waited(lambda: list(home.glob("attempts/*/*/released")), *watched)
        count, right = points(store)
    (log,) = home.glob("attempts/*/*/logs/algo-1.log")
    return *watched, {
        "rate": LINES / float(told.read_text()), "behind": behind, "lost": lost(log), "points": count, "right": right,
    }  # fmt: skip


def leader_of(home: Path) -> int:
    """The detached engine of a home."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"trainyard.wiring.caretaker" in words and str(home).encode() in words:
            return int(path.parent.name)
    raise LookupError("nobody leads")


def points(store: sqlite3.Connection) -> tuple[int, int]:
    """How many points all series of the definitions have, and how many distinct values."""
    names = ",".join("?" * len(NAMES))
    query = (
        f"SELECT COUNT(*), COUNT(DISTINCT value) FROM points JOIN series ON series.id = series WHERE name IN ({names})"  # noqa: S608 - question marks
    )
    count, distinct = store.execute(query, NAMES).fetchone()
    return count, distinct


READER = f"""
import json, re, subprocess, sys
patterns = [(name, re.compile(regex)) for name, regex in {DEFINITIONS!r}]
found = []
child = subprocess.Popen([sys.executable, sys.argv[1], sys.argv[2]], stdout=subprocess.PIPE)
with open(sys.argv[3], "wb") as log:
    for raw in child.stdout:
        log.write(raw)
        line = raw.decode("utf-8", "replace")
        for name, pattern in patterns:
            match = pattern.search(line)
            if match:
                found.append((name, float(match.group(1))))
child.wait()
assert len(found) == {LINES // EVERY}
"""


def theirs(folder: Path, argv: list[str], name: str) -> tuple[Watched, dict[str, float]]:
    """A reader of a pipe, and what came of it."""
    told, log = folder / f"{name}-told", folder / f"{name}.log"
    reader = subprocess.Popen([*argv, str(folder / "child.py"), str(told), str(log)])
    watched = Watched(reader.pid)
    waiting = threading.Thread(target=reader.wait)
    waiting.start()
    waited(told.exists, watched)
    end = time.perf_counter()
    waited(lambda: not waiting.is_alive(), watched)
    assert reader.returncode == 0
    return watched, {
        "rate": LINES / float(told.read_text()), "behind": time.perf_counter() - end, "lost": lost(log),
    }  # fmt: skip


def main() -> None:
    with scratch() as folder:
        (folder / "child.py").write_text(CHILD)
        leader, supervisor, done = ours(folder)
        by_re, read = theirs(folder, [sys.executable, "-c", READER], "re")
        shell = f'"{sys.executable}" "$1" "$2" | tee "$3" > /dev/null'
        _, kept = theirs(folder, ["/bin/sh", "-c", shell, "tee"], "tee")
    print(f"{LINES:,} lines in {SECONDS} s wanted, {len(NAMES)} definitions, 1 line in {EVERY} a metric")
    head("trainyard", "re")
    row("lines that the child could print", done["rate"], read["rate"], "lines/s", more_is_better=True)
    row("  (beside: tee, without metrics)", done["rate"], kept["rate"], "lines/s", more_is_better=True)
    row("last line to last metric", done["behind"], max(read["behind"], 1e-3), "s")
    row("processor time of who scans", leader.seconds, by_re.seconds, "s")
    row("most memory of who scans", leader.most, by_re.most, "MiB")
    print(f"growth in MiB: leader {leader.growth:.1f}, supervisor {supervisor.growth:.1f}; re {by_re.growth:.1f}")
    print(f"lines lost {done['lost']}, points {done['points']:,} of {LINES // EVERY:,}")
    assert (done["lost"], done["points"], done["right"]) == (0, LINES // EVERY, LINES // EVERY)
    assert (read["lost"], kept["lost"]) == (0, 0)


if __name__ == "__main__":
    main()
