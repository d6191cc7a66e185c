"""Cases of the conformance list that need a real job, beside those that prove a field (test_contract)."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.acceptance.jobs import (
    DEADLINE,
    KEEP_CONFIG,
    ROLE,
    SLEEP,
    channel,
    ended,
    found_by,
    home,
    python,
    request,
    run,
    shell,
    shorten_grace,
    training,
    until,
)

from trainyard.lifecycle import stopping
from trainyard.model.errors import ResourceInUse, ResourceNotFound, ValidationRefused
from trainyard.model.job import Condition, SearchQuery
from trainyard.wiring.session import open_session

# What a program that is started with an empty environment finds set all the same.
OF_THE_SYSTEM = {"PATH", "PYTHONUNBUFFERED", "LC_CTYPE", "PWD", "SHLVL", "_", "HOME", "TMPDIR", "SAGEMAKER_BASE_DIR"}
# What keeps a program without a role from finding somebody else's credentials on this machine; ours, not the service's.
WITHOUT_A_ROLE = {
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}
KEEP_DATA = shell("cp -r /opt/ml/input/data/. /opt/ml/model/")


@pytest.mark.case(33)
async def test_an_empty_prefix(tmp_path: Path) -> None:
    async with open_session(home(tmp_path)) as session:
        await session.objects.put("s3://data/other/file", b"x")
        spec = request(tmp_path, "job", shell("true"), InputDataConfig=[channel("train", "s3://data/train")])
        with pytest.raises(ValidationRefused) as refused:
            await session.service.create(spec)
        with pytest.raises(ResourceNotFound):
            await session.service.describe("job")
    assert str(refused.value).startswith(
        'No S3 objects found under S3 URL "s3://data/train" given in input data source. Please ensure that the bucket '
        "exists in the selected region (us-east-1), that objects exist under that S3 prefix, and that the "
        f'role "{ROLE}" has "s3:ListBucket" permissions on bucket "data".'
    )


@pytest.mark.case(34)
async def test_a_name_that_is_taken(tmp_path: Path) -> None:
    async with open_session(home(tmp_path)) as session:
        await session.service.create(request(tmp_path, "Job", shell("true")))
        with pytest.raises(ResourceInUse) as refused:
            await session.service.create(request(tmp_path, "Job", shell("true")))
    assert str(refused.value) == (
        "Training job names must be unique within an AWS account and region, and a training job with this name already "
        "exists (arn:aws:sagemaker:us-east-1:000000000000:training-job/job)"
    )


@pytest.mark.case(40)
async def test_every_file_of_the_contract(tmp_path: Path) -> None:
    ran = await run(tmp_path, shell(KEEP_CONFIG + "; ls /opt/ml /opt/ml/output > /opt/ml/model/folders"))
    assert ran.ended[0] == "Completed"
    files = {name: content for name, content in ran.files().items() if name != "folders"}
    assert set(files) == {
        "hyperparameters.json", "inputdataconfig.json", "resourceconfig.json", "init-config.json",
        "trainingjobconfig.json", "metric-definition-regex.json", "upstreamoutputdataconfig.json",
    }  # fmt: skip
    assert (files["hyperparameters.json"], files["inputdataconfig.json"]) == (b"{}", b"{}")
    assert (files["metric-definition-regex.json"], files["upstreamoutputdataconfig.json"]) == (b"[]", b"[]")
    assert files["init-config.json"] == (
        b'{"inputMode":"FILE","channels":{},"checkpointChannel":null,"hostConfig":{"clusterSize":1,"hostNumber":1},'
        b'"enableAdditionalPlatformLoggingForCustomer":false,"jobRunInfo":{"jobRunNumber":1}}'
    )
    assert json.loads(files["trainingjobconfig.json"])["TrainingJobArn"] == ran.told["TrainingJobArn"]
    assert {"input", "model", "output", "checkpoints", "code", "data", "metrics"} <= set(
        ran.file("folders").decode().split()
    )


@pytest.mark.case(41)
async def test_every_variable_of_the_contract_and_no_other(tmp_path: Path) -> None:
    text = "import json, os; open('/opt/ml/model/env', 'w').write(json.dumps(dict(os.environ)))"
    ran = await run(tmp_path, python(text, EnableSageMakerMetricsTimeSeries=True))
    seen = {name: value for name, value in json.loads(ran.file("env")).items() if name not in OF_THE_SYSTEM}
    here = seen["AWS_ENDPOINT_URL"]
    assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+", here)
    uri, token = seen.pop("AWS_CONTAINER_CREDENTIALS_FULL_URI"), seen.pop("AWS_CONTAINER_AUTHORIZATION_TOKEN")
    assert uri.startswith(f"{here}/v2/credentials/")
    assert token
    assert seen == {
        "AWS_ENDPOINT_URL": here,
        "AWS_ENDPOINT_URL_S3": here,
        "S3_ENDPOINT_URL": here,
        "TRAINING_JOB_NAME": "job",
        "TRAINING_JOB_ARN": "arn:aws:sagemaker:us-east-1:000000000000:training-job/job",
        "AWS_REGION": "us-east-1",
        "DMLC_INTERFACE": "eth0",
        "SAGEMAKER_METRICS_DIRECTORY": "/opt/ml/output/metrics/sagemaker",
        **WITHOUT_A_ROLE,
    }


@pytest.mark.case(44)
@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [
        ("exit 0", 0, None),
        ("exit 1", 1, "AlgorithmError: Exit Code: 1"),
        ("kill -KILL $$", 137, "AlgorithmError: Exit Code: 137"),
        ("ulimit -c 0; kill -SEGV $$", 139, "AlgorithmError: Exit Code: 139"),
    ],
)
async def test_an_exit_status_is_told_as_it_is(tmp_path: Path, text: str, code: int, reason: str | None) -> None:
    ran = await run(tmp_path, shell(text))
    assert (ran.job.exit_code, ran.told.get("FailureReason")) == (code, reason)
    assert ran.ended[0] == ("Failed" if reason else "Completed")


@pytest.mark.case(45)
async def test_a_long_failure_file_is_cut(tmp_path: Path) -> None:
    ran = await run(tmp_path, shell("printf '%2000d' 7 | tr ' ' x > /opt/ml/output/failure; exit 2"))
    reason = ran.told["FailureReason"]
    assert (len(reason), reason[:20], reason[-14:]) == (1024, "AlgorithmError: xxxx", ", exit code: 2")


@pytest.mark.case(47)
async def test_a_program_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    deaf = "trap 'echo heard > /opt/ml/model/heard' TERM; touch /opt/ml/model/up; while :; do sleep .05; done"
    async with open_session(home(tmp_path), lead=True) as session:
        await session.service.create(request(tmp_path, "plain", shell(SLEEP)))
        await training(session, "plain")
        (order,) = session.home.attempts.glob("*/*-1/attempt.json")
        assert json.loads(order.read_bytes())["grace"] == stopping.GRACE == 120
        await session.service.stop("plain")
        await ended(session, tmp_path, "plain")
        shorten_grace(session, 1.0)
        await session.service.create(request(tmp_path, "job", shell(deaf)))
        await until(session, "job", lambda _job: bool(list(session.home.attempts.rglob("model/up"))))
        await session.service.stop("job")
        ran = await ended(session, tmp_path)
    assert (ran.ended, ran.job.exit_code) == (("Stopped", "Stopped"), 137)
    assert ran.files() == {"heard": b"heard\n", "up": b""}
    assert "FailureReason" not in ran.told


@pytest.mark.case(47)
@pytest.mark.slow
async def test_the_grace_is_two_minutes(tmp_path: Path) -> None:
    deaf = "trap '' TERM; touch /opt/ml/model/up; while :; do sleep .05; done"
    async with open_session(home(tmp_path), lead=True) as session:
        await session.service.create(request(tmp_path, "job", shell(deaf)))
        await until(session, "job", lambda _job: bool(list(session.home.attempts.rglob("model/up"))))
        await session.service.stop("job")
        ran = await ended(session, tmp_path, deadline=180)
    entries = {entry["Status"]: entry for entry in ran.told["SecondaryStatusTransitions"]}
    assert 119 <= entries["Stopping"]["EndTime"] - entries["Stopping"]["StartTime"] <= 125


LISTING = b"""<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>far</Name><KeyCount>1</KeyCount>
<IsTruncated>false</IsTruncated><Contents><Key>train/rows</Key><Size>1000</Size><ETag>"e"</ETag>
<LastModified>2026-01-01T00:00:00.000Z</LastModified><StorageClass>STANDARD</StorageClass></Contents></ListBucketResult>
"""


@contextmanager
def endless_bucket() -> Iterator[tuple[str, threading.Event]]:
    """A bucket whose one object never comes to its end; the event tells that it was asked for."""
    asked, over = threading.Event(), threading.Event()

    class Bucket(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_list = "list-type" in self.path
            self.send_response(200)
            for name, value in (("Content-Length", str(len(LISTING) if is_list else 1000)), ("ETag", '"e"'),
                                ("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")):  # fmt: skip
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(LISTING if is_list else b"x")
            self.wfile.flush()
            if not is_list:
                asked.set()
                over.wait(60)

        def log_message(self, *_: object) -> None:
            """Silence."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.case(48)
