"""Check hyperparameters against the table: every problem at once, in the image's words."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trainyard.algorithms.xgboost.errors import CustomerError
from trainyard.algorithms.xgboost.hyperparameters import (
    BY_NAME,
    HYPERPARAMETERS,
    LINEAR_UPDATERS,
    LOST_UPDATERS,
    METRICS,
    TREE_GROWERS,
    TREE_UPDATERS,
    Hyperparameter,
    Interval,
    Kind,
)

#: Metrics that take a threshold or a cut behind an "@".
_WITH_CUT = ("error", "ndcg", "map")
#: Hyperparameters that the SDK and the tuner add for themselves and no algorithm is to read.
_PLATFORM_PREFIX = "sagemaker_"


@dataclass(frozen=True, slots=True)
class Checked:
    """What holds after the check: `booster` goes to xgboost, `ours` steers the program, `notices` are to be logged."""

    booster: Mapping[str, Any]
    ours: Mapping[str, Any]
    notices: tuple[str, ...]


def check(given: Mapping[str, str]) -> Checked:
    """Read and check hyperparameters as they stand in hyperparameters.json. Raises CustomerError with all problems."""
    problems: list[str] = []
    values: dict[str, Any] = {}
    for name, text in given.items():
        if name.startswith(_PLATFORM_PREFIX):
            continue
        row = BY_NAME.get(name)
        if row is None:
            problems.append(f"Extraneous hyperparameter found: {name}")
            continue
        try:
            values[name] = _READERS[row.kind](row, text)
        except ValueError as wrong:
            problems.append(str(wrong))
    problems.extend(
        f"Missing required hyperparameter: {row.name}"
        for row in HYPERPARAMETERS
        if row.required and row.name not in given
    )
    problems.extend(_between(values, given))
    if problems:
        raise CustomerError(*problems)
    return _split(values)


def _parsed(row: Hyperparameter, text: str, read: Callable[[str], Any]) -> Any:
    try:
        return read(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        raise ValueError(
            f"Hyperparameter {row.name}: could not parse value {text!r} (expected {row.kind} in {row.allowed})"
        ) from None


def _outside(row: Hyperparameter, value: object) -> ValueError:
    return ValueError(f"Hyperparameter {row.name}: {value} is not in {row.allowed}")


def _number(row: Hyperparameter, text: str) -> int | float:
    value: int | float = _parsed(row, text, int if row.kind is Kind.INTEGER else float)
    if not (row.within or Interval()).holds(value) or value in (float("inf"), float("-inf")):
        raise _outside(row, value)
    return value


def _choice(row: Hyperparameter, text: str) -> str:
    value = text.strip()
    if value not in row.values:
        raise _outside(row, value)
    return value


def _words(row: Hyperparameter, text: str) -> list[str]:
    words = [word.strip().strip("'\"") for word in text.strip().strip("[]").split(",")]
    for word in words:
        if not (_is_metric(word) if row.values is METRICS else word in row.values):
            raise _outside(row, word)
    return words


def _is_metric(word: str) -> bool:
    name, at, cut = word.partition("@")
    if not at:
        return name in METRICS
    try:
        float(cut.rstrip("-"))
    except ValueError:
        return False
    return name in _WITH_CUT


def _signs(row: Hyperparameter, text: str) -> tuple[int, ...]:
    value = _parsed(row, text, ast.literal_eval)
    signs = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    if not all(type(sign) is int and sign in (-1, 0, 1) for sign in signs):
        raise _outside(row, text)
    return signs


def _groups(row: Hyperparameter, text: str) -> list[list[int]]:
    value = _parsed(row, text, ast.literal_eval)
    nested = isinstance(value, list) and all(isinstance(group, (list, tuple)) for group in value)
    if not nested or not all(type(place) is int and place >= 0 for group in value for place in group):
        raise _outside(row, text)
    return [list(group) for group in value]


_READERS: Mapping[Kind, Callable[[Hyperparameter, str], Any]] = {
    Kind.INTEGER: _number,
    Kind.CONTINUOUS: _number,
    Kind.CATEGORICAL: _choice,
    Kind.WORDS: _words,
    Kind.SIGNS: _signs,
    Kind.GROUPS: _groups,
}


def _between(values: Mapping[str, Any], given: Mapping[str, str]) -> Iterator[str]:
    """What one hyperparameter demands of another."""
    objective = values.get("objective", "reg:squarederror")
    if objective.startswith("multi:") and "num_class" not in given:
        yield "Require input for parameter 'num_class' for multi-classification"
    if not objective.startswith("multi:") and "num_class" in values and "objective" not in given:
        yield "Do not need to setup parameter 'num_class' for learning task other than multi-classification."
    yield from _metrics(values, objective)
    method = values.get("tree_method")
    if "monotone_constraints" in values and method not in ("exact", "hist"):
        yield "monotone_constraints can be used only when the tree_method parameter is set to either 'exact' or 'hist'."
    if "interaction_constraints" in values and method not in ("exact", "hist", "approx"):
        yield (
            "interaction_constraints can be used only when the tree_method parameter is set to either 'exact', 'hist' "
            "or 'approx'."
        )
    yield from _updaters(values)
    if "_kfold" in values or "_num_cv_round" in values:
        yield "Hyperparameter _kfold: k-fold cross-validation is not available in this implementation"
    if values.get("use_dask_gpu_training") == "true":
        yield "Hyperparameter use_dask_gpu_training: distributed GPU training is not available in this implementation"


def _metrics(values: Mapping[str, Any], objective: str) -> Iterator[str]:
    metrics = values.get("eval_metric", ())
    if "auc" in metrics and not objective.startswith(("binary:", "rank:", "multi:")):
        yield "Metric 'auc' can only be applied for classification and ranking problems."
    if "aft-nloglik" in metrics and objective != "survival:aft":
        yield "Metric 'aft-nloglik' can only be applied for 'survival:aft' objective."


def _updaters(values: Mapping[str, Any]) -> Iterator[str]:
    chosen = values.get("updater", [])
    lost = [name for name in chosen if name in LOST_UPDATERS]
    if lost:
        yield f"Hyperparameter updater: {', '.join(lost)} no longer exist in xgboost; leave updater to tree_method"
    elif values.get("booster") == "gblinear":
        if chosen and (len(chosen) != 1 or chosen[0] not in LINEAR_UPDATERS):
            yield "Linear updater should be one of these options: 'shotgun', 'coord_descent'."
    elif values.get("process_type") == "update":
        if not set(chosen) <= {"refresh", "prune"}:
            yield "process_type 'update' can only be used with updater 'refresh' and 'prune'"
    elif not set(chosen) <= set(TREE_UPDATERS):
        yield f"Tree updater should be selected from these options: {', '.join(map(repr, TREE_UPDATERS))}."
    elif len(set(chosen) & set(TREE_GROWERS)) > 1:
        yield f"Only one tree grow plugin can be selected. Choose one from: {', '.join(map(repr, TREE_GROWERS))}."


def _split(values: Mapping[str, Any]) -> Checked:
    booster: dict[str, Any] = {}
    ours: dict[str, Any] = {}
    notices: list[str] = []
    for name, value in values.items():
        row = BY_NAME[name]
        if row.gone:
            notices.append(f"Hyperparameter {name} has no effect in this version of XGBoost: {row.gone}.")
        else:
            (ours if row.ours else booster)[name] = value
    if booster.get("objective") == "reg:linear":
        booster["objective"] = "reg:squarederror"
        notices.append("Objective reg:linear is now called reg:squarederror.")
    if booster.get("tree_method") == "gpu_hist":
        booster["tree_method"] = "hist"
        notices.append("Tree method gpu_hist is now hist on the device; this build trains on the CPU.")
    if "updater" in booster:
        booster["updater"] = ",".join(booster["updater"])
    return Checked(booster, ours, tuple(notices))
