"""Claims about trained networks of finite width, or on finite data, beside their limit: powers of n and of D.

Over initializations the variance is 1/n once centred, and the control that is not; the excess of the mean loss and the
bias of the mean output are 1/n too. Over samples the excess of the mean loss is 1/D.
Limits are eliminated by halves: what is read of two disjoint halves, averaged, less that of their union. The first
order of the fluctuation cancels draw by draw, and q/n becomes q/(2 n); a next order q d/n^2 becomes 3/2 as large.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np

from powercount.derivations.scale import as_fraction
from powercount.derivations.scaling_laws import averages
from powercount.derivations.scaling_laws.width_expansion import bias_exponent, excess_exponent, variance_exponent
from powercount.derivations.sources import BAHRI, HERE, NARROW
from powercount.empirical.scaling_laws.narrow_nets import divided, outputs
from powercount.empirical.scaling_laws.sampling import losses
from powercount.ledger.claim import SECOND_HAND, Claim
from powercount.ledger.finding import Evidence, Number, from_estimate
from powercount.ledger.runs import Rows, mean, next_order, slope_of
from powercount.studies.study import Study

SIZES: Final = (64, 128, 256, 512, 1024)
STEPS: Final = 20
RATE: Final = 1.0
# The next term of the variance, beside the first: n Var is within some 10 % of its limit at n = 64.
NEXT: Final = 8.0


def spread(members: Rows) -> Rows:
    """The variance over members, averaged over tests; members (members, sizes, tests)."""
    variance: Rows = members.var(axis=0, ddof=1).mean(axis=-1)
    return variance


@cache
def trained(study: Study, parametrization: str, *, centred: bool) -> tuple[tuple[int, ...], Rows]:
    """Widths, and what the trained networks say, shape (members, widths, tests)."""
    sizes, members = (SIZES[:3], 128) if study.quick else (SIZES, 384)
    name = f"{_kind(centred)} under {parametrization}, n = {sizes}, {members} members"
    asked = {"parametrization": parametrization, "centred": centred, "sizes": sizes, "members": members}
    return sizes, np.asarray(study.cell(name, said, **asked, steps=STEPS, rate=RATE, seed=study.seed))


def said(
    *, parametrization: str, centred: bool, sizes: Sequence[int], members: int, steps: int, rate: float, seed: int
) -> list[list[list[float]]]:
    """One member after the other, what it says at each test, width by width."""
    columns = [
        outputs(parametrization, width, centred=centred, members=members, steps=steps, rate=rate, seed=seed)
        for width in sizes
    ]
    rows: list[list[list[float]]] = np.stack(columns, axis=1).tolist()
    return rows


def _kind(centred: bool) -> str:
    return "f - f_0" if centred else "f"


def variance(study: Study, parametrization: str, *, centred: bool, claimed: int) -> Evidence:
    """The slope of the variance of a trained f, or of a trained f - f_0, against n."""
    sizes, rows = trained(study, parametrization, centred=centred)
    return from_estimate(
        slope_of(spread, rows, sizes),
        claimed,
        as_fraction(variance_exponent(parametrization, centred=centred)),
        part=f"slope of the variance of {_kind(centred)} against n",
        condition=parametrization,
        allowance=next_order(sizes, NEXT),
        rival=1.0,
    )


def l5(study: Study) -> list[Evidence]:
    """Variance-limited in width: 1/n under NTK and muP, the start taken off."""
    return [variance(study, name, centred=True, claimed=-1) for name in ("ntk", "mup")]


def l6(study: Study) -> list[Evidence]:
    """The control: under NTK what is not centred keeps the variance of its start."""
    return [variance(study, "ntk", centred=False, claimed=0)]


# Few gentle steps keep the next order small: the largest mode moves by less than half of itself a step, for which the
# solvable net of as many steps (``averages``, r <= 1/2) has at most 1.2/n beside the first order, well within NEXT.
FEW_STEPS: Final = 5
GENTLE: Final = RATE / 2
# q/n + q d/n^2 by halves: q/(2 n) (1 + 3/2 d/n).
OF_HALVES: Final = 1.5
# The nearest other power is that of one draw's first order, n^(-1/2); a quick study tells whole powers apart.
FIRST_ORDER: Final = 0.5


def rival(study: Study) -> float:
    """The distance to the nearest other power that is told apart."""
    return 1.0 if study.quick else FIRST_ORDER


def halves(rows: Rows) -> Rows:
    """What doubling the size takes away; rows (members, sizes, ...), sizes doubling along the second axis."""
    difference: Rows = rows[:, :-1] - rows[:, 1:]
    return difference


def square_of_mean(rows: Rows) -> Rows:
    """|E x|^2 without bias, rows (members, sizes, tests): the products of different members."""
    pairs = np.square(rows.sum(axis=0)) - np.square(rows).sum(axis=0)
    squares: Rows = pairs.mean(axis=-1) / (len(rows) * (len(rows) - 1))
    return squares


@cache
def narrow(study: Study, parametrization: str) -> tuple[tuple[int, ...], Rows]:
    """Widths n, and what is read at n less at 2 n: outputs at the tests and, last, the loss (members, widths, ...)."""
    sizes, members = (SIZES[:4], 320) if study.quick else (SIZES, 768)
    name = f"{sizes[-1]} units under {parametrization} cut into n = {sizes}, {FEW_STEPS} steps, {members} members"
    asked = {"parametrization": parametrization, "sizes": sizes, "members": members, "seed": study.seed}
    return sizes[:-1], halves(np.asarray(study.cell(name, cut, **asked, steps=FEW_STEPS, rate=GENTLE)))


def cut(
    *, parametrization: str, sizes: Sequence[int], members: int, steps: int, rate: float, seed: int
) -> list[list[list[float]]]:
    """One member after the other, what is read of its parts, width by width."""
    return [
        divided(parametrization, sizes, member=member, steps=steps, rate=rate, seed=seed).tolist()
        for member in range(members)
    ]


def bias(study: Study, parametrization: str, *, claimed: int) -> Evidence:
    """The slope of the square of what doubling n changes of the mean output."""
    sizes, rows = narrow(study, parametrization)
    return from_estimate(
        slope_of(square_of_mean, rows[..., :-1], sizes),
        claimed,
        2 * int(bias_exponent()),
        part="slope of |E f_n - E f_2n|^2 against n",
        condition=parametrization,
        allowance=2 * next_order(sizes, OF_HALVES * NEXT),
        rival=2 * rival(study),
    )


def excess(study: Study, parametrization: str, *, claimed: Number) -> Evidence:
    """The slope of what doubling n takes off the mean loss."""
    sizes, rows = narrow(study, parametrization)
    return from_estimate(
        slope_of(mean, rows[..., -1], sizes),
        claimed,
        int(excess_exponent(parametrization)),
        part="slope of E L(n) - E L(2 n) against n",
        condition=parametrization,
        allowance=next_order(sizes, OF_HALVES * NEXT),
        rival=rival(study),
    )


def l20(study: Study) -> list[Evidence]:
    """The mean loss of narrow nets exceeds its limit by 1/n, and so does what their ensemble says."""
    return [
        found for name in ("mup", "ntk") for found in (excess(study, name, claimed=-1), bias(study, name, claimed=-2))
    ]


# Least squares on P features exceeds its limit by P/(D - P - 1) (L3's exact law), P + 1 over D beside the first order;
# of the net's 32 parameters 20 steps resolve 3 to 5: the sum over its kernel's modes of 1 - (1 - r)^20, six seeds.
RESOLVED: Final = 8.0


@cache
def sampled(study: Study) -> Rows:
    """Two losses less their limits on D = ``SIZES`` samples, (members, sizes, 2): smooth, and with a kink."""
    asked = {"sizes": SIZES, "members": 192 if study.quick else 1536, "steps": STEPS, "rate": GENTLE}
    name = f"losses of width 8 on D = {SIZES}, {STEPS} steps, {asked['members']} members"
    return np.asarray(study.cell(name, losses_of_samples, **asked, seed=study.seed))


def losses_of_samples(
    *, sizes: Sequence[int], members: int, steps: int, rate: float, seed: int
) -> list[list[list[float]]]:
    """One member after the other, its two losses at each size."""
    rows: list[list[list[float]]] = losses(sizes, members=members, steps=steps, rate=rate, seed=seed).tolist()
    return rows


def on_samples(study: Study, reading: str, *, claimed: Number) -> Evidence:
    """The slope against D of the loss, "by halves" or less its "exact limit", or of the distance from it: a "kink"."""
    rows = sampled(study)[..., int(reading == "kink")]
    paired = reading == "by halves"
    part = {"by halves": "E L(D) - E L(2 D)", "exact limit": "E L(D) - L(infinity)", "kink": "E |f_D - f_infinity|"}
    sizes = SIZES[:-1] if paired else SIZES
    return from_estimate(
        slope_of(mean, halves(rows) if paired else rows, sizes),
        claimed,
        as_fraction(averages.excess_exponent(smooth=reading != "kink")),
        part=f"slope of {part[reading]} against D",
        condition="a trained network of width 8",
        allowance=next_order(sizes, RESOLVED * (OF_HALVES if paired else 1)),
        rival=rival(study),
    )


def l3_network(study: Study) -> list[Evidence]:
    """L3 on a network trained on D samples of a finite population: its mean loss exceeds the population's by 1/D."""
    readings = ("by halves",) if study.quick else ("by halves", "exact limit")
    return [on_samples(study, reading, claimed=-1) for reading in readings]


