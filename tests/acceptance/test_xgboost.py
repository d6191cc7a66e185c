"""From a request to a model, through every real part: the demo's hyperparameters on the real digits, and a script."""

import asyncio
import importlib.util
import pickle
import tarfile
from pathlib import Path
from typing import Any

import pytest
import xgboost
from ruamel.yaml import YAML

from trainyard.model.job import Job
from trainyard.model.spec import TrainingJobSpec
from trainyard.wiring.session import open_session

EXAMPLES = Path(__file__).parents[2] / "examples"
DEADLINE = 60


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    spec = importlib.util.spec_from_file_location("digits_data", EXAMPLES / "digits_data.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.write(tmp_path / "digits")
    return tmp_path / "digits"


def _manifest() -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load((EXAMPLES / "xgboost-digits.yaml").read_text())["spec"]
    return found


def _channel(name: str, folder: Path | str, **more: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": f"file://{folder}"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, **more}


async def _run(tmp_path: Path, image: str, hyperparameters: dict[str, str], *channels: dict[str, Any]) -> Job:
    """Create the job in a home of its own and await its end."""
    spec = TrainingJobSpec.from_wire(
        {
            "TrainingJobName": "job",
            "RoleArn": "arn:aws:iam::123456789012:role/r",
            "AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File"},
            "HyperParameters": hyperparameters,
            "InputDataConfig": list(channels),
            "OutputDataConfig": {"S3OutputPath": f"file://{tmp_path}/out"},
            "ResourceConfig": {"InstanceType": "ml.m4.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 5},
            "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        }
    )
    async with open_session(str(tmp_path / "home"), lead=True) as session, asyncio.timeout(DEADLINE):
        job = await session.service.create(spec)
        while job.description.training_job_status == "InProgress":
            await asyncio.sleep(0.05)
            job = await session.service.describe("job")
    return job


def _unpack(tmp_path: Path) -> Path:
    with tarfile.open(tmp_path / "out" / "job" / "output" / "model.tar.gz") as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    return tmp_path / "unpacked"


async def test_the_demos_manifest_trains_digits_below_five_per_cent(tmp_path: Path, digits: Path) -> None:
    manifest = _manifest()
    image = manifest["algorithmSpecification"]["trainingImage"]
    channels = [_channel(name, digits / "libsvm" / name, ContentType="text/libsvm") for name in ("train", "validation")]
    job = await _run(tmp_path, image, manifest["hyperParameters"], *channels)
    assert job.description.training_job_status == "Completed", job.description.failure_reason
    metrics = {metric.metric_name: metric.value for metric in job.description.final_metric_data_list or ()}
    assert metrics["validation:merror"] is not None
    assert metrics["validation:merror"] < 0.05
    model = xgboost.Booster()
    model.load_model(bytearray((_unpack(tmp_path) / "xgboost-model").read_bytes()))
    assert model.num_features() == 64


async def test_the_model_is_the_same_whether_files_were_fetched_or_are_fetched_when_read(
    tmp_path: Path, digits: Path
) -> None:
    parameters = {"objective": "multi:softmax", "num_class": "10", "num_round": "5", "seed": "1"}
    models = []
    for mode in ("File", "FastFile"):
        channel = _channel("train", digits / "csv" / "train", ContentType="text/csv", InputMode=mode)
        job = await _run(tmp_path / mode, "xgboost", parameters, channel)
        assert job.description.training_job_status == "Completed", job.description.failure_reason
        models.append((_unpack(tmp_path / mode) / "xgboost-model").read_bytes())
    assert models[0] == models[1]


async def test_wrong_hyperparameters_fail_the_job_as_the_clients_error(tmp_path: Path, digits: Path) -> None:
    given = {**_manifest()["hyperParameters"], "eta": "7", "num_rounds": "3"}
    channel = _channel("train", digits / "csv" / "train", ContentType="text/csv")
    job = await _run(tmp_path, "sagemaker-xgboost:1.7-1", given, channel)
    reason = job.description.failure_reason or ""
    assert reason.startswith("ClientError: Hyperparameter eta: 7.0 is not in [0,1]")
    assert "Extraneous hyperparameter found: num_rounds" in reason
    assert "exit code: 2" in reason


async def test_a_broken_row_fails_the_job_with_its_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "part-0.csv").write_text("1,2\n0,3\n")
    (tmp_path / "rows" / "part-1.csv").write_text("1,2\n0,3,4\n")
    given = {"num_round": "3", "objective": "binary:logistic"}
    job = await _run(tmp_path, "xgboost:3", given, _channel("train", tmp_path / "rows", ContentType="text/csv"))
    assert job.description.failure_reason == (
        "ClientError: Line 2 of file 'part-1.csv' has 3 columns, the first line has 2., exit code: 2"
    )


async def test_a_scikit_learn_script_that_never_heard_of_us(tmp_path: Path, digits: Path) -> None:
    given = {"sagemaker_program": "train.py", "sagemaker_submit_directory": "code", "n-estimators": "20"}
    code = _channel("code", f"{EXAMPLES}/sklearn_script/")
    train = _channel("train", f"{digits}/csv/train/")
    job = await _run(tmp_path, "local/python", given, code, train)
    assert job.description.training_job_status == "Completed", job.description.failure_reason
    forest = pickle.loads((_unpack(tmp_path) / "model.pkl").read_bytes())  # noqa: S301 - our own model
    assert forest.n_features_in_ == 64
    assert len(forest.estimators_) == 20
