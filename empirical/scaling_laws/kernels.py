"""Kernel regression and random-feature students on a finite set of points: a sphere's, or scikit-learn's digits.

A kernel is a matrix over all points; ``seen`` and ``tests`` are indices into them. The kernel of infinitely many ReLU
features relu(g x) (2/P)^(1/2) is arc-cosine; with all weights trained it is the NTK. Both are one on the diagonal.
Targets have shape (points, outputs), losses are mean squares summed over outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from powercount.derivations.recipe import check_name
from powercount.empirical.digits import bundled_digits

Array = NDArray[np.float64]
Indices = NDArray[np.intp]
Labels = NDArray[np.int64]

KERNELS: Final = ("nngp", "ntk")
# Added to the diagonal where it is inverted, of the order of the rounding of a sum over a thousand points.
ROUNDING: Final = 1e-13


def on_sphere(points: Array) -> Array:
    """Points scaled to length one, shape (points, inputs)."""
    scaled: Array = points / np.linalg.norm(points, axis=1, keepdims=True)
    return scaled


def digits(rows: int = 8, columns: int = 8, noise: float = 0.0, seed: int = 0) -> tuple[Array, Labels]:
    """The 1797 digits averaged to rows x columns pixels, on the sphere, and their labels.

    Pixels are 0 to 16; ``noise`` is the standard deviation of what is added to each of the 64 before anything else.
    """
    images, labels = np.split(bundled_digits(), [64], axis=1)
    noisy = images + noise * np.random.default_rng(seed).standard_normal(images.shape)
    pooled = noisy.reshape(-1, rows, 8 // rows, columns, 8 // columns).mean(axis=(2, 4))
    return on_sphere(pooled.reshape(len(images), -1)), labels[:, 0].astype(np.int64)


def arc_cosine(kind: str, products: Array) -> Array:
    """The kernel of products of unit vectors, any shape."""
    check_name("kernel", kind, KERNELS)
    cosines = np.clip(products, -1, 1)
    rest = np.pi - np.arccos(cosines)
    nngp: Array = (np.sqrt(1 - cosines**2) + rest * cosines) / np.pi
    return nngp if kind == "nngp" else (nngp + cosines * rest / np.pi) / 2


def eigenvalues(kernel: Array) -> Array:
    """Those of the kernel under the uniform distribution on its points, largest first; rounding below 0 is 0."""
    values: Array = np.linalg.eigvalsh(kernel / len(kernel)).astype(np.float64)
    return np.maximum(values[::-1], 0)


def weights(kernel: Array, seen: Indices, tests: Indices) -> Array:
    """What each seen value adds to the prediction at each test, shape (tests, seen): interpolation, no ridge."""
    gram = kernel[np.ix_(seen, seen)] + ROUNDING * np.eye(len(seen))
    found: Array = np.linalg.solve(gram, kernel[np.ix_(seen, tests)]).astype(np.float64).T
    return found


def white_loss(kernel: Array, found: Array, seen: Indices, tests: Indices) -> float:
    """The loss of a target drawn from the kernel itself, averaged over the draw."""
    return float(np.mean(kernel[tests, tests] - (found * kernel[np.ix_(tests, seen)]).sum(axis=1)))


def target_loss(targets: Array, found: Array, seen: Indices, tests: Indices) -> float:
    """The loss of a given target."""
    return float(np.square(found @ targets[seen] - targets[tests]).sum(axis=1).mean())


def student_losses(
    inputs: Array, kernel: Array, targets: Array, sizes: Sequence[int], generator: np.random.Generator
) -> tuple[list[float], list[float]]:
    """Losses of the best students on the first P of one draw of ReLU features, every point seen, for P in ``sizes``.

    First of a target drawn from the kernel, averaged over the draw, then of the given target.
    """
    features = np.maximum(inputs @ generator.standard_normal((inputs.shape[1], max(sizes))), 0)
    # The first P columns of the basis span the first P features.
    basis, _ = np.linalg.qr(features)
    of_white = np.cumsum((basis * (kernel @ basis)).sum(axis=0))
    of_given = np.cumsum(np.square(basis.T @ targets).sum(axis=1))
    last, count = np.asarray(sizes) - 1, len(kernel)
    white = (np.trace(kernel) - of_white[last]) / count
    given = (np.square(targets).sum() - of_given[last]) / count
    return white.tolist(), given.tolist()


def spread_over_starts(covariance: Array, error: Array) -> float:
    """sigma/mu of the loss of Gaussian errors, independent over outputs, from their covariance and mean at the tests.

    ``covariance`` has shape (tests, tests), ``error`` (tests, outputs): exact, no initialization is drawn.
    """
    outputs = error.shape[1]
    mean = np.square(error).sum() + outputs * np.trace(covariance)
    variance = 2 * outputs * np.square(covariance).sum() + 4 * (error * (covariance @ error)).sum()
    return float(variance**0.5 / mean)


def start_covariance(prior: Array, found: Array, seen: Indices, tests: Indices) -> Array:
    """The covariance at the tests of what interpolation leaves of a start drawn from ``prior``: f_0 less its fit."""
    shared = prior[np.ix_(tests, seen)] @ found.T
    left: Array = prior[np.ix_(tests, tests)] - shared - shared.T + found @ prior[np.ix_(seen, seen)] @ found.T
    return left
