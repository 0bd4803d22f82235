r"""Weight decay on a diagonal two-layer linear net is LASSO: state evolution, the best rate, the interpolation peak.

f(x) = sum_k u_k v_k x_k with the penalty l (|u|^2 + |v|^2)/2 has the minimizer w = u v of |y - X w|^2/2 + l |w|_1, for
min of (u^2 + v^2)/2 at given u v is |u v|. Inputs are standard Gaussian in d dimensions, n samples, y = X theta + noise
of variance s2, and R = |w - theta|^2 is the excess risk. One scalar channel w_k = eta(theta_k + tau Z; alpha tau),
eta the soft threshold, stands for all of it; with r(mu) = E (eta(mu + Z; alpha) - mu)^2 and active = sum_k P(w_k /= 0),
    R = tau^2 sum_k r(theta_k/tau),    n tau^2 = s2 + R,    l = alpha tau (n - active).

Best penalty, theta_k = k^(-gamma), n << d^(2 gamma). Error is made where theta_k is near t = alpha tau: sum_k of
min(theta_k, t)^2 = t^(2 p)/p, p = 1 - 1/(2 gamma), and t ~ n^(-1/2). R ~ n^(-p), but alpha must keep d weights of
pure noise out: alpha^2 ~ 2 log(d/k_t), k_t = t^(-1/gamma). R carries (log d)^p, and its slope is steeper by one part
in gamma alpha^2. Beyond d^(2 gamma) all weights stand out: R = s2 d/n, least squares'.

Peak, n = d (1 + x), l = lambda sqrt(d) -> 0. Where tau dwarfs the weights, R = d tau^2 r(0), q = s2 + R = s2/D with
D = x + 2 s alpha to first order, s = sqrt(2/pi), and lambda = alpha sqrt(q) (x + s alpha). Eliminating x leaves
s alpha^2 - D alpha + sqrt(D) lambda/sqrt(s2) = 0, which has a root while D^(3/2) >= 4 s lambda/sqrt(s2): q is greatest
there, at x = 0, and is (pi/32)^(1/3) s2^(4/3) lambda^(-2/3). Ridge, l |w|^2, gives -1/2 there.

Finite size. For m copies h_a = w_a - theta the mean of exp(-b sum_a |y - X w_a|^2/2) over X and noise is, at any n and
d, det(1 + b (s2 + h_a h_b))^(-n/2). The saddle of the overlaps h_a h_b as b -> oo, m -> 0 is state evolution; their
Gaussian fluctuations move E R by one part in n (``size_correction``): 1/(n - d) for least squares, 1/(n - d - 1) being
exact, and p alpha^2/(2 n) at the best penalty as alpha grows: tau^2 has relative variance 2/n, which moves
exp(-alpha^2/2) by alpha^4/(4 n), and weights of noise alone are 2 p/alpha^2 of R.

Assumptions: Gaussian inputs; s2 > 0. State evolution is proved for n ~ d and a conjecture beyond; its correction, by
replicas, is one everywhere.
Worked line: gamma = 1, d = 10^24, n = 10^12, s2 = 1/2: alpha^2 = 73, the slope 1/2 (1 + .973/75) = .5065.

Sources: Defilippis et al. (arXiv 2509.24882), whose Result 1 was read at second hand (n_eff = n, lambda as here);
Bayati and Montanari (arXiv 1008.2581) for state evolution at n ~ d. The steps are ours, and logarithm and correction.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Final

import sympy
from sympy import QQ, Expr, Integer, Matrix, Rational, Symbol, erfc, exp, eye, oo, pi, ring, sqrt
from sympy.polys.ring_series import rs_log, rs_mul, rs_series_inversion

from powercount.derivations.recipe import QuestionError
from powercount.derivations.sources import DEFILIPPIS, MONTANARI
from powercount.derivations.steps import Value, values

Target = Sequence[tuple[float, int]]  # a weight, and how many share it

GAMMA: Final = Symbol("gamma", positive=True)
SAMPLES: Final = Symbol("n", positive=True)
DIMENSION: Final = Symbol("d", positive=True)
NOISE: Final = Symbol("s2", positive=True)
CUT: Final = Symbol("alpha", positive=True)
THRESHOLD: Final = Symbol("t", positive=True)
FIRST: Final = Symbol("k_t", positive=True)
PENALTY: Final = Symbol("lambda", positive=True)
SIZE: Final = Symbol("|theta|^2", positive=True)
POWER: Final = 1 - 1 / (2 * GAMMA)

# Solvers call the Gaussian's density and tail by the million: its constants are worked out once.
ROOT: Final = math.sqrt(1 / 2)
TOP: Final = 1 / math.sqrt(2 * math.pi)
# The solver stops near where neighbouring floats do.
CLOSE: Final = Fraction(1, 2**44)
# How far alpha lies above its least value: rounding of 1 - r(0) is felt below, the Gaussian density is 0 above.
NEAREST: Final = Fraction(1, 2**30)
FURTHEST: Final = 32
# Of the stiffness n - active, to either side: the difference quotient errs by its square, times 300 at n = 5 d/4.
STEP: Final = Fraction(1, 2**13)


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
    return math.erfc(z * ROOT) / 2


def _density(z: float) -> float:
    return math.exp(-z * z / 2) * TOP


def channel(mu: float, cut: float) -> tuple[float, float]:
    """P(w = 0) and d r(mu) tau^2/d tau^2 = r(mu) - mu^2 P, of r(mu) = E (eta(mu + Z; alpha) - mu)^2.

    At mu = 0, what cancels leaves a relative error of alpha^6/2 roundings: 3e-10 at alpha = 13, 5e-8 at 32.
    """
    above, below = _tail(cut - mu), _tail(cut + mu)
    spread = (1 + cut * cut) * (above + below)
    return 1 - above - below, spread - (cut - mu) * _density(cut + mu) - (cut + mu) * _density(cut - mu)


def channel_risk(mu: float, cut: float) -> float:
    """r(mu)."""
    lost, rise = channel(mu, cut)
    return mu * mu * lost + rise


def channel_slope(mu: float, cut: float) -> float:
    """Half of d r(mu)/d alpha: alpha P(|mu + Z| > alpha) less the two densities at the threshold."""
    return cut * (_tail(cut - mu) + _tail(cut + mu)) - _density(cut - mu) - _density(cut + mu)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A fixed point: ``cut`` alpha, ``level`` tau, excess ``risk`` R, ``spare`` n - active, ``penalty`` l."""

    cut: float
    level: float
    risk: float
    spare: float
    penalty: float


