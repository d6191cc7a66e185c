"""FailureReason, in the service's forms."""

from __future__ import annotations

from trainyard.model.observation import Outcome
from trainyard.model.status import Fault

LONGEST = 1024  # characters of FailureReason
INTERNAL = "We encountered an internal error. Please try again."


def failure_reason(outcome: Outcome) -> str:
    """`AlgorithmError: <text>, exit code: 1`; without a failure file `AlgorithmError: Exit Code: 1`."""
    fault = outcome.fault or Fault.ALGORITHM
    if not outcome.detail:
        return f"{fault}: {INTERNAL}" if outcome.exit_code is None else f"{fault}: Exit Code: {outcome.exit_code}"
    tail = "" if outcome.exit_code is None else f", exit code: {outcome.exit_code}"
    room = LONGEST - len(fault) - 2 - len(tail)
    return f"{fault}: {outcome.detail[:room]}{tail}"


def lost_reason(reason: str) -> str:
    """The service's sentence for an internal error, and what we know beside it."""
    return f"{Fault.INTERNAL}: {INTERNAL} ({reason})"[:LONGEST]
