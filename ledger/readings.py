r"""Other readings of gradient independence at alpha = 1/2: one under which it holds for the output, two where it fails.

Covariances (C15-vii, C15-viii). Backward fields are decoupled, and the output is not read off the trained net but
advanced by the covariances of both fields, -df = eta e sum_l beta^2 C_phi,l C_g,l. Before the first step decoupled
fields have the covariances of tied ones, so that this output agrees: T e^T for linear blocks. The features of the same
net do not: their response to W_l^T delta_l is what decoupling drops.

Every matrix (C15-ix): input and readout are trained too. Outside (C15-x): blocks phi(W h), with an odd phi. In both the
gap between tied and decoupled nets stays. At alpha = 1 it goes, as L^(-1) (C15', in ``coupling``).

Symbols and assumptions as in ``coupling``; exact values from ``derivations.dynamics.first_step``. Worked line: linear
blocks, every matrix trained: tied 3 e, decoupled 2 e, so the ratio tends to 3/2, not to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Final

import numpy as np

from powercount.decide import stays
from powercount.derivations.dynamics.first_step import first_step, linear_features, outside_step
from powercount.derivations.recipe import middle
from powercount.derivations.sources import NFD
from powercount.empirical.dynamics.dependence import moved_output
from powercount.empirical.dynamics.training import ROLES, Run
from powercount.empirical.fit import jackknife
from powercount.ledger.claim import ABSTRACT, DYNAMICS_TEST, Claim
from powercount.ledger.coupling import (
    ADVANCED,
    FEATURES,
    FINITE_WIDTH,
    MIDDLE,
    OUTPUT,
    activations,
    depths,
    members,
    run_of,
    sweep,
)
from powercount.ledger.finding import Evidence, from_estimate, from_side
from powercount.ledger.independence import remaining
from powercount.ledger.runs import Rows, mean, members_of_each, ratio_of_means, slope_expected, slope_of
from powercount.studies.study import Study

OUTSIDE: Final = ("tanh", "erf")


def ends(study: Study) -> tuple[int, int]:
    """The smallest and the largest depth of a sweep, by their place."""
    return (0, len(depths(study)) - 1)


def c15_covariances(study: Study) -> list[Evidence]:
    """(vii) Decoupled fields, the output advanced by covariances: the first step is that of the tied net."""
    found = []
    for activation in activations(study):
        tied, decoupled = (sweep(study, activation, tied=each) for each in (True, False))
        for place in ends(study):
            depth = depths(study)[place]
            found.append(
                from_estimate(
                    ratio_of_means(tied[:, place, OUTPUT], decoupled[:, place, ADVANCED]),
                    1,
                    1,
                    part=f"movement of f, tied over decoupled by covariances, L = {depth}",
                    condition=activation,
                    allowance=FINITE_WIDTH,
                    rival=first_step(activation, depth).ratio - 1,
                )
            )
    return found


def c15_features(study: Study) -> list[Evidence]:
    """(viii) The features of those nets move as the tied ones' do: they do not, at mid-depth and at the top."""
    found, deepest = [], depths(study)[-1]
    tied_exact, decoupled_exact = (linear_features(deepest, tied=each) for each in (True, False))
    for activation in activations(study):
        tied, decoupled = (sweep(study, activation, tied=each)[:, -1] for each in (True, False))
        for place, layer in ((MIDDLE, middle(deepest)), (FEATURES, deepest)):
            both = np.stack([tied[:, place], decoupled[:, place]], axis=1)
            exact = float(np.log(tied_exact[layer] / decoupled_exact[layer]))
            found.append(
                from_side(
                    jackknife(_log_ratio, both),
                    # To an eighth, as slopes are.
                    stays,
                    claimed="0",
                    predicted=f"{exact:.3f}" if activation == "linear" else "not derived",
                    expected=exact if activation == "linear" else float("nan"),
                    part=f"log of |h^1 - h^0|^2, tied over decoupled, at layer {layer} of {deepest}",
                    condition=activation,
                )
            )
    return found


def _log_ratio(rows: Rows) -> float:
    return float(np.log(mean(rows)[0] / mean(rows)[1]))


