"""kill -9 at random times: the program never notices, what is told afterwards is true, and no process is left.

Oracles after every case: one process wrote the sequence, whole; the job ended once, by a way that the service knows;
its artifact is complete; nothing that was started for it lives, by the pid namespace of its program and by what each
process was started with.
"""

from __future__ import annotations

import io
import json
import os
import random
import signal
import sqlite3
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.acceptance.jobs import stored
from tests.acceptance.test_unbreakable import (
    WITNESS,
    _alive,
    _carrying,
    _processes,
    assert_one_writer_counted_to,
    attempt_file,
    command,
    in_the_store,
    leaders,
    log_lines,
    manifest,
    training,
    until,
)
from tests.nobody import as_nobody, ordinary_folder

pytestmark = pytest.mark.chaos
COUNT = 300  # numbers that the program writes, three seconds' worth
INPUTS = 200  # objects to stage
TRAINYARD = str(Path(sys.executable).with_name("trainyard"))
PROGRAM = (
    WITNESS + "given = sorted(os.listdir('/opt/ml/input/data/train'))\n"
    "for n in range(50): open(f'/opt/ml/model/weights-{n}', 'wb').write(os.urandom(100_000))\n"
    "open('/opt/ml/model/given', 'w').write(' '.join(given))\n"
)
ORDER = ["Starting", "Downloading", "Training", "Stopping", "Uploading", "Completed", "Failed"]


@dataclass
class Case:
    """One job with inputs and outputs under the knife. `act` is how its commands are run."""

    folder: Path
    dice: random.Random
    act: Callable[..., object]
    helper_kills: int = 3  # as many as a helper is started again after
    spaces: dict[int, int] = field(default_factory=dict)  # pid namespaces, each held so that its number stays its own

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def begin(self, **spec: object) -> None:
        data = self.folder / "data"
        data.mkdir()
        for number in range(INPUTS):
            (data / f"{number:03}").write_text(str(number))
        script = self.folder / "witness.py"
        script.write_text(PROGRAM)
        source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"{data.as_uri()}/"}}
        file = manifest(
            self.folder, "survivor", sys.executable, str(script), str(COUNT),
            InputDataConfig=[{"ChannelName": "train", "DataSource": source}], Environment={"MARK": str(self.folder)},
            **spec,
        )  # fmt: skip
        self.act("run", "--detach", file)

    def pause(self, longest: float) -> None:
        """The moment of the kill is what is random here."""
        time.sleep(self.dice.uniform(0.0, longest))
        self.note_space()

    def note_space(self) -> None:
        for file in self.home.glob("attempts/*/*/shim.json"):
            with suppress(OSError, ValueError):
                held = os.open(f"/proc/{json.loads(file.read_bytes())['pid']}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
                if self.spaces.setdefault(os.fstat(held).st_ino, held) != held:
                    os.close(held)

    def kill_one(self) -> None:
        helpers = self.helpers() if self.helper_kills else []
        supervisor = _alive(self.home, "supervisor.json")
        leading = leaders(self.home)
        launched = set(_processes("launcher.py")) & set(_processes(str(self.home)))
        launchers = [pid for pid in launched if _parent(pid) in leading]  # their forks have their words
        victims = [*leading, *launchers, *helpers, *([int(str(supervisor["pid"]))] if supervisor else [])]
        if victims:
            victim = self.dice.choice(victims)
            self.helper_kills -= victim in helpers
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)

    def helpers(self) -> list[int]:
        ours = set(_processes(str(self.home)))
        return sorted(ours & {*_processes("trainyard.wiring.stage"), *_processes("trainyard.wiring.upload")})

    def status(self) -> str:
        """As a command tells it, which also sees to it that somebody leads."""
        self.act("list")
        return next(iter(in_the_store(self.home)), "")

    def finish(self, *ends: str) -> str:
        until(lambda: self.status() in ends)
        end = self.status()
        self.assert_nothing_lives()
        assert self.status() == end
        return end

    def assert_nothing_lives(self) -> None:
        until(lambda: not _carrying(str(self.folder)) and not _processes(str(self.folder)))
        until(lambda: not self.spaces.keys() & set(_spaces()))  # one that is ending has no arguments any more
        for held in self.spaces.values():
            os.close(held)
        self.spaces.clear()

    def told(self) -> list[str]:
        with suppress(FileNotFoundError):
            record = json.loads(_record(self.home))
            return [entry["status"] for entry in record["transitions"]]
        return []

    def assert_whole(self) -> None:
        assert_one_writer_counted_to(self.home, COUNT)
        told = self.told()
        assert told == sorted(told, key=ORDER.index)
        assert len(told) == len(set(told))
        model = stored(self.home, "s3://out/models/survivor/output/model.tar.gz")
        with tarfile.open(fileobj=io.BytesIO(model)) as archive:
            given = archive.extractfile("given")
            assert given is not None
            assert given.read().decode().split() == [f"{number:03}" for number in range(INPUTS)]
            assert sum(member.size for member in archive if member.name.startswith("weights")) == 50 * 100_000


