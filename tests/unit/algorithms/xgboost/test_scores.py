"""Our scores against scikit-learn's."""

import numpy as np
import pytest
from sklearn import metrics as judge

from trainyard.algorithms.xgboost.hyperparameters import METRICS
from trainyard.algorithms.xgboost.scores import SCORES

LABELS = np.array([0, 1, 2, 2, 1, 0, 1, 2], dtype=np.float64)
CHOSEN = np.array([0, 1, 1, 2, 1, 0, 2, 0], dtype=np.float64)
TRUTH = np.array([0, 1, 1, 0, 1], dtype=np.float64)
ODDS = np.array([0.2, 0.9, 0.4, 0.6, 0.8])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("accuracy", judge.accuracy_score(LABELS, CHOSEN)),
        ("balanced_accuracy", judge.balanced_accuracy_score(LABELS, CHOSEN)),
        ("f1_macro", judge.f1_score(LABELS, CHOSEN, average="macro")),
        ("precision_macro", judge.precision_score(LABELS, CHOSEN, average="macro")),
        ("precision_micro", judge.precision_score(LABELS, CHOSEN, average="micro")),
        ("recall_macro", judge.recall_score(LABELS, CHOSEN, average="macro")),
        ("recall_micro", judge.recall_score(LABELS, CHOSEN, average="micro")),
        ("mse", judge.mean_squared_error(LABELS, CHOSEN)),
        ("r2", judge.r2_score(LABELS, CHOSEN)),
    ],
)
def test_many_classes_and_regression(name: str, expected: float) -> None:
    assert SCORES[name](LABELS, CHOSEN) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("f1_binary", judge.f1_score(TRUTH, ODDS > 0.5)),
        ("precision", judge.precision_score(TRUTH, ODDS > 0.5)),
        ("recall", judge.recall_score(TRUTH, ODDS > 0.5)),
    ],
)
def test_two_classes_cut_at_one_half(name: str, expected: float) -> None:
    assert SCORES[name](TRUTH, ODDS) == pytest.approx(expected)


def test_every_score_is_a_metric_of_the_table() -> None:
    assert set(SCORES) <= set(METRICS)
