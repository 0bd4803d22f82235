r"""Weight decay on a diagonal two-layer linear net is LASSO: state evolution, the best rate, the interpolation peak.

f(x) = sum_k u_k v_k x_k with the penalty l (|u|^2 + |v|^2)/2 has the minimizer w = u v of |y - X w|^2/2 + l |w|_1, for
min of (u^2 + v^2)/2 at given u v is |u v|. Inputs are standard Gaussian in d dimensions, n samples, y = X theta + noise
of variance s2, and R = |w - theta|^2 is the excess risk. One scalar channel w_k = eta(theta_k + tau Z; alpha tau),
eta the soft threshold, stands for all of it; with r(mu) = E (eta(mu + Z; alpha) - mu)^2 and active = sum_k P(w_k /= 0),
    R = tau^2 sum_k r(theta_k/tau),    n tau^2 = s2 + R,    l = alpha tau (n - active).

Best penalty, theta_k = k^(-gamma), n << d^(2 gamma). Error is made where theta_k is near t = alpha tau: sum_k of
min(theta_k, t)^2 = 2 gamma/(2 gamma - 1) t^(2 - 1/gamma), and t ~ n^(-1/2). R ~ n^(-1 + 1/(2 gamma)), but alpha must
keep d weights of pure noise out: alpha^2 ~ 2 log(d/k_t), k_t = t^(-1/gamma). R carries (log d)^(1 - 1/(2 gamma)), and
its slope is steeper by one part in gamma alpha^2. Beyond d^(2 gamma) all weights stand out: R = s2 d/n, least squares'.

Peak, n = d (1 + x), l = lambda sqrt(d) -> 0. Where tau dwarfs the weights, R = d tau^2 r(0), q = s2 + R = s2/D with
D = x + 2 s alpha to first order, s = sqrt(2/pi), and lambda = alpha sqrt(q) (x + s alpha). Eliminating x leaves
s alpha^2 - D alpha + sqrt(D) lambda/sqrt(s2) = 0, which has a root while D^(3/2) >= 4 s lambda/sqrt(s2): q is greatest
there, at x = 0, and is (pi/32)^(1/3) s2^(4/3) lambda^(-2/3). Ridge, l |w|^2, gives -1/2 there.

Assumptions: Gaussian inputs; proved for n ~ d, a conjecture beyond; s2 > 0. Relative error 1/(n - active).
Worked line: gamma = 1, d = 10^24, n = 10^12, s2 = 1/2: alpha^2 = 73, the slope 1/2 (1 + 1/75) = .507.

Sources: Defilippis et al. (arXiv 2509.24882), whose Result 1 was read at second hand (n_eff = n, lambda as here);
Bayati and Montanari (arXiv 1008.2581) for state evolution at n ~ d. The steps are ours; so is the logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Final

import sympy
from sympy import Expr, Integer, Rational, Symbol, erfc, exp, oo, pi, sqrt

from powercount.derivations.recipe import QuestionError
from powercount.derivations.scaling_laws.spectra import Line

Target = Sequence[tuple[float, int]]  # a weight, and how many share it

GAMMA: Final = Symbol("gamma", positive=True)
SAMPLES: Final = Symbol("n", positive=True)
DIMENSION: Final = Symbol("d", positive=True)
NOISE: Final = Symbol("s2", positive=True)
CUT: Final = Symbol("alpha", positive=True)
THRESHOLD: Final = Symbol("t", positive=True)
PENALTY: Final = Symbol("lambda", positive=True)
HALF: Final = Rational(1, 2)
DEFILIPPIS: Final = "arXiv 2509.24882"
MONTANARI: Final = "arXiv 1008.2581"

# The solver stops near where neighbouring floats do.
CLOSE: Final = Fraction(1, 2**44)
# How far alpha lies above its least value: rounding of 1 - r(0) is felt below, the Gaussian density is 0 above.
NEAREST: Final = Fraction(1, 2**30)
FURTHEST: Final = 32


def power_law_target(gamma: Fraction | float, dimension: int, parts: int = 64) -> list[tuple[float, int]]:
    """theta_k = k^(-gamma), k = 1..d: one by one up to ``parts``, then in blocks of k/parts at their geometric mean.

    A block errs by its relative width squared over 24: 1e-5 at 64 parts.
    """
    found, first = [], 1
    while first <= dimension:
        last = min(dimension, max(first, first + first // parts - 1))
        found.append((math.exp(-gamma * (math.log(first) + math.log(last)) / 2), last - first + 1))
        first = last + 1
    return found


def _tail(z: float) -> float:
    return math.erfc(z / math.sqrt(2)) / 2


def _density(z: float) -> float:
    return math.exp(-z * z / 2) / math.sqrt(2 * math.pi)


def channel_risk(mu: float, cut: float) -> float:
    """r(mu) = E (eta(mu + Z; alpha) - mu)^2, from its tails, so that nothing cancels at mu = 0 and large alpha."""
    above, below = _tail(cut - mu), _tail(cut + mu)
    kept = mu * mu * (1 - above - below) + (1 + cut * cut) * (above + below)
    return kept - (cut - mu) * _density(cut + mu) - (cut + mu) * _density(cut - mu)


def channel_slope(mu: float, cut: float) -> float:
    """Half of d r(mu)/d alpha: alpha P(|mu + Z| > alpha) less the two densities at the threshold."""
    return cut * (_tail(cut - mu) + _tail(cut + mu)) - _density(cut - mu) - _density(cut + mu)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A fixed point: ``cut`` alpha, ``level`` tau, excess ``risk`` R, ``active`` weights, ``penalty`` l."""

    cut: float
    level: float
    risk: float
    active: float
    penalty: float


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function turns from negative to positive, by Ridders' method: bisection bent by an exponential."""
    below, above, last = function(low), function(high), low
    if not below <= 0 < above:
        raise QuestionError(f"no fixed point between {low} and {high}: give noise, samples and penalty above 0")
    near = CLOSE * (1 + abs(low) + abs(high))
    while high - low > near:
        middle = (low + high) / 2
        value = function(middle)
        if value == 0:
            return middle
        guess = middle - (middle - low) * value / math.sqrt(value * value - below * above)
        # A steep function can hold two guesses at one end: only a change of sign tells.
        if abs(guess - last) <= near and function(guess - near) <= 0 < function(guess + near):
            return guess
        last = guess
        points = [(low, below), (middle, value), (guess, function(guess)), (high, above)]
        low, below = max(point for point in points if point[1] <= 0)
        high, above = min(point for point in points if point[1] > 0)
    return high