def _left(
    study: Study, activation: str, change: Callable[[Run], Run], exact: Callable[[int], float], condition: str
) -> list[Evidence]:
    """The power of L of tied/decoupled - 1 of the output, and the ratio at the largest depth."""
    sizes = depths(study)

    def moved(tied: bool) -> Rows:
        runs = [change(run_of(study, activation, depth, tied=tied)) for depth in sizes]
        return np.concatenate(members_of_each(study, runs, members(study), (moved_output,)), axis=1)

    both, ratio = np.stack([moved(True), moved(False)], axis=2), exact(sizes[-1])
    return [
        remaining(
            slope_of(_gap, both, sizes),
            slope_expected([exact(depth) - 1 for depth in sizes], sizes),
            Fraction(0),
            part="power of L of tied/decoupled - 1, output moved in one step",
            condition=condition,
        ),
        from_estimate(
            ratio_of_means(both[:, -1, 0], both[:, -1, 1]),
            1.0,
            ratio,
            part=f"tied/decoupled movement of the output at L = {sizes[-1]}",
            condition=condition,
            allowance=FINITE_WIDTH,
            rival=ratio - 1,
        ),
    ]


def _gap(rows: Rows) -> Rows:
    averaged = mean(rows)
    gap: Rows = averaged[:, 0] / averaged[:, 1] - 1
    return gap


def _every_matrix(run: Run) -> Run:
    return replace(run, trained=ROLES)


def _outside(run: Run) -> Run:
    return replace(run, outside=True)


def ratio_outside(activation: str, depth: int) -> float:
    """tied over decoupled of blocks phi(W h)."""
    tied, decoupled = outside_step(activation, depth)
    return tied / decoupled


def c15_all(study: Study) -> list[Evidence]:
    """(ix) The gap vanishes where every matrix is trained: it does not."""
    found = []
    for activation in activations(study):

        def exact(depth: int, activation: str = activation) -> float:
            return first_step(activation, depth).ratio_of_all

        found += _left(study, activation, _every_matrix, exact, f"{activation}, every matrix trained")
    return found


def c15_outside(study: Study) -> list[Evidence]:
    """(x) The gap vanishes in blocks phi(W h): it does not."""
    found = []
    for activation in odd(study):

        def exact(depth: int, activation: str = activation) -> float:
            return ratio_outside(activation, depth)

        found += _left(study, activation, _outside, exact, f"{activation}, blocks phi(W h)")
    return found


def odd(study: Study) -> Sequence[str]:
    """The activations of blocks phi(W h)."""
    return OUTSIDE[:1] if study.quick else OUTSIDE


CLAIMS: Final[tuple[Claim, ...]] = (
    Claim(
        id="C15-vii",
        source=NFD,
        summary="(vii) read through covariances, backward fields may be decoupled: the output's first step agrees",
        statement="-df = eta e sum_l beta^2 C_phi,l C_g,l of decoupled fields = that of tied nets; T e^T if linear",
        conditions="linear, relu, tanh; one step, L = 4 and 128, n = 4096; k = 1, alpha = 1/2",
        check=c15_covariances,
        test=DYNAMICS_TEST,
        marks=(ABSTRACT, "this reading is ours"),
    ),
    Claim(
        id="C15-viii",
        source=NFD,
        summary="(viii) the features of the nets so read move as those of tied nets",
        statement="|h_l^1 - h_l^0|^2 tied = decoupled, to an eighth, at mid-depth and at the top",
        conditions="linear, relu, tanh; one step, L = 128, n = 4096; k = 1, alpha = 1/2",
        check=c15_features,
        test=DYNAMICS_TEST,
        marks=(ABSTRACT, "this reading is ours"),
    ),
    Claim(
        id="C15-ix",
        source=NFD,
        summary="(ix) with every matrix trained the effect of gradient independence on the output vanishes with depth",
        statement="tied/decoupled - 1 -> 0; derived here L^0: 3/2 - 1 for linear blocks",
        conditions="as C15-iv, input and readout trained too",
        check=c15_all,
        test=DYNAMICS_TEST,
        marks=(ABSTRACT, "this reading is ours"),
    ),
    Claim(
        id="C15-x",
        source=NFD,
        summary="(x) with activations outside the blocks the effect on the output vanishes with depth",
        statement="h_l = h_{l-1} + L^(-1/2) phi(W_l h_{l-1}), phi odd: tied/decoupled - 1 -> 0; derived here L^0",
        conditions="as C15-iv; tanh, erf",
        check=c15_outside,
        test=DYNAMICS_TEST,
        marks=(ABSTRACT, "this reading is ours"),
    ),
)
