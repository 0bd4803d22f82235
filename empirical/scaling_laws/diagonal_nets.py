"""LASSO on Gaussian inputs, its excess risk exact in the test input, and the diagonal linear net that has it inside.

Rows of X are standard Gaussian in d dimensions, y = X theta + noise of variance s2; w minimizes
|y - X w|^2/2 + l |w|_1 and errs by |w - theta|^2 over fresh inputs: no test set is drawn. One member is one draw of X
and noise; its penalties share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.linear_model import lasso_path

Array = NDArray[np.float64]

# The duality gap a fit is stopped at, over |y|^2. Risks are within 3e-5 of those at 1e-9, on the peak too.
GAP: Final = 1e-6
ROUNDS: Final = 1_000_000
GRADIENT: Final = 1e-9


def problem(target: Array, samples: int, noise: float, generator: np.random.Generator) -> tuple[Array, Array]:
    """One draw of inputs, shape (n, d), and labels, shape (n,); ``noise`` is s2."""
    inputs = generator.standard_normal((samples, len(target)))
    return inputs, inputs @ target + noise**0.5 * generator.standard_normal(samples)


def minimizers(inputs: Array, labels: Array, penalties: Sequence[float], gap: float = GAP) -> Array:
    """w at each penalty l, shape (d, penalties); ``penalties`` must fall, for each fit starts from the one before."""
    scaled = np.asarray(penalties) / len(labels)
    found: Array = lasso_path(
        inputs, labels, alphas=scaled, precompute=len(labels) >= inputs.shape[1], tol=gap, max_iter=ROUNDS
    )[1]
    return found


def excess_risks(
    target: Array,
    *,
    samples: int,
    penalties: Sequence[float],
    noise: float,
    members: int,
    generator: np.random.Generator,
) -> Array:
    """|w - theta|^2, shape (members, penalties); penalties fall."""
    rows = []
    for _ in range(members):
        inputs, labels = problem(target, samples, noise, generator)
        rows.append(np.square(minimizers(inputs, labels, penalties) - target[:, None]).sum(axis=0))
    return np.asarray(rows)


def trained_net(inputs: Array, labels: Array, penalty: float, generator: np.random.Generator) -> Array:
    """u v of the net trained on |y - X (u v)|^2/2 + l (|u|^2 + |v|^2)/2 from a random start, to a gradient of 0."""
    dimension = inputs.shape[1]

    def loss(weights: Array) -> tuple[float, Array]:
        left, right = weights[:dimension], weights[dimension:]
        residual = inputs @ (left * right) - labels
        slope = inputs.T @ residual
        gradient = np.concatenate([slope * right, slope * left]) + penalty * weights
        return float(residual @ residual + penalty * (weights @ weights)) / 2, gradient

    start = generator.standard_normal(2 * dimension)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": ROUNDS, "ftol": 0, "gtol": GRADIENT})
    product: Array = found.x[:dimension] * found.x[dimension:]
    return product