WIDTH_TEST: Final = "tests/laws/scaling_laws/test_exponents_width_variance.py"
NARROW_TEST: Final = "tests/laws/scaling_laws/test_exponents_finite_width_and_data.py"

CLAIMS: Final[tuple[Claim, ...]] = (
    Claim(
        id="L5",
        source=BAHRI,
        summary="a wide network is variance-limited in its width",
        statement="Var over initializations of a trained f - f_0 ~ 1/n",
        conditions="one hidden layer, tanh, 24 points on a sphere, 20 steps; NTK and muP; n = 64..1024",
        check=l5,
        test=WIDTH_TEST,
    ),
    Claim(
        id="L6",
        source=HERE,
        summary="under NTK a network that is not centred keeps the variance of its start",
        statement="Var over initializations of a trained f ~ n^0",
        conditions="as L5, NTK, f in place of f - f_0",
        check=l6,
        test=WIDTH_TEST,
    ),
    Claim(
        id="L20",
        source=NARROW,
        summary="narrow networks exceed the loss of the infinite one by 1/n; an ensemble of them keeps a bias of 1/n",
        statement="E L(n) - L(infinity) ~ 1/n; E f_n - f_infinity ~ 1/n, whose square is n^(-2)",
        conditions="L5's nets, centred, 5 steps at half the rate; n = 64..512 of 1024 units; limits off by halves",
        check=l20,
        test=NARROW_TEST,
        marks=(SECOND_HAND,),
    ),
)
