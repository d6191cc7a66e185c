"""Stock clients that watch a real job: its log while it grows and over a restart of the server, and its metrics."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3
from tests.acceptance.test_aws_serve import AWS, DEADLINE, Served, serving

GROUP = "/aws/sagemaker/TrainingJobs"
LINES = 300
PROGRAM = f"""
import pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
for number in range({LINES}):
    print(f"line={{number}} loss={{1 / (number + 1):.6f}}", flush=True)
    if number == {LINES // 2}:
        while not (folder / "again").exists():
            time.sleep(0.02)
    time.sleep(0.002)
"""


def request(folder: Path) -> dict[str, Any]:
    (folder / "program.py").write_text(PROGRAM)
    return {
        "TrainingJobName": "watched",
        "RoleArn": "arn:aws:iam::000000000000:role/trainer",
        "AlgorithmSpecification": {
            "TrainingImage": "local/python", "TrainingInputMode": "File",
            "ContainerEntrypoint": [sys.executable, str(folder / "program.py"), str(folder)],
            "MetricDefinitions": [{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
        },
        "OutputDataConfig": {"S3OutputPath": f"file://{folder}/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    }  # fmt: skip


class Reader:
    """Reads on with the token that came last, whatever server answers."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._stream: dict[str, str] = {}
        self._token: dict[str, str] = {}

    def read_until(self, served: Served, count: int) -> None:
        logs, deadline = client(served, "logs"), time.monotonic() + DEADLINE
        while len(self.lines) < count:
            assert time.monotonic() < deadline, self.lines[-3:]
            if not self._stream:
                self._find(logs)
            else:
                page = logs.get_log_events(logGroupName=GROUP, startFromHead=True, **self._stream, **self._token)
                self.lines += [event["message"] for event in page["events"]]
                self._token = {"nextToken": page["nextForwardToken"]}

    def _find(self, logs: Any) -> None:
        for stream in logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix="watched/")["logStreams"]:
            self._stream = {"logStreamName": stream["logStreamName"]}


def client(served: Served, service: str) -> Any:
    known = served.variables()
    return boto3.Session().client(
        service, endpoint_url=known["AWS_ENDPOINT_URL"], region_name=known["AWS_REGION"],
        aws_access_key_id=known["AWS_ACCESS_KEY_ID"], aws_secret_access_key=known["AWS_SECRET_ACCESS_KEY"],
    )  # fmt: skip


def aws(served: Served, *words: str) -> Any:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    said = subprocess.run(
        [AWS, *words, "--output", "json"], capture_output=True, text=True, timeout=DEADLINE, check=False,
        env={**environment, **served.variables(), "AWS_CONFIG_FILE": os.devnull},
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


def test_a_job_is_watched_while_it_runs_and_the_server_starts_again(tmp_path: Path) -> None:
    reader = Reader()
    with serving(tmp_path) as served:
        client(served, "sagemaker").create_training_job(**request(tmp_path))
        reader.read_until(served, LINES // 2 + 1)
    (tmp_path / "again").touch()
    with serving(tmp_path) as served:
        reader.read_until(served, LINES)
        waiter = client(served, "sagemaker").get_waiter("training_job_completed_or_stopped")
        waiter.wait(TrainingJobName="watched", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        assert [line.split()[0] for line in reader.lines] == [f"line={number}" for number in range(LINES)]
        _read_by_the_command_line(served)


def _read_by_the_command_line(served: Served) -> None:
    where = ("--log-group-name", GROUP)
    (stream,) = aws(served, "logs", "describe-log-streams", *where, "--log-stream-name-prefix", "watched/")[
        "logStreams"
    ]
    name = stream["logStreamName"]
    page = aws(served, "logs", "get-log-events", *where, "--log-stream-name", name, "--limit", "2")
    assert [event["message"].split()[0] for event in page["events"]] == [f"line={LINES - 2}", f"line={LINES - 1}"]
    found = aws(served, "logs", "filter-log-events", *where, "--filter-pattern", '"line=17 "')
    assert [event["message"].split()[0] for event in found["events"]] == ["line=17"]
    times = ("--start-time", _iso(stream["firstEventTimestamp"] / 1000 - 120), "--end-time", _iso(time.time() + 120))
    told = aws(
        served, "cloudwatch", "get-metric-statistics", "--namespace", GROUP, "--metric-name", "loss", "--period", "60",
        "--dimensions", "Name=TrainingJobName,Value=watched", "--statistics", "SampleCount", "Maximum", *times,
    )  # fmt: skip
    assert sum(one["SampleCount"] for one in told["Datapoints"]) == LINES
    assert max(one["Maximum"] for one in told["Datapoints"]) == 1.0
    metric = {"Namespace": GROUP, "MetricName": "loss", "Dimensions": [{"Name": "TrainingJobName", "Value": "watched"}]}
    query = [{"Id": "a", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "SampleCount"}}]
    told = aws(served, "cloudwatch", "get-metric-data", "--metric-data-queries", json.dumps(query), *times)
    assert sum(told["MetricDataResults"][0]["Values"]) == LINES
    assert metric in aws(served, "cloudwatch", "list-metrics", "--namespace", GROUP)["Metrics"]


def _iso(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
