"""The support matrix's rows for a container of this machine's engine: those of a process, but for what differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from trainyard.lifecycle.support_rows import HONOURED, REFUSED, ROWS, Row

_ALGORITHM = "AlgorithmSpecification"
_AUTH = f"{_ALGORITHM}.TrainingImageConfig.TrainingRepositoryAuthConfig"
_NO_LAMBDA = "no Lambda function is asked for a password; name it under [registries] in trainyard.toml"
_DIFFERENT = {
    f"{_ALGORITHM}.TrainingImage": (HONOURED, "the engine's own image of that name, else fetched from its registry"),
    f"{_ALGORITHM}.AlgorithmName": (REFUSED, "an algorithm's name is no image; it runs as a process"),
    f"{_ALGORITHM}.TrainingImageConfig": (HONOURED, "the engine fetches from whatever registry this machine reaches"),
    f"{_ALGORITHM}.TrainingImageConfig.TrainingRepositoryAccessMode": (
        HONOURED, "the engine fetches from whatever registry this machine reaches"),
    f"{_AUTH}": (REFUSED, _NO_LAMBDA),
    f"{_AUTH}.TrainingRepositoryCredentialsProviderArn": (REFUSED, _NO_LAMBDA),
    f"{_ALGORITHM}.ContainerEntrypoint": (HONOURED, "in place of the image's own"),
    f"{_ALGORITHM}.ContainerArguments": (HONOURED, "in place of `train`"),
    "ResourceConfig.InstanceType": (HONOURED, "a limit of memory and processors, shared memory of that size, and GPUs"),
    "EnableNetworkIsolation": (HONOURED, "a container without a network"),
    "VpcConfig": (HONOURED, "the ids are networks of trainyard.toml: host or none; listed peers are refused"),
    "VpcConfig.SecurityGroupIds": (HONOURED, "as VpcConfig"),
    "VpcConfig.SecurityGroupIds[]": (HONOURED, "as VpcConfig"),
    "VpcConfig.Subnets": (HONOURED, "as VpcConfig"),
    "VpcConfig.Subnets[]": (HONOURED, "as VpcConfig"),
}  # fmt: skip


def _row(path: str, row: Row) -> Row:
    if path not in _DIFFERENT:
        return row
    verdict, remark = _DIFFERENT[path]
    return replace(row, verdict=verdict, remark=remark, cases=())


CONTAINER_ROWS: Mapping[str, Row] = {path: _row(path, row) for path, row in ROWS.items()}
