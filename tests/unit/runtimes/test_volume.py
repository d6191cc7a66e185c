"""A volume is walked through where the disk lost room, and now and then."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainyard.runtimes.local import watch


class World:
    """A disk and a folder as a test sets them, and a clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time, self.room, self.taken, self.walks = 0.0, 10_000, 0, 0
        monkeypatch.setattr(watch, "_room", lambda _path: self.room)
        monkeypatch.setattr(watch, "folder_bytes", self._walked)
        monkeypatch.setattr(watch.SystemClock, "boottime", lambda _clock: self.time)

    def _walked(self, _path: Path) -> int:
        self.walks += 1
        return self.taken


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_a_folder_that_fills_the_disk_is_found_at_the_next_look(world: World) -> None:
    volume = watch.VolumeWatch(Path("/"), 1000)
    world.time = 5.0
    assert not volume.is_overfull()
    world.time, world.taken, world.room = 10.0, 1001, 10_000 - 1001
    assert volume.is_overfull()


def test_a_folder_is_not_walked_through_while_the_disk_stays_as_it_was(world: World) -> None:
    volume = watch.VolumeWatch(Path("/"), 1000)
    for world.time in (5.0, 10.0, 15.0, 20.0):
        assert not volume.is_overfull()
    assert world.walks == 1


def test_room_that_others_give_back_hides_nothing_for_long(world: World) -> None:
    volume = watch.VolumeWatch(Path("/"), 1000)
    world.time = 5.0
    assert not volume.is_overfull()
    world.taken = 1001
    world.time = 5.0 + watch.WALK_EVERY
    assert volume.is_overfull()


def test_without_a_limit_nothing_is_walked_through(world: World) -> None:
    volume = watch.VolumeWatch(Path("/"), 0)
    world.time, world.taken = 100.0, 10**12
    assert not volume.is_overfull()
    assert world.walks == 0
