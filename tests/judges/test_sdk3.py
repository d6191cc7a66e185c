"""The SageMaker SDK of the third version, unmodified, trains here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.test_aws_serve import serving
from tests.judges.judging import Judge, JudgeRefused, interpreter, judged_by

pytestmark = pytest.mark.sdk
IMAGES = """
[images.counts]
command = ["/bin/sh", "-c", "wc -l /opt/ml/input/data/train/*; cp /opt/ml/input/config/*.json /opt/ml/model/"]

[images.fails]
command = ["/bin/sh", "-c", "printf 'no such column: age' > /opt/ml/output/failure; exit 7"]
"""


@pytest.fixture(scope="module")
def sdk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    interpreter("sdk3")
    folder = tmp_path_factory.mktemp("sdk3")
    with serving(folder, settings=IMAGES) as served, judged_by("sdk3", served, folder) as judge:
        yield judge


@pytest.fixture
def data(tmp_path: Path) -> str:
    (tmp_path / "a.csv").write_text("1\n2\n")
    return str(tmp_path)


@pytest.mark.case(7)
def test_a_model_trainer_trains_with_logs(sdk: Judge, data: str) -> None:
    told = sdk("train", image="counts", folder=data, hyperparameters={"s": "abc"}).value
    assert told["status"] == "Completed"
    assert told["model"].endswith(f"/{told['name']}/output/model.tar.gz")
    assert {"iam:GetRole", "iam:SimulatePrincipalPolicy", "sagemaker:CreateTrainingJob"} <= set(told["calls"])
    assert "2 /opt/ml/input/data/train/a.csv" in sdk.log.read_text()


def test_a_failure_has_its_words(sdk: Judge, data: str) -> None:
    with pytest.raises(JudgeRefused, match="no such column: age"):
        sdk("train", image="fails", folder=data)


def test_a_script_goes_along(sdk: Judge, data: str, tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "train.py").write_text("import os; print('lr is ' + os.environ['SM_HP_LR'])")
    source = {"source_dir": str(code), "entry_script": "train.py"}
    told = sdk("train", image="local/python", folder=data, source=source, hyperparameters={"lr": "0.1"}).value
    assert told["status"] == "Completed"
    assert "lr is 0.1" in sdk.log.read_text()
