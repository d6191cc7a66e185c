"""Put scikit-learn's handwritten digits where xgboost-digits.yaml looks for them; it may be run again and again.

python examples/digits_data.py [s3://bucket[/prefix] | folder]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import dump_svmlight_file, load_digits
from sklearn.model_selection import train_test_split

BUCKET = "s3://trainyard-digits"


def write(folder: Path) -> None:
    """Write libsvm/{train,validation}/digits.libsvm and csv/{train,validation}/digits.csv: 1,437 and 360 rows."""
    pixels, labels = load_digits(return_X_y=True)
    parts = train_test_split(pixels, labels, test_size=360, random_state=7, stratify=labels)
    for channel, rows, names in (("train", parts[0], parts[2]), ("validation", parts[1], parts[3])):
        for kind in ("libsvm", "csv"):
            (folder / kind / channel).mkdir(parents=True, exist_ok=True)
        dump_svmlight_file(rows, names, str(folder / "libsvm" / channel / "digits.libsvm"))
        table = np.column_stack([names, rows]).astype(int)
        np.savetxt(folder / "csv" / channel / "digits.csv", table, fmt="%d", delimiter=",")


def main() -> None:
    """Write to a folder, or copy to a bucket with `trainyard data cp`."""
    target = sys.argv[1] if len(sys.argv) > 1 else BUCKET
    if not target.startswith("s3://"):
        write(Path(target))
        return
    trainyard = Path(sys.executable).with_name("trainyard")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write(folder)
        for path in sorted(folder.rglob("digits.*")):
            uri = f"{target.rstrip('/')}/{path.relative_to(folder).as_posix()}"
            subprocess.run([str(trainyard), "data", "cp", str(path), uri], check=True)
            print(f"{uri} ({path.stat().st_size:,} bytes)")


if __name__ == "__main__":
    main()
