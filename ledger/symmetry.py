r"""Claims about width: the exponent r of any parametrization, tables of rates, equal trajectories, spectral norms.

Symbols: a, b, c, powers of n as a role writes them, multiplier n^(-a), initial standard deviation n^(-b), rate n^(-c).

Tensor Programs IV prints, for one rate n^(-c) everywhere,
    r = min(a_out + b_out, 2 a_out + c) + c - 1 + min_l [2 a_l + 1(l = input)],   dx^L ~ n^(-r),
for stable parametrizations: feature learning if and only if r = 0, a kernel if r > 0. Parametrizations are drawn among
the stable ones, in quarters, where the first minimum is its first member, so that one step shows it already.

A table of rates for full alignment holds for every own update and for the features. It takes a change of the features
to meet the readout's initial weights as it meets independent ones; it was made along them, and under SP and NTK the
output moves by n^(1/2) (C24'). NTK is SP in other coordinates, and MFP is muP: they try the same networks twice.

Two SGD runs are the same run where (a, b, c) and (a + theta, b - theta, c - 2 theta) start from the same draws; two of
Adam where it is c - theta. The ratio of their outputs' difference to the output is rounding, and is told from what the
other's rule would give.

Assumptions: fixed depth 3, one infinitesimal step but for C25, of SGD unless said. Worked line: NTK has a_out = 1/2,
b_out = c = 0 and a_l = 1/2, so r = 1/2 + 0 - 1 + 1 = 1/2: a kernel, whose features move by n^(-1/2).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from powercount.derivations.dynamics.spectral import claimed_power, finite_weight_norm, step_power, weight_power
from powercount.derivations.named import named_recipe
from powercount.derivations.published import ONE, PRINTED, ZERO
from powercount.derivations.published import Triple as Powers
from powercount.derivations.recipe import Block, Optimizer, Parametrization, Power, Recipe, Role
from powercount.derivations.scale import as_fraction
from powercount.derivations.sources import EVERETT, SPECTRAL_CONDITION, TP4
from powercount.derivations.translate import translated
from powercount.empirical.data import CLASSES, FEATURES
from powercount.empirical.design import Sweep
from powercount.empirical.dynamics.equivalence import output_difference
from powercount.empirical.dynamics.spectral import spectral_along_width
from powercount.empirical.fit import fit_slope, least_squares_weights
from powercount.finite_size import FiniteSize
from powercount.ledger.claim import ONE_STEP_TEST, SECOND_HAND, Claim
from powercount.ledger.exponents import HALF, condition_of, conditions, sweep_of, verdicts
from powercount.ledger.finding import Evidence, from_estimate, from_verdict
from powercount.ledger.runs import exact
from powercount.studies.study import Study
from powercount.verdict import Verdict

QUARTER: Final = Fraction(1, 4)
DRAWN: Final = 8
QUICK_DRAWN: Final = 3
# (a, b, c) of input, hidden and readout: Everett et al. (arXiv 2407.05872), by optimizer and the names given there.
PUBLISHED: Final[dict[tuple[str, str], tuple[Powers, Powers, Powers]]] = {
    (optimizer, title): PRINTED[name, optimizer].powers
    for optimizer in ("sgd", "adam")
    for title, name in {"SP": "sp", "NTK": "ntk", "muP": "mup", "MFP": "mean-field"}.items()
}
OWN: Final = tuple(f"own-update:{role}" for role in ("input", "1", "2", "readout"))
# The rows of Tensor Programs IV, table 1, that a net of this depth has: (a, b, c) and the r it prints.
PRINTED_R: Final[dict[str, tuple[Fraction, tuple[Powers, Powers, Powers]]]] = {
    "SP": (HALF, ((ZERO, ZERO, ONE), (ZERO, HALF, ONE), (ZERO, HALF, ONE))),
    "NTK": (HALF, ((ZERO, ZERO, ZERO), (HALF, ZERO, ZERO), (HALF, ZERO, ZERO))),
    "muP": (ZERO, ((-HALF, HALF, ZERO), (ZERO, HALF, ZERO), (HALF, HALF, ZERO))),
}
SHIFTED: Final = ("sp", "mup", "depth-mup-sqrt", "completep")
# Two float64 programs for one number: 1e-16 an operation, some 1e3 of them in a row.
ROUNDING: Final = 1e-12
MEMBERS: Final = 96


def abc(name: str, powers: tuple[Powers, Powers, Powers], activation: str, optimizer: str = "sgd") -> Recipe:
    """The recipe of (a, b, c) for input, hidden and readout, with branches of L^(-1/2)."""

    def role(a: Fraction, b: Fraction, c: Fraction) -> Role:
        return Role(multiplier=Power(width=-a), init_std=Power(width=-b), learning_rate=Power(width=-c))

    first, hidden, last = (role(*three) for three in powers)
    made = Parametrization(input=first, hidden=(hidden, hidden), readout=last, branch=-HALF)
    block = Block(layers=2, activation=activation)
    return Recipe(name=name, block=block, parametrization=made, optimizer=Optimizer(name=optimizer))


def exponent_r(powers: tuple[Powers, Powers, Powers]) -> Fraction:
    """The r of Tensor Programs IV, for one rate everywhere."""
    (a_in, _, c), (a, _, _), (a_out, b_out, _) = powers
    return min(a_out + b_out, 2 * a_out + c) + c - 1 + min(2 * a_in + 1, 2 * a)


def is_stable(powers: tuple[Powers, Powers, Powers]) -> bool:
    """Its conditions of stability; those on a_l + b_l are kept by the draw."""
    (_, _, c), _, (a_out, b_out, _) = powers
    r = exponent_r(powers)
    return a_out + b_out >= HALF and r >= 0 and 2 * a_out + c >= 1 and a_out + b_out + r >= 1


def drawn(seed: int) -> Iterator[tuple[Powers, Powers, Powers]]:
    """Stable parametrizations in quarters, without end, whose r shows at the first step."""
    source = random.Random(seed)
    while True:
        a_in, a, a_out, b_out, c = (source.randint(-4, 4) * QUARTER for _ in range(5))
        powers = ((a_in, -a_in, c), (a, HALF - a, c), (a_out, b_out, c))
        if is_stable(powers) and b_out <= a_out + c:
            yield powers


def c23(study: Study) -> list[Evidence]:
    """dx^L ~ n^(-r) with the printed r, for printed and for drawn stable parametrizations."""
    source = drawn(study.seed)
    some = [next(source) for _ in range(QUICK_DRAWN if study.quick else DRAWN)]
    tried = [(name, r, powers) for name, (r, powers) in PRINTED_R.items()]
    tried += [(f"drawn {index}", exponent_r(powers), powers) for index, powers in enumerate(some, start=1)]
    found = []
    for activation, data in conditions(study):
        for name, r, powers in tried:
            recipe = abc(name, powers, activation)
            names = ("feature-update",)
            verdict = verdicts(study, recipe, sweep_of(study, recipe, "width", data), names)[names[0]]
            part = f"feature-update, {name}, r = {r}"
            found.append(from_verdict(verdict, -r, part=part, condition=f"{activation}, {data}"))
    return found


def printed_rates(study: Study) -> Iterator[tuple[str, str, dict[str, Verdict]]]:
    """(title, condition, verdicts) of every printed row: own updates, and the changes of features and output."""
    for activation, data in conditions(study):
        for (optimizer, title), powers in PUBLISHED.items():
            recipe = abc(title, powers, activation, optimizer)
            sweep = sweep_of(study, recipe, "width", data)
            seen = verdicts(study, recipe, sweep, (*OWN, "feature-update", "output-update"))
            yield title, condition_of(recipe, data), seen


def c24(study: Study) -> list[Evidence]:
    """The printed rates move what every role gives, and the features, by n^0 under four parametrizations."""
    return [
        from_verdict(seen[each], 0, part=f"{each}, {title}", condition=condition)
        for title, condition, seen in printed_rates(study)
        for each in (*OWN, "feature-update")
    ]


def c24_output(study: Study) -> list[Evidence]:
    """They move the output by n^0 too: under muP and MFP they do, under SP and NTK by n^(1/2)."""
    return [
        from_verdict(seen["output-update"], 0, part="output-update", condition=f"{title}, {condition}")
        for title, condition, seen in printed_rates(study)
    ]


def moved(recipe: Recipe, theta: Fraction, rate: int) -> Recipe:
    """(a, b, c) -> (a + theta, b - theta, c + rate theta) for every role, in powers of n."""
    for role in recipe.role_names:
        recipe = recipe.shifted(role, "multiplier", "width", -theta)
        recipe = recipe.shifted(role, "init_std", "width", theta)
        recipe = recipe.shifted(role, "learning_rate", "width", -rate * theta)
    return recipe


def c25(study: Study) -> list[Evidence]:
    """SGD takes the same trajectory under (a, b, c) and (a + theta, b - theta, c - 2 theta), Adam with c - theta."""
    source, found = random.Random(study.seed), []
    for activation, data in conditions(study):
        for name in SHIFTED:
            theta = source.choice((-HALF, -QUARTER, QUARTER, HALF))
            for optimizer, rates in (("sgd", (-2, -1)), ("adam", (-1, -2))):
                recipe = translated(named_recipe(name, activation=activation), optimizer)
                near, far = (
                    output_difference(recipe, moved(recipe, theta, rate), seed=study.seed, data=data) for rate in rates
                )
                found.append(
                    from_estimate(
                        exact(near),
                        0,
                        0,
                        part=f"difference of the outputs, {name}, theta = {theta}",
                        condition=condition_of(recipe, data),
                        allowance=ROUNDING,
                        # What a wrong rule for the rate does to the same number: that of the other optimizer.
                        rival=far,
                    )
                )
    return found


@cache
def _norms(study: Study, name: str, activation: str, sweep: Sweep) -> dict[str, NDArray[np.float64]]:
    asked = {"name": name, "activation": activation, "sizes": sweep.sizes, "depth": sweep.fixed, "data": sweep.data}
    found = study.cell(
        f"spectral norms of {name}, {activation}, {sweep}", norm_squares, **asked, members=MEMBERS, seed=sweep.seed
    )
    return {role: np.asarray(squares) for role, squares in found.items()}


def norm_squares(
    *, name: str, activation: str, sizes: Sequence[int], depth: int, members: int, seed: int, data: str
) -> dict[str, list[list[float]]]:
    """Squared spectral norms of a named recipe by role, shape (members, sizes)."""
    recipe = named_recipe(name, activation=activation)
    found = spectral_along_width(recipe, sizes, depth=depth, members=members, seed=seed, data=data, examples=4)
    return {role: squares.tolist() for role, squares in found.items()}


def c28(study: Study) -> list[Evidence]:
    """|m W|_2 and |m dW|_2 are of order sqrt(n_out/n_in) for every role under muP and depth-mup."""
    found = []
    for activation, data in conditions(study):
        for name in ("depth-mup",) if study.quick else ("mup", "depth-mup"):
            recipe = named_recipe(name, activation=activation)
            sweep = sweep_of(study, recipe, "width", data)
            squares = _norms(study, name, activation, sweep)
            for role in recipe.role_names:
                found += _two_norms(recipe, role, sweep, squares)
    return found


def _two_norms(recipe: Recipe, role: str, sweep: Sweep, squares: dict[str, NDArray[np.float64]]) -> list[Evidence]:
    claimed = as_fraction(claimed_power(role))
    fixed = FEATURES if role == "input" else CLASSES
    edge = [np.log(finite_weight_norm(recipe, role, width, fixed)) for width in sweep.sizes]
    # Of both: what a slope of these sizes may be off in infinite width (see finite_size).
    allowance = FiniteSize.of(recipe, sweep).error()
    condition = f"{recipe.block.activation}, {sweep.data}"
    return [
        from_estimate(
            fit_slope(squares[role], sweep.sizes),
            claimed,
            as_fraction(weight_power(recipe, role)),
            part=f"|m W|_2 of {role}, {recipe.name}",
            condition=condition,
            expected=float(least_squares_weights(sweep.sizes) @ edge),
            allowance=allowance,
        ),
        from_estimate(
            fit_slope(squares[f"{role} step"], sweep.sizes),
            claimed,
            as_fraction(step_power(recipe, role)),
            part=f"|m dW|_2 of {role}, {recipe.name}",
            condition=condition,
            allowance=allowance,
        ),
    ]


CLAIMS: Final[tuple[Claim, ...]] = (
    Claim(
        id="C23",
        source=TP4,
        summary="one exponent r decides between feature learning and a kernel",
        statement="feature-update ~ n^(-r), r = 0 under muP, 1/2 under SP and NTK",
        conditions="three printed, eight drawn stable parametrizations; relu on digits, tanh on Gaussian inputs; SGD",
        check=c23,
        test=ONE_STEP_TEST,
    ),
    Claim(
        id="C24",
        source=EVERETT,
        summary="each parametrization has rates under which every layer moves by order one",
        statement="own-update of every role and feature-update ~ n^0 under SP, NTK, muP, MFP with the printed rates, "
        "full alignment",
        conditions="the rows of SGD and of Adam; relu on digits, tanh on Gaussian inputs; one step",
        check=c24,
        test=ONE_STEP_TEST,
        marks=(SECOND_HAND,),
    ),
    Claim(
        id="C24'",
        source=EVERETT,
        summary="under those rates the output moves by order one as well",
        statement="output-update ~ n^0 under SP, NTK, muP, MFP with the printed rates; derived here n^(1/2) under SP "
        "and NTK",
        conditions="as C24, each parametrization a condition of its own",
        check=c24_output,
        test=ONE_STEP_TEST,
        marks=(SECOND_HAND,),
    ),
    Claim(
        id="C25",
        source=TP4,
        summary="multiplier, initialization and rate trade against each other without any effect",
        statement="equal trajectories under (a, b, c) -> (a + theta, b - theta, c - 2 theta), under Adam c - theta",
        conditions="SGD and torch's Adam, epsilon 2^(-1022); five steps in float64, theta drawn; Adafactor's rule is "
        "not measured",
        check=c25,
        test=ONE_STEP_TEST,
    ),
    Claim(
        id="C28",
        source=SPECTRAL_CONDITION,
        summary="feature learning is a condition on spectral norms",
        statement="|m W|_2, |m dW|_2 ~ sqrt(n_out/n_in) for every role",
        conditions="muP (coordinates B), depth-mup (coordinates A); relu on digits, tanh on Gaussian inputs; SGD",
        check=c28,
        test=ONE_STEP_TEST,
    ),
)
