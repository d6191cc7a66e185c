import subprocess
import sys
from typing import Any

import pytest

from trainyard.model.spec import TrainingJobSpec
from trainyard.wiring.catalogue import Alias, Catalogue, ImageName, Program


def _spec(hyperparameters: dict[str, str] | None = None, **algorithm: Any) -> TrainingJobSpec:
    return TrainingJobSpec.from_wire(
        {
            "TrainingJobName": "a",
            "RoleArn": "arn:aws:iam::123456789012:role/r",
            "AlgorithmSpecification": {"TrainingInputMode": "File", **algorithm},
            "OutputDataConfig": {"S3OutputPath": "s3://b/o"},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
            "HyperParameters": hyperparameters or {},
        }
    )


def _program(found: object) -> Program:
    assert isinstance(found, Program), found
    return found


@pytest.mark.parametrize(
    "image",
    [
        "246618743249.dkr.ecr.us-west-2.amazonaws.com/sagemaker-xgboost:1.2-1",
        "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1",
        "433757028032.dkr.ecr.us-west-2.amazonaws.com/xgboost:1",
        "450853457545.dkr.ecr.cn-north-1.amazonaws.com.cn/sagemaker-xgboost:1.5-1-cpu-py3",
        "sagemaker-xgboost:1.7-1",
        "xgboost",
    ],
)
def test_xgboost_of_any_region_and_version_is_ours(image: str) -> None:
    program = _program(Catalogue().resolve(_spec({"objective": "reg:squarederror"}, TrainingImage=image)))
    assert program.argv == (sys.executable, "-m", "trainyard.algorithms.xgboost")
    assert program.label.startswith("built-in XGBoost 3.")
    assert bool(program.notices) == (":" in image)
    assert program.metrics[1] == ("validation:rmse", r".*\[[0-9]+\].*#011validation-rmse:([0-9.eE+-]+)")


def test_algorithm_name() -> None:
    assert "XGBoost" in _program(Catalogue().resolve(_spec(AlgorithmName="xgboost"))).label


def test_a_strangers_xgboost_is_not_ours() -> None:
    found = Catalogue().resolve(_spec(TrainingImage="ghcr.io/somebody/xgboost:1"))
    assert not isinstance(found, Program)
    assert found[0].code == "unknown-image"


def test_xgboost_without_its_extra_says_how_to_get_it() -> None:
    found = Catalogue(installed=lambda name: name != "xgboost").resolve(_spec(TrainingImage="xgboost"))
    assert not isinstance(found, Program)
    assert "pip install 'trainyard[xgboost]'" in found[0].message


def test_local_python_runs_script_mode_in_the_callers_interpreter() -> None:
    program = _program(Catalogue().resolve(_spec(TrainingImage="local/python")))
    assert program.argv[0] == sys.executable
    done = subprocess.run([*program.argv, "no"], env=dict(program.env), capture_output=True, text=True, check=False)
    assert "knows `train`" in done.stderr


def test_local_python_without_an_interpreter() -> None:
    found = Catalogue(python="/no/python").resolve(_spec(TrainingImage="local/python"))
    assert not isinstance(found, Program)
    assert found[0].code == "no-interpreter"


@pytest.mark.parametrize(
    ("image", "code"),
    [
        ("763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.3-cpu-py311", "framework-image"),
        ("683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1", "framework-image"),
        ("382416733822.dkr.ecr.us-east-1.amazonaws.com/linear-learner:1", "no-implementation"),
        ("docker.io/library/alpine", "unknown-image"),
    ],
)
def test_what_is_not_ours_is_refused_with_what_to_do(image: str, code: str) -> None:
    found = Catalogue().resolve(_spec(TrainingImage=image))
    assert not isinstance(found, Program)
    assert found[0].code == code
    assert "trainyard.toml" in found[0].message
    assert found[0].path == ("AlgorithmSpecification", "TrainingImage")


@pytest.mark.parametrize(
    "named", ["r.example:5000/team/mine:2", "r.example:5000/team/mine", "team/mine:2", "team/mine"]
)
def test_an_alias_goes_first(named: str) -> None:
    catalogue = Catalogue(aliases={named: Alias(command=("/bin/echo", "hi"), env={"A": "1"})})
    program = _program(catalogue.resolve(_spec(TrainingImage="r.example:5000/team/mine:2@sha256:abc")))
    assert program.argv == ("/bin/echo", "hi")
    assert program.env == {"A": "1"}


def test_an_alias_to_an_interpreter_runs_scripts() -> None:
    catalogue = Catalogue(aliases={"pytorch-training": Alias(python=sys.executable)})
    image = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.3"
    assert _program(catalogue.resolve(_spec(TrainingImage=image))).argv[1].endswith("script_mode.py")


def test_image_names() -> None:
    assert ImageName.parse("localhost/a:1") == ImageName("localhost", "a", "1")
    assert ImageName.parse("team/a@sha256:0") == ImageName("", "team/a", None)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ("p", "train")),
        ({"ContainerArguments": ["a"]}, ("p", "a")),
        ({"ContainerEntrypoint": ["/e", "x"]}, ("/e", "x")),
        ({"ContainerEntrypoint": ["/e"], "ContainerArguments": ["a"]}, ("/e", "a")),
    ],
)
def test_entrypoint_and_arguments(given: dict[str, list[str]], expected: tuple[str, ...]) -> None:
    assert Program(argv=("p",), label="").command(_spec(TrainingImage="a", **given)) == expected
