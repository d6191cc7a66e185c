"""The door: which operation does what, over any TrainingService."""

from __future__ import annotations

from trainyard.awswire.json_door import JsonDoor, Operation
from trainyard.doors.logs.errors import refusal_of
from trainyard.doors.logs.events import Events
from trainyard.doors.logs.filtering import Filtering
from trainyard.doors.logs.groups import Groups, ServiceOf


def logs_door(service_of: ServiceOf) -> JsonDoor:
    """The door over services by their scope."""
    groups = Groups(service_of)
    return JsonDoor(
        prefix="Logs_20140328", action="logs", refusal_of=refusal_of,
        operations={
            "DescribeLogGroups": Operation(groups.groups),
            "DescribeLogStreams": Operation(groups.streams),
            "GetLogEvents": Operation(Events(service_of).get),
            "FilterLogEvents": Operation(Filtering(service_of).filter),
        },
    )  # fmt: skip
