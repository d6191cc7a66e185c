"""The folder that all state lives in, and what is where in it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from trainyard.model.errors import TrainyardError

VARIABLE = "TRAINYARD_HOME"


@dataclass(frozen=True, slots=True)
class Home:
    """Paths below one home."""

    path: Path

    @property
    def database(self) -> Path:
        """Records and ledger."""
        return self.path / "jobs.db"

    @property
    def settings(self) -> Path:
        """What the user decided."""
        return self.path / "trainyard.toml"

    @property
    def leader_lock(self) -> Path:
        """Held by the leading engine."""
        return self.path / "leader.lock"

    @property
    def leader_beat(self) -> Path:
        """Touched by the leading engine; its age is the age of what is known."""
        return self.path / "leader.json"

    @property
    def poke_socket(self) -> Path:
        """Where hints arrive."""
        return self.path / "poke.sock"

    @property
    def control_socket(self) -> Path:
        """Where `serve` answers."""
        return self.path / "control.sock"

    @property
    def kube_socket(self) -> Path:
        """Where `serve` answers Kubernetes clients of this home's owner."""
        return self.path / "kube.sock"

    @property
    def kubeconfig(self) -> Path:
        """How Kubernetes clients reach the present or last server."""
        return self.path / "kubeconfig"

    @property
    def aws_endpoint(self) -> Path:
        """How AWS clients reach the present or last server."""
        return self.path / "aws.json"

    @property
    def aws_socket(self) -> Path:
        """Where whoever leads answers the AWS clients of jobs' programs."""
        return self.path / "aws.sock"

    @property
    def tokens(self) -> Path:
        """Who may use a server beyond loopback, by the hashes of their tokens."""
        return self.path / "tokens.json"

    @property
    def session_key(self) -> Path:
        """What seals temporary keys and the tokens of jobs."""
        return self.path / "session.key"

    @property
    def server_lock(self) -> Path:
        """Held by the home's one `serve`, whose process number stands in it."""
        return self.path / "serve.lock"

    @property
    def attempts(self) -> Path:
        """One folder per attempt."""
        return self.path / "attempts"

    @property
    def code(self) -> Path:
        """What went along with scripts, one folder for all jobs whose code is the same."""
        return self.path / "code"

    @property
    def embedded_store(self) -> Path:
        """Buckets that live nowhere else."""
        return self.path / "s3"

    @classmethod
    def open(cls, given: str | None = None) -> Home:
        """The home that was named, else $TRAINYARD_HOME, else the user's data folder; made if it is not there.

        Raises TrainyardError for a home that cannot be used, with the reason.
        """
        named = given or os.environ.get(VARIABLE)
        home = cls(Path(named).expanduser().absolute() if named else _data_folder() / "trainyard")
        try:
            for folder in (home.path, home.attempts, home.embedded_store):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise TrainyardError(
                f"The home {home.path} cannot be made: {error.strerror}. Name another with {VARIABLE}."
            ) from error
        home._refuse_foreign()
        return home

    def _refuse_foreign(self) -> None:
        status = self.path.stat()
        if status.st_uid != os.geteuid():
            raise TrainyardError(f"The home {self.path} belongs to another user; name your own with {VARIABLE}.")
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise TrainyardError(f"The home {self.path} can be written by others; chmod 700 it first.")


def _data_folder() -> Path:
    """Where the user's programs keep their data. Raises TrainyardError for a user without a home, as in a container."""
    named = os.environ.get("XDG_DATA_HOME")
    try:
        return Path(named).absolute() if named else Path.home() / ".local" / "share"
    except RuntimeError as error:
        raise TrainyardError(f"This user has no home folder; name a place for ours: --home, or {VARIABLE}.") from error
