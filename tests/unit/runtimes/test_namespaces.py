"""What a system refuses of a private view is told, one notice each."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

# Enters in a process of its own, on a system that refuses one kind of namespace, or a mount at one place.
ENTER = """
import json, sys
from pathlib import Path
from trainyard.runtimes.local import namespaces
unshare, mount = namespaces._LIBC.unshare, namespaces._mount
class Refusing:
    def __getattr__(self, name):
        return getattr(libc, name)
    def unshare(self, kind):
        return -1 if kind == int(sys.argv[2]) else unshare(kind)
libc, namespaces._LIBC = namespaces._LIBC, Refusing()
namespaces._mount = lambda source, target, *rest: target != sys.argv[3] and mount(source, target, *rest)
print(json.dumps(namespaces.enter(Path(sys.argv[1]), hostname="algo-1", isolate=False)))
"""


def entered(tmp_path: Path, kind: int = 0, place: str = "") -> tuple[bool, bool, list[str]]:
    ml = tmp_path / "hosts/algo-1/opt/ml"
    ml.mkdir(parents=True)
    argv = [sys.executable, "-c", ENTER, str(ml), str(kind), place]
    first, mounted, notices = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
    return first, mounted, notices


@pytest.mark.parametrize(
    ("kind", "place", "told"),
    [
        (0x8000000, "", "no IPC namespace"),
        (0x4000000, "", "no host name of its own"),
        (0, "/dev/shm", "no private /dev/shm"),
    ],
)
def test_each_thing_that_is_refused_is_told(tmp_path: Path, kind: int, place: str, told: str) -> None:
    if entered(tmp_path / "whole")[2]:
        pytest.skip("this system refuses some of it by itself")
    _, mounted, notices = entered(tmp_path / "refused", kind, place)
    assert mounted
    assert [told in notice for notice in notices] == [True]
