"""From a VpcConfig's ids to a network of trainyard.toml: the machine's own, none, or one with listed peers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainyard.model.problems import Problem
from trainyard.model.spec import TrainingJobSpec


def network_of(networks: Mapping[str, Mapping[str, Any]], spec: TrainingJobSpec) -> dict[str, Any] | Problem:
    """What the runtime is told of a job's network, or the problem that no network has all of its ids."""
    vpc = spec.vpc_config
    if vpc is None:
        return {"network": "host"}
    for network in networks.values():
        if {*vpc.subnets} <= {*network["subnets"]} and {*vpc.security_group_ids} <= {*network["security_groups"]}:
            return {"network": network.get("access", "host"), "peers": list(network.get("peers", []))}
    ids = ", ".join((*vpc.subnets, *vpc.security_group_ids))
    text = f"No network in trainyard.toml has these subnets and security groups: {ids}."
    return Problem(path=("VpcConfig",), message=text, code="unknown-network")


def engines_network(network: Mapping[str, Any], setting: str | None) -> str | Problem:
    """What a container engine is told of a job's network; what a bridge of its own cannot promise is refused."""
    if network["network"] == "none":
        return "none"
    if network["network"] == "peers":
        text = 'A network of listed peers (access = "peers") is not built for containers yet; "none" and "host" are.'
        return Problem(path=("VpcConfig",), message=text, code="unsupported")
    asked_for = "peers" in network  # by the ids of a VpcConfig; without one nothing is asked for
    return "host" if asked_for else setting or "default"
