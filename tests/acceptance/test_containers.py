"""What a container is beyond the contract: limits, powers, what is left of it, and who dies on the way."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import sys
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.jobs import (
    SLEEP,
    InEngine,
    Ran,
    Where,
    ended,
    home,
    program,
    python,
    request,
    run,
    shell,
    shorten_grace,
    stored,
    training,
    until,
)
from tests.acceptance.test_unbreakable import manifest
from tests.acceptance.test_unbreakable import until as until_true
from tests.engines import BUSYBOX, TestEngine, running
from tests.nobody import UID, as_nobody, ordinary_folder

from trainyard.runtimes.local import identity
from trainyard.runtimes.local.attempt import Attempt
from trainyard.runtimes.local.containers.form import CAPABILITIES, LABEL
from trainyard.runtimes.local.starting import Starter
from trainyard.wiring.session import open_session

GIB = 1024**3
TRAINYARD = str(Path(sys.executable).with_name("trainyard"))
SMALL = "[capacity]\ncpus = 1.0\nmemory_gib = 0.25\n"


@pytest.fixture(autouse=True)
def place(engine: TestEngine, monkeypatch: pytest.MonkeyPatch) -> InEngine:
    found = InEngine(engine)
    monkeypatch.setattr(Where, "place", found)
    return found


def containers(engine: TestEngine, home: Path) -> list[dict[str, Any]]:
    """Those of one home."""
    mark = home / "containers.id"
    return engine.engine.labelled(f"{LABEL}.home={mark.read_text()}") if mark.exists() else []


async def test_an_instance_type_is_a_limit(tmp_path: Path) -> None:
    text = """
        cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null
        df -k /dev/shm | tail -1 | awk '{print $2 * 1024}'
        cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null || cut -d' ' -f1 /sys/fs/cgroup/cpu.max
    """
    ran = await run(tmp_path, shell(text), settings=SMALL)
    assert ran.log.split() == [str(GIB // 4), str(GIB // 4), "100000"]


async def test_too_much_memory_ends_as_137_and_is_told(tmp_path: Path, engine: TestEngine) -> None:
    ran = await run(tmp_path, python("x = bytearray(400 * 1024 * 1024); print(len(x))"), settings=SMALL)
    assert (ran.told["FailureReason"], ran.job.exit_code) == ("AlgorithmError: Exit Code: 137", 137)
    assert any("want of memory. It may use 0.2 GiB." in notice for notice in ran.job.notices)


async def test_powers_are_few_and_no_more_can_be_had(tmp_path: Path) -> None:
    text = "grep -E 'CapBnd|NoNewPrivs' /proc/self/status; find / -xdev -name '*.sock'"
    ran = await run(tmp_path, shell(text))
    bound, privileges = ran.log.splitlines()
    assert int(bound.partition("#011")[2], 16).bit_count() == len(CAPABILITIES)
    assert privileges.endswith("1")


async def test_an_image_without_a_shell_runs(tmp_path: Path) -> None:
    ran = await run(tmp_path, program("/bin/busybox", "echo", "nothing of ours is needed", image=BUSYBOX))
    assert (ran.ended[0], ran.log) == ("Completed", "nothing of ours is needed")


async def test_a_program_that_ignores_sigterm_is_killed_when_its_grace_is_over(tmp_path: Path) -> None:
    async with open_session(home(tmp_path), lead=True) as session:
        shorten_grace(session, 1.0)
        await session.service.create(
            request(tmp_path, "job", shell("trap 'echo told' TERM; while :; do sleep .1; done"))
        )
        await training(session, "job")
        await session.service.stop("job")
        ran = await ended(session, tmp_path)
    assert (ran.ended, ran.log, ran.job.exit_code) == (("Stopped", "Stopped"), "told", 137)


# Who dies on the way

WITNESS = """
echo once >> /opt/ml/output/data/ran
i=0; while [ $i -lt 300 ]; do echo line $i; i=$((i+1)); [ $((i % 10)) = 0 ] && sleep .05; done
exit 3
"""


def assert_ran_once_and_whole(ran: Ran) -> None:
    assert (ran.ended[0], ran.job.exit_code, ran.job.attempt) == ("Failed", 3, 1), ran.told.get("FailureReason")
    assert ran.files("output.tar.gz") == {"ran": b"once\n"}
    assert ran.log.splitlines() == [f"line {number}" for number in range(300)]


@pytest.mark.parametrize("point", ["launching", "created", "starting", "started", "launched", "carried", "exited"])
async def test_a_supervisor_that_is_killed_at_a_point_is_followed_by_one_that_goes_on(
    tmp_path: Path, engine: TestEngine, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    monkeypatch.setenv("TRAINYARD_CRASHPOINT", f"{point}={tmp_path}/died")
    async with open_session(home(tmp_path), lead=True) as session:
        await session.service.create(request(tmp_path, "job", shell(WITNESS)))
        ran = await ended(session, tmp_path)
        assert (tmp_path / "died").exists()
        assert_ran_once_and_whole(ran)
        await until(session, "job", lambda job: job.settled)
        assert containers(engine, session.home.path) == []


async def test_supervisors_that_are_killed_again_and_again_lose_nothing(tmp_path: Path) -> None:
    async with open_session(home(tmp_path), lead=True) as session:
        await session.service.create(request(tmp_path, "job", shell(WITNESS)))
        await training(session, "job")
        killed = set()
        while (await session.service.describe("job")).description.secondary_status == "Training" and len(killed) < 8:
            who = json.loads(next(session.home.attempts.glob("*/*/supervisor.json")).read_bytes())
            if who["pid"] not in killed and identity.is_alive(who):
                os.kill(who["pid"], signal.SIGKILL)
                killed.add(who["pid"])
            await asyncio.sleep(0.05)
        assert len(killed) > 1
        assert_ran_once_and_whole(await ended(session, tmp_path))


class Gone(Exception):  # noqa: N818 - it stands for the leader's death
    """Leaves a session without handing its jobs on."""


async def test_an_end_that_nobody_was_there_to_see_is_known(tmp_path: Path, engine: TestEngine) -> None:
    """Leader and supervisor are dead when the program ends: its engine has kept exit code and output."""
    with suppress(Gone):
        async with open_session(home(tmp_path), lead=True) as session:
            await session.service.create(request(tmp_path, "job", shell(WITNESS)))
            await training(session, "job")
            (attempt,) = session.home.attempts.glob("*/*")
            os.kill(json.loads((attempt / "supervisor.json").read_bytes())["pid"], signal.SIGKILL)
            raise Gone
    name = json.loads((attempt / "container.json").read_bytes())["name"]
    until_true(lambda: (engine.engine.inspect(name) or {})["State"]["Status"] == "exited")
    async with open_session(home(tmp_path), lead=True) as session:
        assert_ran_once_and_whole(await ended(session, tmp_path))


@pytest.mark.parametrize("point", ["starting", "started"])
async def test_a_container_that_is_gone_with_its_supervisor_is_lost_and_not_begun_anew(
    tmp_path: Path, engine: TestEngine, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    monkeypatch.setenv("TRAINYARD_CRASHPOINT", f"{point}={tmp_path}/died")
    start = Starter.start

    def started(self: Starter, attempt: Attempt) -> None:
        if (tmp_path / "died").exists() and attempt.container.exists() and not (tmp_path / "gone").exists():
            engine.engine.remove(json.loads(attempt.container.read_bytes())["name"])
            (tmp_path / "gone").touch()
        start(self, attempt)

    monkeypatch.setattr(Starter, "start", started)
    async with open_session(home(tmp_path), lead=True) as session:
        await session.service.create(request(tmp_path, "job", shell(SLEEP)))
        ran = await ended(session, tmp_path)
    assert ran.ended == ("Failed", "Failed")
    assert "the job's container was removed from its engine" in ran.told["FailureReason"]


async def test_a_container_that_is_stopped_before_it_starts_never_runs(tmp_path: Path, engine: TestEngine) -> None:
    async with open_session(home(tmp_path), lead=True) as session:
        await session.service.create(request(tmp_path, "job", shell(WITNESS)))
        await session.service.stop("job")
        ran = await ended(session, tmp_path)
        await until(session, "job", lambda job: job.settled)
        assert ran.ended == ("Stopped", "Stopped")
        assert containers(engine, session.home.path) == []


async def test_what_is_left_over_is_removed_and_what_is_anothers_stays(tmp_path: Path, engine: TestEngine) -> None:
    async with open_session(home(tmp_path), lead=True) as session:
        await session.service.create(request(tmp_path, "job", shell(SLEEP)))
        await training(session, "job")
        (running,) = containers(engine, session.home.path)
        labels = dict(running["Labels"])  # type: ignore[call-overload]
        kept = {f"{LABEL}.home": "of-another-home"}
        image = engine.engine.inspect(running["Id"])["Image"]  # type: ignore[index,arg-type]
        names = [f"trainyard-test-{kind}-{os.getpid()}" for kind in ("stray", "other")]
        for name, worn in zip(names, (labels | {f"{LABEL}.job": "gone"}, kept), strict=True):
            engine.engine.create(name, {"Image": image, "Cmd": ["/bin/true"], "Labels": worn})
    async with open_session(home(tmp_path), lead=True) as session:
        await until(session, "job", lambda _job: engine.engine.inspect(names[0]) is None)
        assert engine.engine.inspect(names[1]) is not None
        engine.engine.remove(names[1])
        assert [found["Id"] for found in containers(engine, session.home.path)] == [running["Id"]]
        await session.service.stop("job")
        await ended(session, tmp_path)


@pytest.fixture
def mortal(engine: TestEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestEngine]:
    """An engine of the test's own, of each kind, to go down."""
    with running(engine.kind) as other:
        monkeypatch.setattr(Where, "place", InEngine(other))
        yield other


