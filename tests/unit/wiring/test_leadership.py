"""Who leads: one at a time, and who only looks is in nobody's way."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread

from trainyard.wiring.home import Home
from trainyard.wiring.leadership import Leadership, is_led


def test_one_leads_until_it_leaves(tmp_path: Path) -> None:
    home = Home.open(str(tmp_path / "home"))
    first, second = Leadership(home), Leadership(home)
    assert (first.try_lead(), second.try_lead(), is_led(home)) == (True, False, True)
    first.leave()
    assert (is_led(home), second.try_lead()) == (False, True)
    second.leave()


def test_onlookers_keep_nobody_from_leading(tmp_path: Path) -> None:
    home, over = Home.open(str(tmp_path / "home")), Event()
    onlookers = [Thread(target=_look, args=(home, over)) for _ in range(3)]
    for onlooker in onlookers:
        onlooker.start()
    candidate = Leadership(home)
    try:
        for _ in range(1000):
            assert candidate.try_lead()
            candidate.leave()
    finally:
        over.set()
        for onlooker in onlookers:
            onlooker.join()


def _look(home: Home, over: Event) -> None:
    while not over.is_set():
        is_led(home)
