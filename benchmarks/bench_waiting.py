"""What one change costs the scheduler while 10,000 jobs wait, beside reading all of them anew."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

from common import head, quantile, row, scratch, spec
from trainyard.lifecycle import decide
from trainyard.lifecycle.schedule import schedule
from trainyard.lifecycle.transitions import enter
from trainyard.model.keys import JobKey
from trainyard.model.record import JobRecord, Placement
from trainyard.model.resources import Resources
from trainyard.model.status import SecondaryStatus
from trainyard.stores.sqlite.database import Database
from trainyard.stores.sqlite.store import SqliteJobStore
from trainyard.yard.unfinished import Unfinished

WAITING = 10_000
CHANGES = 20
MACHINE = Resources(cpus=2)


def waiting(number: int) -> JobRecord:
    job = spec(f"job-{number}", "/bin/true")
    placement = Placement(launcher="process", image="a script", needs=MACHINE)
    key = JobKey("123456789012", "us-east-1", f"job-{number}")
    blank = JobRecord(
        key=key, uid=f"{number:032x}", spec=job, placement=placement, created_at=float(number), modified_at=1.0
    )
    return decide.wait(enter(blank, SecondaryStatus.STARTING, 1.0), "waiting for 2 vCPU, 0 of 2 free", 2.0)


def scheduled(records: list[JobRecord]) -> None:
    plan = schedule(
        [one for one in records if one.awaits_place], [one for one in records if one.placed], MACHINE, 1000.0
    )
    assert not plan.placements
    assert len(plan.reasons) == WAITING - 1


async def spent(work: Callable[[], Awaitable[None]]) -> float:
    """Milliseconds of processor time, the median of several."""
    seconds = []
    for _ in range(CHANGES):
        begin = time.process_time()
        await work()
        seconds.append(time.process_time() - begin)
    return quantile(seconds, 0.5) * 1000


async def measured(path: Path) -> None:
    with closing(Database(path)) as database:
        store = SqliteJobStore(database)
        await asyncio.gather(*(store.create(waiting(number)) for number in range(WAITING)))
        known = Unfinished(store)
        await known.compare()
        (first,) = [record for record in known.records() if record.key.name == "job-0"]
        known.take(await store.put(decide.place(first, 3.0), expect=1))

        async def following() -> None:
            await known.hear([first.key])
            scheduled(list(known.records()))

        async def reading_all() -> None:
            scheduled(list(await store.records(unfinished=True)))

        async def scheduling() -> None:
            scheduled(list(known.records()))

        print(f"load average {os.getloadavg()[0]:.1f}")
        head("trainyard", "all anew")
        anew = await spent(reading_all)
        row(f"a change while {WAITING:,} jobs wait, processor time", await spent(following), anew, "ms")
        row("of it the schedule itself", await spent(scheduling), anew, "ms")
        row("a round's look at all versions", await spent(known.compare), anew, "ms")


def main() -> None:
    with scratch() as folder:
        asyncio.run(measured(folder / "jobs.db"))


if __name__ == "__main__":
    main()
