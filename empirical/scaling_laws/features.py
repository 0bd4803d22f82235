"""Random-feature ridge regression on Gaussian inputs of a given spectrum, its error exact in the test input.

x = A z with A = Lambda^(1/2) and z standard Gaussian; D samples Z (rows z), P features G x with G standard Gaussian;
theta minimizes |y - B^T theta|^2 + ridge D P |theta|^2 with B = G A Z^T of shape (P, D). The student is
theta G x, so that the error over fresh z is |A (w - G^T theta)|^2: no test set is drawn.
One member is one draw of Z, G (and noise); arrays carry members on their first axis.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def draws(members: int, rows: int, modes: int, generator: np.random.Generator) -> Array:
    """Standard Gaussian matrices, shape (members, rows, modes)."""
    return generator.standard_normal((members, rows, modes))


def _coefficients(products: Array, ridge: float) -> Array:
    """The matrix that takes labels to theta, shape (members, P, D), for B of that shape.

    By singular values: the normal equations would square B's condition, which is the spectrum's. Those below the
    rounding of the largest are zero: there are fewer modes than P and D.
    """
    left, values, right = np.linalg.svd(products, full_matrices=False)
    rounding = np.finfo(np.float64).eps * max(products.shape[-2:])
    kept = values > rounding * values[..., :1]
    shrunk = np.where(kept, values / np.where(kept, np.square(values) + ridge, 1.0), 0.0)
    found: Array = (left * shrunk[..., None, :]) @ right
    return found


def white_losses(spectrum: Sequence[float], samples: Array, features: Array, ridge: float = 0.0) -> Array:
    """The error of a target whose w_k are independent of variance one, averaged over w: |A - A G^T theta(A Z^T)|^2.

    ``samples`` (members, D, modes), ``features`` (members, P, modes); ``ridge`` multiplies |theta|^2 as it is. Shape
    (members,).
    """
    root = np.sqrt(np.asarray(spectrum))
    seen, projected = samples * root, features * root
    theta = _coefficients(features @ np.swapaxes(seen, -1, -2), ridge)
    explained = np.swapaxes(projected, -1, -2) @ (theta @ seen)
    errors: Array = np.square(np.diag(root) - explained).sum(axis=(-1, -2))
    return errors


def one_sided_losses(spectrum: Sequence[float], directions: Array, tail: float = 0.0) -> Array:
    """Tr[Lambda - Lambda Z^T (Z Lambda Z^T + tail)^(-1) Z Lambda] + tail, shape (members,).

    The error of a white target for D samples and infinitely many features, or the other way round; modes beyond the
    spectrum, of total variance ``tail``, are a ridge and an error.
    """
    seen = directions * np.asarray(spectrum)
    gram = seen @ np.swapaxes(directions, -1, -2) + tail * np.eye(directions.shape[-2])
    explained = (seen * np.linalg.solve(gram, seen)).sum(axis=(-1, -2))
    losses: Array = np.sum(spectrum) - explained + tail
    return losses


def target_losses(
    spectrum: Sequence[float],
    target: Sequence[float],
    *,
    samples: int,
    features: int,
    ridge: float,
    noise: float,
    members: int,
    generator: np.random.Generator,
) -> Array:
    """Test errors, the noise counted, of a target with w_k^2 given; ``ridge`` multiplies samples times features."""
    modes = len(spectrum)
    root, weights = np.sqrt(np.asarray(spectrum)), np.sqrt(np.asarray(target))
    seen = draws(members, samples, modes, generator) * root
    rows = draws(members, features, modes, generator)
    labels = seen @ weights + noise**0.5 * generator.standard_normal((members, samples))
    products = rows @ np.swapaxes(seen, -1, -2)
    theta = (_coefficients(products, ridge * samples * features) @ labels[..., None])[..., 0]
    left = root * (weights - np.einsum("mp,mpk->mk", theta, rows))
    errors: Array = np.square(left).sum(axis=-1) + noise
    return errors


def projection_losses(
    spectrum: Sequence[float], target: Sequence[float], *, features: int, members: int, generator: np.random.Generator
) -> Array:
    """Errors of the best student on P features, infinitely many samples: what projecting A w on A G^T leaves."""
    root, weights = np.sqrt(np.asarray(spectrum)), np.sqrt(np.asarray(target))
    rows = draws(members, features, len(spectrum), generator) * root
    goal = root * weights
    theta = np.linalg.solve(rows @ np.swapaxes(rows, -1, -2), (rows @ goal)[..., None])[..., 0]
    errors: Array = np.square(goal - np.einsum("mp,mpk->mk", theta, rows)).sum(axis=-1)
    return errors


def fit_losses(
    spectrum: Sequence[float], target: Sequence[float], *, samples: int, members: int, generator: np.random.Generator
) -> Array:
    """Errors of the least-norm fit to D samples with infinitely many features (kernel regression without ridge)."""
    root, weights = np.sqrt(np.asarray(spectrum)), np.sqrt(np.asarray(target))
    seen = draws(members, samples, len(spectrum), generator) * root
    dual = np.linalg.solve(seen @ np.swapaxes(seen, -1, -2), (seen @ weights)[..., None])[..., 0]
    errors: Array = np.square(root * (weights - np.einsum("md,mdk->mk", dual, seen))).sum(axis=-1)
    return errors