def fixed_point(target: Target, *, samples: float, noise: float, cut: float) -> State:
    """The state at one alpha; tau^2 is at most (s2 + |theta|^2)/(n - d r(0)), for r(mu) <= r(0) + mu^2."""
    dimension, size = sum(count for _, count in target), math.fsum(count * each * each for each, count in target)
    room = samples - dimension * channel_risk(0, cut)
    if room <= 0 or noise <= 0:
        raise QuestionError(f"alpha = {cut} has no fixed point: it needs n > d r(0) and positive noise")

    def risk(level: float) -> float:
        return level * level * math.fsum(count * channel_risk(each / level, cut) for each, count in target)

    def excess(log_level: float) -> float:
        return 1 - (noise + risk(math.exp(log_level))) / (samples * math.exp(2 * log_level))

    # Twice the bound lies strictly above the solution.
    found = math.exp(root(excess, math.log(noise / samples) / 2, math.log(2 * (noise + size) / room) / 2))
    active = math.fsum(count * (_tail(cut - each / found) + _tail(cut + each / found)) for each, count in target)
    return State(cut=cut, level=found, risk=risk(found), active=active, penalty=cut * found * (samples - active))


def _where(target: Target, samples: float, noise: float, function: Callable[[State], float]) -> State:
    """The state, alpha growing from the least that has one, at which ``function`` turns positive."""
    dimension = sum(count for _, count in target)
    least = root(lambda cut: samples / dimension - channel_risk(0, cut), 0, FURTHEST) if samples < dimension else 0

    def state(log_offset: float) -> State:
        return fixed_point(target, samples=samples, noise=noise, cut=least + math.exp(log_offset))

    high = float(1)
    while function(state(math.log(high))) <= 0:
        high *= 2
        if high > FURTHEST:
            raise QuestionError(f"no alpha below {FURTHEST} has this penalty: give a smaller one")
    return state(root(lambda log_offset: function(state(log_offset)), math.log(NEAREST), math.log(high)))


def at_penalty(target: Target, *, samples: float, noise: float, penalty: float) -> State:
    """The state at penalty l, which grows with alpha."""
    return _where(target, samples, noise, lambda state: state.penalty - penalty)


def best(target: Target, *, samples: float, noise: float) -> State:
    """The state of least risk over all penalties: there R does not change with alpha at fixed tau."""
    return _where(
        target,
        samples,
        noise,
        lambda state: math.fsum(count * channel_slope(each / state.level, state.cut) for each, count in target),
    )


@lru_cache(maxsize=1)
def best_chain() -> tuple[Line, ...]:
    """The risk at the best penalty for theta_k = k^(-gamma), 1 << n << d^(2 gamma), line by line."""
    k, squared = Symbol("k", positive=True), Symbol("alpha^2", positive=True)
    threshold = CUT * sqrt(NOISE / SAMPLES)
    error = 2 * GAMMA / (2 * GAMMA - 1) * THRESHOLD ** (2 - 1 / GAMMA)
    return (
        Line(
            name="t",
            value=threshold,
            because="t = alpha tau, n tau^2 = s2 + R and R -> 0: the noise is the label noise",
            source=MONTANARI,
        ),
        Line(
            name="k_t",
            value=THRESHOLD ** (-1 / GAMMA),
            because="k^(-gamma) = t: the weights before k_t stand out",
        ),
        Line(
            name="R(t)",
            value=error,
            because="a weight above t is shrunk by t and one below is lost, min(k^(-gamma), t)^2 each: k_t t^2 and the "
            "sum of k^(-2 gamma) beyond k_t; tau^2 k_t, the variance, is smaller by alpha^2",
            parents=("k_t",),
        ),
        Line(
            name="alpha^2",
            value=2 * sympy.log(DIMENSION / k),
            because="where R is least d weights of noise alone, 2 d phi(alpha)/alpha^2, balance alpha k_t of bias: "
            "alpha^2 + 6 log alpha = 2 log(d/k_t) + const",
            parents=("R(t)",),
        ),
        Line(
            name="R",
            value=error.subs(THRESHOLD, sqrt(squared) * sqrt(NOISE / SAMPLES)),
            because="t put in; alpha^2 moves with log n alone",
            parents=("t", "R(t)", "alpha^2"),
            source=DEFILIPPIS,
        ),
    )


