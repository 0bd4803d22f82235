"""The algebra of scales n^a L^b: what happens to sizes under products, sums and random matrices.

A size is a root mean square over coordinates; its scale is the pair (a, b), with exact or symbolic
powers. The lemmas, each with an exact test on Gaussian moments in tests/exact/test_scale_lemmas.py:

product       |x y| for independent factors: powers add.
added         a finite sum of terms that do not cancel: the larger power on each axis
              (along n at fixed L, and along L at fixed n).
over_depth    a sum over ~L blocks: L^(1/2) times one term if the terms are independent and of mean
              zero (incoherent), L times one term if they share a direction (coherent).
independent   W v with W of n x n independent entries of size s, v independent of W: n^(1/2) s |v|.
aligned       <z, z> = n |z|^2, and W W^T v -> n s^2 v: a contraction of aligned vectors: n.

``ZERO`` is the scale of a quantity that vanishes identically: it absorbs products and drops out of
sums. Worked line: ``independent * Scale(-1/2, 0)`` is (0, 0): the gain of n^(-1/2) W is 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import sympy
from sympy import Expr, Integer, Max, Rational


def as_fraction(number: Expr) -> Fraction:
    """An exact rational of SymPy's as a fraction of Python's."""
    exact = Rational(number)
    return Fraction(int(exact.p), int(exact.q))


def as_rational(number: Fraction | int) -> Rational:
    """A fraction of Python's as an exact rational of SymPy's."""
    return Rational(number.numerator, number.denominator)


@dataclass(frozen=True, slots=True)
class Scale:
    """n^width L^depth; the powers are SymPy expressions, exact rationals once a recipe is put in."""

    width: Expr = Integer(0)
    depth: Expr = Integer(0)
    zero: bool = False

    def __mul__(self, other: Scale) -> Scale:
        if self.zero or other.zero:
            return ZERO
        return Scale(self.width + other.width, self.depth + other.depth)

    def __pow__(self, exponent: int) -> Scale:
        if self.zero:
            return ZERO
        return Scale(self.width * exponent, self.depth * exponent)

    def along(self, axis: str) -> Expr:
        """The power on one axis."""
        return self.width if axis == "width" else self.depth

    def at(self, values: Mapping[Expr, Expr]) -> Scale:
        """The scale with symbols replaced."""
        return self if self.zero else Scale(self.width.xreplace(values), self.depth.xreplace(values))

    def __str__(self) -> str:
        return "0" if self.zero else f"n^({self.width}) L^({self.depth})"

    def latex(self) -> str:
        """As LaTeX, without the dollar signs."""
        return "0" if self.zero else f"n^{{{sympy.latex(self.width)}}} L^{{{sympy.latex(self.depth)}}}"


ONE: Final = Scale()
ZERO: Final = Scale(zero=True)
independent: Final = Scale(Rational(1, 2))
aligned: Final = Scale(Integer(1))


def product(*factors: Scale) -> Scale:
    """Powers add."""
    result = ONE
    for factor in factors:
        result = result * factor
    return result


def added(*terms: Scale) -> Scale:
    """The larger power on each axis; terms that vanish drop out."""
    alive = [term for term in terms if not term.zero]
    if not alive:
        return ZERO
    return Scale(Max(*(term.width for term in alive)), Max(*(term.depth for term in alive)))


def over_depth(term: Scale, *, coherent: bool) -> Scale:
    """A sum of ~L such terms: L if they share a direction, L^(1/2) if they are independent."""
    return term * Scale(Integer(0), Integer(1) if coherent else Rational(1, 2))
