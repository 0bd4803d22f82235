r"""Claims about what happens inside a block in training: one share exactly, diversity, linearisation, second order.

Derived in ``derivations.dynamics.block_powers``, measured by ``empirical.dynamics.inside_blocks`` on ensembles trained
for T = 3 steps at a base rate that does not depend on L (C11 to C13), or on the plain net (C7).

What finite sizes leave is declared, not fitted:
- sums and products over L blocks reach their limit as 1 + c/L, as (1 + 1/L)^L does; |c| is at most ``OVER_DEPTH``
  (T(1 + T/L)^(L-1), the linear oracle at T = 1, has c = 3/2);
- a power of the update's relative size u is followed by the next, 1 + O(u): u itself is the error of a size, taken at
  what was measured, |m dW_2|;
- diversity is a double limit, L first and then epsilon, each taken by one Richardson step from sizes a factor 2 apart.
  A epsilon L^(1 - 2 alpha) + B epsilon^2 has a local power with an expansion in each; what is left of it is at most
  ``LEFT`` times the square of what either step removes, for B/A from 1/2 to 4, where one example a step and base rate
  1 put it (tests/laws/dynamics/test_exponents_blocks.py tries the law itself).

Symbols: u an own update, epsilon a fraction of depth. Assumptions: SGD, cross-entropy, width 64; C12 and C13 average
over batches of 8. C12's source says only that the error vanishes or does not; its power is derived here.
Worked line: depth-mup, u = L^(-1/2): the sum of dW_2 dW_1 h over depth falls as L^(-1) beside the first order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from fractions import Fraction
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from powercount.derivations.dynamics.block_powers import block_power, blocks_at, diversity
from powercount.derivations.recipe import Recipe
from powercount.derivations.scale import as_fraction, as_rational
from powercount.derivations.sources import COMPLETEP, HERE, TP6
from powercount.empirical.dynamics.inside_blocks import (
    Training,
    increments_along_depth,
    orders_along_depth,
    share_of_first_matrices,
)
from powercount.empirical.fit import Estimate, fit_slope, jackknife, least_squares_weights
from powercount.ledger.claim import ONE_STEP_TEST, Claim
from powercount.ledger.exponents import HALF
from powercount.ledger.finding import Evidence, from_estimate
from powercount.studies.study import Study

Array = NDArray[np.float64]

OVER_DEPTH: Final = 2.0
DEPTHS: Final = (16, 32, 64, 128, 256)
QUICK_DEPTHS: Final = DEPTHS[:4]
TWO_DEPTHS: Final = (128, 256)
QUICK_TWO_DEPTHS: Final = (64, 128)
FRACTIONS: Final = (16, 8, 4)
LEFT: Final = 10.0
SMOOTH: Final = (("tanh", "gaussian"), ("gelu", "digits"))
KINKED: Final = (("relu", "digits"),)
ALPHAS: Final = (HALF, Fraction(1))
STEPS: Final = 3
RATE: Final = 1.0
RATES: Final = (2.0**-12, 2.0**-13)
SHAPES: Final = ((16, 4), (32, 16), (64, 8), (24, 64))
# An identity is told from any other formula by one part in a hundred.
ONE_PERCENT: Final = 0.01


def _recipe(alpha: Fraction, layers: int, activation: str) -> Recipe:
    return blocks_at(alpha, (2 * alpha - 1,) * layers, activation)


def _plain(alpha: Fraction, activation: str, sizes: tuple[int, ...], training: Training) -> dict[str, Any]:
    """What a cell is given."""
    return {"alpha": str(alpha), "activation": activation, "sizes": sizes, "training": asdict(training)}


def _training(study: Study, data: str, examples: int) -> Training:
    members, width = (64, 32) if study.quick else (32, 64)
    return Training(members=members, width=width, seed=study.seed, data=data, steps=STEPS, rate=RATE, examples=examples)


def log_slope(sizes: tuple[int, ...], top: Array, bottom: Array) -> Estimate:
    """The power of L of the ratio of two root mean squares, each of shape (seeds, sizes)."""
    weights = least_squares_weights(sizes)

    def slope(pairs: Array) -> float:
        up, down = pairs[..., 0].mean(axis=0), pairs[..., 1].mean(axis=0)
        return float(weights @ (np.log(up) - np.log(down))) / 2

    return jackknife(slope, np.stack([top, bottom], axis=2))


def allowance(sizes: tuple[int, ...], relative: Array | None = None) -> float:
    """How far a slope over these depths may be off: 1 + c/L of every size, and 1 + u where u is given."""
    weights = least_squares_weights(sizes)
    deep = abs(float(weights @ (OVER_DEPTH / np.asarray(sizes, dtype=np.float64))))
    return deep if relative is None else deep + abs(float(weights @ relative))


@cache
def _orders(study: Study, alpha: Fraction, activation: str, data: str) -> tuple[tuple[int, ...], dict[str, Array]]:
    sizes = QUICK_DEPTHS if study.quick else DEPTHS
    training = _training(study, data, examples=8)
    name = f"orders inside the blocks at alpha = {alpha}, {activation}, L = {sizes}, {training}"
    found = study.cell(name, order_rows, **_plain(alpha, activation, sizes, training))
    return sizes, {key: np.asarray(value) for key, value in found.items()}


def order_rows(
    *, alpha: str, activation: str, sizes: Sequence[int], training: Mapping[str, Any]
) -> dict[str, list[list[float]]]:
    """The orders inside two-layer blocks, by quantity, one member after the other."""
    found = orders_along_depth(_recipe(Fraction(alpha), 2, activation), sizes, Training(**training))
    return {key: value.tolist() for key, value in found.items()}


def _order(
    study: Study, alpha: Fraction, where: tuple[str, str], part: str, key: str, pair: tuple[str, str | None]
) -> Evidence:
    activation, data = where
    sizes, seen = _orders(study, alpha, activation, data)
    top, bottom = seen[pair[0]], seen[pair[1]] if pair[1] else None
    found = fit_slope(top, sizes) if bottom is None else log_slope(sizes, top, bottom)
    predicted = as_fraction(block_power(_recipe(alpha, 2, activation), key))
    # alpha = 1/2 and alpha = 1 must be told apart, and the sum over depth from the norms.
    at_half = block_power(_recipe(HALF, 2, activation), key)
    return from_estimate(
        found,
        predicted,
        predicted,
        part=f"{part}, alpha = {alpha}",
        condition=f"{activation}, {data}",
        allowance=allowance(sizes, np.sqrt(seen["norm"].mean(axis=0))),
        rival=min(abs(float(at_half)), float(HALF)),
    )


def c7(study: Study) -> list[Evidence]:
    """df from the first internal matrices is -chi eta_1 sum_l |df/dW_1,l|^2, to second order in the rate."""
    found = []
    for activation, data in (*KINKED, *SMOOTH)[: 1 if study.quick else None]:
        recipe = _recipe(HALF, 2, activation)
        for width, depth in SHAPES[:2] if study.quick else SHAPES:
            ratios = np.asarray(
                [
                    share_of_first_matrices(recipe, width, depth, seed=study.seed + seed, rates=RATES, data=data)
                    for seed in range(16)
                ]
            )
            # Extrapolated to rate zero; what is left is of second order: at most the square of what was removed,
            # some 1e-8, and the rounding of a difference of 1e-5 in float64, some 1e-10. 1e-6 covers both.
            found.append(
                from_estimate(
                    jackknife(lambda rows: float((2 * rows[:, 1] - rows[:, 0]).mean()), ratios),
                    1,
                    1,
                    part=f"df over the formula, n = {width}, L = {depth}",
                    condition=f"{activation}, {data}",
                    allowance=1e-6,
                    rival=ONE_PERCENT,
                )
            )
    return found


def double_limit(squares: Array) -> tuple[float, float]:
    """The power of epsilon in mean squares of shape (two depths, three fractions), and how far it may be off."""
    power = np.diff(np.log2(squares), axis=1) / 2
    deep = 2 * power[1] - power[0]
    limit = 2 * deep[0] - deep[1]
    removed = max(abs(deep - power[1]).max(), abs(limit - deep[0]))
    return float(limit), LEFT * float(removed) ** 2


def c11(study: Study) -> list[Evidence]:
    """The trained stream moves by epsilon^(1/2) over a fraction epsilon of depth at alpha = 1/2, by epsilon at 1."""
    sizes = QUICK_TWO_DEPTHS if study.quick else TWO_DEPTHS
    found = []
    for activation, data in (("relu", "digits"), ("tanh", "gaussian"))[: 1 if study.quick else None]:
        for alpha in ALPHAS:
            squares = _increments(study, alpha, activation, sizes, _training(study, data, examples=1))
            claimed = HALF if alpha == HALF else Fraction(1)
            found.append(
                from_estimate(
                    jackknife(lambda rows: double_limit(rows.mean(axis=0))[0], squares),
                    claimed,
                    as_fraction(diversity(as_rational(alpha))),
                    part=f"power of epsilon of the trained stream's increments, alpha = {alpha}",
                    condition=f"{activation}, {data}",
                    allowance=double_limit(squares.mean(axis=0))[1],
                    rival=float(HALF),
                )
            )
    return found


def _increments(study: Study, alpha: Fraction, activation: str, sizes: tuple[int, ...], training: Training) -> Array:
    name = f"increments at alpha = {alpha}, {activation}, L = {sizes}, 1/epsilon = {FRACTIONS}, {training}"
    return np.asarray(study.cell(name, increment_rows, **_plain(alpha, activation, sizes, training)))


def increment_rows(
    *, alpha: str, activation: str, sizes: Sequence[int], training: Mapping[str, Any]
) -> list[list[list[float]]]:
    """The increments of one-layer blocks, one member after the other."""
    recipe = _recipe(Fraction(alpha), 1, activation)
    rows: list[list[list[float]]] = increments_along_depth(recipe, sizes, FRACTIONS, Training(**training)).tolist()
    return rows


def c12(study: Study) -> list[Evidence]:
    """A block may be linearised in its own weights as depth grows if and only if alpha < 1."""
    pair = ("remainder", "change")
    return [
        replace(
            _order(study, alpha, where, "error of the linearised block", "linearisation", pair),
            claimed="vanishes" if alpha < 1 else "stays",
        )
        for where in (SMOOTH[:1] if study.quick else (*KINKED, *SMOOTH))
        for alpha in ALPHAS
    ]


def c13(study: Study) -> list[Evidence]:
    """dW_2 dW_1 beside the first order: L^(alpha - 1) in norms, L^(2 (alpha - 1)) in its sum over depth."""
    found = []
    for where in SMOOTH[:1] if study.quick else (*KINKED, SMOOTH[0]):
        for alpha in ALPHAS:
            found.append(_order(study, alpha, where, "norm of dW_2 beside W_2", "norm", ("norm", None)))
            pair = ("second_sum", "first_sum")
            found.append(_order(study, alpha, where, "second over first, summed", "second-over-first", pair))
    return found


CLAIMS: Final[tuple[Claim, ...]] = (
    Claim(
        id="C7",
        source=HERE,
        summary="the first internal matrices change the output by a sum of one sign over blocks",
        statement="df = -chi eta_1 sum_l |df/dW_1,l|^2 + O(eta^2)",
        conditions="plain net, one logit, mean squared error, one example; relu, tanh, gelu; n = 16 to 64, L = 4 to 64",
        check=c7,
        test=ONE_STEP_TEST,
    ),
    Claim(
        id="C11",
        source=TP6,
        summary="only alpha = 1/2 keeps features diverse across depth",
        statement="increments of the trained stream over a depth fraction e: e^(1/2) at alpha = 1/2, e at alpha = 1",
        conditions="k = 1; relu on digits, tanh on Gaussian inputs; L = 128 and 256; three SGD steps",
        check=c11,
        test=ONE_STEP_TEST,
    ),
    Claim(
        id="C12",
        source=TP6,
        summary="blocks may be linearised in their own weights if and only if alpha < 1",
        statement="error of the linearised block beside its change: L^(alpha - 1), at a kink L^((alpha - 1)/2)",
        conditions="k = 2; relu (a kink) and gelu on digits, tanh on Gaussian inputs; L = 16 to 256; three SGD steps",
        check=c12,
        test=ONE_STEP_TEST,
    ),
    Claim(
        id="C13",
        source=COMPLETEP,
        summary="products of two updates keep up with single ones only at alpha = 1",
        statement="|dW_2|/|W_2| ~ L^(alpha - 1); derived here: summed over depth, second/first ~ L^(2 (alpha - 1))",
        conditions="k = 2, c = 2 alpha - 1; relu on digits, tanh on Gaussian inputs; L = 16 to 256; three SGD steps",
        check=c13,
        test=ONE_STEP_TEST,
    ),
)
