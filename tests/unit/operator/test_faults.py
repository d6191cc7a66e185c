"""What a refusal means for a resource: whether an edit is needed, or time alone may help."""

from __future__ import annotations

import pytest

from trainyard.model.errors import NeverHere, TrainyardError, Transient, ValidationRefused
from trainyard.operator.faults import fault_of


@pytest.mark.parametrize(
    ("error", "terminal"),
    [
        (NeverHere("refused on process: jobs of several hosts are not built yet"), True),
        (ValidationRefused("No S3 objects found"), False),
        (Transient("throttled"), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_this_place_never_does_needs_an_edit(error: TrainyardError, terminal: bool) -> None:
    assert fault_of(error).terminal is terminal
