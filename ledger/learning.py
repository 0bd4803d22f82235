r"""Claims about what feature learning does to the exponent of time: L15 to L19.

Derived in ``derivations.scaling_laws.learning``, measured by ``empirical.scaling_laws.flow``: the reduced flow of a
two-layer linear network over many decades of time, and the network itself over one.

The flow is deterministic, and neither the signs of the target nor the orthogonal start change it (L19 shows the second;
a sign goes through every formula): there is no spread, so the standard error is 0 and what is declared is numerical.
- A local exponent is chi + c_1 t^(-p) + c_2 t^(-2 p) + ..., with p derived. Three windows give c_1 and c_2; ``SAFETY``
  times what both leave at the last window, taken with one sign, is declared, for the powers beyond. Where there is no
  correction (lazy) the change from the window before is declared.
- The integrator's error is the change when its step is doubled, larger than what is left.
- Modes on a lattice leave a log-periodic ripple of a derived size (``ripple``), e^(-pi^2/spacing) in essence, to which
  the rich flow answers: ``RESPONSE`` times it is declared. lambda goes on to e^(-100), below 1/tau of every window; the
  loss of what lies beyond is summed.
Nothing here is fitted, and a measured slope is never moved: the errors widen the interval.

Symbols: chi as derived, beta the source exponent, N modes kept, C = N t.
Worked line: beta = 1/2, gamma = 1: .66666 for t from 1e16 to 1e18 against 2/3, and .6655 from 1e4 to 1e6.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final, NamedTuple

import numpy as np

from powercount.derivations.scale import as_fraction, as_rational
from powercount.derivations.scaling_laws.learning import chi, correction
from powercount.derivations.sources import DYNAMICAL, FEATURE_LEARNING, HERE
from powercount.empirical.fit import Estimate
from powercount.empirical.scaling_laws.flow import (
    SPACING,
    FlowCurves,
    FlowPath,
    by_autograd,
    lazy_loss,
    network_flow,
    reduced_flow,
    reduced_trajectory,
    ripple,
)
from powercount.ledger.claim import LEARNING_TEST, Claim
from powercount.ledger.finding import Evidence, from_estimate
from powercount.ledger.runs import exact
from powercount.studies.study import Study

Window = tuple[float, float]

EARLY: Final[Window] = (1e4, 1e6)
LATE: Final[Window] = (1e16, 1e18)
SINGLE_WINDOW: Final[Window] = (1e3, 1e5)
# A window and the one before it lie this far apart.
APART: Final = {EARLY: 1e1, LATE: 1e4, SINGLE_WINDOW: 1e1}
SAFETY: Final = 2.0
FINE: Final = 0.4
FINE_MODES: Final = 250  # down to e^(-100)
# A lattice of 1/2 moved one slope by 2.4 times what the ripple alone does: the rich flow answers to it.
RESPONSE: Final = 5.0
# tau at the end of the late window is at most t^(8/5) times powers of gamma (beta = 1/4).
LAST_CLOCK: Final = 1e36
HARD: Final = (Fraction(1, 4), Fraction(1, 2), Fraction(3, 4))
EASY: Final = (Fraction(3, 2), Fraction(2))
GAMMAS: Final = (1.0, 100.0)
# Steps to an e-fold of tau. The rank-one term is stepped explicitly: 10 is unstable at beta = 6/5, gamma = 100.
PER_UNIT: Final = (40, 20)
LAZY: Final = ((Fraction(3, 2), Fraction(3, 2)), (Fraction(2), Fraction(5, 4)), (Fraction(3), Fraction(3, 2)))
# Sums of positive terms are good to 1e-13; a slope over two decades to better than this.
ROUNDING: Final = 1e-10
CAPACITY: Final = 2
SINGLE_MODES: Final = 12000
NET_MODES: Final = 28
NET_WINDOW: Final[Window] = (30.0, 300.0)
NET_TOLERANCES: Final = (1e-7, 1e-5)
SMALL_NET: Final = 12
SMALL_TIMES: Final = (0.1, 1.0, 3.0, 10.0)
# The high-accuracy integrator keeps 1e-12 a step; the identities are claimed to 1e-10.
EXACT: Final = 1e-12
HOLDS: Final = 1e-10
ONE_PERCENT: Final = 0.01
SIZES: Final = range(6, 110)
COMPUTED: Final = ((2, HARD[1]), (2, EASY[0]), (2, HARD[2]), (2, HARD[0]), (3, HARD[1]))
FIRST_COMPUTE: Final = 1e10
DECADES: Final = 3.0


class Found(NamedTuple):
    """A slope and its declared numerical error."""

    slope: float
    error: float

    @property
    def estimate(self) -> Estimate:
        """As an estimate without spread; its error is the ``allowance``."""
        return exact(self.slope)


def exponent(beta: Fraction, gamma: float) -> Fraction:
    """chi, as a fraction."""
    return as_fraction(chi(as_rational(beta), rich=gamma > 0))


def printed_exponent(beta: Fraction, gamma: float) -> Fraction:
    """chi as the source prints it: beta max(1, 2/(1 + beta)) where features learn, beta where they do not."""
    return beta * max(Fraction(1), 2 / (1 + beta)) if gamma > 0 else beta


def printed_compute(alpha: int, beta: Fraction, gamma: float) -> Fraction:
    """The compute-optimal exponent as the source prints it."""
    power = printed_exponent(beta, gamma)
    return alpha * beta * power / (alpha * beta + power)


def gap(beta: Fraction) -> float:
    """How far the other formula lies: 2 beta/(1 + beta) against beta."""
    return float(abs(beta * (1 - beta) / (1 + beta)))


def left_over(slopes: Sequence[float], ratio: float, power: float) -> float:
    """What is left at the last of three windows, each ``ratio`` after the one before; power 0 is no correction.

    chi + c_1 t^(-power) + c_2 t^(-2 power) through the three gives c_1 and c_2; they are taken with one sign, so that
    no cancellation is counted on, and chi itself is not used.
    """
    first, second = slopes[1] - slopes[0], slopes[2] - slopes[1]
    if power == 0:
        return abs(second)
    x = ratio**-power
    both = np.array([[x - 1, x**2 - 1], [x * (x - 1), x**2 * (x**2 - 1)]])
    c1, c2 = np.linalg.solve(both, [first, second])
    return SAFETY * float(abs(c1) * x**2 + abs(c2) * x**4)


def rippled(beta: float, log_ratio: float, spacing: float) -> float:
    """What the lattice of modes can do to a slope over this log ratio of times: a ripple at both ends."""
    return RESPONSE * 2 * ripple(beta, spacing) / log_ratio


def flows(betas: Sequence[Fraction], gammas: Sequence[float]) -> tuple[FlowCurves, FlowCurves]:
    """The reduced flow of each case, and again with the step doubled."""
    powers = [float(beta) for beta in betas]
    fine, coarse = (
        reduced_flow(powers, gammas, last_clock=LAST_CLOCK, per_unit=each, spacing=FINE, modes=FINE_MODES)
        for each in PER_UNIT
    )
    return fine, coarse


def three_slopes(curves: FlowCurves, window: Window, place: int) -> list[float]:
    """The local exponent over the window and the two before it, the window last."""
    befores = (APART[window] ** 2, APART[window], 1.0)
    return [float(curves.slope(window[0] / each, window[1] / each)[place]) for each in befores]


def local_slope(
    beta: Fraction, gamma: float, window: Window, curves: tuple[FlowCurves, FlowCurves], place: int = 0
) -> Found:
    """The local exponent of the case in one place of ``flows`` over a window of time, with its declared error."""
    fine, coarse = curves
    slopes = three_slopes(fine, window, place)
    power = float(correction(as_rational(beta))) if gamma else 0.0
    numerical = abs(slopes[2] - float(coarse.slope(*window)[place])) + ROUNDING
    ripples = rippled(float(beta), float(np.log(window[1] / window[0])), FINE)
    return Found(slopes[2], left_over(slopes, APART[window], power) + numerical + ripples)


def single_modes(beta: Fraction, gamma: float) -> Found:
    """The local exponent of modes k^(-2), one by one; half as many, and steps twice as long, declare its error.

    The step is twice the lattice's: its error is measured.
    """

    def curves(per_unit: int, modes: int) -> FlowCurves:
        return reduced_flow(
            [float(beta)], [gamma], last_clock=1e8, per_unit=per_unit, modes=modes, capacity=float(CAPACITY)
        )

    whole = curves(20, SINGLE_MODES)
    slopes = three_slopes(whole, SINGLE_WINDOW, 0)
    others = [
        float(each.slope(*SINGLE_WINDOW)[0]) for each in (curves(20, SINGLE_MODES // 2), curves(10, SINGLE_MODES))
    ]
    numerical = sum(abs(slopes[2] - other) for other in others) + ROUNDING
    left = left_over(slopes, APART[SINGLE_WINDOW], float(correction(as_rational(beta))))
    return Found(slopes[2], left + numerical)


def _in_flow(betas: Sequence[Fraction], gammas: Sequence[float], part: str) -> list[Evidence]:
    cases = [(beta, gamma) for beta in betas for gamma in gammas]
    curves = flows([beta for beta, _ in cases], [gamma for _, gamma in cases])
    return [
        from_estimate(
            (found := local_slope(beta, gamma, window, curves, place)).estimate,
            printed_exponent(beta, gamma),
            exponent(beta, gamma),
            part=f"{part}, beta = {beta}, gamma = {gamma:g}",
            condition=f"reduced flow, t = {window[0]:.0e} to {window[1]:.0e}",
            allowance=found.error,
            rival=gap(beta),
        )
        for window in (EARLY, LATE)
        for place, (beta, gamma) in enumerate(cases)
    ]


def network_slope(beta: Fraction, gamma: float, seed: int) -> tuple[Found, float]:
    """The local exponent of a network of 28 modes, and that of the reduced flow of the same modes."""
    power, index = float(beta), np.arange(NET_MODES)
    rates, target = np.exp(-SPACING * index), np.exp(-SPACING * (power - 1) * index / 2)
    frozen = float(np.exp(-SPACING * power * NET_MODES) / -np.expm1(-SPACING * power))
    across = float(np.log(NET_WINDOW[1] / NET_WINDOW[0]))

    def slope(path: FlowPath) -> float:
        first, last = path.log_losses(rates, frozen)
        return float(first - last) / across

    fine, rough = (
        slope(network_flow(rates, target, gamma, NET_WINDOW, seed=seed, tolerance=each)) for each in NET_TOLERANCES
    )
    reduced = [reduced_flow([power], [gamma], kept=[NET_MODES], last_clock=1e7, per_unit=each) for each in (80, 40)]
    expected, other = (float(flow.slope(*NET_WINDOW)[0]) for flow in reduced)
    return Found(fine, abs(fine - rough) + abs(expected - other) + ROUNDING), expected


def _in_network(study: Study, betas: Sequence[Fraction], part: str) -> list[Evidence]:
    evidence = []
    for beta in betas:
        found, expected = network_slope(beta, 1.0, study.seed)
        evidence.append(
            from_estimate(
                found.estimate,
                printed_exponent(beta, 1.0),
                exponent(beta, 1.0),
                part=f"{part}, beta = {beta}, gamma = 1",
                condition=f"network of {NET_MODES} modes, t = {NET_WINDOW[0]:g} to {NET_WINDOW[1]:g}",
                expected=expected,
                allowance=found.error,
                rival=gap(beta),
            )
        )
    return evidence


def lazy_slope(a: Fraction, b: Fraction) -> Found:
    """The exponent of time of the lazy loss over the early window; its change over a factor 100 is its error."""

    def slope(first: float, last: float) -> float:
        losses = [lazy_loss(float(a), float(b), time) for time in (first, last)]
        return float(np.log(losses[0] / losses[1]) / np.log(last / first))

    later, earlier = slope(*EARLY), slope(EARLY[0] / 100, EARLY[0])
    return Found(later, abs(later - earlier) + ROUNDING)


def l15(_: Study) -> list[Evidence]:
    """L15: lazily L ~ t^(-(a - 1)/b); the sum over modes, and the reduced flow at gamma = 0."""
    evidence = []
    for a, b in LAZY:
        found = lazy_slope(a, b)
        evidence.append(
            from_estimate(
                found.estimate,
                (a - 1) / b,
                (a - 1) / b,
                part=f"time exponent, a = {a}, b = {b}",
                condition="sum over all modes, t = 1e4 to 1e6",
                allowance=found.error,
            )
        )
    return evidence + _in_flow(HARD, (0.0,), "lazy exponent")


def l16(study: Study) -> list[Evidence]:
    """L16: below beta = 1 features that learn make it 2 beta/(1 + beta)."""
    half = HARD[1]
    found = single_modes(half, 1.0)
    single = from_estimate(
        found.estimate,
        printed_exponent(half, 1.0),
        exponent(half, 1.0),
        part=f"rich exponent, beta = {half}, gamma = 1",
        condition=f"reduced flow of modes k^(-{CAPACITY}) one by one, t = 1e+03 to 1e+05",
        allowance=found.error,
        rival=gap(half),
    )
    return [
        *_in_flow(HARD, GAMMAS, "rich exponent"),
        single,
        *_in_network(study, HARD[1:] if study.quick else HARD, "rich exponent"),
    ]


def l17(study: Study) -> list[Evidence]:
    """L17: above beta = 1 the exponent is beta, lazy or not."""
    return _in_flow(EASY, (0.0, *GAMMAS), "exponent") + _in_network(study, EASY[:1], "exponent")


def small_network(gamma: float, seed: int) -> tuple[Found, float]:
    """The largest distance between a network's v and the reduced flow's, with its error; and the conservation law's."""
    rates = np.arange(1, SMALL_NET + 1, dtype=np.float64) ** -2
    target = np.random.default_rng(seed).standard_normal(SMALL_NET)
    net, rough = (
        network_flow(rates, target, gamma, SMALL_TIMES, seed=seed, tolerance=each, motion=by_autograd)
        for each in (EXACT, 100 * EXACT)
    )
    flow, other = (
        reduced_trajectory(rates, target, gamma, SMALL_TIMES, tolerance=each) for each in (EXACT, 100 * EXACT)
    )
    error = np.abs(net.errors - rough.errors).max() + np.abs(flow.errors - other.errors).max()
    return Found(float(np.abs(net.errors - flow.errors).max()), float(error) + HOLDS), net.broken


