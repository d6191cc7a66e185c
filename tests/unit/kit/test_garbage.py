from __future__ import annotations

import gc

from trainyard.kit.garbage import collected_rarely


def test_it_is_as_before_afterwards() -> None:
    before = gc.get_threshold()
    with collected_rarely():
        assert gc.get_threshold()[0] > before[0]
        assert gc.isenabled()
    assert gc.get_threshold() == before