async def test_an_engine_that_goes_down_and_comes_back_has_lost_nothing(tmp_path: Path, mortal: TestEngine) -> None:
    """Meanwhile nothing is known, which is said, and nothing is done to the job."""
    async with open_session(home(tmp_path), lead=True) as session:
        await session.service.create(request(tmp_path, "job", shell(WITNESS)))
        await training(session, "job")
        mortal.go_down()
        unseen = await until(session, "job", lambda job: job.unobserved is not None)
        assert unseen.description.secondary_status == "Training"
        assert "the container engine at" in str(unseen.unobserved)
        mortal.start_again()
        assert_ran_once_and_whole(await ended(session, tmp_path))


async def test_a_job_that_meets_no_engine_waits_and_can_be_stopped(tmp_path: Path, mortal: TestEngine) -> None:
    async with open_session(home(tmp_path), lead=True) as session:
        spec = request(tmp_path, "job", shell(WITNESS))
        assert await session.service.plan(spec)  # which the engine has told the image for
        other = request(tmp_path, "other", shell(WITNESS))
        mortal.go_down()
        for one in (spec, other):
            await session.service.create(one)
        await until(session, "job", lambda job: any("The program is not started: " in one for one in job.notices))
        await session.service.stop("job")
        assert (await ended(session, tmp_path)).ended == ("Stopped", "Stopped")
        mortal.start_again()
        assert_ran_once_and_whole(await ended(session, tmp_path, "other"))


