"""AWS's published XGBoost hyperparameter table, as data.

Names, kinds and defaults are those of "XGBoost hyperparameters" in the SageMaker developer guide. Where the guide and
the image disagree about the end of a range (the guide gives `subsample` as [0,1], the image refuses 0), the row says
what the image does, since that is what a job meets. A row with `gone` names a parameter that today's xgboost no longer
has: it is checked, accepted and left out, and the text is logged.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """How a value is read from its string."""

    INTEGER = "integer"
    CONTINUOUS = "continuous"
    CATEGORICAL = "categorical"
    WORDS = "comma-separated list"
    SIGNS = "tuple of integers"
    GROUPS = "nested list of integers"


@dataclass(frozen=True, slots=True)
class Interval:
    """A range of numbers; None is an end without limit, `open_*` leaves the end itself out."""

    low: float | None = None
    high: float | None = None
    open_low: bool = False
    open_high: bool = False

    def holds(self, value: float) -> bool:
        """Whether the value lies inside; not-a-number lies nowhere."""
        above = self.low is None or (value > self.low if self.open_low else value >= self.low)
        below = self.high is None or (value < self.high if self.open_high else value <= self.high)
        return above and below and value == value  # noqa: PLR0124 - not-a-number is what differs from itself

    def __str__(self) -> str:
        low = "(-inf" if self.low is None else f"{'(' if self.open_low else '['}{self.low:g}"
        high = "inf)" if self.high is None else f"{self.high:g}{')' if self.open_high else ']'}"
        return f"{low},{high}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperparameter:
    """One row of the table. `ours` marks what steers the program and is not handed to xgboost."""

    name: str
    kind: Kind
    within: Interval | None = None
    values: tuple[str, ...] = ()
    default: str | None = None
    required: bool = False
    ours: bool = False
    gone: str | None = None

    @property
    def allowed(self) -> str:
        """The range for people."""
        return "[" + ", ".join(self.values) + "]" if self.values else str(self.within or Interval())


MAXIMIZE = (
    "accuracy", "auc", "aucpr", "balanced_accuracy", "f1", "f1_binary", "f1_macro", "map", "ndcg", "precision",
    "precision_macro", "precision_micro", "r2", "recall", "recall_macro", "recall_micro",
)  # fmt: skip
MINIMIZE = (
    "aft-nloglik", "cox-nloglik", "error", "gamma-deviance", "gamma-nloglik", "interval-regression-accuracy",
    "logloss", "mae", "mape", "merror", "mlogloss", "mphe", "mse", "poisson-nloglik", "rmse", "rmsle",
    "tweedie-nloglik",
)  # fmt: skip
METRICS = MAXIMIZE + MINIMIZE

#: The metric that xgboost reports for an objective when `eval_metric` names none.
DEFAULT_METRIC = {
    "binary:logistic": "logloss",
    "binary:logitraw": "logloss",
    "binary:hinge": "error",
    "count:poisson": "poisson-nloglik",
    "multi:softmax": "mlogloss",
    "multi:softprob": "mlogloss",
    "rank:pairwise": "ndcg",
    "rank:ndcg": "ndcg",
    "rank:map": "map",
    "reg:absoluteerror": "mae",
    "reg:linear": "rmse",
    "reg:squarederror": "rmse",
    "reg:logistic": "rmse",
    "reg:gamma": "gamma-deviance",
    "reg:pseudohubererror": "mphe",
    "reg:squaredlogerror": "rmsle",
    "reg:tweedie": "tweedie-nloglik",
    "survival:aft": "aft-nloglik",
    "survival:cox": "cox-nloglik",
}

TREE_GROWERS = (
    "grow_colmaker", "distcol", "grow_histmaker", "grow_local_histmaker", "grow_skmaker", "grow_quantile_histmaker",
)  # fmt: skip
TREE_UPDATERS = (*TREE_GROWERS, "sync", "refresh", "prune")
LINEAR_UPDATERS = ("shotgun", "coord_descent")
#: Updaters of the image that today's xgboost lost without a successor: running without them would train another model.
LOST_UPDATERS = ("distcol", "grow_local_histmaker", "grow_skmaker")

_FRACTION = Interval(0, 1)
_SHARE = Interval(0, 1, open_low=True)
_FROM_ZERO = Interval(0)
_FROM_ONE = Interval(1)
_BOOLEAN = ("true", "false")


def _integer(
    name: str,
    within: Interval | None,
    default: str | None = None,
    *,
    required: bool = False,
    ours: bool = False,
) -> Hyperparameter:
    return Hyperparameter(name=name, kind=Kind.INTEGER, within=within, default=default, required=required, ours=ours)


def _number(name: str, within: Interval | None, default: str | None = None, gone: str | None = None) -> Hyperparameter:
    return Hyperparameter(name=name, kind=Kind.CONTINUOUS, within=within, default=default, gone=gone)


def _choice(
    name: str, values: tuple[str, ...], default: str | None = None, *, ours: bool = False, gone: str | None = None
) -> Hyperparameter:
    return Hyperparameter(name=name, kind=Kind.CATEGORICAL, values=values, default=default, ours=ours, gone=gone)


HYPERPARAMETERS: tuple[Hyperparameter, ...] = (
    _integer("num_class", Interval(2)),
    _integer("num_round", _FROM_ONE, required=True, ours=True),
    _number("aft_loss_distribution_scale", Interval(0, open_low=True), "1"),
    _choice("aft_loss_distribution", ("normal", "logistic", "extreme"), "normal"),
    _number("alpha", _FROM_ZERO, "0"),
    _number("base_score", _FROM_ZERO, "0.5"),
    _choice("booster", ("gbtree", "gblinear", "dart"), "gbtree"),
    _number("colsample_bylevel", _SHARE, "1"),
    _number("colsample_bynode", _SHARE, "1"),
    _number("colsample_bytree", _SHARE, "1"),
    _integer("csv_weights", _FRACTION, "0", ours=True),
    _choice("deterministic_histogram", _BOOLEAN, "true", gone="histograms are always built deterministically"),
    _choice("dsplit", ("row", "col"), "row", gone="rows and columns are split by how the data is loaded"),
    _integer("early_stopping_rounds", _FROM_ONE, ours=True),
    _number("eta", _FRACTION, "0.3"),
    Hyperparameter(name="eval_metric", kind=Kind.WORDS, values=METRICS, ours=True),
    _number("gamma", _FROM_ZERO, "0"),
    _choice("grow_policy", ("depthwise", "lossguide"), "depthwise"),
    _number("huber_slope", Interval(0, open_low=True), "1"),
    Hyperparameter(name="interaction_constraints", kind=Kind.GROUPS, within=_FROM_ZERO),
    _number("lambda", _FROM_ZERO, "1"),
    _number("lambda_bias", _FRACTION, "0", gone="xgboost has no L2 term on the bias"),
    _integer("max_bin", _FROM_ZERO, "256"),
    _number("max_delta_step", _FROM_ZERO, "0"),
    _integer("max_depth", _FROM_ZERO, "6"),
    _integer("max_leaves", _FROM_ZERO, "0"),
    _number("min_child_weight", _FROM_ZERO, "1"),
    Hyperparameter(name="monotone_constraints", kind=Kind.SIGNS, within=Interval(-1, 1)),
    _choice("normalize_type", ("tree", "forest"), "tree"),
    _integer("nthread", _FROM_ONE),
    _integer("num_parallel_tree", _FROM_ONE, "1"),
    _choice("objective", tuple(DEFAULT_METRIC), "reg:squarederror"),
    _integer("one_drop", _FRACTION, "0"),
    _choice("predictor", ("auto", "cpu_predictor", "gpu_predictor"), "auto", gone="the predictor follows the device"),
    _number("prob_buffer_row", _SHARE, "1.0", gone="it steered only the image's reader"),
    _choice("process_type", ("default", "update"), "default"),
    _number("rate_drop", _FRACTION, "0.0"),
    _integer("refresh_leaf", _FRACTION, "1"),
    _choice("sample_type", ("uniform", "weighted"), "uniform"),
    _choice("sampling_method", ("uniform", "gradient_based"), "uniform"),
    _choice("save_model_on_termination", _BOOLEAN, "false", ours=True),
    _number("scale_pos_weight", Interval(0, open_low=True), "1"),
    _integer("seed", Interval(-(2**31), 2**31 - 1, open_low=True, open_high=True), "0"),
    _choice("single_precision_histogram", _BOOLEAN, "false", gone="the histogram's precision follows the device"),
    _number("sketch_eps", Interval(0, 1, open_low=True, open_high=True), "0.03", gone="max_bin sets the sketch"),
    _number("skip_drop", _FRACTION, "0.0"),
    _number("subsample", _SHARE, "1"),
    _choice("tree_method", ("auto", "exact", "approx", "hist", "gpu_hist"), "auto"),
    _number("tweedie_variance_power", Interval(1, 2, open_low=True, open_high=True), "1.5"),
    Hyperparameter(name="updater", kind=Kind.WORDS, values=(*TREE_UPDATERS, *LINEAR_UPDATERS)),
    _choice("use_dask_gpu_training", _BOOLEAN, "false", ours=True),
    _integer("verbosity", Interval(0, 3), "1"),
    _integer("_kfold", Interval(2), ours=True),
    _integer("_num_cv_round", _FROM_ONE, ours=True),
    Hyperparameter(
        name="_tuning_objective_metric",
        kind=Kind.CATEGORICAL,
        values=tuple(f"{side}:{metric}" for side in ("validation", "train") for metric in METRICS),
        ours=True,
    ),
)

BY_NAME = {row.name: row for row in HYPERPARAMETERS}
