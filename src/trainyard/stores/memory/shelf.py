"""What a store of records and its ledger share. One event loop's: every change happens between two awaits."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field

from trainyard.kit.signals import Signal
from trainyard.model.keys import JobKey
from trainyard.model.ledger import Change, JobEvent, Point
from trainyard.model.record import JobRecord

FEED_KEPT = 100_000  # changes kept; a reader that is further behind reads everything anyway


@dataclass(slots=True)
class Shelf:
    """Records by name, the feed of their changes, and what is appended beside them by uid."""

    records: dict[JobKey, JobRecord] = field(default_factory=dict)
    feed: deque[Change] = field(default_factory=lambda: deque(maxlen=FEED_KEPT))
    revision: int = 0
    events: dict[str, list[JobEvent]] = field(default_factory=lambda: defaultdict(list))
    points: dict[str, list[Point]] = field(default_factory=lambda: defaultdict(list))
    scanned: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    moved: Signal = field(default_factory=Signal)

    def note(self, key: JobKey) -> None:
        """Tell whoever follows the feed that a record was written."""
        self.revision += 1
        self.feed.append(Change(self.revision, key.account, key.region, key.name))
        self.moved.give()