def root(function: Callable[[float], float], low: float, high: float, remedy: str) -> float:
    """Where a function turns from negative to positive, by Ridders' method: bisection bent by an exponential."""
    below, above, last = function(low), function(high), low
    if not below <= 0 < above:
        raise QuestionError(remedy)
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
    """The state at one alpha, by Newton's method in tau^2 from above: R is concave in tau^2 (Bayati and Montanari).

    tau^2 is at most (s2 + |theta|^2)/(n - d r(0)), for r(mu) <= r(0) + mu^2.
    """
    room = samples - sum(count for _, count in target) * channel_risk(0, cut)
    if room <= 0 or noise <= 0:
        raise QuestionError(f"alpha = {cut} has no fixed point: it needs n > d r(0) and positive noise")
    variance, found = math.inf, (noise + math.fsum(count * each * each for each, count in target)) / room
    while found < variance * (1 - CLOSE):
        variance, level = found, math.sqrt(found)
        terms = [(count, each, *channel(each / level, cut)) for each, count in target]
        missed = math.fsum(count * each * each * lost for count, each, lost, _ in terms)
        rise = math.fsum(count * each for count, _, _, each in terms)
        found = (noise + missed) / (samples - rise)
    spare = samples - math.fsum(count * (1 - lost) for count, _, lost, _ in terms)
    return State(cut=cut, level=level, risk=missed + variance * rise, spare=spare, penalty=cut * level * spare)