async def test_a_stop_while_data_is_downloaded(tmp_path: Path) -> None:
    with endless_bucket() as (endpoint, asked):
        settings = f'[buckets.far]\nendpoint = "{endpoint}"\naccess_key = "a"\nsecret_key = "b"\n'
        async with open_session(home(tmp_path, settings), lead=True) as session:
            data = [channel("train", "s3://far/train/")]
            await session.service.create(
                request(tmp_path, "job", shell("touch /opt/ml/model/ran"), InputDataConfig=data)
            )
            await until(session, "job", lambda _job: asked.is_set())
            await session.service.stop("job")
            ran = await ended(session, tmp_path)
    entries = ran.told["SecondaryStatusTransitions"]
    assert [(entry["Status"], entry["StatusMessage"]) for entry in entries] == [
        ("Starting", "Preparing the instances for training"),
        ("Downloading", "Downloading input data"),
        ("Stopping", "Stopping the training job"),
        ("Stopped", "Training job stopped"),
    ]
    assert (ran.log, ran.job.exit_code, ran.output.exists()) == ("", None, False)
    assert ran.told["TrainingTimeInSeconds"] >= 1


@pytest.mark.case(54, 55, 56)
async def test_what_a_prefix_names(tmp_path: Path) -> None:
    keys = ("data/train-a.csv", "data/train/b.csv", "data/train/deep/", "data/train/deep/er/c.csv", "data/other.csv")
    async with open_session(home(tmp_path), lead=True) as session:
        for key in keys:
            await session.objects.put(f"s3://b/{key}", b"" if key.endswith("/") else key.encode())
        data = [
            channel("within", "s3://b/data/train"),
            channel("folder", "s3://b/data/train/"),
            channel("single", "s3://b/data/other.csv"),
        ]
        await session.service.create(request(tmp_path, "job", KEEP_DATA, InputDataConfig=data))
        ran = await ended(session, tmp_path)
    assert ran.ended[0] == "Completed", ran.told.get("FailureReason")
    files = ran.files()
    assert {name for name in files if "/" in name} == {
        "within/train-a.csv", "within/b.csv", "within/deep/er/c.csv",
        "folder/b.csv", "folder/deep/er/c.csv", "single/other.csv",
    }  # fmt: skip
    assert files["single/other.csv"] == b"data/other.csv"
    assert sorted(files["within-manifest"].decode().splitlines()) == [
        "data/train", "s3://b/data/train-a.csv", "s3://b/data/train/b.csv", "s3://b/data/train/deep/",
        "s3://b/data/train/deep/er/c.csv",
    ]  # fmt: skip


