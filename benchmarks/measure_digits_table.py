"""Measure examples/digits-scaling.csv: random ReLU features of scikit-learn's digits, fitted by ridge regression.

A student has N features relu(G x) (2/N)^(1/2), G standard Gaussian, x a digit of 64 pixels scaled to |x| = 1, and the
weights that minimize |y - F theta|^2 / D + ridge |theta|^2 for the ten one-hot targets of D digits. Its loss is the
mean square error, summed over the ten outputs, on the 773 digits no student is trained on. A run is one seed: one order
of the digits and one G, whose first D rows and N columns the smaller students take, so that runs pair over sizes.

Run it as ``python benchmarks/measure_digits_table.py examples/digits-scaling.csv``.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

RUNS: Final = 8
MOST_DATA, MOST_FEATURES = 1024, 2048
DATA: Final = (32, 64, 128, 256, 512, 1024)
FEATURES: Final = (16, 32, 64, 128, 256, 512)
RIDGE: Final = 1e-4
SIZES: Final = tuple((MOST_FEATURES, data) for data in DATA) + tuple((count, MOST_DATA) for count in FEATURES)


def measured(run: int, sizes: tuple[tuple[int, int], ...] = SIZES) -> list[float]:
    """The test losses of one run at some (N, D)."""
    generator = np.random.default_rng(run)
    images, labels = load_digits(return_X_y=True)
    order = generator.permutation(len(images))
    inputs = images[order] / np.linalg.norm(images[order], axis=1, keepdims=True)
    targets = np.eye(10)[labels[order]]
    hidden = np.maximum(inputs @ generator.standard_normal((inputs.shape[1], MOST_FEATURES)), 0)
    return [_loss(hidden[:, :count] * (2 / count) ** 0.5, targets, data) for count, data in sizes]


def _loss(hidden: NDArray[np.float64], targets: NDArray[np.float64], data: int) -> float:
    """The loss of one student, solved for on the smaller side."""
    seen, fresh = hidden[:data], hidden[MOST_DATA:]
    if data < hidden.shape[1]:
        gram = seen @ seen.T + RIDGE * data * np.eye(data)
        answers = fresh @ seen.T @ np.linalg.solve(gram, targets[:data])
    else:
        gram = seen.T @ seen + RIDGE * data * np.eye(hidden.shape[1])
        answers = fresh @ np.linalg.solve(gram, seen.T @ targets[:data])
    return float(np.square(answers - targets[MOST_DATA:]).sum(axis=1).mean())


def main(path: Path) -> None:
    """Measure every run and write the table."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("N", "D", "run", "loss"))
        for run in range(RUNS):
            for (count, data), loss in zip(SIZES, measured(run), strict=True):
                table.writerow((count, data, run, f"{loss:.8f}"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