def _where(target: Target, samples: float, noise: float, function: Callable[[State], float], remedy: str) -> State:
    """The state, alpha growing from the least that has one, at which ``function`` turns positive."""
    least, dimension = float(0), sum(count for _, count in target)
    if samples < dimension:
        least = root(lambda cut: samples / dimension - channel_risk(0, cut), 0, FURTHEST, "give samples above 0")

    def state(log_offset: float) -> State:
        return fixed_point(target, samples=samples, noise=noise, cut=least + math.exp(log_offset))

    high = float(1)
    while function(state(math.log(high))) <= 0:
        high *= 2
        if high > FURTHEST:
            raise QuestionError(f"no alpha below {FURTHEST} has this penalty: give a smaller one")
    return state(root(lambda log_offset: function(state(log_offset)), math.log(NEAREST), math.log(high), remedy))


def at_penalty(target: Target, *, samples: float, noise: float, penalty: float) -> State:
    """The state at penalty l, which grows with alpha."""
    return _where(target, samples, noise, lambda state: state.penalty - penalty, "give a penalty above 0")


def best(target: Target, *, samples: float, noise: float) -> State:
    """The state of least risk over all penalties: there R does not change with alpha at fixed tau."""

    def slope(state: State) -> float:
        return math.fsum(count * channel_slope(each / state.level, state.cut) for each, count in target)

    remedy = "every weight stands out of the noise, and no penalty is best: give fewer samples, or take least squares"
    return _where(target, samples, noise, slope, remedy)


def _channel(target: Target, cut: float, level: float) -> tuple[Matrix, Matrix]:
    """Response and covariance of the weights, sums over them, with e = (w - theta)/tau and K = 1 where w /= 0.

    The response of (c chi, R/tau^2) to log c and log v, stiffness and variance of the field; the covariances over Z of
    (K, e^2) with (-e^2, Z e), as which the channel's minimum moves with them.
    """
    rows = []
    for weight, count in target:
        mu, terms = weight / level, []
        for b in (cut - mu, cut + mu):
            # z, z^2, z^3 over z > b; powers of z - alpha follow.
            tail, first = _tail(b), _density(b)
            second, third = b * first + tail, (b * b + 2) * first
            fourth = b**3 * first + 3 * second - 4 * cut * third + 6 * cut**2 * second - 4 * cut**3 * first
            square = second - 2 * cut * first + cut**2 * tail
            terms.append((tail, second - cut * first, square, fourth + cut**4 * tail, b * first / 2))
        kept, along, square, fourth, edge = (sum(pair) for pair in zip(*terms, strict=True))
        moved, lost = kept - mu * (_density(cut - mu) - _density(cut + mu)), mu**2 * (1 - kept)
        error = square + lost
        spread = (kept * error - square, along - kept**2, error**2 - fourth - mu**2 * lost, 3 * square - error * kept)
        rows.append([count * each for each in (-moved, edge, -2 * square, moved, *spread)])
    sums = [math.fsum(column) for column in zip(*rows, strict=True)]
    return Matrix(2, 2, sums[:4]), Matrix(2, 2, sums[4:])


def size_correction(target: Target, state: State, samples: float) -> float:
    """(E R - R)/R to the order 1/n, by one loop of replicas.

    Samples turn chi = active/c and R into stiffness c = n/(1 + chi) and variance v = n (s2 + R)/(1 + chi)^2 of a
    weight's field, weights turn c and v into chi and R. With S and W the responses of the two, on matrices of overlaps
    of m replicas, the loop is -log det(1 - W S)/2. As m -> 0 the symmetric matrices less those of zero sum leave a term
    of order b m, tr (1 - W S)^(-1) (W' S + W S')/2, S' in the spread of n squares and W' half the covariances of
    ``_channel``; the other matrices leave one of order m, nothing as b -> oo. So much for E min loss: a source x in it,
    x |w - theta|^2/2, adds x to the weights' stiffness alone, and E R is twice the derivative at x = 0.
    """

    def loop(stiffer: float, log_stiffness: float, log_variance: float) -> float:
        own = math.exp(log_stiffness)
        ratio, deviation = own / (own + stiffer), math.exp(log_variance / 2)
        level, cut = state.level * deviation * ratio / own, state.cut / deviation
        response, covariance = _channel(target, cut, level)
        turned, noise = Matrix([[-(ratio**2), 0], [-2 * ratio, ratio**2]]), Matrix([[0, 0], [1, -ratio]])
        loops = (eye(2) - response * turned / samples).inv() * (covariance * turned / 2 + response * noise) / samples
        return float(-state.spare * own / ratio * level**2 * loops.trace() / 2)

    response, turned = _channel(target, state.cut, state.level)[0] / samples, Matrix([[-1, 0], [-2, 1]])
    moves = turned * (eye(2) - response * turned).inv() * response[:, 0]
    ends = [loop(step, step * moves[0], step * moves[1]) for step in (float(STEP), -float(STEP))]
    return (ends[0] - ends[1]) / (float(STEP) * state.spare * state.risk)