@pytest.mark.case(66)
async def test_100_hyperparameters_arrive(tmp_path: Path) -> None:
    given = {f"p{number:03}": "v" * 2500 for number in range(100)}
    ran = await run(tmp_path, shell(KEEP_CONFIG), HyperParameters=given)
    assert json.loads(ran.file("hyperparameters.json")) == given


@pytest.mark.case(70)
async def test_a_stopped_job_keeps_its_artifacts(tmp_path: Path) -> None:
    text = f"echo m > /opt/ml/model/m; echo o > /opt/ml/output/data/o; touch {tmp_path}/up; {SLEEP}"
    async with open_session(home(tmp_path), lead=True) as session:
        await session.service.create(request(tmp_path, "job", shell(text)))
        await until(session, "job", lambda _job: (tmp_path / "up").exists())
        await session.service.stop("job")
        ran = await ended(session, tmp_path)
    assert ran.ended == ("Stopped", "Stopped")
    assert (ran.files(), ran.files("output.tar.gz")) == ({"m": b"m\n"}, {"o": b"o\n"})


@pytest.mark.case(71, 72, 73)
async def test_what_is_finished_and_what_is_not(tmp_path: Path) -> None:
    async with open_session(home(tmp_path), lead=True) as session:
        await session.service.create(request(tmp_path, "job", shell(SLEEP)))
        await training(session, "job")
        with pytest.raises(ResourceInUse, match="The training job job is in status InProgress"):
            await session.service.delete("job")
        await session.service.stop("job")
        await ended(session, tmp_path)
        with pytest.raises(ValidationRefused) as refused:
            await session.service.stop("job")
        await session.service.delete("job")
        with pytest.raises(ResourceNotFound, match=r"^Requested resource not found\.$"):
            await session.service.describe("job")
        await session.service.create(request(tmp_path, "job", shell("true")))
        again = await ended(session, tmp_path)
    assert str(refused.value) == "The request was rejected because the training job is in status Stopped."
    assert again.ended == ("Completed", "Completed")


