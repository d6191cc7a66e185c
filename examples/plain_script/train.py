"""The smallest script that trains something: a line through points, by gradient descent, standard library only.

trainyard run examples/plain_script/train.py -- --lr 0.1 --epochs 50
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path


def main() -> None:
    """Fit y = a·x + b and write the two numbers."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--epochs", type=int, default=50)
    arguments = parser.parse_args()

    points = [(x / 10, 3 * x / 10 + 1) for x in range(-10, 11)]
    a = b = 0.0
    for epoch in range(arguments.epochs):
        errors = [(a * x + b - y, x) for x, y in points]
        a -= arguments.lr * sum(2 * error * x for error, x in errors) / len(points)
        b -= arguments.lr * sum(2 * error for error, _ in errors) / len(points)
        print(f"epoch={epoch} loss={sum(error**2 for error, _ in errors) / len(points):.6f};", flush=True)

    folder = Path(os.environ.get("SM_MODEL_DIR", "."))
    (folder / "line.json").write_text(json.dumps({"a": a, "b": b}), encoding="utf-8")


if __name__ == "__main__":
    main()