def size_left(target: Target, state: State, samples: float) -> float:
    """What the next order may move R by, relatively.

    1/(n - d - 1) is a geometric series in 1/(n - active); and weights of noise alone, d tau^2 r(0) at most, move by the
    next term of E exp(-alpha^2/(2 (1 + e))), e of variance 2/n: half the square of alpha^4/(4 n).
    """
    nulls = sum(count for _, count in target) * channel_risk(0, state.cut) * state.level**2 / state.risk
    return state.spare**-2 + nulls * (state.cut**4 / (4 * samples)) ** 2 / 2


@lru_cache(maxsize=1)
def best_chain() -> dict[str, Value]:
    """The risk at the best penalty for theta_k = k^(-gamma), 1 << n << d^(2 gamma), line by line."""
    threshold, error = CUT * sqrt(NOISE / SAMPLES), THRESHOLD ** (2 * POWER) / POWER
    return values(
        Value(
            key="t",
            value=threshold,
            because="t = alpha tau, n tau^2 = s2 + R and R -> 0: the noise is the label noise",
            source=MONTANARI,
        ),
        Value(
            key="k_t",
            value=THRESHOLD ** (-1 / GAMMA),
            because="k^(-gamma) = t: the weights before k_t stand out",
        ),
        Value(
            key="R(t)",
            value=error,
            because="a weight above t is shrunk by t and one below is lost, min(k^(-gamma), t)^2 each: k_t t^2 and the "
            "sum of k^(-2 gamma) beyond k_t; tau^2 k_t, the variance, is smaller by alpha^2",
            parents=("k_t",),
        ),
        Value(
            key="alpha^2 + 3 log alpha^2",
            value=2 * sympy.log(DIMENSION / FIRST) + sympy.log(2 / pi),
            because="where R is least d weights of noise alone, 2 d phi(alpha)/alpha^2, balance alpha k_t of bias",
            parents=("R(t)",),
        ),
        Value(
            key="R",
            value=error.subs(THRESHOLD, threshold),
            because="t put in; alpha^2 moves with log n alone",
            parents=("t", "R(t)", "alpha^2 + 3 log alpha^2"),
            source=DEFILIPPIS,
        ),
    )


def spelt_out(name: str) -> Expr:
    """A line of the chain in alpha, n, d, s2 and gamma alone."""
    chain = best_chain()
    return chain[name].value.subs(FIRST, chain["k_t"].value).subs(THRESHOLD, chain["t"].value)


def best_exponent() -> Expr:
    """1 - 1/(2 gamma): the power of 1/n in R, alpha held."""
    return sympy.simplify(-SAMPLES * sympy.diff(sympy.log(best_chain()["R"].value), SAMPLES))


def logarithm_power() -> Expr:
    """1 - 1/(2 gamma): the power of alpha^2 ~ 2 log(d/k_t) in R, and so of log d where n is a power of d."""
    return sympy.simplify(CUT / 2 * sympy.diff(sympy.log(best_chain()["R"].value), CUT))


