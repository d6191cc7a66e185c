"""How many resources stand how: what a dashboard asks first, without a look at each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from trainyard.resource.names import ConditionStatus, ConditionType

NO_JOB = "None"  # the resource has none yet, or none that it knows
_FAULTS = (ConditionType.TERMINAL, ConditionType.RECOVERABLE)


class Census:
    """The trainingJobStatus and the faults of every resource, counted as they change."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, ...]] = {}
        self._jobs: Counter[str] = Counter()
        self._faults: Counter[str] = Counter()

    @property
    def jobs(self) -> Mapping[str, int]:
        """Resources by their job's status; a status that there was and is no more counts 0."""
        return self._jobs

    @property
    def faults(self) -> Mapping[str, int]:
        """Resources by ACK's conditions of failure, as far as these are True."""
        return {str(kind): self._faults[kind] for kind in _FAULTS}

    def put(self, key: str, status: Mapping[str, Any]) -> None:
        """Take in how a resource stands."""
        told = {one.get("type"): one.get("status") for one in status.get("conditions") or ()}
        faults = [str(kind) for kind in _FAULTS if told.get(kind) == ConditionStatus.TRUE]
        standing = (str(status.get("trainingJobStatus") or NO_JOB), *faults)
        if self._known.get(key) == standing:
            return
        self.drop(key)
        self._known[key] = standing
        self._count(standing, 1)

    def drop(self, key: str) -> None:
        """Forget a resource."""
        standing = self._known.pop(key, None)
        if standing is not None:
            self._count(standing, -1)

    def _count(self, standing: tuple[str, ...], by: int) -> None:
        job, *faults = standing
        self._jobs[job] += by
        for fault in faults:
            self._faults[fault] += by
