"""The loop: read the record, look at the run, decide, write, then do.

Level-triggered: the queue holds job keys, hints only say which to look at first, and a slow round looks at every
unfinished job anyway that is not as it was when a look left nothing to do. Whoever runs this holds the home's
leadership; nothing here checks it again, compare-and-swap guards the rest.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace

from trainyard.lifecycle import decide, schedule
from trainyard.lifecycle.stopping import GRACE, runtime_left
from trainyard.model.errors import StaleRecord, Transient
from trainyard.model.keys import JobKey
from trainyard.model.ledger import JobEvent
from trainyard.model.observation import Absent, StopCause
from trainyard.model.record import JobRecord
from trainyard.ports.clock import Clock
from trainyard.ports.runtime import RunOrder, Runtime
from trainyard.ports.store import JobStore, Ledger
from trainyard.yard.rests import LONGEST_REST, Rests
from trainyard.yard.scanning import Reading, Scanning
from trainyard.yard.unfinished import AT_ONCE, Unfinished

ROUND = 1.0  # seconds between looks at every unfinished job that may have moved
COMPARING = 0.01  # of the time
CROWD, FEED_PAUSE = 4, 0.03  # jobs that moved at once: where so many do, the next are heard of together, later (s)
TOLD_AT_ONCE = 64  # reasons written together: each waits for the disk
WORKERS = 32  # passes at once: each waits for the store
LAUNCHES = 16  # at once: each waits for the disk
RETRY_AFTER = 0.5
BUG_PAUSE = 5.0
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Yard:
    """What the engine and the service stand on."""

    jobs: JobStore
    ledger: Ledger
    runtime: Runtime
    clock: Clock


class Engine:
    """Moves unfinished jobs until nobody runs it any more."""

    def __init__(self, yard: Yard, scanning: Scanning) -> None:
        self._yard, self._scanning = yard, scanning
        self._queue: asyncio.Queue[JobKey] = asyncio.Queue()
        self._queued: set[JobKey] = set()
        self._busy: set[JobKey] = set()
        self._missed: set[JobKey] = set()
        self._unfinished = Unfinished(yard.jobs)
        self._rests = Rests(yard.runtime, yard.clock)
        self._met: set[JobKey] = set()
        self._schedule_wanted = asyncio.Event()
        self._news_expected = asyncio.Event()
        self.placing = True
        self._last_pass = self._compared_again = yard.clock.boottime()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run in the background for as long as the block lasts."""
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(one())
                for one in (self._rounds, self._follow_feed, self._follow_hints, self._schedule)
            ]
            tasks += [group.create_task(self._work()) for _ in range(WORKERS)]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                self._unfinished = Unfinished(self._yard.jobs)  # whoever leads next knows better
                self._rests.forget()
                self._met.clear()

    def wake(self, key: JobKey) -> None:
        """Look at a job soon; asking twice is asking once."""
        if key not in self._queued:
            self._queued.add(key)
            self._queue.put_nowait(key)

    def pass_age(self) -> float:
        """Seconds since the last look at every unfinished job."""
        return self._yard.clock.boottime() - self._last_pass

    async def unfinished(self) -> Sequence[JobRecord]:
        """Jobs that still have something to be done for."""
        return await self._yard.jobs.records(unfinished=True)

    def known(self) -> Sequence[JobRecord]:
        """Those jobs as the leader last saw them, for who reads them often; none where nobody leads here."""
        return self._unfinished.records()

    async def has_unfinished(self) -> bool:
        """Whether there is any."""
        async for _ in self._yard.jobs.unfinished():
            return True
        return False

    async def look_once(self) -> None:
        """One pass over every unfinished job, for a reader that nobody leads for. Launches nothing."""
        for record in await self.unfinished():
            if record.placed and record.seen:
                self._met.add(record.key)
                await self._pass(record.key)

    async def _rounds(self) -> None:
        while True:
            await self._round()
            self._schedule_wanted.set()
            self._last_pass = self._yard.clock.boottime()
            await asyncio.sleep(ROUND)

    async def _round(self) -> None:
        """Have a look at every unfinished job that is not known to be as it was at the last one."""
        if not self._unfinished.is_whole or self._yard.clock.boottime() >= self._compared_again:
            await self._compare()
        records = await self._to_look_at()
        unfinished = self._unfinished.keys()
        self._met = {key for key in self._met if key in unfinished}
        self._rests.forget_all_but(unfinished)
        for record in await self._rests.disturbed(records):
            self.wake(record.key)

    async def _compare(self) -> None:
        """See what the feed did not tell. It tells nearly all: so many that this takes long are compared less often."""
        began = self._yard.clock.boottime()
        await self._unfinished.compare()
        took = self._yard.clock.boottime() - began
        self._compared_again = began + (min(took / COMPARING, LONGEST_REST) if took > ROUND * COMPARING else 0.0)

    async def _to_look_at(self) -> Sequence[JobRecord]:
        """Those that do more than wait; of many in pieces, so that whoever asks meanwhile is answered."""
        now, found = self._yard.clock.now(), list[JobRecord]()
        records = self._unfinished.restless()
        for first in range(0, len(records), AT_ONCE):
            found += [one for one in records[first : first + AT_ONCE] if not decide.only_waits(one, now)]
            await asyncio.sleep(0)
        return found

    async def _follow_feed(self) -> None:
        position = await self._yard.jobs.revision()
        while True:
            self._news_expected.clear()
            news = await self._yard.jobs.news(position)
            if news:
                position = news[-1].revision
                moved = {JobKey(change.account, change.region, change.name) for change in news}
                self._wake_all(await self._unfinished.hear(moved))
                self._schedule_wanted.set()
                if len(news) > CROWD:
                    await asyncio.sleep(FEED_PAUSE)
            else:
                await self._yard.jobs.stirred(self._news_expected)

    def _wake_all(self, records: Sequence[JobRecord]) -> None:
        now = self._yard.clock.now()
        for record in records:
            if not decide.only_waits(record, now):
                self.wake(record.key)

    async def _follow_hints(self) -> None:
        async for uid in self._yard.runtime.wakeups():
            key = self._unfinished.key_of(uid)
            if key is not None:
                self.wake(key)
            else:  # a job that was created just now
                self._news_expected.set()

    async def _work(self) -> None:
        while True:
            key = await self._queue.get()
            self._queued.discard(key)
            if key in self._busy:
                self._missed.add(key)  # whoever is at it sees to it that it is looked at once more
                continue
            self._busy.add(key)
            try:
                await self._look_at(key)
            finally:
                self._busy.discard(key)
                if key in self._missed:
                    self._missed.discard(key)
                    self.wake(key)

    async def _look_at(self, key: JobKey) -> None:
        later = asyncio.get_running_loop().call_later
        try:
            await self._pass(key)
        except StaleRecord:
            self.wake(key)
        except Transient as error:
            later(max(RETRY_AFTER, error.after), self.wake, key)
        except Exception:  # noqa: BLE001 - a bug of ours must not stop the other jobs, nor fail this one by a guess
            _LOG.exception("a pass failed and will be repeated", extra={"job": key.name})
            later(BUG_PAUSE, self.wake, key)

    async def _pass(self, key: JobKey) -> None:
        trace = self._rests.end(key)
        record = await self._yard.jobs.get(key)
        if record is None:
            return
        self._unfinished.take(record)
        seen = await self._yard.runtime.observe(record.run) if record.placed else Absent()
        decision = decide.decide(record, seen, self._yard.clock.now())
        moved = decision.record
        is_read = not moved.placed and await self._scanning.scan(moved) is Reading.ENDED
        moved, told = self._scanning.telling(moved, self._yard.clock.now())
        if (
            is_read and moved.status.is_final and moved.final_metrics is None
        ):  # an end is told with its metrics, unless they take long to read
            moved = replace(moved, final_metrics=await self._scanning.final_metrics(moved))
        if moved != record:
            moved = await self._put(moved, record, *decision.events, *told)
            self._schedule_wanted.set()
        is_behind = moved.placed and not await self._is_read_on(moved)
        await self._act(moved, decision.action, is_read=is_read)
        if not is_behind:
            self._rests.begin(moved, trace, decision.action)

    async def _is_read_on(self, record: JobRecord) -> bool:
        """Read a run's output on; False while there is more.

        At a first look nothing is read yet: whoever takes the lead has seen every run before the first is read on.
        """
        if record.key not in self._met:
            self._met.add(record.key)
            self.wake(record.key)
            return False
        return await self._scanning.scan(record) is not Reading.BEHIND

    async def _act(self, record: JobRecord, action: decide.Action, *, is_read: bool) -> None:
        match action:
            case decide.Launch():
                await self._start(record)
            case decide.Stop():
                await self._yard.runtime.stop(record.run, action.cause, grace=action.grace)
            case decide.Release():
                await self._release(record, is_read=is_read)
            case decide.Nothing():
                pass

    async def _release(self, record: JobRecord, *, is_read: bool) -> None:
        """Free the attempt once its output was read to the end: a release may leave nothing to read."""
        if not is_read:
            if not record.status.is_final:
                reason = f"waiting until the output of attempt {record.attempt} is read"
                await self._wait(record, reason, self._yard.clock.now())
            self.wake(record.key)
            return
        if record.attempt > 0:
            await self._yard.runtime.release(record.run)
        await self._put(replace(record, released=True), record)
        self._schedule_wanted.set()

    async def _put(self, moved: JobRecord, record: JobRecord, *events: JobEvent) -> JobRecord:
        """Write what became of a record that was read."""
        written = await self._yard.jobs.put(moved, expect=record.version, events=events)
        self._unfinished.take(written)
        return written

    async def _schedule(self) -> None:
        while True:
            await self._schedule_wanted.wait()
            self._schedule_wanted.clear()
            if self.placing:
                with suppress(StaleRecord, Transient):
                    await self._place()

    async def _place(self) -> None:
        if not self._unfinished.is_whole:  # nobody gets a place before all are known who have one
            await self._unfinished.compare()
        records = self._unfinished.records()
        waiting = [record for record in records if record.awaits_place]
        if not waiting:
            return
        running = [record for record in records if record.placed]
        now = self._yard.clock.now()
        plan = schedule.schedule(waiting, running, await self._yard.runtime.capacity(), now)
        by_key = {record.key: record for record in records}
        for first in range(0, len(plan.placements), LAUNCHES):
            group = plan.placements[first : first + LAUNCHES]
            await asyncio.gather(*(self._launch(by_key[key], now) for key in group))
        for key in plan.victims:
            await self._yard.runtime.stop(by_key[key].run, StopCause.INTERRUPTED, grace=GRACE)
        news = [(by_key[key], reason) for key, reason in plan.reasons.items() if by_key[key].waiting != reason]
        for first in range(0, len(news), TOLD_AT_ONCE):
            await asyncio.gather(*(self._wait(*one, now) for one in news[first : first + TOLD_AT_ONCE]))

    async def _launch(self, record: JobRecord, now: float) -> None:
        with suppress(StaleRecord, Transient):  # the next look repeats a launch that the world prevented
            await self._start(await self._put(decide.place(record, now), record))

    async def _start(self, record: JobRecord) -> None:
        """Launch the current attempt. What prevents it is told of the job, once for each reason, and raised."""
        try:
            await self._yard.runtime.launch(order_of(record))
        except Transient as error:
            with suppress(StaleRecord, Transient):  # a full disk takes no reasons either; the next look has it still
                await self._tell_hindered(record, str(error))
            raise

    async def _tell_hindered(self, record: JobRecord, text: str) -> None:
        now = self._yard.clock.now()
        hindered = decide.hinder(record, f"waiting for a start that succeeds: {text}", now)
        if hindered is not record:
            event = JobEvent(at=now, reason="LaunchFailed", message=text, warning=True)
            await self._put(hindered, record, event)

    async def _wait(self, record: JobRecord, reason: str, now: float) -> None:
        waiting = decide.wait(record, reason, now)
        if waiting is not record:
            event = JobEvent(at=now, reason="Waiting", message=f"The job is {reason}.")
            with suppress(StaleRecord):
                await self._put(waiting, record, event)


def order_of(record: JobRecord) -> RunOrder:
    """What the runtime is told of the current attempt."""
    return RunOrder(
        key=record.run, job=record.key, spec=record.spec, placement=record.placement, runtime_left=runtime_left(record)
    )
