"""Whether a job whose attempt ended for no fault of its own is tried again."""

from __future__ import annotations

from trainyard.model.observation import Lost
from trainyard.model.record import JobRecord


def retries_left(record: JobRecord) -> int:
    """RetryStrategy attempts not yet used; without a RetryStrategy the service never tries again."""
    allowed = record.spec.retry_strategy.maximum_retry_attempts if record.spec.retry_strategy else 0
    return max(0, allowed - record.retries)


def is_interruption(record: JobRecord, lost: Lost) -> bool:
    """A managed-spot job whose machine went counts it as an interruption, not as an error."""
    return lost.interrupted and bool(record.spec.enable_managed_spot_training)
