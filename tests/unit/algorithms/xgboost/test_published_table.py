# ruff: noqa: E501 - one hyperparameter, one line
"""Our table against AWS's published one, written down a second time: what each row takes, refuses and is by default.

Where the guide gives an end of a range that the image refuses (a share of 0), the row says what the image does.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from trainyard.algorithms.xgboost.errors import CustomerError
from trainyard.algorithms.xgboost.hyperparameters import BY_NAME
from trainyard.algorithms.xgboost.validation import check


@dataclass(frozen=True)
class Row:
    """A row of the guide: values it takes, values it does not, its default, and what else a request needs then."""

    name: str
    takes: str
    refuses: str
    default: str | None = None
    beside: tuple[tuple[str, str], ...] = ()


def row(name: str, takes: str, refuses: str, default: str | None = None, **beside: str) -> Row:
    return Row(name, takes, refuses, default, tuple(beside.items()))


MULTI = "multi:softmax"
GUIDE = (
    row("num_class", "2 3 1000", "1 0 -1 2.5 many", objective=MULTI),
    row("num_round", "1 2 100000", "0 -1 1.5 many"),
    row("alpha", "0 0.5 1e6", "-0.1 many", "0"),
    row("base_score", "0 0.5 100", "-1 many", "0.5"),
    row("booster", "gbtree gblinear dart", "gbforest GBTREE", "gbtree"),
    row("colsample_bylevel", "0.01 0.5 1", "0 1.01 -1 many", "1"),
    row("colsample_bynode", "0.01 0.5 1", "0 1.01 -1 many", "1"),
    row("colsample_bytree", "0.01 0.5 1", "0 1.01 -1 many", "1"),
    row("csv_weights", "0 1", "2 -1 0.5 true", "0"),
    row("deterministic_histogram", "true false", "1 yes", "true"),
    row("early_stopping_rounds", "1 10", "0 -1 1.5 many"),
    row("eta", "0 0.3 1", "-0.1 1.1 many", "0.3"),
    row("eval_metric", "rmse mae logloss error merror mlogloss auc aucpr ndcg map mse f1 accuracy error@0.7 ndcg@10 rmse,mae", "loss RMSE rmse@1", objective="binary:logistic"),
    row("gamma", "0 5 1e6", "-1 many", "0"),
    row("grow_policy", "depthwise lossguide", "random", "depthwise"),
    row("interaction_constraints", "[[0,2],[1]] [[0,1,2]]", "[0,1] [[a]] [[-1]]", tree_method="hist"),
    row("lambda", "0 1 1e6", "-1 many", "1"),
    row("lambda_bias", "0 1 0.5", "-0.1 1.1 many", "0"),
    row("max_bin", "0 2 256 100000", "-1 1.5 many", "256"),
    row("max_delta_step", "0 1 10", "-1 many", "0"),
    row("max_depth", "0 6 100", "-1 1.5 many", "6"),
    row("max_leaves", "0 31", "-1 1.5 many", "0"),
    row("min_child_weight", "0 1 120", "-1 many", "1"),
    row("monotone_constraints", "(0,1) (1,-1) (0)", "(2,) (a,) (0,1", tree_method="hist"),
    row("normalize_type", "tree forest", "wood", "tree"),
    row("nthread", "1 64", "0 -1 1.5 many"),
    row("objective", "reg:squarederror reg:linear reg:logistic reg:squaredlogerror reg:pseudohubererror reg:absoluteerror binary:logistic binary:logitraw binary:hinge count:poisson survival:cox survival:aft rank:pairwise rank:ndcg rank:map reg:gamma reg:tweedie", "reg:log binary multi:logistic", "reg:squarederror"),
    row("objective", "multi:softmax multi:softprob", "multi:hinge", num_class="3"),
    row("one_drop", "0 1", "2 -1 0.5", "0"),
    row("process_type", "default", "new", "default"),
    row("process_type", "update", "refresh", updater="refresh"),
    row("rate_drop", "0 0.5 1", "-0.1 1.1 many", "0.0"),
    row("refresh_leaf", "0 1", "2 -1 0.5", "1"),
    row("sample_type", "uniform weighted", "biased", "uniform"),
    row("scale_pos_weight", "0.1 1 100", "0 -1 many", "1"),
    row("seed", "0 -5 42", "1.5 many 99999999999", "0"),
    row("single_precision_histogram", "true false", "1 yes", "false"),
    row("sketch_eps", "0.01 0.03 0.99", "0 1 -1 many", "0.03"),
    row("skip_drop", "0 0.5 1", "-0.1 1.1 many", "0.0"),
    row("subsample", "0.01 0.5 1", "0 1.01 many", "1"),
    row("tree_method", "auto exact approx hist gpu_hist", "fast", "auto"),
    row("tweedie_variance_power", "1.01 1.5 1.99", "1 2 many", "1.5"),
    row("updater", "grow_colmaker grow_histmaker grow_quantile_histmaker sync refresh prune grow_colmaker,prune", "grow"),
    row("updater", "shotgun coord_descent", "prune,refresh", booster="gblinear"),
    row("use_dask_gpu_training", "false", "1 yes", "false"),
    row("verbosity", "0 1 2 3", "4 -1 1.5 many", "1"),
    row("aft_loss_distribution", "normal logistic extreme", "cauchy", "normal"),
    row("aft_loss_distribution_scale", "0.1 1 10", "0 -1 many", "1"),
    row("huber_slope", "0.1 1 10", "0 -1 many", "1"),
    row("dsplit", "row col", "cell", "row"),
    row("num_parallel_tree", "1 100", "0 -1 1.5", "1"),
    row("predictor", "auto cpu_predictor gpu_predictor", "tpu_predictor", "auto"),
    row("prob_buffer_row", "0.1 1", "0 1.1 many", "1.0"),
    row("sampling_method", "uniform gradient_based", "random", "uniform"),
    row("save_model_on_termination", "true false", "1 yes", "false"),
    row("_tuning_objective_metric", "validation:rmse train:auc validation:merror", "rmse test:rmse"),
)  # fmt: skip
REFUSED_HERE = {"_kfold", "_num_cv_round"}  # cross-validation: known, and told that it is not available
ROWS = pytest.mark.parametrize("row", GUIDE, ids=lambda row: row.name)


def given(row: Row, value: str) -> dict[str, str]:
    return {"num_round": "5", **dict(row.beside), row.name: value}


@ROWS
def test_what_a_row_takes(row: Row) -> None:
    for value in row.takes.split():
        check(given(row, value))


@ROWS
def test_what_a_row_refuses(row: Row) -> None:
    for value in row.refuses.split():
        with pytest.raises(CustomerError, match=rf"(Hyperparameter {row.name}: .*|Linear updater .*)"):
            check(given(row, value))


@ROWS
def test_what_a_row_is_by_default(row: Row) -> None:
    if not row.beside:
        assert BY_NAME[row.name].default == row.default


def test_the_two_tables_have_the_same_rows() -> None:
    assert {row.name for row in GUIDE} | REFUSED_HERE == set(BY_NAME)


@pytest.mark.parametrize("name", ["learning_rate", "num_rounds", "Eta", "n_estimators", "reg_alpha", "random_state"])
def test_an_unknown_name_is_told(name: str) -> None:
    with pytest.raises(CustomerError, match=f"^Extraneous hyperparameter found: {name}$"):
        check({"num_round": "1", name: "1"})
