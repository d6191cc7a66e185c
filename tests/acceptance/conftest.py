"""A test that claims to prove a field must have sent it: what the service accepted is compared with the claim."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from trainyard.lifecycle.support import verdicts
from trainyard.model.spec import TrainingJobSpec
from trainyard.yard.service import YardService


@pytest.fixture(autouse=True)
def sent_what_it_proves(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """`@pytest.mark.proves("A.B[].C")` holds only where a job with that field was really accepted."""
    claimed = {path for mark in request.node.iter_markers("proves") for path in mark.args}
    accepted: set[str] = set()
    create = YardService.create

    async def listening(self: YardService, spec: TrainingJobSpec) -> Any:
        job = await create(self, spec)
        accepted.update(re.sub(r"\[\d+\]", "[]", path) for path, _, _ in verdicts(spec, "process"))
        return job

    monkeypatch.setattr(YardService, "create", listening)
    yield
    assert claimed <= accepted, f"claimed to prove, yet never sent: {sorted(claimed - accepted)}"
