"""The boto3 of a year ago, in an environment of its own, against the doors whose protocols changed since."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.aws_server import an_aws_server
from tests.conformance.aws.test_cloudwatch_api import NAMESPACE, NOW, a_job

from trainyard.model.ledger import Point

UV = str(Path(sys.executable).with_name("uv"))
A_YEAR_AGO = "boto3==1.40.0"
CLIENT = """
import json, sys, boto3
url, since, until = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
known = dict(endpoint_url=url, region_name="us-west-2", aws_access_key_id="123456789012", aws_secret_access_key="x")
cloudwatch, logs = boto3.client("cloudwatch", **known), boto3.client("logs", **known)
sent = []
cloudwatch.meta.events.register("before-send.*", lambda request, **_: sent.append(request.headers["Content-Type"]))
job = dict(Namespace="/aws/sagemaker/TrainingJobs", MetricName="loss",
           Dimensions=[{"Name": "TrainingJobName", "Value": "old"}])
told = cloudwatch.get_metric_statistics(**job, StartTime=since, EndTime=until, Period=60, Statistics=["Average"])
query = [{"Id": "a", "MetricStat": {"Metric": job, "Period": 60, "Stat": "p50"}}]
data = cloudwatch.get_metric_data(MetricDataQueries=query, StartTime=since, EndTime=until)
try:
    cloudwatch.get_metric_statistics(**job, StartTime=since, EndTime=until, Period=60)
except cloudwatch.exceptions.InvalidParameterCombinationException as error:
    refused = error.response["Error"]["Code"]
print(json.dumps({
    "sent": str(sent[0]), "average": [one["Average"] for one in told["Datapoints"]],
    "p50": data["MetricDataResults"][0]["Values"], "refused": refused,
    "metrics": [one["MetricName"] for one in cloudwatch.list_metrics(**job)["Metrics"]],
    "groups": [one["logGroupName"] for one in logs.describe_log_groups()["logGroups"]],
}))
"""


@pytest.mark.slow
def test_the_boto3_of_last_year_reads_metrics_and_logs(tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, str(tmp_path / "venv")], check=True)
    subprocess.run([UV, "pip", "install", "--quiet", "--python", str(python), A_YEAR_AGO], check=True)
    with an_aws_server() as server:
        a_job(server, "old", [Point(name="loss", value=value, at=NOW + value) for value in (1.0, 3.0)])
        argv = [str(python), "-c", CLIENT, server.url, str(NOW - 60), str(time.time())]
        done = subprocess.run(argv, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert "x-www-form-urlencoded" in told.pop("sent")
    assert told == {
        "average": [2.0], "p50": [2.0], "refused": "InvalidParameterCombination", "metrics": ["loss"],
        "groups": [NAMESPACE],
    }  # fmt: skip
