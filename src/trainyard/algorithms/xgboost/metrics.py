"""The names under which the image reports metrics, and the regular expressions that it has built in. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from trainyard.algorithms.xgboost.hyperparameters import DEFAULT_METRIC

#: A number only: behind it the next TAB is spelt #011, which is no white space.
_VALUE = r"([0-9.eE+-]+)"
_OBJECTIVE = "reg:squarederror"
_WITH_CUT = ("ndcg", "map", "tweedie-nloglik")


def metric_names(hyperparameters: Mapping[str, str]) -> tuple[str, ...]:
    """What a job with these hyperparameters reports, in the order of its log, each name once."""
    named = hyperparameters.get("eval_metric", "").strip().strip("[]")
    names = [word.strip().strip("'\"") for word in named.split(",")] if named else []
    tuned = hyperparameters.get("_tuning_objective_metric", "").rpartition(":")[2].strip()
    if tuned:
        names.append(tuned)
    if not names:
        objective = hyperparameters.get("objective", _OBJECTIVE).strip()
        names.append(DEFAULT_METRIC.get(objective, "rmse"))
    return tuple(dict.fromkeys(name for name in names if name))


def metric_definitions(hyperparameters: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """(name, regular expression) of each metric, as for MetricDefinitions: `#011` stands for the TAB of the log line.

    The service adds these for its own algorithms when a request names none.
    """
    return tuple(
        (f"{channel}:{name}", rf".*\[[0-9]+\].*#011{channel}-{_in_log(name)}:{_VALUE}")
        for name in metric_names(hyperparameters)
        for channel in ("train", "validation")
    )


def _in_log(name: str) -> str:
    # xgboost writes the cut or power that it chose itself behind the name: ndcg@32, tweedie-nloglik@1.5
    return rf"{name}(?:@[0-9.]+)?" if name in _WITH_CUT else name
