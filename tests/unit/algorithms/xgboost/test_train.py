"""The program as the platform starts it: real training on the real digits, under a base folder of its own."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xgboost
from sklearn.datasets import dump_svmlight_file, load_digits
from sklearn.model_selection import train_test_split

from trainyard.algorithms.xgboost.hyperparameters import DEFAULT_METRIC
from trainyard.algorithms.xgboost.metrics import metric_definitions

DIGITS = {"objective": "multi:softmax", "num_class": "10", "num_round": "20", "max_depth": "4", "nthread": "2"}


def _lay(
    base: Path, hyperparameters: dict[str, str], kind: str = "text/libsvm", channels: tuple[str, ...] = ()
) -> None:
    pixels, labels = load_digits(return_X_y=True)
    parts = train_test_split(pixels, labels, test_size=360, random_state=7, stratify=labels)
    config = base / "input" / "config"
    config.mkdir(parents=True)
    names = channels or ("train", "validation")
    for name, rows, answers in (("train", parts[0], parts[2]), ("validation", parts[1], parts[3])):
        folder = base / "input" / "data" / name
        folder.mkdir(parents=True)
        half = len(rows) // 2
        for number, (some, those) in enumerate(((rows[:half], answers[:half]), (rows[half:], answers[half:]))):
            if kind == "text/csv":
                np.savetxt(folder / f"{number}.csv", np.column_stack([those, some]), fmt="%g", delimiter=",")
            else:
                dump_svmlight_file(some, those, str(folder / f"{number}.libsvm"))
    (config / "hyperparameters.json").write_text(json.dumps(hyperparameters))
    settings = {name: {"TrainingInputMode": "File", "ContentType": kind} for name in names}
    (config / "inputdataconfig.json").write_text(json.dumps(settings))


def _command() -> list[str]:
    return [sys.executable, "-m", "trainyard.algorithms.xgboost", "train"]


def _env(base: Path) -> dict[str, str]:
    return {**os.environ, "SAGEMAKER_BASE_DIR": str(base)}


def _start(base: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(_command(), env=_env(base), capture_output=True, text=True, timeout=300, check=False)


def _load(base: Path) -> xgboost.Booster:
    booster = xgboost.Booster()
    booster.load_model(bytearray((base / "model" / "xgboost-model").read_bytes()))
    return booster


@pytest.mark.parametrize("kind", ["text/libsvm", "text/csv"])
def test_digits_to_a_model_that_plain_xgboost_loads(tmp_path: Path, kind: str) -> None:
    given = {**DIGITS, "eval_metric": "merror,accuracy"}
    _lay(tmp_path, given, kind)
    done = _start(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert _load(tmp_path).num_boosted_rounds() == 20
    assert not (tmp_path / "output" / "failure").exists()
    log = done.stdout.replace("\t", "#011")
    assert "[0]#011train-merror:" in log
    for name, regex in metric_definitions(given):
        values = re.findall(regex, log)
        assert len(values) == 20, name
    last = dict(re.findall(r"validation-(\w+):([0-9.]+)", log.splitlines()[-2]))
    assert float(last["merror"]) < 0.1
    assert float(last["accuracy"]) == pytest.approx(1 - float(last["merror"]), abs=1e-4)


def test_without_validation_only_training_is_reported(tmp_path: Path) -> None:
    _lay(tmp_path, {**DIGITS, "num_round": "3", "early_stopping_rounds": "2"}, channels=("train",))
    done = _start(tmp_path)
    assert done.returncode == 0, done.stdout
    lines = [line for line in done.stdout.splitlines() if line.startswith("[") and line[1].isdigit() and "\t" in line]
    assert [re.fullmatch(r"\[\d\]\ttrain-mlogloss:\d+\.\d{5}", line) is not None for line in lines] == [True] * 3
    assert _load(tmp_path).num_boosted_rounds() == 3


def test_wrong_hyperparameters_and_channels_are_the_customers_fault_and_told_at_once(tmp_path: Path) -> None:
    _lay(tmp_path, {"objective": "multi:softmax", "eta": "7", "depth": "3"}, channels=("validation", "test"))
    done = _start(tmp_path)
    assert done.returncode == 2
    failure = (tmp_path / "output" / "failure").read_text()
    assert failure.splitlines() == [
        "Hyperparameter eta: 7.0 is not in [0,1]",
        "Extraneous hyperparameter found: depth",
        "Missing required hyperparameter: num_round",
        "Require input for parameter 'num_class' for multi-classification",
        "Missing required channel: train",
        "Extraneous channel found: test",
    ]
    assert not (tmp_path / "model" / "xgboost-model").exists()


def test_labels_that_do_not_fit_are_the_customers_fault(tmp_path: Path) -> None:
    _lay(tmp_path, {**DIGITS, "num_class": "3"})
    done = _start(tmp_path)
    assert done.returncode == 2, done.stdout
    assert "abel" in (tmp_path / "output" / "failure").read_text()


def test_early_stopping_keeps_the_best_model(tmp_path: Path) -> None:
    _lay(tmp_path, {**DIGITS, "num_round": "400", "eta": "1", "eval_metric": "merror", "early_stopping_rounds": "3"})
    done = _start(tmp_path)
    assert done.returncode == 0, done.stdout
    errors = [float(value) for value in re.findall(r"validation-merror:(\S+)", done.stdout)]
    assert len(errors) < 400
    assert _load(tmp_path).num_boosted_rounds() == errors.index(min(errors)) + 1


def test_sigterm_saves_the_model_where_it_was_asked_for(tmp_path: Path) -> None:
    _lay(tmp_path, {**DIGITS, "num_round": "100000", "save_model_on_termination": "true"})
    with subprocess.Popen(_command(), env=_env(tmp_path), stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith("[3]"):
                child.send_signal(signal.SIGTERM)
                break
        child.stdout.read()
        assert child.wait(timeout=30) == 0
    assert _load(tmp_path).num_boosted_rounds() > 3


@pytest.mark.parametrize("objective", [name for name in DEFAULT_METRIC if not name.startswith("survival")])
def test_the_default_metric_of_each_objective_is_the_one_in_its_log(objective: str) -> None:
    answers = np.array([0, 1, 0, 1, 1, 0], dtype=np.float32) + (objective == "reg:gamma")
    groups = [0, 0, 0, 1, 1, 1] if objective.startswith("rank:") else None
    matrix = xgboost.DMatrix(np.arange(6, dtype=np.float32).reshape(-1, 1), label=answers, qid=groups)
    modern = "reg:squarederror" if objective == "reg:linear" else objective
    seen: dict[str, dict[str, list[float]]] = {}
    given = {"objective": modern, **({"num_class": 2} if objective.startswith("multi:") else {})}
    xgboost.train(given, matrix, 1, evals=[(matrix, "train")], evals_result=seen, verbose_eval=False)
    name, regex = metric_definitions({"objective": objective})[0]
    (reported,) = seen["train"]
    assert re.match(regex, f"[0]#011train-{reported}:0.5"), (name, reported)