@pytest.mark.case(74)
async def test_an_interrupted_spot_job_is_billed_for_less_than_it_took(tmp_path: Path) -> None:
    limits = {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 600}
    two = "[capacity]\ncpus = 2.0\nmemory_gib = 16\ngpus = 0\n"
    text = f"if [ -e {tmp_path}/tried ]; then exit 0; fi; touch {tmp_path}/tried; {SLEEP}"
    async with open_session(home(tmp_path, two), lead=True) as session:
        spot = request(tmp_path, "job", shell(text), EnableManagedSpotTraining=True, StoppingCondition=limits)
        await session.service.create(spot)
        await until(session, "job", lambda _job: (tmp_path / "tried").exists())
        await session.service.create(request(tmp_path, "demanding", shell("sleep 2.5")))
        await ended(session, tmp_path, "demanding")
        ran = await ended(session, tmp_path)
    assert (ran.ended, ran.job.attempt) == (("Completed", "Completed"), 2)
    assert "Interrupted" in [entry["Status"] for entry in ran.told["SecondaryStatusTransitions"]]
    took = ran.told["TrainingEndTime"] - ran.told["TrainingStartTime"]
    assert ran.told["TrainingTimeInSeconds"] == int(took)
    assert ran.told["BillableTimeInSeconds"] < ran.told["TrainingTimeInSeconds"]


