"""Claims about weight decay on a diagonal linear net: the best rate, its logarithm, the peak and what lies beyond it.

LASSO on Gaussian inputs (``empirical.scaling_laws.diagonal_nets``) beside state evolution and its correction at the
same finite d, n and penalty (``derivations.scaling_laws.lasso_risk``); what the next order may add is allowed. The
limit is judged apart, on state evolution at d no machine holds. ``penalty`` is l; the paper's lambda is l/sqrt(d).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final

import numpy as np
from sympy import Expr

from powercount.derivations.scale import as_fraction, as_rational
from powercount.derivations.scaling_laws import lasso_risk
from powercount.derivations.sources import DEFILIPPIS, HERE
from powercount.empirical.fit import least_squares_weights
from powercount.empirical.scaling_laws.diagonal_nets import excess_risks, minimizers, problem, trained_net
from powercount.ledger.claim import LASSO_TEST, SECOND_HAND, Claim
from powercount.ledger.finding import Evidence, Number, from_estimate
from powercount.ledger.runs import Rows, exact, mean, mean_of, slope_expected, slope_of
from powercount.ledger.spectra import CLOSEST, ONE_PERCENT, generator_at
from powercount.studies.study import Study

GAMMAS: Final = (Fraction(1), Fraction(3, 2), Fraction(2))
NOISE: Final = 0.5
AROUND: Final = (2.0, 1.0, 0.5)
# lambda on the peak, in units of ``UNIT``.
STRENGTHS: Final = (16, 8, 4, 2, 1)
UNIT: Final = 1 / 64
# Ridge's peak, lambda^(-1/2), is the nearest to LASSO's lambda^(-2/3).
RIDGE_APART: Final = 1 / 6
# |X (w - u v)| is at most sqrt(2 gap) |y|: the gap bounds half of its square.
GAP: Final = 1e-12
# Weights in blocks of k/32, 4e-5 off, less than what the next order leaves at d = 1e48.
PARTS: Final = 32
# An asymptotic series errs by about the first term left out: twice that term is allowed.
ABOUT: Final = 2
# The peak's limit, at few weights, for the target adds d sum theta^4/q^2; a factor of ten apart.
FEW: Final = 64
WEAK: Final = (1e-5, 1e-6)
# Places tried for the peak about n = d, in units of alpha.
PLACES: Final = range(-4, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """theta_k = k^(-gamma) in d dimensions, n samples, noise variance s2."""

    gamma: float
    dimension: int
    samples: int
    noise: float = NOISE

    def weights(self) -> Rows:
        """theta."""
        powers: Rows = np.arange(1, self.dimension + 1, dtype=np.float64) ** -self.gamma
        return powers

    def best(self) -> float:
        """The best penalty."""
        target = lasso_risk.power_law_target(self.gamma, self.dimension, PARTS)
        return lasso_risk.best(target, samples=self.samples, noise=self.noise).penalty

    def at(self, penalty: float) -> tuple[float, float]:
        """R at penalty l, to the order 1/n, and by what share of it the next order may move it."""
        target = lasso_risk.power_law_target(self.gamma, self.dimension, PARTS)
        state = lasso_risk.at_penalty(target, samples=self.samples, noise=self.noise, penalty=penalty)
        risk = state.risk * (1 + lasso_risk.size_correction(target, state, self.samples))
        return risk, lasso_risk.size_left(target, state, self.samples)

    def measured(self, penalties: Sequence[float], members: int, generator: np.random.Generator) -> Rows:
        """Excess risks, shape (members, penalties); penalties fall."""
        return excess_risks(
            self.weights(),
            samples=self.samples,
            penalties=penalties,
            noise=self.noise,
            members=members,
            generator=generator,
        )


def at_gamma(expression: Expr, gamma: Fraction) -> Fraction:
    """An exact expression at one gamma."""
    return as_fraction(expression.subs(lasso_risk.GAMMA, as_rational(gamma)))


def power_at(gamma: Fraction) -> Fraction:
    """p = 1 - 1/(2 gamma), from the chain."""
    return at_gamma(lasso_risk.best_exponent(), gamma)


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskLimit:
    """A state at its best, of theta_k = k^(-gamma) in d = 10^digits dimensions, beside the lines of its limit."""

    gamma: Fraction
    digits: int
    samples: float
    state: lasso_risk.State

    def line(self, name: str) -> float:
        """The value of a line of the chain at this alpha."""
        numbers = {
            lasso_risk.CUT: self.state.cut,
            lasso_risk.GAMMA: self.gamma,
            lasso_risk.SAMPLES: self.samples,
            lasso_risk.NOISE: NOISE,
        }
        return float(lasso_risk.spelt_out(name).subs(numbers | {lasso_risk.DIMENSION: 10**self.digits}))

    def powers(self) -> float:
        """What falls as a power of n: R in n tau^2 = s2 + R, and half a weight of k_t, a sum taken as an integral."""
        return self.state.risk / NOISE + 1 / (2 * self.line("k_t"))


@lru_cache(maxsize=16)
def limit(gamma: Fraction, digits: int, samples: float) -> RiskLimit:
    """State evolution at its best, solved."""
    target = lasso_risk.power_law_target(gamma, 10**digits, PARTS)
    state = lasso_risk.best(target, samples=samples, noise=NOISE)
    return RiskLimit(gamma=gamma, digits=digits, samples=samples, state=state)


def compared(
    study: Study,
    settings: Sequence[tuple[Problem, Sequence[float]]],
    along: Sequence[int],
    exponents: tuple[Fraction, Fraction],
    *,
    members: int,
    part: str,
    condition: str,
    rival: float = CLOSEST,
) -> list[Evidence]:
    """The slope of R along n or lambda, of the middle penalty where each n has several, and R beside what is expected.

    ``settings`` are problems, each with its falling penalties of one draw; ``exponents`` are claimed and derived.
    """
    asked = [[asdict(each), list(penalties)] for each, penalties in settings]
    name = f"LASSO, {members} members of {settings!r}"
    rows = np.asarray(study.cell(name, risk_rows, settings=asked, members=members, seed=study.seed))
    risks, left = np.asarray([each.at(penalty) for each, penalties in settings for penalty in penalties]).T
    every = len(risks) // len(along)
    middle = slice(every // 2, None, every)
    return [
        from_estimate(
            slope_of(mean, rows[:, middle], along),
            -exponents[0],
            -exponents[1],
            part=f"slope of {part}",
            condition=condition,
            expected=slope_expected(risks[middle], along),
            # What is left may have either sign at any size.
            allowance=float(np.abs(least_squares_weights(along)) @ left[middle]),
            rival=rival,
        ),
        from_estimate(
            mean_of((rows / risks).mean(axis=1)),
            1,
            1,
            part=f"measured over expected, {part}",
            condition=condition,
            allowance=float(left.mean()),
            rival=CLOSEST,
        ),
    ]


def risk_rows(*, settings: Sequence[tuple[dict[str, Any], list[float]]], members: int, seed: int) -> list[list[float]]:
    """Excess risks, shape (members, penalties of all settings)."""
    found = []
    for fields, penalties in settings:
        each = Problem(**fields)
        generator = generator_at(seed, 20, int(1000 * each.gamma), each.dimension, each.samples)
        found.append(each.measured(penalties, members, generator))
    rows: list[list[float]] = np.concatenate(found, axis=1).tolist()
    return rows


def network_distances(*, count: int, seed: int) -> float:
    """The largest distance of so many nets."""
    return max(network_distance(generator_at(seed, 21, place)) for place in range(count))


def network_distance(generator: np.random.Generator) -> float:
    """|X (w - u v)|/|y| of one trained net."""
    weights, penalty = Problem(gamma=1.0, dimension=32, samples=24).weights(), float(generator.uniform(1, 8))
    inputs, labels = problem(weights, 24, NOISE, generator)
    apart = minimizers(inputs, labels, [penalty], GAP)[:, 0] - trained_net(inputs, labels, penalty, generator)
    return float(np.linalg.norm(inputs @ apart) / np.linalg.norm(labels))


def best_risks(study: Study, gamma: Fraction, claimed: Fraction) -> list[Evidence]:
    """Around the best penalty, at twice, once and half of it."""
    dimension, sizes, members = (256, (32, 64, 128), 160) if study.quick else (1024, (64, 128, 256, 512), 480)
    problems = [Problem(gamma=float(gamma), dimension=dimension, samples=size) for size in sizes]
    return compared(
        study,
        [(each, [factor * best for factor in AROUND]) for each in problems for best in [each.best()]],
        sizes,
        (claimed, power_at(gamma)),
        members=members,
        part=f"R against n, d = {dimension}",
        condition=f"gamma = {gamma}",
    )


def local_slope(gamma: Fraction, digits: int, claimed: Number) -> Evidence:
    """The slope of state evolution from n = d^(2/3) to ten times that, at its best."""
    few, many = (limit(gamma, digits, 10.0 ** (2 * digits // 3 + up)) for up in (0, 1))
    squared, power = few.state.cut * many.state.cut, power_at(gamma)
    return from_estimate(
        exact(math.log10(many.state.risk / few.state.risk)),
        -claimed,
        -power,
        part=f"slope of state evolution, d = 1e{digits}, n = d^(2/3)",
        condition=f"gamma = {gamma}",
        expected=-lasso_risk.local_exponent(gamma, squared**0.5),
        # The order 1/A^3, and powers of n.
        allowance=lasso_risk.exponent_left(gamma) / (gamma * squared**3) + few.powers(),
    )


def l22(study: Study) -> list[Evidence]:
    """At the best penalty R falls as n^(-1 + 1/(2 gamma)): at d = 1024, at d = 1e9 and 1e24; and the net is LASSO."""
    found = [
        from_estimate(
            exact(study.cell("24 diagonal nets", network_distances, count=24, seed=study.seed)),
            0,
            0,
            part="largest |X (w - u v)|/|y| of a trained net",
            condition="24 nets of 32 weights",
            allowance=(2 * GAP) ** 0.5,
            rival=ONE_PERCENT,
        )
    ]
    for gamma in GAMMAS[:1] if study.quick else GAMMAS:
        claimed = 1 - 1 / (2 * gamma)
        found += best_risks(study, gamma, claimed)
        found += [local_slope(gamma, digits, claimed) for digits in ((24,) if study.quick else (9, 24))]
    return found


def l22_logarithm(study: Study) -> list[Evidence]:
    """The constant of L22 is no constant: R n^p with p = 1 - 1/(2 gamma) grows as (log d)^p where n = d^(1/2)."""
    found, digits = [], (12, 24) if study.quick else (12, 24, 48)
    for gamma in GAMMAS[:1] if study.quick else GAMMAS:
        condition, power = f"gamma = {gamma}", float(power_at(gamma))
        first, second, shift, next_shift = lasso_risk.next_orders(gamma)
        limits = [limit(gamma, each, 10 ** (each / 2)) for each in digits]
        for each in limits:
            squared, threshold = each.state.cut**2, each.line("alpha^2 + 3 log alpha^2")
            found += [
                from_estimate(
                    exact(each.state.risk / each.line("R")),
                    1,
                    1,
                    part=f"R over (alpha^2 s2/n)^p/p, d = 1e{each.digits}",
                    condition=condition,
                    expected=1 + first / squared,
                    allowance=ABOUT * abs(second) / squared**2 + each.powers(),
                ),
                from_estimate(
                    exact((squared + 3 * math.log(squared)) / threshold),
                    1,
                    1,
                    part=f"alpha^2 + 3 log alpha^2 over 2 log(d/k_t) + log(2/pi), d = 1e{each.digits}",
                    condition=condition,
                    expected=1 + shift / squared / threshold,
                    # The logarithm of k_t, which the powers move, counts twice.
                    allowance=(ABOUT * abs(next_shift) / squared**2 + 2 * each.powers()) / threshold,
                ),
            ]
        few, many = limits[-2:]
        squared = few.state.cut * many.state.cut
        # A + 3 log A = 2 log(d/k_t), k_t = t^(-1/gamma), n = d^(1/2): d log A/d log log d at the middle.
        moved = (2 - 1 / (2 * gamma)) * math.log(10) * (few.digits * many.digits) ** 0.5 / (squared + 3 - 1 / gamma)
        found.append(
            from_estimate(
                exact(math.log2(many.state.risk * many.samples**power / (few.state.risk * few.samples**power))),
                power_at(gamma),
                at_gamma(lasso_risk.logarithm_power(), gamma),
                part=f"slope of R n^p against log d, d = 1e{few.digits} to 1e{many.digits}",
                condition=condition,
                expected=(power - first / squared) * moved,
                # As in ``local_slope``, at the smaller d; d doubles its digits.
                allowance=lasso_risk.exponent_left(gamma) / few.state.cut**4 + few.powers() / math.log(2),
                # A constant has slope 0.
                rival=power,
            )
        )
    return found


CLAIMS: Final[tuple[Claim, ...]] = (
    Claim(
        id="L22",
        source=DEFILIPPIS,
        summary="at its best weight decay a diagonal linear net learns at a rate set by its target's decay",
        statement="theta_k = k^(-gamma), s2 > 0, n << d^(2 gamma): min over lambda of R ~ n^(-1 + 1/(2 gamma))",
        conditions="gamma = 1, 3/2, 2; n = 64..512, d = 1024, to the order 1/n; state evolution at d = 1e9, 1e24",
        check=l22,
        test=LASSO_TEST,
        marks=(SECOND_HAND,),
    ),
    Claim(
        id="L22'",
        source=HERE,
        summary="the rate at the best weight decay carries a power of log d",
        statement="p = 1 - 1/(2 gamma): R -> (alpha^2 s2/n)^p/p, alpha^2 + 3 log alpha^2 -> 2 log(d/k_t) + log(2/pi)",
        conditions="k_t^(-2 gamma) = alpha^2 s2/n; gamma = 1, 3/2, 2; state evolution, d = 1e12 to 1e48, n = d^(1/2)",
        check=l22_logarithm,
        test=LASSO_TEST,
    ),
)
