"""Claims about weight decay on a diagonal linear net: the best rate, its logarithm, the peak and what lies beyond it.

LASSO on Gaussian inputs (``empirical.scaling_laws.lasso``) beside state evolution at the same finite d, n and penalty
(``derivations.scaling_laws.lasso``); the limit is judged apart, on state evolution at d no machine holds. ``penalty``
is l; the paper's lambda is l/sqrt(d). What state evolution leaves at finite size is of relative order
1/(n - active), as least squares shows: n - d - 1 where it has n - d. ``OVER_SIZE`` bounds the coefficient.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from sympy import Rational

from powercount.claims.finding import Evidence, Number, from_estimate
from powercount.claims.runs import Rows, mean, mean_of, slope_expected, slope_of
from powercount.claims.spectra import CLOSEST, OVER_SIZE, generator_of
from powercount.derivations.scaling_laws import lasso
from powercount.empirical.fit import Estimate, least_squares_weights
from powercount.empirical.scaling_laws.lasso import excess_risks, minimizers, problem, trained_net
from powercount.study import Study

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
# The coefficient of the order left out, 1/alpha^4 in the slope, alpha on the peak.
NEXT_ORDER: Final = 5.0
# Variance and noise, k_t tau^2 and 2 k_t tau^2, add less than 3/alpha^2 to the constant.
VARIANCE: Final = 3.0


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

    def best(self) -> lasso.State:
        """State evolution at its best penalty."""
        return lasso.best(self._target(), samples=self.samples, noise=self.noise)

    def at(self, penalty: float) -> lasso.State:
        """State evolution at penalty l."""
        return lasso.at_penalty(self._target(), samples=self.samples, noise=self.noise, penalty=penalty)

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

    def _target(self) -> lasso.Target:
        return lasso.power_law_target(self.gamma, self.dimension)


def left_out(states: Sequence[lasso.State], samples: Sequence[int]) -> Rows:
    """How far, relatively, state evolution may be off at each of some states."""
    bounds: Rows = OVER_SIZE / (np.asarray(samples) - np.asarray([state.active for state in states]))
    return bounds


def ratio(rows: Rows, states: Sequence[lasso.State], samples: Sequence[int], *, part: str, condition: str) -> Evidence:
    """Measured over state evolution, the mean over settings, shape (members, settings)."""
    exact = np.asarray([state.risk for state in states])
    return from_estimate(
        mean_of((rows / exact).mean(axis=1)),
        1,
        1,
        part=part,
        condition=condition,
        allowance=float(left_out(states, samples).mean()),
        rival=CLOSEST,
    )


def slope(
    rows: Rows,
    states: Sequence[lasso.State],
    samples: Sequence[int],
    along: Sequence[int],
    exponents: tuple[Fraction, Fraction],
    *,
    part: str,
    condition: str,
    rival: float = CLOSEST,
) -> Evidence:
    """The measured slope along n or lambda beside state evolution's there; ``exponents`` are claimed and derived."""
    return from_estimate(
        slope_of(mean, rows, along),
        -exponents[0],
        -exponents[1],
        part=part,
        condition=condition,
        expected=slope_expected([state.risk for state in states], along),
        allowance=abs(float(least_squares_weights(along) @ left_out(states, samples))),
        rival=rival,
    )


def computed(
    value: float,
    claimed: Number,
    *,
    part: str,
    condition: str,
    allowance: float,
    expected: float | None = None,
    rival: float = CLOSEST,
) -> Evidence:
    """Evidence from state evolution alone, at sizes no machine holds, beside its limit."""
    estimate = Estimate(value=value, standard_error=0.0, freedom=1)
    return from_estimate(
        estimate, claimed, claimed, part=part, condition=condition, allowance=allowance, expected=expected, rival=rival
    )


def best_power(gamma: Fraction) -> Fraction:
    """1 - 1/(2 gamma), from the chain."""
    return Fraction(str(lasso.best_exponent().subs(lasso.GAMMA, Rational(str(gamma)))))


def best_risks(study: Study, gamma: Fraction) -> tuple[list[Problem], list[lasso.State], Rows]:
    """Problems of growing n, their best states, and risks at twice, once and half the penalty, (members, n, 3)."""
    dimension, sizes, members = (256, (32, 64, 128), 240) if study.quick else (1024, (32, 64, 128, 256), 320)
    problems = [Problem(gamma=float(gamma), dimension=dimension, samples=size) for size in sizes]
    states = [each.best() for each in problems]

    def compute() -> list[list[list[float]]]:
        found = [
            each.measured([state.penalty * factor for factor in AROUND], members, generator_of(study, 20, each.samples))
            for each, state in zip(problems, states, strict=True)
        ]
        rows: list[list[list[float]]] = np.stack(found, axis=1).tolist()
        return rows

    rows = study.cell(f"LASSO at its best, gamma = {gamma}, d = {dimension}, n = {sizes}, {members} members", compute)
    return problems, states, np.asarray(rows)