@pytest.mark.case(81)
async def test_the_first_group_of_a_line_with_a_tab(tmp_path: Path) -> None:
    definitions = [
        {"Name": "validation:logloss", "Regex": r".*\[[0-9]+\].*#011validation-logloss:(\S+)"},
        {"Name": "first", "Regex": "([0-9]+)-([0-9]+)"},
    ]
    text = r"printf '[3]\ttrain-logloss:0.5\tvalidation-logloss:0.25\n7-9\n'"
    ran = await run(tmp_path, shell(text, MetricDefinitions=definitions))
    final = [(metric["MetricName"], metric["Value"]) for metric in ran.told["FinalMetricDataList"]]
    assert final == [("validation:logloss", 0.25), ("first", 7.0)]
    assert ran.log.splitlines()[0] == "[3]#011train-logloss:0.5#011validation-logloss:0.25"


@pytest.mark.case(85)
async def test_the_hosts_own_use(tmp_path: Path) -> None:
    spin = f"import os\nwhile not os.path.exists({str(tmp_path / 'enough')!r}): pass"
    settings = "[metrics]\nusage_interval_seconds = 0.2\n"
    points: dict[str, list[float]] = {}
    async with open_session(home(tmp_path, settings), lead=True) as session:
        await session.service.create(request(tmp_path, "job", python(spin)))
        async with asyncio.timeout(DEADLINE):
            while max(points.get("CPUUtilization", [0.0])) < 1:  # percent: the processors may be others' for the most
                series = await session.service.metrics("job")
                points = {one.name: [value for _, value in one.points] for one in series if one.host.endswith("algo-1")}
                await asyncio.sleep(0.05)
        (tmp_path / "enough").touch()
        await ended(session, tmp_path)
    assert {"CPUUtilization", "MemoryUtilization", "DiskUtilization"} <= points.keys()
    assert all(0 <= value <= 100 for name in ("MemoryUtilization", "DiskUtilization") for value in points[name])


@pytest.mark.case(92)
async def test_search_by_metric_tag_and_hyperparameter(tmp_path: Path) -> None:
    async with open_session(home(tmp_path), lead=True) as session:
        for name, loss in (("good", "0.1"), ("bad", "0.9")):
            algorithm = shell(f"echo loss={loss}", MetricDefinitions=[{"Name": "loss", "Regex": "loss=(.*)"}])
            more = {"HyperParameters": {"lr": loss}, "Tags": [{"Key": "kind", "Value": name}]}
            await session.service.create(request(tmp_path, name, algorithm, **more))
            await ended(session, tmp_path, name)
        assert await found_by(session, "Tags.kind", "good") == ["good"]
        for condition in (Condition(name="Metrics.loss", operator="LessThan", value="0.5"),
                          Condition(name="HyperParameters.lr", operator="LessThan", value="0.5")):  # fmt: skip
            page = await session.service.search(SearchQuery(conditions=(condition,), sort_by="Metrics.loss"))
            assert [job.description.training_job_name for job in page.items] == ["good"]


async def test_data_that_goes_before_it_is_downloaded(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text("1")
    data = [channel("train", f"file://{tmp_path}/rows")]
    async with open_session(home(tmp_path)) as session:
        await session.service.create(request(tmp_path, "job", shell("true"), InputDataConfig=data))
        (tmp_path / "rows").unlink()
    async with open_session(home(tmp_path), lead=True) as session:
        ran = await ended(session, tmp_path)
    assert ran.told["FailureReason"].startswith("ClientError: Data download failed:No S3 objects found under S3 URL ")
    assert [entry["Status"] for entry in ran.told["SecondaryStatusTransitions"]] == [
        "Starting",
        "Downloading",
        "Failed",
    ]


async def test_artifacts_that_find_no_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    output = {"S3OutputPath": f"file://{tmp_path}/file/out"}
    ran = await run(tmp_path, shell("echo w > /opt/ml/model/w"), OutputDataConfig=output)
    assert ran.told["FailureReason"].startswith("ClientError: Artifact upload failed:")
    statuses = [entry["Status"] for entry in ran.told["SecondaryStatusTransitions"]]
    assert statuses == ["Starting", "Downloading", "Training", "Uploading", "Failed"]
    assert ran.job.exit_code is None