# Whose files they are

LEFT = """
umask 077; mkdir -p /opt/ml/model/deep/er /opt/ml/output/data/other /opt/ml/input/data/scratch
echo weights > /opt/ml/model/deep/er/w; echo scores > /opt/ml/output/data/other/s
chown -R 1234:1234 /opt/ml/output/data/other
echo private > /opt/ml/output/failure; exit 1
"""


def test_an_ordinary_user_reads_and_owns_all_that_is_left(engine: TestEngine) -> None:
    """The engine is root's, the user may use it: what the container wrote as root, for root alone, is the user's."""
    os.chmod(engine.folder, 0o711)  # noqa: S103 - whoever knows the socket may come to it
    os.chown(engine.socket, 0, UID)
    os.chmod(engine.socket, 0o660)
    with ordinary_folder() as folder:
        as_nobody("mkdir", "-m", "700", str(folder / "home"))
        (folder / "home/trainyard.toml").write_text(Where.place.settings)
        os.chown(folder / "home/trainyard.toml", UID, UID)
        algorithm = {**shell(""), "TrainingInputMode": "File"}
        algorithm["ContainerEntrypoint"] = Where.place.kept_short(folder, ["/bin/sh", "-c", LEFT])
        file = manifest(folder, "left", "-", AlgorithmSpecification=algorithm)
        home = {"TRAINYARD_HOME": str(folder / "home")}
        ran = as_nobody(TRAINYARD, "run", file, **home)
        told = json.loads(as_nobody(TRAINYARD, "describe", "left", "-o", "json", **home).stdout)
        assert told.get("FailureReason") == "AlgorithmError: private, exit code: 1", ran.stdout + ran.stderr
        until_true(lambda: list(folder.glob("home/attempts/*/*/released")))
        everything = [path for path in folder.rglob("*") if path.lstat().st_uid != UID]
        assert [path.name for path in everything if path.name != "left.json"] == []
        packed = io.BytesIO(stored(folder / "home", "s3://out/models/left/output/output.tar.gz"))
        with tarfile.open(fileobj=packed) as whole:
            assert whole.extractfile("other/s").read() == b"scores\n"  # type: ignore[union-attr]
