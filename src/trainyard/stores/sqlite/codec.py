"""JobRecord to JSON and back. Members that an older release did not know take their defaults."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from trainyard.kit.recent import Recent
from trainyard.model.keys import JobKey
from trainyard.model.observation import StopCause, Unobserved
from trainyard.model.record import JobRecord, Metric, Placement, StopRequest, Transition
from trainyard.model.resources import Resources
from trainyard.model.spec import TrainingJobSpec
from trainyard.model.status import SecondaryStatus, TrainingJobStatus


def encode(record: JobRecord) -> str:
    """The record as compact JSON; the spec in the API's own spelling."""
    plain = {name: getattr(record, name) for name in _MEMBERS}
    plain |= {"spec": record.spec.wire, "status": record.status.value, "secondary": record.secondary.value}
    try:
        return to_json(plain, inf_nan_mode="constants").decode()
    except PydanticSerializationError:  # half a surrogate pair is no UTF-8; escaped it is kept, as all else here
        return json.dumps(plain, default=dataclasses.asdict, separators=(",", ":"))


_MEMBERS = tuple(field.name for field in dataclasses.fields(JobRecord))


_ABSENT: dict[str, Any] = {
    "tags": [],
    "notices": [],
    "given_up": [],
    "transitions": [],
    "stop": None,
    "unobserved": None,
    "final_metrics": None,
}


_KEPT = 1024 * 1024  # characters of records' texts; what they decode to is several times that


class Records:
    """What was written or decoded lately, so that it is not decoded again.

    A job's uid and its record's version stand for one text for ever, so that nothing that is kept can be out of date.
    """

    def __init__(self) -> None:
        self._known: Recent[tuple[str, int], JobRecord] = Recent(_KEPT)

    def get(self, uid: str, version: int) -> JobRecord | None:
        """The record, if it is still here."""
        return self._known.get((uid, version))

    def keep(self, record: JobRecord, text: str) -> JobRecord:
        """Take in a record that is in the store, with its text there."""
        self._known.keep((record.uid, record.version), record, len(text))
        return record

    def decode(self, uid: str, version: int, text: str) -> JobRecord:
        """As `decode`."""
        return self.get(uid, version) or self.keep(decode(text, version), text)


def decode(text: str, version: int) -> JobRecord:
    """The record that `encode` wrote, with the version that the store gives it."""
    plain: dict[str, Any] = {**_ABSENT, **json.loads(text)}
    placement = plain["placement"]
    plain |= {
        "version": version,
        "key": JobKey(**plain["key"]),
        "spec": TrainingJobSpec.model_validate(plain["spec"]),
        "status": TrainingJobStatus(plain["status"]),
        "secondary": SecondaryStatus(plain["secondary"]),
        "placement": Placement(
            **{**placement, "needs": Resources(**placement["needs"]), "notices": tuple(placement["notices"])}
        ),
        "transitions": tuple(_transition(entry) for entry in plain["transitions"]),
        "tags": tuple((key, value) for key, value in plain["tags"]),
        "notices": tuple(plain["notices"]),
        "given_up": tuple(plain["given_up"]),
        "stop": None if plain["stop"] is None else _stop(plain["stop"]),
        "unobserved": None if plain["unobserved"] is None else Unobserved(**plain["unobserved"]),
        "final_metrics": None
        if plain["final_metrics"] is None
        else tuple(Metric(**one) for one in plain["final_metrics"]),
    }
    return JobRecord(**plain)


def _transition(entry: dict[str, Any]) -> Transition:
    return Transition(**{**entry, "status": SecondaryStatus(entry["status"])})


def _stop(entry: dict[str, Any]) -> StopRequest:
    return StopRequest(cause=StopCause(entry["cause"]), at=entry["at"])
