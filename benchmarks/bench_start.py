"""From a submitted job to its program's first instruction, beside starting the program by hand."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

from common import TRAINYARD, command, head, quantile, row, scratch, session, spec, timed, wire

JOBS = 40
COLD = 5
STAMP = 'echo "$EPOCHREALTIME" > "$0.new"; mv "$0.new" "$0"'  # CLOCK_REALTIME is read before anything is started


def argv(stamp: Path) -> list[str]:
    return ["/bin/bash", "-c", STAMP, str(stamp)]


def bare(folder: Path) -> tuple[list[float], list[float]]:
    """Seconds to the first instruction, and to the end, of every process."""
    first, final = [], []
    for number in range(JOBS):
        stamp = folder / f"bare-{number}"
        begin = time.time()
        pid = os.posix_spawn("/bin/bash", argv(stamp), dict(os.environ))
        os.waitpid(pid, 0)
        final.append(time.time() - begin)
        first.append(float(stamp.read_text()) - begin)
    return first, final


async def submitted(folder: Path) -> tuple[list[float], list[float]]:
    """Seconds to the first instruction, and to a final record, of every job."""
    first, final = [], []
    async with session(folder / "home", lead=True) as opened:
        await asyncio.sleep(0.5)
        for number in range(JOBS):
            stamp = folder / f"job-{number}"
            request = spec(f"job-{number}", *argv(stamp))
            begin = time.time()
            await opened.service.create(request)
            while not stamp.exists():
                await asyncio.sleep(0.002)
            first.append(float(stamp.read_text()) - begin)
            while (await opened.service.describe(f"job-{number}")).description.training_job_status != "Completed":
                await asyncio.sleep(0.01)
            final.append(time.time() - begin)
            while await opened.engine.unfinished():
                await asyncio.sleep(0.01)
    return first, final


def whole_runs(folder: Path) -> list[float]:
    """`trainyard run` in a new home each time."""
    file = folder / "noop.json"
    file.write_text(json.dumps(wire("noop", "/bin/true")))
    homes = iter([folder / f"cold-{number}" for number in range(COLD)])
    return timed(lambda: command(next(homes), TRAINYARD, "run", str(file)), COLD)


def main() -> None:
    with scratch() as folder:
        first_bare, final_bare = bare(folder)
        first, final = asyncio.run(submitted(folder))
        head("trainyard", "posix_spawn")
        for share in (0.5, 0.99):
            name = f"create() to first instruction, p{share * 100:.0f} of {JOBS}"
            row(name, quantile(first, share) * 1e3, quantile(first_bare, share) * 1e3, "ms")
        row("create() to Completed, p50", quantile(final, 0.5) * 1e3, quantile(final_bare, 0.5) * 1e3, "ms")
        spawned = timed(lambda: command(folder, "/bin/true"), 20)
        row("`trainyard run` of a no-op, new home, p50", quantile(whole_runs(folder), 0.5) * 1e3,
            quantile(spawned, 0.5) * 1e3, "ms")  # fmt: skip
        head("trainyard", "python -c ''")
        helped = timed(lambda: command(folder / "help", TRAINYARD, "--help"), 10)
        python = timed(lambda: command(folder / "help", sys.executable, "-c", ""), 10)
        row("`trainyard --help`, p50", quantile(helped, 0.5) * 1e3, quantile(python, 0.5) * 1e3, "ms")


if __name__ == "__main__":
    main()
