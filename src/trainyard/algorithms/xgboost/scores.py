"""The metrics that the image adds to xgboost's own: classification scores and two for regression."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Score = Callable[[NDArray[np.float64], NDArray[np.float64]], float]


def _classes(predicted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Predictions to class numbers: the likeliest column, or a probability cut at one half."""
    if predicted.ndim > 1 and predicted.shape[1] > 1:
        best: NDArray[np.float64] = np.argmax(predicted, axis=1).astype(np.float64)
        return best
    flat = predicted.reshape(-1)
    return flat if np.all(flat == np.round(flat)) else (flat > 0.5).astype(np.float64)


def _counts(
    labels: NDArray[np.float64], chosen: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(hits, chosen, present) per class."""
    kinds = np.unique(np.concatenate([labels, chosen]))
    hits = np.array([np.sum((labels == kind) & (chosen == kind)) for kind in kinds], dtype=np.float64)
    picked = np.array([np.sum(chosen == kind) for kind in kinds], dtype=np.float64)
    present = np.array([np.sum(labels == kind) for kind in kinds], dtype=np.float64)
    return hits, picked, present


def _ratio(top: NDArray[np.float64], bottom: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)


def _accuracy(labels: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    return float(np.mean(labels == _classes(predicted)))


def _macro(which: str) -> Score:
    def score(labels: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
        hits, picked, present = _counts(labels, _classes(predicted))
        per_class = {
            "precision": lambda: _ratio(hits, picked),
            "recall": lambda: _ratio(hits, present),
            "f1": lambda: _ratio(2 * hits, picked + present),
        }[which]()
        return float(np.mean(per_class))

    return score


def _positive(which: str) -> Score:
    def score(labels: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
        chosen = _classes(predicted) == 1
        actual = labels == 1
        hits = float(np.sum(chosen & actual))
        bottom = {
            "precision": float(np.sum(chosen)),
            "recall": float(np.sum(actual)),
            "f1": (float(np.sum(chosen)) + float(np.sum(actual))) / 2,
        }[which]
        return hits / bottom if bottom else 0.0

    return score


def _balanced(labels: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    hits, _, present = _counts(labels, _classes(predicted))
    return float(np.mean((hits / np.maximum(present, 1))[present > 0]))


def _mse(labels: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    return float(np.mean((labels - predicted.reshape(-1)) ** 2))


def _r2(labels: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    spread = float(np.sum((labels - np.mean(labels)) ** 2))
    return 1.0 - float(np.sum((labels - predicted.reshape(-1)) ** 2)) / spread if spread else 0.0


SCORES: dict[str, Score] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced,
    "f1": _macro("f1"),
    "f1_binary": _positive("f1"),
    "f1_macro": _macro("f1"),
    "mse": _mse,
    "precision": _positive("precision"),
    "precision_macro": _macro("precision"),
    "precision_micro": _accuracy,
    "r2": _r2,
    "recall": _positive("recall"),
    "recall_macro": _macro("recall"),
    "recall_micro": _accuracy,
}


def scorer(names: Sequence[str]) -> Callable[[NDArray[np.float64], Any], list[tuple[str, float]]] | None:
    """A custom metric for xgboost.train that answers all of the named scores, or None when there is none."""
    wanted = [(name, SCORES[name]) for name in names if name in SCORES]
    if not wanted:
        return None

    def score(predicted: NDArray[np.float64], matrix: Any) -> list[tuple[str, float]]:
        labels = np.asarray(matrix.get_label(), dtype=np.float64)
        return [(name, measure(labels, np.asarray(predicted, dtype=np.float64))) for name, measure in wanted]

    return score
