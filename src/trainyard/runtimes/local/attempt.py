"""The folder of one attempt: what lies where. Standard library only: the supervisor imports it.

attempt.json     the resolved order, written once by the engine        journal.json   what was reached
supervisor.json  who supervises                                        shim.json      the host's first process
container.json   the container that stands in for a first process      logs/*.carried how much of its output came
exit.json        how the program ended                                 stop.json      that it shall end, and why
progress.json    the transfer under way                                gateway.json   who joins it to its peers
role.json        the keys that transfers sign with                     pipes.json     who feeds the pipes
channels/        what each channel consists of, and what was reached   mounts.json    who serves the FastFile channels
carrier.json     who joins it to AWS services
logs/ usage/ hosts/algo-1/opt/{ml,ml-private}/
"""

from __future__ import annotations

from pathlib import Path

VERSION = 1  # of attempt.json and journal.json; a newer release reads the last one's


class Attempt:
    """Paths of one attempt. No dataclass: importing those costs a supervisor more than all its own modules."""

    __slots__ = ("folder",)

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def order(self) -> Path:
        """The resolved order."""
        return self.folder / "attempt.json"

    @property
    def journal(self) -> Path:
        """What was reached, with times."""
        return self.folder / "journal.json"

    @property
    def lock(self) -> Path:
        """Held by the living supervisor."""
        return self.folder / "supervisor.lock"

    @property
    def supervisor(self) -> Path:
        """Identity of the supervisor."""
        return self.folder / "supervisor.json"

    @property
    def supervisor_log(self) -> Path:
        """What supervisors have to say of themselves."""
        return self.folder / "supervisor.log"

    @property
    def shim(self) -> Path:
        """Identity of the shim."""
        return self.folder / "shim.json"

    @property
    def container(self) -> Path:
        """That the program's container was to be started, and in which engine."""
        return self.folder / "container.json"

    @property
    def gateway(self) -> Path:
        """Identity of the process that joins the job's network to its peers, where it has such a network."""
        return self.folder / "gateway.json"

    @property
    def carrier(self) -> Path:
        """Identity of the process that carries between the program and the AWS services of its home, while one does."""
        return self.folder / "carrier.json"

    @property
    def role(self) -> Path:
        """The keys of the job's role, for the transfer helpers."""
        return self.folder / "role.json"

    @property
    def listings(self) -> Path:
        """The items of every channel."""
        return self.folder / "channels"

    def pipe(self, channel: str) -> Path:
        """The epoch that a channel's pipe is in: an odd number while it is read."""
        return self.listings / f"{channel}.pipe"

    def stream(self, name: str) -> Path:
        """Identity of a helper beside the program, once what it gives is there."""
        return self.folder / f"{name}.json"

    def stream_notices(self, name: str) -> Path:
        """What it tells the user."""
        return self.folder / f"{name}-notices.json"

    def stream_result(self, name: str) -> Path:
        """How its work ended."""
        return self.folder / f"{name}-result.json"

    @property
    def exit(self) -> Path:
        """The program's end."""
        return self.folder / "exit.json"

    @property
    def stop(self) -> Path:
        """The wish that it ends."""
        return self.folder / "stop.json"

    @property
    def progress(self) -> Path:
        """The transfer under way."""
        return self.folder / "progress.json"

    @property
    def released(self) -> Path:
        """That its data was freed."""
        return self.folder / "released"

    @property
    def ballast(self) -> Path:
        """Space that is given back when the disk is full, so that the outcome can be written."""
        return self.folder / "ballast"

    @property
    def log(self) -> Path:
        """Output of the host's program."""
        return self.folder / "logs" / "algo-1.log"

    @property
    def marks(self) -> Path:
        """Lines of `offset time`: how long the log was when."""
        return self.folder / "logs" / "algo-1.marks"

    @property
    def usage(self) -> Path:
        """The host's use, JSON lines."""
        return self.folder / "usage" / "algo-1.jsonl"

    @property
    def ml(self) -> Path:
        """What the program sees as /opt/ml."""
        return self.folder / "hosts" / "algo-1" / "opt" / "ml"

    @property
    def private(self) -> Path:
        """What the program sees as /opt/ml-private, where its role has something to be told."""
        return self.folder / "hosts" / "algo-1" / "opt" / "ml-private"
