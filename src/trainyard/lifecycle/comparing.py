"""What a spec asks for and a service has not: the difference between a request and a description.

Absent on one side equals the service's own default on the other, because a description fills defaults in. Subnets and
security groups are sets, every other list is compared in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trainyard.lifecycle import stopping
from trainyard.model.members import Shape, members_of
from trainyard.model.shapes import Structure
from trainyard.model.spec import TrainingJobSpec

# A description does not hold these, or holds more of them than was asked (built-in algorithms bring metrics along).
NOT_COMPARED = frozenset(
    {"TrainingJobName", "Tags", "SessionChainingConfig", "AlgorithmSpecification.MetricDefinitions"}
)
# What the service fills in where a request says nothing.
DEFAULTS: Mapping[str, Any] = {
    "AlgorithmSpecification.EnableSageMakerMetricsTimeSeries": False,
    "CheckpointConfig.LocalPath": "/opt/ml/checkpoints",
    "DebugHookConfig.LocalPath": "/opt/ml/output/tensors",
    "DebugRuleConfigurations[].VolumeSizeInGB": 0,
    "EnableInterContainerTrafficEncryption": False,
    "EnableManagedSpotTraining": False,
    "EnableNetworkIsolation": False,
    "InfraCheckConfig.EnableInfraCheck": False,
    "InputDataConfig[].CompressionType": "None",
    "InputDataConfig[].DataSource.S3DataSource.S3DataDistributionType": "FullyReplicated",
    "InputDataConfig[].RecordWrapperType": "None",
    "OutputDataConfig.CompressionType": "GZIP",
    "OutputDataConfig.KmsKeyId": "",
    "ProfilerConfig.DisableProfiler": False,
    "ProfilerConfig.ProfilingIntervalInMilliseconds": 500,
    "ProfilerRuleConfigurations[].VolumeSizeInGB": 0,
    "RemoteDebugConfig.EnableRemoteDebug": False,
    "ResourceConfig.InstanceCount": 0,
    "StoppingCondition.MaxRuntimeInSeconds": int(stopping.DEFAULT_RUNTIME),
    "TensorBoardOutputConfig.LocalPath": "/opt/ml/output/tensorboard",
}
# Given or not given is itself what the user says: leaving them out switches something off.
_PRESENCE_COUNTS = frozenset({"ProfilerConfig"})
# Where a request says nothing the service decides by the rest of it, so that whatever it decided is as was asked.
_DECIDED_THERE = frozenset({"AlgorithmSpecification.EnableSageMakerMetricsTimeSeries"})
_SETS = frozenset({"VpcConfig.Subnets", "VpcConfig.SecurityGroupIds"})


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where the two differ. Paths in the API's spelling; None for what is absent."""

    path: tuple[str | int, ...]
    wanted: Any
    observed: Any

    @property
    def member(self) -> str:
        """Its path without list places: `InputDataConfig[].ChannelName`."""
        return generic(self.path)


def differences(wanted: Mapping[str, Any], observed: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Every difference between a CreateTrainingJob request and a DescribeTrainingJob answer, in the request's order."""
    return tuple(_structure(wanted, observed, TrainingJobSpec, ()))


def generic(path: tuple[str | int, ...]) -> str:
    """A path with `[]` for every list place."""
    text = ""
    for step in path:
        text += "[]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _structure(
    wanted: Mapping[str, Any], observed: Mapping[str, Any], structure: type[Structure], path: tuple[str | int, ...]
) -> Iterator[Difference]:
    for name, member in members_of(structure).items():
        left, right, here = wanted.get(name), observed.get(name), (*path, name)
        if left != right and generic(here) not in NOT_COMPARED:
            yield from _value(left, right, member.shape, here)


def _value(wanted: Any, observed: Any, shape: Shape, path: tuple[str | int, ...]) -> Iterator[Difference]:
    if wanted == observed:
        return
    place = generic(path)
    if wanted is None and place in _DECIDED_THERE:
        return
    if place in _PRESENCE_COUNTS and (wanted is None) != (observed is None):
        yield Difference(path, wanted, observed)
    elif shape.structure is not None:
        yield from _structure(wanted or {}, observed or {}, shape.structure, path)
    elif shape.kind == "map":
        yield from _map(wanted or {}, observed or {}, path)
    elif shape.item is not None:
        yield from _list(list(wanted or ()), list(observed or ()), shape.item, path)
    elif _or_default(wanted, place) != _or_default(observed, place):
        yield Difference(path, wanted, observed)


def _or_default(value: Any, place: str) -> Any:
    return DEFAULTS.get(place) if value is None else value


def _map(wanted: Mapping[str, str], observed: Mapping[str, str], path: tuple[str | int, ...]) -> Iterator[Difference]:
    for key in (*wanted, *(key for key in observed if key not in wanted)):
        if wanted.get(key) != observed.get(key):
            yield Difference((*path, key), wanted.get(key), observed.get(key))


def _list(wanted: list[Any], observed: list[Any], item: Shape, path: tuple[str | int, ...]) -> Iterator[Difference]:
    if generic(path) in _SETS:
        wanted, observed = sorted(wanted), sorted(observed)
    if len(wanted) != len(observed):
        yield Difference(path, wanted or None, observed or None)
        return
    for index, (left, right) in enumerate(zip(wanted, observed, strict=True)):
        yield from _value(left, right, item, (*path, index))
