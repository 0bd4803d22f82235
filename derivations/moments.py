r"""Gaussian moments of the activations: E phi(y)^2, E phi'(y)^2, E phi'(y)^4 for y ~ N(0, q).

Closed forms: linear (q, 1, 1), relu (q/2, 1/2, 1/2), abs (q, 1, 1), and for erf(y)
    E phi^2 = (2/pi) asin(2q/(1+2q)),  E phi'^2 = (4/pi) (1+4q)^(-1/2),  E phi'^4 = (16/pi^2) (1+8q)^(-1/2).
The others by the trapezoidal rule in t with y = min(sqrt(q), 1) sinh t, up to 8 standard deviations: steps that are
fine where the activation bends, at |y| of order one, and coarse where the Gaussian ends, so that it converges
faster than any power at every q. Worked line: relu at q = 1 gives E phi^2 = 1/2: half of the units pass.

Wide inputs (std of three and more) leave Mehler's expansion with terms beyond count. Both covariances are then exact at
rho = 1 and have the shape of what the activation looks like from afar in between: relu's for gelu and silu, that of a
narrow bump around zero for tanh and erf. Off by some percent; they enter corrections whose slope is asked for.

Also here: the mean square of the error signal of cross-entropy for Gaussian logits, and how peaked it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

NODES_PER_UNIT: Final = 8
REACH: Final = 8
SHARP: Final = 16
SOFTMAX_NODES: Final = 6
TERMS: Final = 24
MISSED: Final = 1 / 20
LOST: Final = 2**-40
# c of a bump F: (int F)^2 / int F^2 is that of exp(-2 c^2 y^2), for F = 1 - phi^2, and for F = phi'^2.
SQUARE_BUMP: Final = {"tanh": math.sqrt(math.pi) / 3, "erf": 39 / 50}
SLOPE_BUMP: Final = {"tanh": 18 * math.sqrt(math.pi) / 35}
COHERENT: Final = math.sqrt(2 / math.pi)  # E|x| of a standard normal, and the part of sgn(x) along x
Nodes = tuple[tuple[float, float], ...]


@lru_cache(maxsize=1 << 10)
def gaussian_nodes(std: float) -> Nodes:
    """(x, weight) for E F(std x), x standard normal and F a function that bends at arguments of order one.

    Raises ``OverflowError`` where the variance has left the range of floats.
    """
    if not math.isfinite(std):
        raise OverflowError("a variance that no float holds")
    unit = std if 0 < std < 1 else 1
    per_unit = unit / std if std > 0 else 1
    most = math.ceil(math.asinh(REACH / per_unit) * NODES_PER_UNIT)
    places = [i / NODES_PER_UNIT for i in range(-most, most + 1)]
    nodes = [math.sinh(t) * per_unit for t in places]
    density = [math.cosh(t) * math.exp(-x * x / 2) for t, x in zip(places, nodes, strict=True)]
    total = sum(density)
    return tuple((x, each / total) for x, each in zip(nodes, density, strict=True))


@dataclass(frozen=True, slots=True)
class Moments:
    """E phi^2, E phi'^2 and E phi'^4 under a centred Gaussian."""

    square: float
    slope_square: float
    slope_fourth: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Absolute:
    """E|phi|, d log E|phi| / d log q, E|phi'|, E|phi'|^3 and P(phi' != 0) under a centred Gaussian of variance q."""

    size: float
    elasticity: float
    slope: float
    slope_cubed: float
    alive: float


def _normal_density(y: float) -> float:
    return math.exp(-y * y / 2) / math.sqrt(2 * math.pi)


def _sigmoid(y: float) -> float:
    return (1 + math.tanh(y / 2)) / 2


def _gelu(y: float) -> tuple[float, float]:
    below = (1 + math.erf(y / math.sqrt(2))) / 2
    return y * below, below + y * _normal_density(y)


def _silu(y: float) -> tuple[float, float]:
    s = _sigmoid(y)
    return y * s, s * (1 + y * (1 - s))


def _tanh(y: float) -> tuple[float, float]:
    t = math.tanh(y)
    return t, 1 - t * t


def _erf(y: float) -> tuple[float, float]:
    return math.erf(y), 2 / math.sqrt(math.pi) * math.exp(-y * y)


_SMOOTH: Final[dict[str, Callable[[float], tuple[float, float]]]] = {
    "erf": _erf,
    "tanh": _tanh,
    "gelu": _gelu,
    "silu": _silu,
}


def values_of(activation: str, variance: float) -> Nodes:
    """(phi(y), weight) of y ~ N(0, variance)."""
    kinked: dict[str, Callable[[float], float]] = {"linear": float, "abs": abs, "relu": lambda y: max(y, 0)}
    std = math.sqrt(variance)
    if activation in kinked:
        return tuple((kinked[activation](std * node), weight) for node, weight in gaussian_nodes(std))
    return tuple((_SMOOTH[activation](std * node)[0], weight) for node, weight in gaussian_nodes(std))


def slopes_of(activation: str, variance: float) -> Nodes:
    """(|phi'(y)|, weight) of y ~ N(0, variance)."""
    if activation in ("linear", "abs"):
        return ((1, 1),)
    if activation == "relu":
        return ((0, 1 / 2), (1, 1 / 2))
    std = math.sqrt(variance)
    return tuple((abs(_SMOOTH[activation](std * node)[1]), weight) for node, weight in gaussian_nodes(std))


def by_quadrature(both: Callable[[float], tuple[float, float]], variance: float) -> Moments:
    """The three moments of an activation given as y -> (phi(y), phi'(y))."""
    std = math.sqrt(variance)
    square = slope_square = slope_fourth = float(0)
    for node, weight in gaussian_nodes(std):
        value, slope = both(std * node)
        square += weight * value * value
        slope_square += weight * slope * slope
        slope_fourth += weight * slope**4
    return Moments(square, slope_square, slope_fourth)


@lru_cache(maxsize=1 << 16)
def moments(activation: str, variance: float) -> Moments:
    """The moments at one variance; an activation with a kink has slope zero when fed with exact zeros."""
    q = variance
    if activation in ("linear", "abs") or (activation == "relu" and q == 0):
        alive = int(activation == "linear" or q > 0)
        return Moments(q, alive, alive)
    if activation == "relu":
        return Moments(q / 2, 1 / 2, 1 / 2)
    if activation == "erf":
        return Moments(
            2 / math.pi * math.asin(2 * q / (1 + 2 * q)),
            4 / math.pi / math.sqrt(1 + 4 * q),
            16 / math.pi**2 / math.sqrt(1 + 8 * q),
        )
    return by_quadrature(_SMOOTH[activation], q)


@lru_cache(maxsize=1 << 16)
def absolute_moments(activation: str, variance: float) -> Absolute:
    """What the sign of a gradient asks for; closed forms for linear, abs and relu."""
    std = math.sqrt(variance)
    if activation in ("linear", "abs", "relu"):
        part = 1 / 2 if activation == "relu" else 1
        slope = part if activation == "linear" or std > 0 else 0
        return Absolute(size=part * COHERENT * std, elasticity=1 / 2, slope=slope, slope_cubed=slope, alive=slope)
    size = change = steep = cubed = float(0)
    for node, weight in gaussian_nodes(std):
        value, slope = _SMOOTH[activation](std * node)
        size += weight * abs(value)
        change += weight * math.copysign(1, value) * slope * std * node / 2
        steep += weight * abs(slope)
        cubed += weight * abs(slope) ** 3
    elasticity = change / size if size > 0 else 0
    return Absolute(size=size, elasticity=elasticity, slope=steep, slope_cubed=cubed, alive=1)


@lru_cache(maxsize=1 << 12)
def fluctuation(activation: str, variance: float) -> tuple[float, float]:
    """(E phi^4 / (E phi^2)^2 - 1, d log E phi^2 / d log q): how |phi(y)|^2 of n coordinates fluctuates.

    Its relative variance is (the first + the second squared times n times that of q) / n.
    """
    if activation in ("linear", "abs"):
        return 2, 1
    if activation == "relu":
        return 5, 1
    std, both = math.sqrt(variance), _SMOOTH[activation]
    square = fourth = change = float(0)
    for node, weight in gaussian_nodes(std):
        value, slope = both(std * node)
        square += weight * value * value
        fourth += weight * value**4
        change += weight * value * slope * std * node
    return (fourth / square**2 - 1, change / square) if square > 0 else (0, 1)


@lru_cache(maxsize=1 << 12)
def aligned_slopes(activation: str, variance: float) -> tuple[float, float]:
    """(E phi^2 phi'^2, E phi phi' y / E y^2): the square of phi' phi, and how much of it lies along y itself."""
    if activation in ("linear", "abs"):
        return variance, 1
    if activation == "relu":
        return variance / 2, 1 / 2
    std, both = math.sqrt(variance), _SMOOTH[activation]
    square = along = float(0)
    for node, weight in gaussian_nodes(std):
        value, slope = both(std * node)
        square += weight * value * value * slope * slope
        along += weight * value * slope * std * node
    return square, along / variance if variance > 0 else both(0)[1] ** 2


@dataclass(frozen=True, slots=True)
class Joint:
    """How phi, phi' and y go together, by their mean squares: what a block does to a vector along y, or along phi(y).

    along: E y^2 phi'^2 / (E y^2 E phi'^2);  fed: E phi^2 phi'^2 / (E phi^2 E phi'^2);
    kept: (E y phi phi')^2 / (E y^2 E phi^2 E phi'^2);  sharp: E phi'^4 / (E phi'^2)^2.
    """

    along: float
    fed: float
    kept: float
    sharp: float


@lru_cache(maxsize=1 << 14)
def joint(activation: str, variance: float) -> Joint:
    """The four ratios at one variance; all one where phi is linear there."""
    if activation in ("linear", "abs") or variance <= 0:
        return Joint(1, 1, 1, 1)
    if activation == "relu":
        return Joint(1, 2, 1, 2)
    std, both = math.sqrt(variance), _SMOOTH[activation]
    square = slope_square = along = fed = kept = sharp = float(0)
    for node, weight in gaussian_nodes(std):
        value, slope = both(std * node)
        square += weight * value * value
        slope_square += weight * slope * slope
        along += weight * node * node * slope * slope
        fed += weight * value * value * slope * slope
        kept += weight * node * value * slope
        sharp += weight * slope**4
    usual = square * slope_square
    return Joint(along / slope_square, fed / usual, kept * kept / usual, sharp / slope_square**2)


@lru_cache(maxsize=1 << 12)
def _hermite_coefficients(activation: str, variance: float, slope: bool = True) -> tuple[float, ...]:
    """E F(y) He_k(y/sqrt(q)) / sqrt(k!) for k = 0, 1, ..., TERMS - 1, with F = phi'^2, or phi^2 without ``slope``."""
    std, both = math.sqrt(variance), _SMOOTH[activation]
    coefficients = [float(0)] * TERMS
    for node, weight in gaussian_nodes(std):
        value = weight * both(std * node)[int(slope)] ** 2
        before, here = float(0), float(1)
        for k in range(TERMS):
            coefficients[k] += value * here
            before, here = here, (node * here - math.sqrt(k) * before) / math.sqrt(k + 1)
    return tuple(coefficients)


def _expanded(activation: str, first: float, second: float, ends: tuple[float, ...], *, slope: bool) -> float | None:
    """Mehler's expansion; None where ``TERMS`` of it miss more than ``MISSED`` of the variances ``ends`` at rho = 1."""
    rows = [_hermite_coefficients(activation, each, slope) for each in (first, second)]
    for row, end in zip(rows, ends, strict=True):
        if abs(sum(each * each for each in row[1:]) - end) > MISSED * end:
            return None
    rho = min(math.sqrt(first / second), 1)
    return sum((rho**k * one * other for k, (one, other) in enumerate(zip(*rows, strict=True)) if k), start=float(0))


def _bump(c: float, first: float, second: float) -> float:
    """How exp(-2 c^2 a^2) and exp(-2 c^2 b^2) correlate, their own variances being one."""

    def covariance(one: float, other: float) -> float:
        v, w = 4 * c * c * one, 4 * c * c * other
        return 1 / math.sqrt((1 + v) * (1 + w) - v * v) - 1 / math.sqrt((1 + v) * (1 + w))

    return covariance(first, second) / math.sqrt(covariance(first, first) * covariance(second, second))


@lru_cache(maxsize=1 << 14)
def square_covariance(activation: str, first: float, second: float) -> float:
    r"""Cov(phi(a)^2, phi(b)^2) / (E phi(a)^2 E phi(b)^2), Gaussian a, b of variances first <= second and E ab = first.

    linear and abs: 2 rho^2; relu: the arc-cosine kernel of order two (Cho and Saul), 2/pi (3 sin cos + (pi - theta)
    (1 + 2 cos^2)) - 1 with cos theta = rho; the others by Mehler's expansion, or its shape at a wide input.
    """
    rho = min(math.sqrt(first / second), 1)
    if activation in ("linear", "abs"):
        return 2 * rho**2
    if activation == "relu":
        theta = math.acos(rho)
        return 2 / math.pi * (3 * math.sin(theta) * rho + (math.pi - theta) * (1 + 2 * rho**2)) - 1
    ends = tuple(fluctuation(activation, each)[0] * moments(activation, each).square ** 2 for each in (first, second))
    means = moments(activation, first).square * moments(activation, second).square
    found = _expanded(activation, first, second, ends, slope=False)
    if found is None:
        wide = activation in SQUARE_BUMP
        shape = _bump(SQUARE_BUMP[activation], first, second) if wide else square_covariance("relu", first, second) / 5
        found = math.sqrt(ends[0] * ends[1]) * shape
    return found / means


@lru_cache(maxsize=1 << 14)
def slope_covariance(activation: str, first: float, second: float) -> float:
    r"""Cov(phi'(a)^2, phi'(b)^2) for Gaussian a, b of variances first <= second and E ab = first.

    relu: asin(rho) / (2 pi) with rho^2 = first/second; erf: a Gaussian integral; linear and abs: zero;
    the others by Mehler's expansion sum_k rho^k c_k(first) c_k(second), or its shape at a wide input.
    """
    if activation in ("linear", "abs") or first <= 0:
        return 0
    rho = min(math.sqrt(first / second), 1)
    if activation == "relu":
        return math.asin(rho) / (2 * math.pi)
    if activation == "erf":
        means = 1 / math.sqrt((1 + 4 * first) * (1 + 4 * second))
        joint = 1 / math.sqrt((1 + 4 * first) * (1 + 4 * second) - (4 * first) ** 2)
        return 16 / math.pi**2 * (joint - means)
    here = tuple(moments(activation, each) for each in (first, second))
    ends = tuple(each.slope_fourth - each.slope_square**2 for each in here)
    if any(end <= LOST * each.slope_fourth for end, each in zip(ends, here, strict=True)):
        return 0  # inputs so narrow that every slope is the same but for rounding
    found = _expanded(activation, first, second, ends, slope=True)
    if found is None:
        wide = activation in SLOPE_BUMP
        shape = _bump(SLOPE_BUMP[activation], first, second) if wide else math.asin(rho) * 2 / math.pi
        found = math.sqrt(ends[0] * ends[1]) * shape
    return found


@lru_cache(maxsize=1 << 12)
def peaked(loss: str, classes: int, std: float) -> float:
    """E|chi|_1/|chi| of the error signal of Gaussian logits, to leading order in how |chi| fluctuates.

    Of cross-entropy 2/(1 + |p'|^2)^(1/2), p' the softmax of the other classes; of the squared loss the ratio of means.
    """
    if loss == "mse":
        spread = COHERENT * std
        label = spread * math.exp(-1 / (2 * std**2)) + math.erf(1 / (std * math.sqrt(2))) if std > 0 else 1
        return ((classes - 1) * spread + label) / math.sqrt(classes * std**2 + 1)
    others = classes - 1
    return 2 / math.sqrt(softmax_error(others, std) + 2 / others)


@lru_cache(maxsize=1 << 12)
def softmax_error(classes: int, std: float) -> float:
    r"""E |p - e_y|^2 for p = softmax of ``classes`` independent N(0, std^2) logits and any label y.

    Equal to C E p_1^2 - 2/C + 1, since E p_1 = 1/C; and E p_1^2 follows from
    1/S^2 = int_0^inf t exp(-t S) dt with t = e^u: the logits separate under the integral. Large logits
    approach the limit 2 - 2/C as 1/std, which is used beyond ``SHARP``.
    """
    if std > SHARP:
        limit = 2 - 2 / classes
        return limit - (limit - softmax_error(classes, SHARP)) * SHARP / std
    uniform = [i / SOFTMAX_NODES for i in range(-REACH * SOFTMAX_NODES, REACH * SOFTMAX_NODES + 1)]
    logits = [std * node for node in uniform]
    weights = [math.exp(-node * node / 2) for node in uniform]
    whole = sum(weights)
    low, high = -3 * REACH - logits[-1], REACH + logits[-1]
    steps = 40 * SOFTMAX_NODES
    width = (high - low) / steps
    total = float(0)
    for i in range(steps + 1):
        u = low + i * width
        one = other = float(0)
        for logit, weight in zip(logits, weights, strict=True):
            size = math.exp(u + logit)
            alive = weight / whole * math.exp(-size)
            one += alive * size * size
            other += alive
        total += one * other ** (classes - 1) * width
    return classes * total - 2 / classes + 1
