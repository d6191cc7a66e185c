"""trainyard.toml: what the user decided, checked; an unknown or ill-typed key is an error that names it."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainyard.model.errors import TrainyardError

TEMPLATE = """\
# Decided when this home was made. `trainyard doctor` prints where each thing goes.

# Where s3:// goes for buckets not named below: "embedded" (a folder of this home) or "amazon".
default_store = "embedded"

[defaults]
account = "000000000000"
region = "us-east-1"

# [buckets."my-data"]
# folder = "/data/my-data"          # or: endpoint = "https://…", region = "…", access_key = "…", secret_key = "…"

# [images."my-image"]
# command = ["python", "train.py"]

# [capacity]
# cpus = 2.0
# oversize = "refuse"               # instead of running a larger instance type at this machine's size

# [networks."private"]
# subnets = ["subnet-1"]
# security_groups = ["sg-1"]
# access = "none"                   # or "host"
"""

_TABLES: dict[str, dict[str, type | tuple[type, ...]]] = {
    "defaults": {"account": str, "region": str},
    "capacity": {"cpus": (int, float), "memory_gib": (int, float), "gpus": int, "oversize": str},
    "logs": {"cap_bytes": int},
    "metrics": {"usage_interval_seconds": (int, float)},
}
_NAMED: dict[str, dict[str, type | tuple[type, ...]]] = {
    "buckets": {"folder": str, "endpoint": str, "region": str, "access_key": str, "secret_key": str, "embedded": bool},
    "images": {"command": list, "python": str, "env": dict},
    "networks": {"subnets": list, "security_groups": list, "access": str, "peers": list},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The file's tables, each value checked; absent tables are empty."""

    default_store: str = "embedded"
    defaults: dict[str, Any] = field(default_factory=dict)
    capacity: dict[str, Any] = field(default_factory=dict)
    logs: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    buckets: dict[str, dict[str, Any]] = field(default_factory=dict)
    images: dict[str, dict[str, Any]] = field(default_factory=dict)
    networks: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def account(self) -> str:
        """The account that names are unique in."""
        return str(self.defaults.get("account", "000000000000"))

    @property
    def region(self) -> str:
        """The region that names are unique in."""
        return str(self.defaults.get("region", "us-east-1"))


def load(path: Path) -> Settings:
    """Read the file, or write it from the template where there is none. Raises TrainyardError naming the key."""
    if not path.exists():
        path.write_text(TEMPLATE, encoding="utf-8")
    try:
        plain = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TrainyardError(f"{path}: {error}") from error
    _check_names(path, "", plain, ["default_store", *_TABLES, *_NAMED])
    if plain.get("default_store", "embedded") not in ("embedded", "amazon"):
        raise TrainyardError(f'{path}: default_store must be "embedded" or "amazon".')
    for name, known in _TABLES.items():
        _check_table(path, name, plain.get(name, {}), known)
    for key, network in plain.get("networks", {}).items():
        if isinstance(network, dict) and network.get("access", "host") not in ("host", "none", "peers"):
            raise TrainyardError(f'{path}: networks."{key}".access must be "host" or "none".')
    for name, known in _NAMED.items():
        for key, table in _mapping(path, name, plain.get(name, {})).items():
            _check_table(path, f'{name}."{key}"', table, known)
    return Settings(**plain)


def _check_table(path: Path, name: str, table: Any, known: dict[str, Any]) -> None:
    entries = _mapping(path, name, table)
    _check_names(path, f"{name}.", entries, list(known))
    for key, value in entries.items():
        if not isinstance(value, known[key]) or (isinstance(value, bool) and known[key] is not bool):
            raise TrainyardError(f"{path}: {name}.{key} has the wrong type: {value!r}.")


def _mapping(path: Path, name: str, table: Any) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise TrainyardError(f"{path}: {name} must be a table.")
    return table


def _check_names(path: Path, prefix: str, given: dict[str, Any], known: list[str]) -> None:
    for key in given:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}."
            raise TrainyardError(f"{path}: there is no setting {prefix}{key}{hint}")
