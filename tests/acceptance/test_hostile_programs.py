"""Programs that mean harm or are merely careless: what they leave behind leads nowhere, hangs nobody, and is told."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.jobs import DEADLINE, ended, home, python, request, run, shell, training, until

from trainyard.model.errors import InvalidJob
from trainyard.wiring.session import Session, open_session

NONE = {"CompressionType": "NONE"}


def output(tmp_path: Path, **more: str) -> dict[str, Any]:
    return {"OutputDataConfig": {"S3OutputPath": f"file://{tmp_path}/out", **more}}


async def released(session: Session) -> None:
    async with asyncio.timeout(DEADLINE):
        while await session.engine.unfinished():
            await asyncio.sleep(0.02)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    folder = tmp_path / "secret"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "key").write_text("hidden")
    (folder / "failure").write_text("hidden")
    return folder


@pytest.mark.parametrize("more", [{}, NONE])
async def test_a_link_in_place_of_the_model_is_not_followed(tmp_path: Path, secret: Path, more: dict[str, str]) -> None:
    text = f"rmdir /opt/ml/model && ln -s {secret} /opt/ml/model"
    ran = await run(tmp_path, shell(text), **output(tmp_path, **more))
    assert ran.told["FailureReason"] == (
        "ClientError: Artifact upload failed:/opt/ml/model is no folder but a link or a file; what it leads to is not "
        "uploaded."
    )
    assert not list(tmp_path.glob("out/**/*key*"))
    assert (secret / "data" / "key").read_text() == "hidden"


async def test_a_link_in_place_of_a_whole_folder_neither_tells_nor_frees_what_it_leads_to(
    tmp_path: Path, secret: Path
) -> None:
    """The failure file, the metrics and the data of the outside stay there, unread."""
    (secret / "metrics" / "sagemaker").mkdir(parents=True)
    (secret / "metrics" / "sagemaker" / "1.json").write_text('{"MetricName": "stolen", "Value": 1}\n')
    text = f"rm -r /opt/ml/output /opt/ml/input; ln -s {secret} /opt/ml/output; ln -s {secret} /opt/ml/input; exit 1"
    algorithm = shell(text, EnableSageMakerMetricsTimeSeries=True)
    async with open_session(home(tmp_path), lead=True) as session:
        await session.service.create(request(tmp_path, "job", algorithm))
        ran = await ended(session, tmp_path)
        series = await session.service.metrics("job")
        await released(session)
    assert ran.told["FailureReason"] == "AlgorithmError: Exit Code: 1"
    assert "stolen" not in {one.name for one in series}
    assert (secret / "data" / "key").read_text() == "hidden"
    assert not (tmp_path / "out").exists()


async def test_without_an_archive_links_that_leave_the_model_are_told_and_not_followed(
    tmp_path: Path, secret: Path
) -> None:
    text = f"cd /opt/ml/model; echo w > w; ln -s w same; ln -s /opt/ml/model/w whole; ln -s {secret}/data/key key"
    ran = await run(tmp_path, shell(text), **output(tmp_path, **NONE))
    assert ran.ended[0] == "Completed"
    assert {path.name: path.read_text() for path in (ran.output / "model").iterdir()} == dict.fromkeys(
        ("w", "same", "whole"), "w\n"
    )
    assert "key was not uploaded: its link leads out of the folder." in ran.job.notices


async def test_metrics_that_cannot_be_named_or_never_end_hold_nobody_up(tmp_path: Path) -> None:
    write = r"""
import os
folder = os.environ["SAGEMAKER_METRICS_DIRECTORY"]
open(folder.encode() + b"/\xff.json", "w").write('{"MetricName": "odd", "Value": 1}\n')
open(folder + "/a.json", "w").write('{"MetricName": "\\ud800", "Value": 1}\n{"MetricName": "good", "Value": 2}\n[[]\n')
os.mkfifo(folder + "/pipe.json")
os.truncate(os.open(folder + "/endless.json", os.O_CREAT | os.O_WRONLY), 1 << 42)
for number in range(2000):
    open(f"{folder}/many-{number}.json", "w").close()
