"""kill -9 of whoever accepts jobs, thirty times over one home: nothing that was acknowledged is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.acceptance.test_accepting import kill_and_look

pytestmark = pytest.mark.chaos


@pytest.mark.parametrize("seed", range(2))
def test_no_acknowledged_job_is_lost_over_thirty_kills(tmp_path: Path, seed: int) -> None:
    kill_and_look(tmp_path / "home", kills=30, seed=seed)