def _parent(pid: int) -> int | None:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return None


def _record(home: Path) -> str:
    with closing(sqlite3.connect(f"file:{home / 'jobs.db'}?mode=ro", uri=True)) as store:
        return str(store.execute("SELECT record FROM jobs").fetchone()[0])


def _spaces() -> Iterator[int]:
    for path in Path("/proc").glob("[0-9]*/ns/pid"):
        with suppress(OSError):
            yield path.stat().st_ino


@pytest.fixture
def case(tmp_path: Path, request: pytest.FixtureRequest) -> Case:
    (tmp_path / "home").mkdir(mode=0o700)
    dice = random.Random(request.node.name)
    return Case(tmp_path, dice, lambda *words: command(tmp_path / "home", *words))


@pytest.mark.parametrize("seed", range(20))
def test_supervisors_launchers_helpers_and_leaders_die_at_random_in_every_phase(case: Case, seed: int) -> None:
    case.begin()
    for _ in range(case.dice.randint(3, 10)):
        case.pause(0.8)
        case.kill_one()
    case.finish("Completed")
    case.assert_whole()


@pytest.mark.parametrize("seed", range(6))
def test_what_moves_data_dies_while_it_moves_data(case: Case, seed: int) -> None:
    """Helpers alone, as soon as there is one, once in each phase at least where the machine lets us."""
    case.begin()
    while case.helper_kills and case.status() == "InProgress":
        until(lambda: case.helpers() or case.status() != "InProgress")
        case.pause(0.3)
        for helper in case.helpers()[:1]:
            case.helper_kills -= 1
            with suppress(ProcessLookupError):
                os.kill(helper, signal.SIGKILL)
    case.finish("Completed")
    case.assert_whole()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("retries", [0, 1])
def test_a_shim_that_dies_at_a_random_time_is_a_lost_attempt_or_came_too_late(
    case: Case, retries: int, seed: int
) -> None:
    case.begin(**({"RetryStrategy": {"MaximumRetryAttempts": retries}} if retries else {}))
    until(lambda: _alive(case.home, "shim.json"))
    case.pause(4.0)
    shim = _alive(case.home, "shim.json")
    if shim is not None:
        with suppress(ProcessLookupError):
            os.kill(int(str(shim["pid"])), signal.SIGKILL)
    was_lost = case.finish("Completed", "Failed") == "Failed" or attempt_file(case.home, "attempt.json", 2) is not None
    if was_lost:
        assert attempt_file(case.home, "exit.json") is None
        assert (case.status() == "Completed") == bool(retries)
    else:
        case.assert_whole()


@pytest.mark.parametrize("seed", range(4))
def test_a_program_that_is_killed_is_told_as_137(case: Case, seed: int) -> None:
    case.begin()
    training(case.home)
    case.pause(1.0)
    os.kill(_on_the_machine(int(log_lines(case.home)[0][0]), case), signal.SIGKILL)
    case.finish("Failed")
    assert json.loads(_record(case.home))["exit_code"] == 137


def _on_the_machine(inner: int, case: Case) -> int:
    """The pid that the machine gives a process of the job's own pid namespace."""
    for path in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            lines = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line)
            if lines["NSpid"].split()[1:] == [str(inner)] and (path.parent / "ns/pid").stat().st_ino in case.spaces:
                return int(path.parent.name)
    raise LookupError(inner)


@pytest.mark.parametrize("place", ["staging", "launching", "forked", "launched", "exited", "uploading"])
def test_supervisor_and_leader_die_at_one_named_point(tmp_path: Path, place: str) -> None:
    home, flag = tmp_path / "home", tmp_path / "died"
    home.mkdir(mode=0o700)
    case = Case(
        tmp_path, random.Random(place), lambda *words: command(home, *words, TRAINYARD_CRASHPOINT=f"{place}={flag}")
    )
    case.begin()
    until(flag.exists)
    for leader in leaders(home):
        with suppress(ProcessLookupError):
            os.kill(leader, signal.SIGKILL)
    case.finish("Completed")
    case.assert_whole()


@pytest.mark.parametrize("seed", range(5))
def test_the_same_for_an_ordinary_user(seed: int) -> None:
    with ordinary_folder() as folder:
        as_nobody("mkdir", "-m", "700", str(folder / "home"))

        def act(*words: str) -> None:
            done = as_nobody(TRAINYARD, *words, TRAINYARD_HOME=str(folder / "home"))
            assert done.returncode == 0, done.stderr

        case = Case(folder, random.Random(seed), act)
        case.begin()
        for _ in range(case.dice.randint(3, 8)):
            case.pause(0.8)
            case.kill_one()
        case.finish("Completed")
        case.assert_whole()
