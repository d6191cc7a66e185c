from __future__ import annotations

import time

import pytest

from trainyard.kit import lately as module
from trainyard.kit.lately import lately


def test_an_answer_is_good_for_a_while_and_a_fault_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    now, asked = [100.0], list[str]()
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])

    @lately(1.0)
    def ask(key: str) -> int:
        asked.append(key)
        if key == "broken":
            raise OSError(key)
        return len(asked)

    assert [ask("a"), ask("a"), ask("b")] == [1, 1, 2]
    now[0] += 0.99
    assert ask("a") == 1
    now[0] += 0.02
    assert ask("a") == 3
    for _ in range(2):
        with pytest.raises(OSError, match="broken"):
            ask("broken")
    assert asked == ["a", "b", "a", "broken", "broken"]


def test_what_is_kept_is_bounded() -> None:
    asked = list[int]()
    ask = lately(60.0)(lambda key: asked.append(key) or key)  # type: ignore[func-returns-value]
    for key in range(1000):
        assert ask(key) == key
    assert len(asked) == 1000
    assert time.monotonic() > 0
