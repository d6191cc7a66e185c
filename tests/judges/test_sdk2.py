"""The SageMaker SDK of the second version, unmodified, trains here."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.acceptance.test_aws_serve import ROOT, serving
from tests.judges.judging import Judge, JudgeRefused, interpreter, judged_by

IMAGES = """
[images.fails]
command = ["/bin/sh", "-c", "echo about to fail; printf 'no such column: age' > /opt/ml/output/failure; exit 7"]

[images.waits]
command = ["/bin/sh", "-c", "trap 'echo told to stop; exit 0' TERM; echo begun; while :; do sleep 0.1; done"]

[images.ends]
command = ["/bin/sh", "-c", "echo $A > /opt/ml/model/a"]
"""


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("digits")
    subprocess.run([sys.executable, "examples/digits_data.py", str(folder)], cwd=ROOT, check=True)
    return str(folder)


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    interpreter("sdk2")
    folder = tmp_path_factory.mktemp("sdk2")
    with serving(folder, settings=IMAGES) as served, judged_by("sdk2", served, folder) as judge:
        yield judge


@pytest.mark.case(4)
def test_fit_shows_the_log_and_ends_with_a_model(sdk: Judge, digits: str, tmp_path: Path) -> None:
    told = sdk("fit_digits", data=digits, logs="All")
    assert "Completed - Training job completed" in told.printed
    assert "validation-merror:" in told.printed
    assert "Training seconds: " in told.printed
    uri = told.value["model"]
    assert uri == f"s3://sagemaker-us-east-1-000000000000/{told.value['name']}/output/model.tar.gz"
    (archive,) = sdk("fetch", uri=uri, folder=str(tmp_path)).value
    with tarfile.open(archive) as model:
        assert "xgboost-model" in model.getnames()


@pytest.mark.case(5)
def test_fit_without_logs(sdk: Judge, digits: str) -> None:
    told = sdk("fit_digits", data=digits, logs=False).value
    assert told["told"]["TrainingJobStatus"] == "Completed"
    # What the SDK adds of itself was taken, and is told again.
    assert told["told"]["DebugHookConfig"]["CollectionConfigurations"] == []
    assert told["told"]["ProfilerConfig"]["DisableProfiler"] is False
    assert set(told["calls"]) <= {
        "s3:ListBuckets", "s3:HeadBucket", "s3:CreateBucket", "s3:PutObject", "sagemaker:CreateTrainingJob",
        "sagemaker:DescribeTrainingJob",
    }  # fmt: skip


@pytest.mark.case(6)
def test_a_job_that_nobody_waited_for_is_attached_to(sdk: Judge, digits: str) -> None:
    name = sdk("fit_digits", data=digits, logs=None, tags=[{"Key": "team", "Value": "a"}]).value["name"]
    attached = sdk("attach", name=name)
    assert "Training job completed" in attached.printed
    assert attached.value["hyperparameters"]["num_class"] == "10"
    assert attached.value["image"].endswith("sagemaker-xgboost:1.7-1")
    assert attached.value["model"].endswith(f"/{name}/output/model.tar.gz")
    assert attached.value["tags"] == [{"Key": "team", "Value": "a"}]


@pytest.mark.xfail(
    find_spec("trainyard.doors.cloudwatch") is None, reason="issue 4: metrics to read are not answered yet", strict=True
)
def test_a_metric_becomes_a_data_frame(sdk: Judge, digits: str) -> None:
    name = sdk("fit_digits", data=digits, logs=False).value["name"]
    rows = sdk("metrics", name=name, metric="validation:merror").value
    assert rows
    assert {row["metric_name"] for row in rows} == {"validation:merror"}


def test_a_failure_has_its_words(sdk: Judge) -> None:
    with pytest.raises(JudgeRefused) as refused:
        sdk("fit_image", image="fails", logs=["Training"])
    assert refused.value.kind == "UnexpectedStatusException"
    assert "Failed. Reason: AlgorithmError: no such column: age, exit code: 7" in refused.value.text
    assert "about to fail" in refused.value.printed


def test_a_job_is_stopped(sdk: Judge) -> None:
    name = sdk("fit_image", image="waits").value["name"]
    told = sdk("stop", name=name)
    assert "Training job stopped" in told.printed
    assert sdk("describe", name=name).value["TrainingJobStatus"] == "Stopped"


def test_a_spot_job_with_checkpoints_and_a_hook(sdk: Judge) -> None:
    told = sdk("fit_spot", image="ends", bucket=sdk("default_bucket").value).value
    assert told["TrainingJobStatus"] == "Completed"
    assert told["EnableManagedSpotTraining"] is True
    assert told["StoppingCondition"] == {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 120}
    assert told["Environment"] == {"A": "b"}


def test_a_request_that_the_service_refuses_is_refused_in_its_words(sdk: Judge) -> None:
    with pytest.raises(JudgeRefused, match="validation error detected") as refused:
        sdk("fit_image", image="ends", environment={"1A": "b"})
    assert refused.value.kind == "ClientError"
