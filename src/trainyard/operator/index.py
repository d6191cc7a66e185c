"""Which resources a job concerns, and which of them need no more looking at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from trainyard.operator.case import Case, Missing, Rules
from trainyard.operator.naming import BadAdoption, job_name
from trainyard.operator.settling import FINAL, KEPT_POOL, ttl_left
from trainyard.resource.names import ConditionType


class Index:
    """Job names and the keys of the resources that mean them."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._keys: dict[str, set[str]] = defaultdict(set)
        self._names: dict[str, str] = {}
        self._at_rest: set[str] = set()

    def put(self, key: str, resource: Mapping[str, Any], now: float) -> bool:
        """Take a resource in; whether it is at rest: its job is over, and all of that is told."""
        case = Case(resource=resource, sight=Missing(), rules=self._rules, now=now)
        self._name(key, case)
        resting = at_rest(case)
        (self._at_rest.add if resting else self._at_rest.discard)(key)
        return resting

    def drop(self, key: str) -> None:
        """Forget a resource."""
        self._at_rest.discard(key)
        name = self._names.pop(key, None)
        if name is not None:
            self._keys[name].discard(key)
            if not self._keys[name]:
                del self._keys[name]

    def keys_of(self, name: str) -> frozenset[str]:
        """The resources that mean a job."""
        return frozenset(self._keys.get(name, ()))

    def is_at_rest(self, key: str) -> bool:
        """Whether nothing is left to do for a resource."""
        return key in self._at_rest

    def restless(self) -> Iterator[str]:
        """The resources that are not at rest."""
        return (key for key in list(self._names) if key not in self._at_rest)

    def _name(self, key: str, case: Case) -> None:
        try:
            name = job_name(case)
        except BadAdoption:
            name = ""
        if self._names.get(key) != name:
            self.drop(key)
            self._names[key] = name
            self._keys[name].add(key)


def at_rest(case: Case) -> bool:
    """Whether nothing is left to do for a resource, whatever its service says: only an edit can change that."""
    status = case.status
    if status.get("trainingJobStatus") not in FINAL or case.metadata.get("deletionTimestamp"):
        return False
    if status.get("observedGeneration") != case.metadata.get("generation") or status.get("unseenSince"):
        return False
    if not (case.managed or case.adopted or case.read_only) or ttl_left(case, status) is not None:
        return False
    if (status.get("warmPoolStatus") or {}).get("status") in KEPT_POOL:
        return False
    told = {one.get("type"): one.get("status") for one in status.get("conditions") or ()}
    return told.get(ConditionType.RESOURCE_SYNCED) == "True" and told.get(ConditionType.RECOVERABLE) != "True"
