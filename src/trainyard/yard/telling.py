"""Descriptions of jobs, made once for each writing of a record: most who ask, ask about a job that has not moved."""

from __future__ import annotations

from trainyard.kit.recent import Recent
from trainyard.lifecycle.describing import description_of
from trainyard.model.description import TrainingJobDescription
from trainyard.model.record import JobRecord

_KEPT = 1024 * 1024  # bytes of descriptions as they are answered; in memory each is several times that


class Descriptions:
    """What is told of records that a store holds: a uid and a version name one content, for ever."""

    def __init__(self) -> None:
        self._known: Recent[tuple[str, int], TrainingJobDescription] = Recent(_KEPT)

    def of(self, record: JobRecord) -> TrainingJobDescription:
        """The description of a stored record."""
        key = record.uid, record.version
        description = self._known.get(key)
        if description is None:
            description = description_of(record)
            self._known.keep(key, description, _weight(description))
        return description


def _weight(description: TrainingJobDescription) -> int:
    try:
        return len(description.wire_json)
    except ValueError:  # it holds what no JSON does, and is not kept
        return _KEPT
