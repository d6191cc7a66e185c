"""The access keys of trainyard.toml, as they stand there now: a key that is written or taken away counts at once."""

from __future__ import annotations

import logging
import stat
from collections.abc import Mapping
from pathlib import Path

from trainyard.access.keys import Key
from trainyard.kit.lately import lately
from trainyard.model.errors import TrainyardError
from trainyard.wiring.settings import Settings, load

LOOK = 0.1  # seconds between looks at a file that guards nothing: each of them lets another thread have Python
_LOG = logging.getLogger(__name__)
_Mark = tuple[int, int, int, int]
_GONE: _Mark = (0, 0, 0, 0)  # where there is no file


class AccessKeys:
    """access.keys.KeyOf over the file. A file that cannot be used leaves the keys as they were, and the log says so.

    guarded: its keys alone are let in, and a file that others may read is one that cannot be used. Where all keys are
             let in, those that were written or taken away count after a moment.
    """

    def __init__(self, path: Path, settings: Settings, *, guarded: bool) -> None:
        self._path, self._guarded = path, guarded
        self._marks = _mark if guarded else lately(LOOK)(_mark)
        self._keys = keys_of(settings)
        self._mark: _Mark | None = None  # the settings may be older than the file is by now

    def __call__(self, name: str) -> Key | None:
        """The key of that name."""
        mark = self._marks(self._path)
        if mark != self._mark:
            self._mark = mark
            self._reload(is_there=mark != _GONE)
        return self._keys.get(name)

    def _reload(self, *, is_there: bool) -> None:
        try:
            self._keys = self._read(is_there=is_there)
        except (TrainyardError, OSError) as error:
            _LOG.error("the access keys stay as they were: %s", error)
        else:
            _LOG.info("the access keys were read anew: %d", len(self._keys))

    def _read(self, *, is_there: bool) -> Mapping[str, Key]:
        if not is_there:
            raise TrainyardError(f"{self._path} is gone.")
        if self._guarded and not are_secret(self._path):
            raise TrainyardError(f"{self._path} holds secrets, and others may read it: chmod 600 it.")
        return keys_of(load(self._path))


def keys_of(settings: Settings) -> Mapping[str, Key]:
    """The access keys of trainyard.toml."""
    return {
        name: Key(
            secret=table["secret"],
            account=table.get("account", settings.account),
            region=table.get("region", ""),
            reads_only=table.get("role") == "read",
        )
        for name, table in settings.keys.items()
    }


def are_secret(path: Path) -> bool:
    """Whether a file is its owner's alone."""
    return not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)


def _mark(path: Path) -> _Mark:
    """What changes when the file does."""
    try:
        found = path.stat()
    except OSError:
        return _GONE
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode
