"""Where a server listens, as a command names it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DEFAULT_PORT = 7446
DEFAULT_AWS_PORT = 7447


@dataclass(frozen=True, slots=True, kw_only=True)
class KubeListener:
    """The address of the Kubernetes door and the job API.

    Beyond loopback it needs a certificate, its key, at least one token, and somebody who trusts its users.

    port     : None for DEFAULT_PORT, or any free one where that is taken.
    trusting : who may submit jobs from elsewhere may do all that our own user may: their programs are its processes.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    certificate: Path | None = None
    key: Path | None = None
    trusting: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsListener:
    """The address of the AWS doors.

    Beyond loopback it needs a certificate, its key, an access key in the settings, and somebody who trusts its holders.

    port     : None for DEFAULT_AWS_PORT, or any free one where that is taken.
    trusting : as of a KubeListener.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    certificate: Path | None = None
    key: Path | None = None
    trusting: bool = False
