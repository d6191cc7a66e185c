"""Bearer tokens: made once, shown once, kept as hashes in a file that its owner alone can read."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainyard.access.callers import Caller, Role
from trainyard.kit import atomic
from trainyard.model.errors import TrainyardError

_BYTES = 32  # of randomness in a token; so much needs no slow hash


@dataclass(frozen=True, slots=True)
class Tokens:
    """The known tokens, by the hash of each."""

    callers: dict[str, Caller]

    def caller(self, token: str) -> Caller | None:
        """Whose token it is. Every known hash is compared, so that the time tells nothing."""
        given = _digest(token)
        found = None
        for digest, caller in self.callers.items():
            if hmac.compare_digest(digest, given):
                found = caller
        return found


def load(path: Path) -> Tokens:
    """Read the file; no file is no tokens. Raises TrainyardError for one that others may read, or that is damaged."""
    try:
        with path.open("rb") as file:
            _refuse_shared(path, os.fstat(file.fileno()))
            entries = json.load(file)
        return Tokens({entry["sha256"]: _caller(entry) for entry in entries})
    except FileNotFoundError:
        return Tokens({})
    except OSError as error:
        raise TrainyardError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise TrainyardError(f"{path} holds no list of tokens; delete it, and make the tokens anew.") from error


def add(path: Path, name: str, role: Role, scopes: Iterable[str] = ()) -> str:
    """Make a token for a new name; the text is returned here and kept nowhere. Raises TrainyardError."""
    with _alone(path):
        known = load(path)
        if any(caller.name == name for caller in known.callers.values()):
            raise TrainyardError(f"There is a token for {name!r} in {path} already; choose another name.")
        token = secrets.token_urlsafe(_BYTES)
        _write(path, {**known.callers, _digest(token): Caller(name, role, frozenset(scopes))})
    return token


def revoke(path: Path, name: str) -> None:
    """Take a name's token back, at once. Raises TrainyardError where there is none."""
    with _alone(path):
        known = load(path).callers
        kept = {digest: caller for digest, caller in known.items() if caller.name != name}
        if len(kept) == len(known):
            raise TrainyardError(f"There is no token for {name!r} in {path}.")
        _write(path, kept)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One writer of the file at a time, so that none loses another's token."""
    lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _write(path: Path, callers: dict[str, Caller]) -> None:
    entries = [
        {"name": one.name, "role": one.role.value, "scopes": sorted(one.scopes), "sha256": digest}
        for digest, one in callers.items()
    ]
    atomic.write_bytes(path, json.dumps(entries, indent=1).encode(), mode=0o600)


def _refuse_shared(path: Path, status: os.stat_result) -> None:
    if status.st_uid not in (os.geteuid(), 0) or status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise TrainyardError(f"{path} must be yours and readable by nobody else: chmod 600 it.")


def _caller(entry: dict[str, Any]) -> Caller:
    return Caller(str(entry["name"]), Role(entry["role"]), frozenset(map(str, entry["scopes"])))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
