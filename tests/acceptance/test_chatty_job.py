"""100 MB of log a second, far beyond the cap: the disk and the engine's memory bear it, and the gap is told."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.acceptance.test_unbreakable import attempt_file, command, in_the_store, leaders, manifest, until

from trainyard.model.ledger import LogEvent
from trainyard.wiring.session import open_session

MB = 1_000_000
CAP = 16 * MB
SECONDS, A_SECOND = 3, 100
BLOCK = 1 << 16
# A megabyte, a hundred times a second: its number, and lines that mean nothing. Then it waits to be let go.
CHATTY = f"""
import os, sys, time
filler = b"x" * 99 + b"\\n"
begin = time.monotonic()
for n in range({SECONDS * A_SECOND}):
    os.write(1, (b"step=%d\\n" % n).ljust(100, b" ").replace(b"\\n", b" ")[:99] + b"\\n" + filler * 9999)
    time.sleep(max(0.0, begin + (n + 1) / {A_SECOND} - time.monotonic()))
open(sys.argv[1] + "/said", "w").close()
while not os.path.exists(sys.argv[1] + "/enough"):
    time.sleep(0.05)
"""


def _peak(pid: int) -> int:
    """The most memory that a process ever held, in bytes."""
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


async def _events(home: Path) -> list[LogEvent]:
    found: list[LogEvent] = []
    token = None
    async with open_session(str(home)) as session:
        while True:
            page = await session.service.logs("chatty", token=token, limit=50_000)
            if not page.items:
                return found
            found += page.items
            token = page.token


async def test_a_hundred_megabytes_of_log_a_second(tmp_path: Path) -> None:
    home, script = tmp_path / "home", tmp_path / "chatty.py"
    home.mkdir(mode=0o700)
    (home / "trainyard.toml").write_text(f"[logs]\ncap_bytes = {CAP}\n")
    script.write_text(CHATTY)
    definitions = [{"Name": "step", "Regex": "step=([0-9]+)"}]
    algorithm = {
        "TrainingImage": "local/python", "TrainingInputMode": "File", "MetricDefinitions": definitions,
        "ContainerEntrypoint": [sys.executable, str(script), str(tmp_path)],
    }  # fmt: skip
    command(home, "run", "--detach", manifest(tmp_path, "chatty", AlgorithmSpecification=algorithm))
    (log,) = until(lambda: list(home.glob("attempts/*/*/logs/algo-1.log")))  # type: ignore[misc]
    (engine,) = leaders(home)
    before, most = _peak(engine), 0

    def has_said_all() -> bool:
        nonlocal most
        most = max(most, log.stat().st_blocks * 512)
        return (tmp_path / "said").exists()

    until(has_said_all)
    written = SECONDS * A_SECOND * MB
    assert log.stat().st_size == written
    assert most < written
    until(lambda: log.stat().st_blocks * 512 <= CAP + 2 * BLOCK)
    supervisor = attempt_file(home, "supervisor.json")
    assert supervisor is not None
    assert _peak(int(str(supervisor["pid"]))) < 32 * MB
    assert _peak(engine) - before < 64 * MB
    (tmp_path / "enough").touch()
    until(lambda: in_the_store(home) == {"Completed": 1})

    events = await _events(home)
    gaps = [event.gap for event in events if event.gap]
    assert len(gaps) == 1
    assert sum(len(event.message) + 1 for event in events) + sum(gaps) == written
    assert {len(event.message) for event in events} == {99}
    shown = command(home, "logs", "chatty").stdout
    assert shown.count("of log were dropped by its size cap]") == 1
