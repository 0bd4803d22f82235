"""Exact expectations of polynomials in independent standard normals."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import sympy


@pytest.fixture(scope="session")
def gaussian_mean() -> Callable[[sympy.Expr, Sequence[sympy.Symbol]], sympy.Expr]:
    """E of a polynomial: every monomial becomes its Gaussian moments, E x^(2m) = (2m - 1)!!."""

    def mean(polynomial, normals):
        total = sympy.Integer(0)
        for powers, coefficient in sympy.Poly(sympy.expand(polynomial), *normals).terms():
            if all(power % 2 == 0 for power in powers):
                total += coefficient * sympy.prod(sympy.factorial2(power - 1) for power in powers if power)
        return sympy.expand(total)

    return mean