def network_distance(study: Study) -> float:
    """The largest |X (w - u v)|/|y| of trained nets over 24 draws."""

    def compute() -> float:
        worst = 0.0
        for place in range(24):
            generator = generator_of(study, 21, place)
            weights = Problem(gamma=1.0, dimension=32, samples=24).weights()
            inputs, labels = problem(weights, 24, NOISE, generator)
            penalty = float(generator.uniform(1, 8))
            apart = minimizers(inputs, labels, [penalty], GAP)[:, 0] - trained_net(inputs, labels, penalty, generator)
            worst = max(worst, float(np.linalg.norm(inputs @ apart) / np.linalg.norm(labels)))
        return worst

    return float(study.cell("diagonal nets, 24 draws", compute))


def l22(study: Study) -> list[Evidence]:
    """At the best penalty R falls as n^(-1 + 1/(2 gamma)): at d = 256, at d = 1e9 and 1e24; and the net is LASSO."""
    found = [
        computed(
            network_distance(study),
            0,
            part="largest |X (w - u v)|/|y| of a trained net",
            condition="24 nets of 32 weights",
            allowance=(2 * GAP) ** 0.5,
        )
    ]
    for gamma in GAMMAS[:1] if study.quick else GAMMAS:
        condition, power = f"gamma = {gamma}", best_power(gamma)
        problems, states, rows = best_risks(study, gamma)
        sizes = [each.samples for each in problems]
        near = [
            each.at(state.penalty * factor) for each, state in zip(problems, states, strict=True) for factor in AROUND
        ]
        found += [
            slope(
                rows[:, :, 1],
                states,
                sizes,
                sizes,
                (1 - 1 / (2 * gamma), power),
                part=f"slope of R against n, d = {problems[0].dimension}",
                condition=condition,
            ),
            ratio(
                rows.reshape(len(rows), -1),
                near,
                [size for size in sizes for _ in AROUND],
                part="measured over state evolution at twice, once and half the best penalty",
                condition=condition,
            ),
        ]
        for digits in (9,) if study.quick else (9, 24):
            target = lasso.power_law_target(gamma, 10**digits)
            few, many = (lasso.best(target, samples=10 ** (2 * digits // 3 + up), noise=NOISE) for up in (0, 1))
            squared = few.cut * many.cut
            found.append(
                computed(
                    float(np.log10(many.risk / few.risk)),
                    -power,
                    part=f"slope of state evolution, d = 1e{digits}, n = d^(2/3)",
                    condition=condition,
                    expected=-lasso.local_exponent(gamma, squared**0.5),
                    allowance=NEXT_ORDER / squared**2,
                )
            )
    return found


def on_the_peak(study: Study) -> tuple[Problem, list[lasso.State], Rows]:
    """n = d, its states and its risks at each strength, (members, strengths)."""
    dimension, members = (64, 160) if study.quick else (128, 512)
    here = Problem(gamma=1.0, dimension=dimension, samples=dimension)
    penalties = [strength * UNIT * dimension**0.5 for strength in STRENGTHS]

    def compute() -> list[list[float]]:
        rows: list[list[float]] = here.measured(penalties, members, generator_of(study, 22)).tolist()
        return rows

    rows = study.cell(f"LASSO at n = d = {dimension}, lambda = {STRENGTHS} / 64, {members} members", compute)
    return here, [here.at(penalty) for penalty in penalties], np.asarray(rows)


def after_the_peak(study: Study) -> tuple[list[int], list[lasso.State], Rows]:
    """n, states and risks of a small penalty, (members, n), d = 64."""
    sizes, members, penalty = [256, 512, 1024], 96 if study.quick else 256, UNIT * 8
    problems = [Problem(gamma=1.0, dimension=64, samples=size) for size in sizes]

    def compute() -> list[list[float]]:
        found = [each.measured([penalty], members, generator_of(study, 23, each.samples))[:, 0] for each in problems]
        rows: list[list[float]] = np.stack(found, axis=1).tolist()
        return rows

    rows = study.cell(f"LASSO at d = 64, n = {sizes}, lambda = 1/64, {members} members", compute)
    return sizes, [each.at(penalty) for each in problems], np.asarray(rows)


def _limits_of_the_peak() -> list[Evidence]:
    """Slope, height and place of the peak of state evolution, d = 1e3, lambda = 1e-6 and 1e-7."""
    dimension, condition, strengths = 10**3, "the peak", (1e-6, 1e-7)
    target = lasso.power_law_target(1, dimension)

    def state(strength: float, samples: float = dimension) -> lasso.State:
        return lasso.at_penalty(target, samples=samples, noise=NOISE, penalty=strength * dimension**0.5)

    strong, weak = (state(strength) for strength in strengths)
    height = float(lasso.peak().subs({lasso.NOISE: NOISE, lasso.PENALTY: strengths[1]}))
    steps = [2 * weak.cut * step for step in range(-2, 3)]
    greatest = max(steps, key=lambda step: state(strengths[1], dimension * (1 + step)).risk)
    left = NEXT_ORDER * strong.cut
    return [
        computed(
            float(np.log10(strong.risk / weak.risk)),
            -Fraction(str(lasso.peak_exponent())),
            part="slope of state evolution against lambda at n = d, lambda = 1e-7",
            condition=condition,
            allowance=left,
        ),
        computed(
            (NOISE + weak.risk) / height,
            1,
            part="s2 + R over (pi/32)^(1/3) s2^(4/3) lambda^(-2/3), lambda = 1e-7",
            condition=condition,
            allowance=left,
        ),
        computed(1 + greatest, 1, part="n/d where R is greatest, lambda = 1e-7", condition=condition, allowance=left),
    ]


def l23(study: Study) -> list[Evidence]:
    """A small penalty peaks at n = d as lambda^(-2/3) and falls as d/n beyond; past d^(2 gamma) the best does too."""
    here, states, rows = on_the_peak(study)
    sizes, after, beyond = after_the_peak(study)
    samples, past = [here.samples] * len(states), 16 * NOISE * 10**6
    plain = past / (past - 1000)
    return [
        slope(
            rows,
            states,
            samples,
            STRENGTHS,
            (Fraction(2, 3), Fraction(str(lasso.peak_exponent()))),
            part=f"slope of R against lambda at n = d = {here.samples}",
            condition="the peak",
            rival=RIDGE_APART,
        ),
        ratio(rows, states, samples, part="measured over state evolution at n = d", condition="the peak"),
        *_limits_of_the_peak(),
        slope(
            beyond,
            after,
            sizes,
            sizes,
            (Fraction(1), Fraction(str(lasso.beyond_exponent()))),
            part="slope of R against n, d = 64, lambda = 1/64",
            condition="beyond",
        ),
        ratio(beyond, after, sizes, part="measured over state evolution", condition="beyond"),
        computed(
            lasso.best(lasso.power_law_target(1, 1000), samples=past, noise=NOISE).risk * past / (NOISE * 1000),
            1,
            part="best R n/(s2 d), gamma = 1, d = 1000, n = 16 s2 d^2",
            condition="the best penalty beyond d^(2 gamma)",
            expected=plain,
            # The least weight lies 4 tau from 0: a threshold gains no more than the density there.
            allowance=math.exp(-8),
        ),
    ]


def l22_logarithm(study: Study) -> list[Evidence]:
    """The constant of L22 is no constant: R n^p with p = 1 - 1/(2 gamma) grows as (log d)^p where n = d^(1/2)."""
    found, dimensions = [], (12, 24) if study.quick else (12, 24, 48)
    for gamma in GAMMAS[:1] if study.quick else GAMMAS:
        power, constants = best_power(gamma), []
        for digits in dimensions:
            samples = 10 ** (digits / 2)
            state = lasso.best(lasso.power_law_target(gamma, 10**digits), samples=samples, noise=NOISE)
            squared, front = state.cut**2, 2 * gamma / (2 * gamma - 1)
            constants.append(state.risk * samples ** float(power))
            found.append(
                computed(
                    state.risk / float(front * (squared * NOISE / samples) ** power),
                    1,
                    part=f"R over 2 gamma/(2 gamma - 1) (alpha^2 s2/n)^p, d = 1e{digits}",
                    condition=f"gamma = {gamma}",
                    allowance=VARIANCE / squared,
                )
            )
        found.append(
            computed(
                slope_expected(constants[-2:], dimensions[-2:]),
                power,
                part=f"slope of R n^p against log d, d = 1e{dimensions[-2]} to 1e{dimensions[-1]}",
                condition=f"gamma = {gamma}",
                # alpha^2 + 3 log alpha^2 = 2 log(d/k_t): the log of a log is left out, at the larger d.
                allowance=float(power) * VARIANCE * math.log(squared) / squared,
                rival=float(power),
            )
        )
    return found
