"""The two ways in which training fails, told apart as the image tells them: by whose fault it is.

They end the algorithm's own process and cross no package border; the exit status carries them to whoever watches.
"""

from __future__ import annotations

from collections.abc import Sequence


class CustomerError(Exception):
    """What was given is wrong (a hyperparameter, a channel, a file); exit status 2, a ClientError of the service."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems: Sequence[str] = problems


class AlgorithmError(Exception):
    """Training itself broke; exit status 1, an AlgorithmError of the service."""

    exit_code = 1