def best_exponent() -> Expr:
    """1 - 1/(2 gamma): the power of 1/n in R, alpha held."""
    risk = best_chain()[-1].value
    return sympy.simplify(-SAMPLES * sympy.diff(sympy.log(risk), SAMPLES))


def best_exponent_by_integral(gamma: Rational) -> Expr:
    """The second road: min(k^(-gamma), t)^2 integrated over k >= 1, t = n^(-1/2), and SymPy's limit of its slope."""
    k, n = Symbol("k", positive=True), SAMPLES
    gamma = sympy.nsimplify(gamma)
    last = n ** (1 / (2 * gamma))
    error = (last - 1) / n + sympy.integrate(k ** (-2 * gamma), (k, last, oo))
    return sympy.limit(sympy.simplify(-n * sympy.diff(error, n) / error), n, oo)


def logarithm_power() -> Expr:
    """1 - 1/(2 gamma): the power of alpha^2 ~ 2 log(d/k_t) in R, and so of log d where n is a power of d."""
    squared = next(symbol for symbol in best_chain()[-1].value.free_symbols if symbol.name == "alpha^2")
    return sympy.simplify(squared * sympy.diff(sympy.log(best_chain()[-1].value), squared))


def local_exponent(gamma: Fraction | float, cut: float) -> float:
    """The slope -d log R/d log n at finite alpha, the next order 1/alpha^4 left out.

    With A = alpha^2: A + 3 log A - (1/gamma) log A = const - (1/gamma) log n, so that d log A/d log n is
    -1/(gamma (A + 3) - 1), and R goes as (A/n)^(1 - 1/(2 gamma)).
    """
    return (1 - 1 / (2 * gamma)) * (1 + 1 / (gamma * (cut * cut + 3) - 1))


def null_risk() -> Expr:
    """r(0) in closed form: (1 + alpha^2) erfc(alpha/sqrt 2) - 2 alpha phi(alpha)."""
    return (1 + CUT**2) * erfc(CUT / sqrt(2)) - CUT * sqrt(2 / pi) * exp(-(CUT**2) / 2)


def null_risk_by_integral() -> Expr:
    """The second road: 2 times the integral of (z - alpha)^2 phi(z) over z > alpha."""
    z = Symbol("z", positive=True)
    density = exp(-((z + CUT) ** 2) / 2) / sqrt(2 * pi)
    return 2 * sympy.integrate(z**2 * density, (z, 0, oo))


@lru_cache(maxsize=1)
def peak() -> Expr:
    """s2 + R at n = d and small lambda, from D^(3/2) = 4 s lambda/sqrt(s2): (pi/32)^(1/3) s2^(4/3) lambda^(-2/3)."""
    return NOISE * (4 * sqrt(2 / pi) * PENALTY / sqrt(NOISE)) ** Rational(-2, 3)


def peak_exponent() -> Expr:
    """2/3: the power of 1/lambda in the peak."""
    return sympy.simplify(-PENALTY * sympy.diff(sympy.log(peak()), PENALTY))


def peak_by_limit() -> tuple[Expr, Expr]:
    """The second road, no order dropped: -d log q/d log lambda, and q lambda^(2/3), as alpha -> 0 at n = d.

    q = s2/(1 - r(0)) and lambda = alpha sqrt(q) (1 - P(|Z| > alpha)) with the exact Gaussian integrals.
    """
    q = NOISE / (1 - null_risk())
    penalty = CUT * sqrt(q) * (1 - erfc(CUT / sqrt(2)))
    slope = -sympy.diff(sympy.log(q), CUT) / sympy.diff(sympy.log(penalty), CUT)
    cubed = sympy.limit(sympy.simplify(q**3 * penalty**2), CUT, 0)
    return sympy.limit(sympy.simplify(slope), CUT, 0), sympy.cbrt(cubed)


def beyond() -> Expr:
    """R of least squares, n > d + 1, exact at any size: s2 d/(n - d - 1), by the mean of an inverse Wishart matrix."""
    return NOISE * DIMENSION / (SAMPLES - DIMENSION - Integer(1))


def beyond_exponent() -> Expr:
    """1: the power of 1/n in it."""
    return sympy.limit(sympy.simplify(-SAMPLES * sympy.diff(sympy.log(beyond()), SAMPLES)), SAMPLES, oo)
