"""The leader's picture of the jobs that something is still to be done for.

It is read from the store once and then follows the feed and the leader's own writes: a change costs the reading of one
record, however many wait. It may lag behind the store for a moment; whatever is written because of it is a
compare-and-swap, so that a record that moved on meanwhile is left alone.
"""

from __future__ import annotations

import math
from collections.abc import Collection, KeysView, Sequence

from trainyard.lifecycle import decide
from trainyard.model.keys import JobKey
from trainyard.model.record import JobRecord
from trainyard.ports.store import JobStore

AT_ONCE = 500  # records read in one go, so that no other reader waits long


class Unfinished:
    """Records by key, those of unfinished jobs alone."""

    def __init__(self, jobs: JobStore) -> None:
        self._jobs = jobs
        self._records: dict[JobKey, JobRecord] = {}
        self._restless: dict[JobKey, JobRecord] = {}
        self._keys: dict[str, JobKey] = {}
        self.is_whole = False

    def records(self) -> Sequence[JobRecord]:
        """All of them, in no order."""
        return list(self._records.values())

    def restless(self) -> Sequence[JobRecord]:
        """Those that do, or some day will do, more than wait for their first place, in no order."""
        return list(self._restless.values())

    def keys(self) -> KeysView[JobKey]:
        """Their keys."""
        return self._records.keys()

    def key_of(self, uid: str) -> JobKey | None:
        """The key of a job that is known."""
        return self._keys.get(uid)

    async def compare(self) -> None:
        """Look at the version of every unfinished job and read those that are not known as they are."""
        before = dict(self._records)
        async for stamps in self._jobs.unfinished():
            news = [
                stamp.key for stamp in stamps if not _is_known(before.pop(stamp.key, None), stamp.uid, stamp.version)
            ]
            for first in range(0, len(news), AT_ONCE):
                await self.hear(news[first : first + AT_ONCE])
        for key, gone in before.items():
            self._forget(key, gone)
        self.is_whole = True

    async def hear(self, keys: Collection[JobKey]) -> Sequence[JobRecord]:
        """Read jobs anew that have moved; those of them that are unfinished and were not known like this."""
        before = {key: self._records.get(key) for key in keys}
        found = {record.key: record for record in await self._jobs.some(keys)}
        for key, known in before.items():
            if self._records.get(key) is not known:
                continue  # written here meanwhile, or heard of by another way: that is no older
            if key in found:
                self.take(found[key])
            else:
                self._forget(key, known)
        news = [one for one in found.values() if not _is_known(before.get(one.key), one.uid, one.version)]
        return [record for record in news if record.is_unfinished]

    def take(self, record: JobRecord) -> None:
        """Take in a record as it was just read or written."""
        known = self._records.get(record.key)
        if known is not None and known.uid == record.uid and known.version > record.version:
            return
        if known is not None:
            self._forget(record.key, known)
        if record.is_unfinished:
            self._records[record.key] = record
            self._keys[record.uid] = record.key
            if not decide.only_waits(record, math.inf):
                self._restless[record.key] = record

    def _forget(self, key: JobKey, known: JobRecord | None) -> None:
        if known is not None and self._records.get(key) is known:
            del self._records[key]
            self._restless.pop(key, None)
            del self._keys[known.uid]


def _is_known(record: JobRecord | None, uid: str, version: int) -> bool:
    return record is not None and (record.uid, record.version) == (uid, version)
