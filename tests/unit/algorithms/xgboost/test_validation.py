"""One test per row of the table, and what rows demand of one another."""

import pytest

from trainyard.algorithms.xgboost.errors import CustomerError
from trainyard.algorithms.xgboost.hyperparameters import HYPERPARAMETERS, METRICS, Hyperparameter, Interval, Kind
from trainyard.algorithms.xgboost.validation import check

ROWS = pytest.mark.parametrize("row", HYPERPARAMETERS, ids=lambda row: row.name)
#: Rows that are known and yet refused, whatever their value.
REFUSED = ("_kfold", "_num_cv_round")


def _least(row: Hyperparameter) -> dict[str, str]:
    """The smallest request in which the row may stand."""
    given = {"num_round": "1"}
    if row.name == "num_class":
        given["objective"] = "multi:softmax"
    if row.name.endswith("_constraints"):
        given["tree_method"] = "hist"
    return given


def _inside(row: Hyperparameter) -> list[str]:
    if row.kind is Kind.SIGNS:
        return ["(1, 0, -1)", "[0]"]
    if row.kind is Kind.GROUPS:
        return ["[[0, 1], [2]]"]
    if row.values:
        return list(row.values)
    within = row.within or Interval()
    step = 1 if row.kind is Kind.INTEGER else 0.01
    low = 0 if within.low is None else within.low + (step if within.open_low else 0)
    high = low + 7 * step if within.high is None else within.high - (step if within.open_high else 0)
    read = int if row.kind is Kind.INTEGER else float
    return [str(read(low)), str(read(high))]


def _outside(row: Hyperparameter) -> list[str]:
    if row.kind is Kind.SIGNS:
        return ["(2,)", "1 +", "('a',)"]
    if row.kind is Kind.GROUPS:
        return ["[0, 1]", "[[-1]]", "{}"]
    if row.values:
        return ["nonsense", ""]
    within = row.within or Interval()
    bad = ["many", "", "nan"]
    if row.kind is Kind.INTEGER:
        bad.append("1.5")
    if within.low is not None:
        bad.append(str(int(within.low) if within.open_low else int(within.low) - 1))
    if within.high is not None:
        bad.append(str(int(within.high) if within.open_high else int(within.high) + 1))
    return bad


def _accepts(row: Hyperparameter, value: str) -> None:
    given = {**_least(row), row.name: value}
    if row.name == "objective" and value.startswith("multi:"):
        given["num_class"] = "3"
    if row.name == "eval_metric":
        given["objective"] = "survival:aft" if value == "aft-nloglik" else "binary:logistic"
    if row.name == "updater" and value in ("shotgun", "coord_descent"):
        given["booster"] = "gblinear"
    checked = check(given)
    if row.gone:
        assert any(row.name in notice for notice in checked.notices)
        assert row.name not in {**checked.booster, **checked.ours}
    else:
        assert row.name in (checked.ours if row.ours else checked.booster)


@ROWS
def test_a_row_takes_its_ends_and_values(row: Hyperparameter) -> None:
    lost = ("distcol", "grow_local_histmaker", "grow_skmaker")
    for value in _inside(row):
        if row.name in REFUSED or value in lost or (row.name == "use_dask_gpu_training" and value == "true"):
            with pytest.raises(CustomerError, match=f"Hyperparameter (_kfold|{row.name}): "):
                check({**_least(row), row.name: value})
        else:
            _accepts(row, value)


@ROWS
def test_a_row_refuses_what_lies_outside_and_says_so(row: Hyperparameter) -> None:
    for value in _outside(row):
        with pytest.raises(CustomerError, match=f"Hyperparameter {row.name}: .*(is not in|could not parse)"):
            check({**_least(row), row.name: value})


@ROWS
def test_a_rows_default_lies_inside(row: Hyperparameter) -> None:
    if row.default is not None:
        check({**_least(row), row.name: row.default})


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(CustomerError) as caught:
        check({"eta": "2", "max_dept": "3", "objective": "multi:softmax", "max_depth": "deep"})
    assert list(caught.value.problems) == [
        "Hyperparameter eta: 2.0 is not in [0,1]",
        "Extraneous hyperparameter found: max_dept",
        "Hyperparameter max_depth: could not parse value 'deep' (expected integer in [0,inf))",
        "Missing required hyperparameter: num_round",
        "Require input for parameter 'num_class' for multi-classification",
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"eval_metric": "auc", "objective": "reg:squarederror"}, "Metric 'auc'"),
        ({"eval_metric": "aft-nloglik"}, "Metric 'aft-nloglik'"),
        ({"monotone_constraints": "(1,)"}, "monotone_constraints can be used only"),
        ({"interaction_constraints": "[[0]]"}, "interaction_constraints can be used only"),
        ({"booster": "gblinear", "updater": "prune"}, "Linear updater"),
        ({"process_type": "update", "updater": "grow_colmaker"}, "process_type 'update'"),
        ({"updater": "shotgun"}, "Tree updater"),
        ({"updater": "grow_colmaker,grow_histmaker"}, "Only one tree grow plugin"),
        ({"num_class": "3"}, "Do not need to setup parameter 'num_class'"),
        ({"eval_metric": "rmse@3"}, "rmse@3 is not in"),
        ({"eval_metric": "error@half"}, "error@half is not in"),
    ],
)
def test_what_one_demands_of_another(given: dict[str, str], said: str) -> None:
    with pytest.raises(CustomerError, match=said):
        check({"num_round": "1", **given})


def test_lists_and_thresholds() -> None:
    checked = check({"num_round": "1", "objective": "binary:logistic", "eval_metric": "error@0.7, logloss"})
    assert checked.ours["eval_metric"] == ["error@0.7", "logloss"]
    assert len(METRICS) == len(set(METRICS))


def test_old_names_go_on_under_their_new_ones() -> None:
    checked = check({"num_round": "1", "objective": "reg:linear", "tree_method": "gpu_hist"})
    assert checked.booster == {"objective": "reg:squarederror", "tree_method": "hist"}
    assert len(checked.notices) == 2


def test_the_platforms_own_hyperparameters_are_left_alone() -> None:
    assert check({"num_round": "1", "sagemaker_job_name": '"a"'}).booster == {}
