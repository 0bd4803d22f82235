r"""Arc-cosine kernels on the sphere S^m: the spectrum of an infinitely wide ReLU network, and what it learns.

u = cos theta is the product of two unit vectors, kappa_0 = (pi - theta)/pi,
    NNGP: kappa_1 = (sin theta + (pi - theta) cos theta)/pi,     NTK: (kappa_1 + u kappa_0)/2,
both 1 at theta = 0: a network of one hidden layer whose last layer alone is trained, or all of it.

Claim. A kernel is smooth in u but for odd powers of theta; if the first is theta^t, degree l has the eigenvalue
l^(-(m + t)), and l^(m - 1) functions: the rank goes as l^m, so that
    lambda_k ~ k^(-(1 + t/m)),  alpha_K = t/m,  t = 3 for the NNGP kernel and 1 for the NTK,
and a target drawn from the kernel itself is learned as D^(-t/m). Odd degrees beyond the first have eigenvalue 0: the
singularities at theta = 0 and pi cancel there (without biases such a network cannot say an odd function but a linear).

On S^2 every eigenvalue is a fraction. With kappa_0 = sum (2 l + 1) b_l P_l: b_0 = 1/2, b_(2 j + 1) the square of
(2 j - 1)!!/(2^j (j + 1)!) over 8, and, since kappa_1' = kappa_0,
    NNGP: a_l = (b_(l-1) - b_(l+1))/(2 l + 1),     NTK: (a_l + (l b_(l-1) + (l + 1) b_(l+1))/(2 l + 1))/2,
and b_(-1) = b_0.
Worked line: NNGP, l = 2: (1/8 - 1/128)/5 = 3/128. Its trace is 1 = 3/8 + 3/6 + 5 3/128 + ...

Assumptions: uniform inputs, no bias, white target. Sources: Bahri et al. (arXiv 2102.06701) for alpha_D = t/d of a
kernel t times differentiable on a d-dimensional manifold (after Weyl and Kuehn); the coefficients are classical.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import sympy
from sympy import Expr, Integer, Rational, Symbol, cos, legendre, oo, pi, sin

from powercount.derivations.recipe import check_name

KERNELS: Final = ("nngp", "ntk")
_THETA: Final = Symbol("theta", positive=True)
_J: Final = Symbol("j", positive=True)


def kernel(kind: str) -> Expr:
    """kappa as a function of theta."""
    check_name("kernel", kind, KERNELS)
    zeroth = (pi - _THETA) / pi
    first = (sin(_THETA) + (pi - _THETA) * cos(_THETA)) / pi
    return first if kind == "nngp" else (first + cos(_THETA) * zeroth) / 2


def singular_order(kind: str) -> int:
    """t: the first odd power of theta in kappa."""
    terms = sympy.series(kernel(kind), _THETA, 0, 6).removeO().as_poly(_THETA).monoms()
    return min(int(power) for (power,) in terms if power % 2)


def spectral_exponent(kind: str, dimension: int) -> Expr:
    """alpha_K = t/m on the sphere of that dimension: eigenvalue and rank of degree l are l^(-(m + t)) and l^m."""
    return Rational(dimension + singular_order(kind), dimension) - 1


def zeroth(degrees: int) -> list[Fraction]:
    """b_0 to b_degrees of kappa_0; the root of 8 b_(2 j + 1) is (2 j - 1)/(2 (j + 1)) of the one before."""
    found, root = [Fraction(1, 2)], Fraction(1)
    for degree in range(1, degrees + 1):
        j = degree // 2
        if degree > 1 and degree % 2:
            root *= Fraction(2 * j - 1, 2 * (j + 1))
        found.append(root**2 / 8 if degree % 2 else Fraction(0))
    return found


def coefficients(kind: str, degrees: int) -> list[Fraction]:
    """Eigenvalues of degree 0 to ``degrees`` on S^2, each shared by 2 l + 1 functions."""
    check_name("kernel", kind, KERNELS)
    after = zeroth(degrees + 1)
    # The mean of kappa_1 is 1/2 - b_1 (by parts), the formula of degree 0 with b_(-1) = b_0.
    before = [after[0], *after]
    found = []
    for degree in range(degrees + 1):
        lower, upper = before[degree], after[degree + 1]
        value = (lower - upper) / (2 * degree + 1)
        if kind == "ntk":
            value = (value + (degree * lower + (degree + 1) * upper) / (2 * degree + 1)) / 2
        found.append(value)
    return found


def spectrum(kind: str, degrees: int) -> tuple[list[float], float]:
    """The eigenvalues on S^2 that are not zero, largest first, and the trace of the degrees beyond."""
    found = [(value, 2 * degree + 1) for degree, value in enumerate(coefficients(kind, degrees)) if value]
    rest = 1 - sum(value * count for value, count in found)
    values = [float(value) for value, count in found for _ in range(count)]
    return sorted(values, reverse=True), float(rest)


def coefficient_by_integral(kind: str, degree: int) -> Expr:
    """The second road to an eigenvalue: half the integral of kappa P_l over u, by SymPy."""
    integrand = kernel(kind) * legendre(degree, cos(_THETA)) * sin(_THETA)
    return sympy.simplify(sympy.integrate(sympy.expand(integrand), (_THETA, Integer(0), pi)) / 2)


def decay(kind: str) -> Expr:
    """The second road to the exponent: p in a_l ~ l^(-p) of even degrees, from the limit of l (1 - a_(l+2)/a_l)/2.

    b_(2 j + 1)/b_(2 j - 1) is rational in j, and so is that ratio.
    """
    check_name("kernel", kind, KERNELS)
    degree, step = 2 * _J, ((2 * _J - 1) / (2 * (_J + 1))) ** 2
    # a_(2 j) in units of b_(2 j - 1), as in ``coefficients``
    value = (1 - step) / (2 * degree + 1)
    if kind == "ntk":
        value = value + (degree + (degree + 1) * step) / (2 * degree + 1)
    ratio = sympy.cancel(step * value.subs(_J, _J + 1) / value)
    return sympy.limit(degree * (1 - ratio) / 2, _J, oo)
