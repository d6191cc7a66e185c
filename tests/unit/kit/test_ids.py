from __future__ import annotations

import re
import uuid

from trainyard.kit.ids import ordered_id, request_id


def test_what_is_made_later_comes_later_and_never_twice() -> None:
    made = [ordered_id(1_700_000_000.0 + second) for second in range(100)]
    assert made == sorted(made)
    assert all(re.fullmatch(r"[0-9a-f]{32}", one) for one in made)
    assert len({ordered_id(1.0) for _ in range(1000)}) == 1000


def test_a_request_is_named_by_a_random_uuid() -> None:
    made = {request_id() for _ in range(1000)}
    assert len(made) == 1000
    assert {(uuid.UUID(one).version, str(uuid.UUID(one)) == one) for one in made} == {(4, True)}
