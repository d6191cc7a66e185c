"""Whether anything may have moved in an attempt, from outside: a thousand of them at a glance."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from trainyard.kit import atomic, beneath
from trainyard.runtimes.local import identity
from trainyard.runtimes.local.attempt import Attempt

METRICS = "output/metrics/sagemaker"  # below /opt/ml
MOST_METRIC_FILES = 256  # that are looked at; a process of a job writes one
Key = TypeVar("Key", bound=Hashable)
Look = tuple[int, ...]


class Tracing:
    """Remembers who supervises which attempt, so that it is not read again while its file stays."""

    def __init__(self) -> None:
        self._supervisors: dict[str, tuple[Look, dict[str, Any]]] = {}

    def traces(self, attempts: Mapping[Key, Attempt]) -> dict[Key, Hashable]:
        """What every attempt looks like; one that needs a closer look in any case is left out."""
        found = {key: self._trace(attempt) for key, attempt in attempts.items()}
        folders = {str(attempt.folder) for attempt in attempts.values()}
        self._supervisors = {folder: kept for folder, kept in self._supervisors.items() if folder in folders}
        return {key: trace for key, trace in found.items() if trace is not None}

    def _trace(self, attempt: Attempt) -> Hashable:
        """None where there is no journal, no living supervisor, or no looking."""
        folder = str(attempt.folder)
        try:
            journal = _look(f"{folder}/journal.json")
            if not self._is_supervised(attempt, folder):
                return None
            output = [_size(str(path)) for path in (attempt.log, attempt.usage)]
            return (*journal, *output, _metric_bytes(attempt.ml))
        except (OSError, ValueError, KeyError):
            return None

    def _is_supervised(self, attempt: Attempt, folder: str) -> bool:
        look = _look(f"{folder}/supervisor.json")
        known = self._supervisors.get(folder)
        if known is None or known[0] != look:
            known = self._supervisors[folder] = (look, atomic.read_json(attempt.supervisor))
        return identity.is_alive(known[1])


def metric_files(ml: Path) -> list[str]:
    """Files of the metrics directory that a name can be stored of, as many as an honest program writes."""
    try:
        with beneath.folder(ml, METRICS) as folder:
            return _metric_names(folder)
    except OSError:
        return []


def _metric_names(folder: int) -> list[str]:
    names = [name for name in os.listdir(folder) if name.endswith(".json") and name.isprintable()]
    return sorted(names)[:MOST_METRIC_FILES]


def _metric_bytes(ml: Path) -> int:
    """Bytes in the files of the metrics directory."""
    total = 0
    with suppress(OSError), beneath.folder(ml, METRICS) as folder:
        for name in _metric_names(folder):
            total += os.stat(name, dir_fd=folder, follow_symlinks=False).st_size
    return total


def _look(path: str) -> Look:
    """Another one after the file was replaced, written to, or made readable."""
    status = os.stat(path)
    return status.st_ino, status.st_ctime_ns, status.st_size


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return -1
