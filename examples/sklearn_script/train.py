"""A scikit-learn training script as people write it for SageMaker's script mode.

trainyard run examples/sklearn_script/train.py --channel train=./csv/train -- --n-estimators 50
"""

from __future__ import annotations

import argparse
import os
import pickle
from pathlib import Path

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score


def main() -> None:
    """Train a forest on CSV files with the label first, and keep it in the model folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--n-estimators", type=int, default=100)
    parser.add_argument("--train", default=os.environ.get("SM_CHANNEL_TRAIN", "data"))
    parser.add_argument("--model-dir", default=os.environ.get("SM_MODEL_DIR", "model"))
    arguments = parser.parse_args()

    rows = np.concatenate([np.loadtxt(path, delimiter=",") for path in sorted(Path(arguments.train).glob("*.csv"))])
    features, labels = rows[:, 1:], rows[:, 0]
    forest = RandomForestClassifier(n_estimators=arguments.n_estimators, random_state=0)
    print(f"accuracy={cross_val_score(forest, features, labels, cv=3).mean():.4f};")
    forest.fit(features, labels)
    with (Path(arguments.model_dir) / "model.pkl").open("wb") as target:
        pickle.dump(forest, target)


if __name__ == "__main__":
    main()
