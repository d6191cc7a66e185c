"""Train: from checked hyperparameters and the channels' files to /opt/ml/model/xgboost-model."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import xgboost

from trainyard.algorithms.xgboost import data
from trainyard.algorithms.xgboost.errors import AlgorithmError, CustomerError
from trainyard.algorithms.xgboost.hyperparameters import MAXIMIZE
from trainyard.algorithms.xgboost.scores import SCORES, scorer
from trainyard.algorithms.xgboost.validation import Checked, check
from trainyard.kit.atomic import write_bytes

MODEL_NAME = "xgboost-model"
_LOG = logging.getLogger(__name__)
#: What xgboost says when the data or the parameters are at fault, not the program.
_CUSTOMER_WORDS = (
    "label must be",
    "labels must be",
    "Label set is empty",
    "label set cannot be empty",
    "base_score",
    "must be",
    "should be",
    "Invalid Parameter",
    "expect a positive",
    "num_class",
    "Check failed: preds.size() == labels.size()",
    "feature_names mismatch",
    "Sampling method",
    "sampling",
    "Only uniform",
    "contain",
    "constraint",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What the platform laid out: the three JSON files and where the channels and the model are."""

    hyperparameters: Mapping[str, str]
    channels: Mapping[str, Mapping[str, str]]
    hosts: tuple[str, ...]
    data: Path
    model: Path


class _Report(xgboost.callback.TrainingCallback):
    """Writes a line per round as the image does, and ends training between rounds when asked to stop."""

    def __init__(self) -> None:
        super().__init__()
        self.stopping = False

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        """Print `[round]<TAB>channel-metric:value…`; True ends the training."""
        del model
        cells = [
            f"{channel}-{name}:{values[-1]:.5f}"
            for channel, metrics in evals_log.items()
            for name, values in metrics.items()
        ]
        sys.stdout.write("\t".join([f"[{epoch}]", *cells]) + "\n")
        sys.stdout.flush()
        return self.stopping

    def stop(self, signum: int, frame: FrameType | None) -> None:
        """Signal handler: the round in progress is finished first."""
        del signum, frame
        _LOG.info("Received SIGTERM: saving the model and ending.")
        self.stopping = True


def run(inputs: Inputs) -> Path:
    """Check, read, train and save; the model's path. Raises CustomerError or AlgorithmError."""
    checked = _checked(inputs)
    for notice in checked.notices:
        _LOG.warning("%s", notice)
    report = _Report()
    if checked.ours.get("save_model_on_termination") == "true":
        signal.signal(signal.SIGTERM, report.stop)
    matrices = _matrices(inputs, weighted=checked.ours.get("csv_weights") == 1)
    booster = _train(checked, matrices, report)
    target = inputs.model / MODEL_NAME
    inputs.model.mkdir(parents=True, exist_ok=True)
    write_bytes(target, bytes(booster.save_raw("ubj")))
    _LOG.info("Stored trained model at %s", target)
    return target


def _checked(inputs: Inputs) -> Checked:
    """Hyperparameters and channels, their problems told together."""
    problems: list[str] = []
    checked = None
    try:
        checked = check(inputs.hyperparameters)
    except CustomerError as wrong:
        problems += wrong.problems
    problems += _channel_problems(inputs)
    if checked is None or problems:
        raise CustomerError(*problems)
    return checked


def _channel_problems(inputs: Inputs) -> list[str]:
    problems = [] if "train" in inputs.channels else ["Missing required channel: train"]
    for name, settings in inputs.channels.items():
        if name not in ("train", "validation"):
            problems.append(f"Extraneous channel found: {name}")
        elif settings.get("TrainingInputMode", "File") == "Pipe":
            problems.append(f"Channel {name}: input mode Pipe is not available in this implementation; use File.")
        else:
            try:
                data.format_of(settings.get("ContentType"))
            except CustomerError as wrong:
                problems.append(f"Channel {name}: {wrong}")
    if len(inputs.hosts) > 1:
        problems.append("Training on several hosts is not available in this implementation; use one instance.")
    return problems


def _matrices(inputs: Inputs, *, weighted: bool) -> list[tuple[Any, str]]:
    kinds = {name: data.format_of(settings.get("ContentType")) for name, settings in inputs.channels.items()}
    tables = {"train": data.read(inputs.data / "train", kinds["train"], channel="training", weighted=weighted)}
    if "validation" in kinds:
        tables["validation"] = data.read(inputs.data / "validation", kinds["validation"], channel="validation")
    data.same_width(*tables.values())
    matrices = [(_matrix(table), name) for name, table in tables.items()]
    for matrix, name in matrices:
        _LOG.info("%s matrix has %d rows and %d columns", name.capitalize(), matrix.num_row(), matrix.num_col())
    return matrices


def _matrix(table: data.Table) -> Any:
    try:
        return xgboost.DMatrix(table.features, label=table.labels, weight=table.weights, qid=table.queries)
    except (xgboost.core.XGBoostError, ValueError) as wrong:
        raise CustomerError(_first_line(wrong)) from wrong


def _train(checked: Checked, matrices: list[tuple[Any, str]], report: _Report) -> Any:
    names = list(dict.fromkeys([*checked.ours.get("eval_metric", ()), *_tuned(checked)]))
    parameters = dict(checked.booster)
    own = [name for name in names if name not in SCORES]
    if own:
        parameters["eval_metric"] = own
    elif names:
        parameters["disable_default_eval_metric"] = 1
    callbacks: list[Any] = [report]
    if "early_stopping_rounds" in checked.ours:
        callbacks.append(_early(checked, matrices, names))
    _LOG.info("Single node training.")
    try:
        return xgboost.train(
            parameters,
            matrices[0][0],
            num_boost_round=checked.ours["num_round"],
            evals=matrices,
            custom_metric=scorer(names),
            callbacks=callbacks,
            verbose_eval=False,
        )
    except (xgboost.core.XGBoostError, ValueError) as wrong:
        text = _first_line(wrong)
        if any(word in text for word in _CUSTOMER_WORDS):
            raise CustomerError(text) from wrong
        raise AlgorithmError(f"XGB train call failed with exception:\n{text}") from wrong


def _tuned(checked: Checked) -> list[str]:
    tuned = checked.ours.get("_tuning_objective_metric")
    return [tuned.rpartition(":")[2]] if tuned else []


def _early(checked: Checked, matrices: list[tuple[Any, str]], names: list[str]) -> Any:
    """Stop on the last metric of the last channel, and keep the best model as the image does."""
    last = names[-1] if names else None
    return xgboost.callback.EarlyStopping(
        rounds=checked.ours["early_stopping_rounds"],
        data_name=matrices[-1][1],
        metric_name=last,
        maximize=None if last is None else last.partition("@")[0] in MAXIMIZE,
        save_best=checked.booster.get("booster") != "gblinear",
    )


def _first_line(wrong: Exception) -> str:
    """Xgboost's message without its C++ stack and source position."""
    text = str(wrong).split("Stack trace")[0].strip()
    return text.partition("Check failed: ")[2] or text
