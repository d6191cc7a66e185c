"""From a VpcConfig's ids to a network of trainyard.toml: the machine's own, none, or one with listed peers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainyard.model.problems import Problem
from trainyard.model.spec import TrainingJobSpec

ACCESSES = ("host", "none", "peers")


def network_of(networks: Mapping[str, Mapping[str, Any]], spec: TrainingJobSpec) -> dict[str, Any] | Problem:
    """What the runtime is told of a job's network, or the problem that none has its ids."""
    if spec.vpc_config is None:
        return {"network": "host"}
    asked = (*spec.vpc_config.subnets, *spec.vpc_config.security_group_ids)
    for network in networks.values():
        if {*asked} <= {*network.get("subnets", []), *network.get("security_groups", [])}:
            return {"network": network.get("access", "host"), "peers": list(network.get("peers", []))}
    text = f"No network in trainyard.toml has these subnets and security groups: {', '.join(asked)}."
    return Problem(path=("VpcConfig",), message=text, code="unknown-network")