def l19(study: Study) -> list[Evidence]:
    """L19: the network, moved by torch's own gradients, is the reduced flow, and Q Q^T - gamma p p^T stays I."""
    evidence = []
    for gamma in (0.0, *GAMMAS):
        distance, broken = small_network(gamma, study.seed)
        law = Found(broken, HOLDS)
        for found, part in (
            (distance, "largest |v - v of the reduced flow|"),
            (law, "largest |Q Q^T - gamma p p^T - I|"),
        ):
            evidence.append(
                from_estimate(
                    found.estimate,
                    0,
                    0,
                    part=part,
                    condition=f"gamma = {gamma:g}",
                    allowance=found.error,
                    rival=ONE_PERCENT,
                )
            )
    return evidence


CLAIMS: Final[tuple[Claim, ...]] = (
    Claim(
        id="L15",
        source=DYNAMICAL,
        summary="without feature learning the loss is a power of training time set by target and capacity",
        statement="L(t) ~ t^(-(a - 1)/b) for lambda_k ~ k^(-b), lambda_k w_k^2 ~ k^(-a)",
        conditions="gradient flow, infinite data; three (a, b) with all modes summed; t = 1e4 to 1e6 and 1e16 to 1e18",
        check=l15,
        test=LEARNING_TEST,
    ),
    Claim(
        id="L16",
        source=FEATURE_LEARNING,
        summary="feature learning speeds up the power law of time on hard tasks",
        statement="L(t) ~ t^(-chi), chi = beta max(1, 2/(1 + beta)): 2 beta/(1 + beta) for beta < 1, if gamma > 0",
        conditions="two-layer linear net, reduced (beta = 1/4, 1/2, 3/4; gamma = 1, 100) or of 28 modes (gamma = 1)",
        check=l16,
        test=LEARNING_TEST,
    ),
    Claim(
        id="L17",
        source=FEATURE_LEARNING,
        summary="feature learning leaves the power law of time of easy tasks alone",
        statement="L(t) ~ t^(-chi), chi = beta max(1, 2/(1 + beta)): beta for beta > 1, whatever gamma",
        conditions="reduced flow (beta = 3/2, 2; gamma = 0, 1, 100) and a net of 28 modes (beta = 3/2, gamma = 1)",
        check=l17,
        test=LEARNING_TEST,
    ),
    Claim(
        id="L19",
        source=HERE,
        summary="a two-layer linear net from an orthogonal start is exactly a flow of one vector",
        statement="Q Q^T - gamma p p^T = I; v' = -[(1 + gamma s) I + gamma s qhat qhat^T] Lambda v",
        conditions="12 modes k^(-2), Gaussian target, torch gradients; gamma = 0, 1, 100; t to 10; integrator at 1e-12",
        check=l19,
        test=LEARNING_TEST,
    ),
)
