r"""Inside a block after training: what survives of randomness, of nonlinearity, and of products of two updates.

Symbols: alpha, a branch is multiplied by L^(-alpha); u = |m_j dW_j z_j|, an own update (``updates``), L^(c - alpha); on
the stable line c = 2 alpha - 1 it is L^(alpha - 1). t counts steps; a = phi(y_1), p = phi'(y_1) * W_2^T g, epsilon a
fraction of depth.

Claims.
1. A step of a scalar f along its own gradient changes it by df = -chi eta sum_l |df/dW_l|^2 + O(eta^2): every block
   adds a number of the same sign, which is why updates add up coherently over depth.
2. Over a depth fraction epsilon the trained stream moves by A epsilon L^(1 - 2 alpha) + B epsilon^2 in mean square: the
   initial matrices add up as a random walk, the updates along one direction. For L -> oo first and epsilon -> 0 then
   the increment is epsilon^(1/2) at alpha = 1/2 and epsilon for alpha > 1/2 (Tensor Programs VI, 7.4 and 7.5).
3. A block linearised in its own weights errs by phi''(y) (dy)^2, relative to its change by u = L^(alpha - 1); where
   phi has a kink a share |dy| of the coordinates err by |dy|, in root mean square u^(1/2) (Tensor Programs VI, 7.6).
4. dW_2 dW_1 beside W_2 dW_1: |dW_2| = u in norms (CompleteP, equation 6). Its sum over depth, along g, has one more
   factor <a, p>/n: zero in the mean at t = 1, since W_2 is still independent of a; at t >= 2 it is u through dW_2^T g
   and L^(-alpha) through the gradient below, so second over first is u max(u, L^(-alpha)) = L^(2 (alpha - 1)).

Assumptions: width first, so that residues of order n^(-1/2) are left out; alpha >= 1/2; SGD. Worked line: depth-mup has
u = L^(-1/2): linearisable, second over first L^(-1/2) in norms and L^(-1) in the sum; CompleteP has u = 1 throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Final

import sympy
from sympy import Expr, Integer, Rational, Symbol

from powercount.derivations.forward import ALPHA, KINKED, powers_of
from powercount.derivations.named import named_recipe
from powercount.derivations.predict import derive
from powercount.derivations.recipe import Power, Recipe, observable_named
from powercount.derivations.scale import ONE, Scale, added, over_depth, product
from powercount.derivations.sources import COMPLETEP, TP6
from powercount.derivations.steps import Chain, Step
from powercount.derivations.translate import translated

EPSILON: Final = Symbol("epsilon", positive=True)
DEPTH: Final = Symbol("L", positive=True)
RATE: Final = Symbol("eta", positive=True)


def blocks_at(alpha: Fraction, rates: Sequence[Fraction], activation: str = "relu", optimizer: str = "sgd") -> Recipe:
    """Width-muP of the optimizer with L^(-alpha) on every branch and L^(c_j) on the rate of internal layer j."""
    base = translated(named_recipe("depth-mup", layers=len(rates), activation=activation), optimizer)
    hidden = tuple(
        replace(role, learning_rate=Power(width=role.learning_rate.width, depth=rate))
        for role, rate in zip(base.parametrization.hidden, rates, strict=True)
    )
    name = f"alpha = {alpha}, c = {', '.join(str(rate) for rate in rates)}"
    return replace(base, name=name, parametrization=replace(base.parametrization, hidden=hidden, branch=-alpha))


def change_along_gradient(f: Expr, weights: Sequence[Symbol], target: Expr) -> tuple[Expr, Expr]:
    """(df to first order in eta, -chi eta |df/dw|^2) for one step on (f - target)^2 / 2, each by itself."""
    chi = f - target
    step = {w: w - RATE * chi * sympy.diff(f, w) for w in weights}
    moved = f.xreplace(step) - f
    first = sympy.diff(moved, RATE).xreplace({RATE: Integer(0)}) * RATE
    square = sum((sympy.diff(f, w) ** 2 for w in weights), start=Integer(0))
    return sympy.expand(first), sympy.expand(-chi * RATE * square)


def increment_square(alpha: Rational) -> Expr:
    """The mean square of the trained stream's increment over a depth fraction epsilon, constants A and B kept."""
    rough, smooth = Symbol("A", positive=True), Symbol("B", positive=True)
    return rough * EPSILON * DEPTH ** (1 - 2 * alpha) + smooth * EPSILON**2