@lru_cache(maxsize=8)
def next_orders(gamma: Fraction) -> tuple[float, float, float, float]:
    """Coefficients of 1/A and 1/A^2, A = alpha^2, in R over the chain's, then in A + 3 log A less the chain's.

    Of an integral over k, R/tau^2 = d r(0) + G E (alpha + Z)^(2 p)/p with G = tau^(-1/gamma): least in alpha where
    2 d (phi - alpha Q) = G E (alpha + Z)^(2 p - 1), Q and r(0) from Mills's ratio alpha Q/phi.
    """
    u, twice = ring("u", QQ)[1], QQ(str(2 - 1 / gamma))
    odd = [int(sympy.factorial2(2 * j - 1)) for j in range(5)]
    mills = sum((-u) ** j * odd[j] for j in range(5))

    def moment(m: Fraction) -> Expr:
        return 1 + m * (m - 1) / 2 * u + m * (m - 1) * (m - 2) * (m - 3) / 8 * u**2

    loss, nulls, slope = (1 - mills).quo(u), ((1 + u) * mills - 1).quo(2 * u**2), moment(twice - 1)
    over = moment(twice) + rs_mul(twice * u * nulls * slope, rs_series_inversion(loss, u, 3), u, 3)
    shift = 2 * (rs_log(loss, u, 3) - rs_log(slope, u, 3))
    first, second, third, fourth = (float(each.coeff(u**j)) for each in (over, shift) for j in (1, 2))
    return first, second, third, fourth


def local_exponent(gamma: Fraction, cut: float) -> float:
    """The slope -d log R/d log n at finite alpha, the next order 1/alpha^6 left out.

    With A = alpha^2: A + 3 log A - (1/gamma) log A = const - (1/gamma) log n, so that d log A/d log n is
    -1/(gamma (A + 3) - 1), and R goes as (A/n)^p (1 + h/A), h the first of ``next_orders``.
    """
    power = 1 - 1 / (2 * gamma)
    return power + (power - next_orders(gamma)[0] / cut**2) / (gamma * (cut**2 + 3) - 1)


def exponent_left(gamma: Fraction) -> float:
    """At most the coefficient of 1/(gamma A^3) in what it leaves: of the shift, and of d log(1 + h/A + k/A^2)."""
    first, second, shift, _ = next_orders(gamma)
    return (1 - 1 / (2 * gamma)) * abs(shift) + 2 * abs(second) + first**2


def null_risk() -> Expr:
    """r(0) in closed form: (1 + alpha^2) erfc(alpha/sqrt 2) - 2 alpha phi(alpha)."""
    return (1 + CUT**2) * erfc(CUT / sqrt(2)) - CUT * sqrt(2 / pi) * exp(-(CUT**2) / 2)


def peak() -> Expr:
    """s2 + R at n = d and small lambda, from D^(3/2) = 4 s lambda/sqrt(s2): (pi/32)^(1/3) s2^(4/3) lambda^(-2/3)."""
    return NOISE * (4 * sqrt(2 / pi) * PENALTY / sqrt(NOISE)) ** Rational(-2, 3)


def peak_exponent() -> Expr:
    """2/3: the power of 1/lambda in the peak."""
    return sympy.simplify(-PENALTY * sympy.diff(sympy.log(peak()), PENALTY))


def peak_correction() -> Expr:
    """The relative correction of the peak, of order alpha = s2/(2 s (s2 + R)): 2/3 alpha (1/s + s |theta|^2/s2).

    r(0) = 1 - 2 s alpha + alpha^2 gives the first; r(mu) = r(0) + s alpha mu^2 and P(w = 0) = s alpha (1 - mu^2/2), of
    mu = theta_k/tau with d tau^2 = s2 + R, the second.
    """
    s = sqrt(2 / pi)
    return Rational(2, 3) * NOISE / (2 * s * peak()) * (1 / s + s * SIZE / NOISE)


def beyond() -> Expr:
    """R of least squares, n > d + 1, exact at any size: s2 d/(n - d - 1), by the mean of an inverse Wishart matrix."""
    return NOISE * DIMENSION / (SAMPLES - DIMENSION - Integer(1))


def beyond_exponent() -> Expr:
    """1: the power of 1/n in it."""
    return sympy.limit(sympy.simplify(-SAMPLES * sympy.diff(sympy.log(beyond()), SAMPLES)), SAMPLES, oo)