"""
    async with open_session(home(tmp_path, "[logs]\ncap_bytes = 4000000\n"), lead=True) as session:
        await session.service.create(request(tmp_path, "job", python(write, EnableSageMakerMetricsTimeSeries=True)))
        ran = await ended(session, tmp_path)
        series = await session.service.metrics("job", metric="good")
        await released(session)
    assert ran.ended[0] == "Completed"
    assert [point[1] for one in series for point in one.points] == [2.0]


async def test_a_tree_deeper_than_any_stack_is_released(tmp_path: Path) -> None:
    write = """
import os
os.chdir("/opt/ml/model")
for _ in range(1500):
    os.mkdir("d"); os.chdir("d")
"""
    async with open_session(home(tmp_path), lead=True) as session:
        await session.service.create(request(tmp_path, "job", python(write)))
        ran = await ended(session, tmp_path)
        await released(session)
        (attempt,) = session.home.attempts.glob("*/*-1")
        assert not (attempt / "hosts/algo-1/opt/ml/model").exists()
        await session.service.delete("job")
        assert not attempt.exists()
    assert any("200 folders deep" in notice for notice in ran.job.notices)


async def test_a_program_that_ignores_sigterm_is_killed_when_its_grace_is_over(
    tmp_path: Path,
) -> None:
    text = "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True)\n"
    text += "open('/opt/ml/model/w', 'w').write('w')\nwhile True: time.sleep(60)"
    async with open_session(home(tmp_path), lead=True) as session:
        runtime: Any = session.engine._yard.runtime
        runtime._options = replace(runtime._options, grace=0.5)
        await session.service.create(request(tmp_path, "job", python(text)))
        await training(session, "job")
        await until(session, "job", lambda _job: bool(list(session.home.attempts.glob("*/*-1/hosts/*/opt/ml/model/w"))))
        await session.service.stop("job")
        ran = await ended(session, tmp_path)
    assert (ran.ended, ran.job.exit_code) == (("Stopped", "Stopped"), 137)
    assert ran.files() == {"w": b"w"}


async def test_a_script_that_leaves_daemons_behind_ends_when_it_ends(tmp_path: Path) -> None:
    leave = "import subprocess; subprocess.Popen(['setsid', 'sleep', '4711']); print('done')"
    ran = await run(tmp_path, python(leave))
    assert ran.ended[0] == "Completed"


async def test_a_line_of_fifty_megabytes_becomes_events_of_256_kib_and_a_metric_still_counts(tmp_path: Path) -> None:
    definitions = [{"Name": "loss", "Regex": "loss=([0-9.]+)"}]
    write = "import sys; sys.stdout.write('x' * 50_000_000 + '\\nloss=0.5\\n')"
    async with open_session(home(tmp_path), lead=True) as session:
        await session.service.create(request(tmp_path, "job", python(write, MetricDefinitions=definitions)))
        await ended(session, tmp_path)
        await until(session, "job", lambda job: bool(job.description.final_metric_data_list))
        events, page = [], await session.service.logs("job")
        while page.items:
            events += page.items
            page = await session.service.logs("job", token=page.token)
        (series,) = await session.service.metrics("job", metric="loss")
    sizes = [len(event.message) for event in events]
    assert (sum(sizes), max(sizes), events[-1].message) == (50_000_000 + 8, 256 * 1024, "loss=0.5")
    assert [value for _, value in series.points] == [0.5]


@pytest.mark.parametrize("regex", ["(a+)+$", "(x+x+)+y([0-9.]+)", "(.*)*loss=([0-9]+)"])
async def test_a_catastrophic_regex_costs_no_more_than_another(tmp_path: Path, regex: str) -> None:
    write = "print('a' * 100_000 + 'b'); print('x' * 100_000)"
    definitions = [{"Name": "bad", "Regex": regex}]
    ran = await run(tmp_path, python(write, MetricDefinitions=definitions))
    assert ran.ended[0] == "Completed"


async def test_values_of_a_hundred_thousand_characters_are_refused_with_their_field_and_not_in_full(
    tmp_path: Path,
) -> None:
    long = "v" * 100_000
    with pytest.raises(InvalidJob, match=r"'environment' failed to satisfy constraint.*512") as refused:
        await run(tmp_path, python("pass"), Environment={"LONG": long})
    with pytest.raises(InvalidJob, match=r"containerArguments\.1\.member.*256"):
        await run(tmp_path / "two", {"TrainingImage": "local/python", "ContainerArguments": [long]})
    assert len(str(refused.value)) < 1000
