"""Late initialisation: the seven spec members that ACK fills in from the service once the job exists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainyard.lifecycle.comparing import DEFAULTS
from trainyard.model.casing import ack_name

_FIELDS = (
    ("EnableInterContainerTrafficEncryption",),
    ("EnableManagedSpotTraining",),
    ("EnableNetworkIsolation",),
    ("AlgorithmSpecification", "EnableSageMakerMetricsTimeSeries"),
    ("OutputDataConfig", "KmsKeyId"),
    ("OutputDataConfig", "CompressionType"),
    ("ResourceConfig", "InstanceCount"),
)


def late_initialisation(spec: Mapping[str, Any], description: Mapping[str, Any]) -> dict[str, Any]:
    """The merge patch of a spec (ACK's spelling) by a description (the API's); empty where nothing is to be filled in.

    What a service leaves out of its description has its documented default, so that nothing is ever waited for. A
    structure that the spec lacks is not begun.
    """
    patch: dict[str, Any] = {}
    for path in _FIELDS:
        *parents, leaf = path
        holder = spec.get(ack_name(parents[0])) if parents else spec
        if not isinstance(holder, Mapping) or holder.get(ack_name(leaf)) is not None:
            continue
        value = _told(description, path)
        target = patch.setdefault(ack_name(parents[0]), {}) if parents else patch
        target[ack_name(leaf)] = value
    return patch


def _told(description: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = description
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return DEFAULTS[".".join(path)] if value is None else value