def diversity(alpha: Rational) -> Rational:
    """The power of epsilon of the increment itself: depth to infinity first, then epsilon to zero."""
    deep = sympy.limit(increment_square(alpha), DEPTH, sympy.oo)
    local = sympy.simplify(EPSILON * sympy.diff(sympy.log(deep), EPSILON)) / 2
    return Rational(sympy.limit(local, EPSILON, 0))


def block_chain(recipe: Recipe) -> Chain:
    """Claims 3 and 4 for one recipe of two-layer blocks, step by step, as powers of L."""
    own = Scale(Integer(0), derive(recipe, observable_named("own-update:1", 2)).scale.depth)
    second = Scale(Integer(0), derive(recipe, observable_named("own-update:2", 2)).scale.depth)
    branch = Scale(Integer(0), -ALPHA).at(powers_of(recipe))
    kinked = recipe.block.activation in KINKED
    chain = Chain()
    chain.add(
        Step(
            key="own",
            symbol=r"|m_1\,\Delta W_1\,h|",
            formula=r"L^{c_1-\alpha}",
            because="the own update of the first internal layer, beside a preactivation of order one",
            scale=own,
        )
    )
    chain.add(
        Step(
            key="norm",
            symbol=r"|\Delta W_2|/|W_2|",
            formula=r"L^{c_2-\alpha}",
            because="a step is aligned with what it was made from, so its norm is that of its own update",
            scale=second,
            source=f"{COMPLETEP}, equation 6",
        )
    )
    half = Scale(Integer(0), own.depth / 2)
    chain.add(
        Step(
            key="linearisation",
            symbol=r"|\Delta b-\Delta b_{lin}|/|\Delta b|",
            formula=r"|\Delta y_1|^{1/2}" if kinked else r"|\Delta y_1|",
            because="a share |dy| of the coordinates crosses the kink and errs by |dy|: |dy|^(3/2) beside |dy|"
            if kinked
            else "the remainder is phi'' (dy)^2 / 2 beside phi' dy; the product dW_2 dW_1 is smaller or equal",
            scale=half if kinked else added(own, second),
            parents=("own", "norm"),
            source=f"{TP6}, 7.6",
        )
    )
    chain.add(
        Step(
            key="overlap",
            symbol=r"<a,p>/n",
            formula=r"L^{c_2-\alpha}+L^{-\alpha}",
            because="W_2 is independent of a at first; from the second step on dW_2^T g points along a, and the "
            "gradient below has moved the block's input along W_1^T W_2^T g",
            scale=added(second, branch),
            parents=("norm",),
        )
    )
    first_sum = chain.add(
        Step(
            key="first-sum",
            symbol=r"|\sum_l\Delta b_{lin}|",
            formula=r"L\;L^{-\alpha}\,L^{c-\alpha}",
            because="every block pushes along g (lemma over_depth, coherent)",
            scale=over_depth(branch * added(own, second), coherent=True),
            parents=("own", "norm"),
        )
    )
    chain.add(
        Step(
            key="second-over-first",
            symbol=r"|\sum_l\Delta W_2\Delta W_1h|/|\sum_l\Delta b_{lin}|",
            formula=r"L^{c-\alpha}\,<a,p>/n",
            because="dW_2 dW_1 h is g <a, p> times both steps: a third factor, and the sum over depth is as coherent",
            scale=product(
                over_depth(product(branch, own, second, chain.scale("overlap")), coherent=True), _inverse(first_sum)
            ),
            parents=("own", "norm", "overlap", "first-sum"),
        )
    )
    return chain


def block_power(recipe: Recipe, key: str) -> Rational:
    """The power of L of one step of ``block_chain``."""
    return Rational(block_chain(recipe).scale(key).depth)


def _inverse(scale: Scale) -> Scale:
    return ONE if scale.zero else Scale(-scale.width, -scale.depth)
