"""The notebook's surface: run, wait, look."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainyard import Client
from trainyard.model.errors import InvalidJob, ResourceNotFound


def request(name: str, command: str) -> dict[str, object]:
    return {
        "trainingJobName": name,
        "roleARN": "arn:aws:iam::123456789012:role/trainer",
        "algorithmSpecification": {
            "trainingImage": "local/python",
            "trainingInputMode": "File",
            "containerEntrypoint": ["/bin/sh", "-c"],
            "containerArguments": [command],
            "metricDefinitions": [{"name": "loss", "regex": r"loss=([0-9.]+)"}],
        },
        "outputDataConfig": {"s3OutputPath": "s3://out/models"},
        "resourceConfig": {"instanceType": "ml.m5.large", "instanceCount": 1, "volumeSizeInGB": 1},
        "stoppingCondition": {"maxRuntimeInSeconds": 60},
    }


def test_a_job_runs_to_its_end_and_its_output_is_there(tmp_path: Path) -> None:
    with Client(str(tmp_path / "home")) as client:
        job = client.run(request("quick", "echo loss=0.5; echo loss=0.25")).wait(timeout=30)
        assert job.status == "Completed"
        assert list(job.logs()) == ["loss=0.5", "loss=0.25"]
        assert job.metrics() == {"loss": [0.5, 0.25]}
        assert [one.name for one in client.list()] == ["quick"]


def test_a_bad_request_names_every_problem(tmp_path: Path) -> None:
    bad = {**request("bad_name", "true"), "stoppingCondition": {"maxRuntimeInSeconds": 0}}
    with Client(str(tmp_path / "home")) as client, pytest.raises(InvalidJob) as refused:
        client.run(bad)
    assert {problem.path[0] for problem in refused.value.problems} == {"TrainingJobName", "StoppingCondition"}


def test_an_unknown_job_is_not_found(tmp_path: Path) -> None:
    with Client(str(tmp_path / "home")) as client, pytest.raises(ResourceNotFound):
        client.job("nobody")


def test_a_handle_tells_everything_and_escapes_it(tmp_path: Path) -> None:
    command = "echo loss=0.5; echo weights > /opt/ml/model/weights"
    asked = {**request("whole", command), "tags": [{"key": "team", "value": "yard"}]}
    with Client(str(tmp_path / "home")) as client:
        job = client.run(asked)
        assert list(job.logs(follow=True)) == ["loss=0.5"]
        job.wait(timeout=60)
        assert job.tags == {"team": "yard"}
        ((at, value),) = job.metrics(times=True)["loss"]
        assert (at > 0, value) == (True, 0.5)
        assert job.events()[0][1] == "Accepted"
        assert repr(job) == "<TrainingJob whole: Completed (Completed)>"
        assert "<td>loss</td><td>0.5</td>" in job._repr_html_()
        (weights,) = job.artifacts(tmp_path / "model")
        assert weights.read_text() == "weights\n"
        job.delete()
        assert client.list() == ()
        failed = client.run(request("failed", "echo '<b>bad</b>' > /opt/ml/output/failure; exit 1")).wait(timeout=60)
        assert "&lt;b&gt;bad" in failed._repr_html_()


async def test_it_works_inside_a_running_loop(tmp_path: Path) -> None:
    with Client(str(tmp_path / "home")) as client:
        assert client.list() == ()
