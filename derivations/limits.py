r"""The second road to an exponent: closed forms in n and L, and SymPy's limit of them.

For a homogeneous activation, E phi(y)^2 = c E y^2 and E phi'^2 = E phi'^4 = c (linear and abs 1, relu 1/2),
the recursions of ``mean_field`` solve in closed form. With e = L^(-2 alpha), epsilon = e times the product
of the squared gains and of c once per activation, and r = 1 + epsilon:
    E h_l^2 = q_0 r^l,     E g_l^2 = G_L r^(L-l),     own updates = o_j h^2,     R = rho q_0 r^(l-1),
    t_l = tr K_l   = r^l (t_0 + l b),  b = e rho q_0 / r,
    s_l = tr K_l^2 = r^(2l) (t_0^2 + r^(-2) sum_{i<l} [A (t_0 + i b)^2 + B (t_0 + i b) + D]),
a sum of squares that is a cubic in l. The exponent is the limit of log(rms)/log(size). Nothing here reads
``scale`` or the chain built on it, so agreement of the two roads tests both.

Branches add up to |h_L - h_0|^2 = q_0 epsilon S, S = sum_{l<L} r^l.

Where there is no exponent the limit shows it by itself: along L it is infinite; along n it differs between
one depth and another. Left out for k = 1 and relu: the correlation of slopes across blocks, a factor of
order one in s. L is even, so that mid-depth is L/2. Worked line: depth-mup, k = 2, linear:
|m_1 dW_1 z_1|^2 = chi^2 q_0^2 L^(-1) r^(3L/2 - 2), r = 1 + 1/L, and the exponent is -1/2.
"""

from __future__ import annotations

from functools import cached_property
from typing import Final

import sympy
from sympy import Expr, Integer, Rational, Symbol

from powercount.derivations.moments import Moments
from powercount.derivations.recipe import Axis, Observable, Power, Recipe
from powercount.derivations.traces import Traces

n: Final = Symbol("n", positive=True)
L: Final = Symbol("L", positive=True)
r: Final = Symbol("r", positive=True)
S: Final = Symbol("S", positive=True)
ERROR: Final = Symbol("chi^2", positive=True)
CLASSES: Final = 10
HOMOGENEOUS: Final = {"linear": Integer(1), "abs": Integer(1), "relu": Rational(1, 2)}
FLUCTUATION: Final = {"linear": 2, "abs": 2, "relu": 5}
KINKED: Final = ("relu", "abs")
TWO_DEPTHS: Final = (16, 81)


def _value(power: Power | None) -> Expr:
    return Integer(0) if power is None else n ** Rational(power.width) * L ** Rational(power.depth)


class ClosedForm:
    """The mean squares of a recipe's observables as expressions in n, L, r, S and, for cross-entropy, chi^2.

    Raises ``KeyError`` for an activation that is not homogeneous.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe, self.layers = recipe, recipe.block.layers
        roles = dict(recipe.parametrization.roles())
        self.hidden = tuple(f"hidden{j}" for j in range(1, self.layers + 1))
        self.std = {name: _value(role.init_std) for name, role in roles.items()}
        self.multiplier = {name: _value(role.multiplier) for name, role in roles.items()}
        self.rate = {name: _value(role.learning_rate) for name, role in roles.items()}
        self.branch = L ** (2 * Rational(recipe.parametrization.branch))
        self.gains = tuple(n * (self.multiplier[role] * self.std[role]) ** 2 for role in self.hidden)
        self.start = (self.multiplier["input"] * self.std["input"]) ** 2
        self.last_gradient = (self.multiplier["readout"] * self.std["readout"]) ** 2
        # By internal layer: E z_j^2 per unit of the stream's, and the slopes its input has gone through.
        self.incoming, self.slopes = [], []
        size = Integer(1)
        for j, gain in enumerate(self.gains):
            dead = recipe.block.activation in KINKED and self.start * size == 0
            reads_stream = j == 0 and self.layers > 1
            c = Integer(1) if reads_stream else Integer(0) if dead else HOMOGENEOUS[recipe.block.activation]
            self.incoming.append(c * size)
            self.slopes.append(Moments(c, c, c))
            size = gain * c * size
        self.epsilon = self.branch * size

    def stream(self, block: Expr) -> Expr:
        """E h_l^2."""
        return self.start * r**block

    def gradient(self, block: Expr) -> Expr:
        """E g_l^2."""
        return self.last_gradient * r ** (L - block)

    def signal(self, j: int) -> Expr:
        """E (df/dy_j)^2 at mid-depth."""
        passed = sympy.prod(self.slopes[i].slope_square * self.gains[i] for i in range(j, self.layers))
        return self.branch * self.gradient(L / 2) * passed

    def own(self, j: int) -> Expr:
        """o_j: the coefficient of the own update of internal layer j, per unit of E h^2."""
        role = self.hidden[j - 1]
        return self.rate[role] * self.multiplier[role] ** 2 * n * self.incoming[j - 1]

    def error(self) -> Expr:
        """E |dloss/df|^2: for cross-entropy a symbol, between 1 - 1/C and 2 - 2/C whatever f."""
        if self.recipe.optimizer.loss == "cross-entropy":
            return ERROR
        return CLASSES * self.last_gradient * n * self.stream(L) + 1

    def through(self, traces: Traces, roles: frozenset[str], size: Expr, layers: int) -> Traces:
        """The traces after the first ``layers`` internal layers of a block whose stream has E h^2 = ``size``."""
        for j in range(layers):
            own = self.own(j + 1) * size if self.hidden[j] in roles else Integer(0)
            traces = traces.through_slopes(self.slopes[j]).through_weights(self.gains[j]).plus(own)
        return traces

    def kernel(self, roles: frozenset[str], blocks: Expr) -> tuple[Expr, Expr]:
        """(tr K, tr K^2) after that many blocks when only ``roles`` move."""
        e = self.branch
        t = self.rate["input"] * self.multiplier["input"] ** 2 if "input" in roles else Integer(0)
        zero, one = Integer(0), Integer(1)
        block = self.through(Traces(one, one, zero, zero, zero), roles, self.start, self.layers)
        b = e * block.r / r
        spread = 2 * self.epsilon + e**2 * (block.xx - block.x**2)
        once, twice = blocks * (blocks - 1) / 2, (blocks - 1) * blocks * (2 * blocks - 1) / 6
        pushed = spread * (blocks * t**2 + 2 * t * b * once + b**2 * twice)
        pushed += 2 * e * (block.r + e * block.xr) * (blocks * t + b * once) + e**2 * block.rr * blocks
        return r**blocks * (t + blocks * b), r ** (2 * blocks) * (t**2 + pushed / r**2)

    def total_update(self, j: int) -> Expr:
        """E (dy_j)^2 at the mid-depth block, per unit of chi^2."""
        below, moving = L / 2 - 1, frozenset(("input", *self.hidden))
        t, s = self.kernel(moving, below)
        inherited = s * self.gradient(L / 2) * sympy.prod(self.slopes[i].slope_square * self.gains[i] for i in range(j))
        here = self.through(Traces(Integer(1), Integer(1), t, s, t), moving, self.stream(below), j)
        return inherited + here.rr * self.signal(j)

    @cached_property
    def _readout(self) -> Expr:
        return self.rate["readout"] * self.multiplier["readout"] ** 2 * n * self.stream(L)

    def mean_square(self, observable: Observable) -> Expr:
        """The closed form of one observable's mean square."""
        everything = ("input", *self.hidden)
        match observable.quantity, observable.role:
            case "stream", None:
                return self.stream(L)
            case "branch-sum", None:
                return self.start * self.epsilon * S
            case "gradient", None:
                return self.gradient(L / 2)
            case "output", None:
                return self.last_gradient * n * self.stream(L)
            case "own-update", "input":
                return (
                    self.error() * (self.rate["input"] * self.multiplier["input"] ** 2) ** 2 * self.gradient(Integer(0))
                )
            case "own-update", "readout":
                return self.error() / CLASSES * self._readout**2
            case "own-update", str(role):
                j = self.hidden.index(role) + 1
                activations = j - 1 if self.layers > 1 else 1
                chance = 1 + (2 + FLUCTUATION[self.recipe.block.activation] * activations) / n
                return self.error() * (self.own(j) * self.stream(L / 2 - 1)) ** 2 * self.signal(j) * chance
            case "total-update", str(role):
                return self.error() * self.total_update(self.hidden.index(role) + 1)
            case "feature-update", role:
                moving = frozenset(everything if role is None else (role,))
                return self.error() * self.kernel(moving, L)[1] * self.last_gradient
            case "output-update", role:
                t, s = self.kernel(frozenset(everything if role is None else (role,)), L)
                reach = n * self.last_gradient
                mean = reach * t + (self._readout if role in (None, "readout") else 0)
                return self.error() / CLASSES * (mean**2 + (CLASSES + 1) * reach**2 * s / n)
        raise ValueError(f"no closed form for {observable}")


def closed_form(recipe: Recipe, observable: Observable) -> Expr:
    """E of the observable's square over coordinates and initializations, in n and L (and chi^2)."""
    form = ClosedForm(recipe)
    blocks = L if form.epsilon == 0 else (r**L - 1) / form.epsilon
    return form.mean_square(observable).subs(S, blocks).subs(r, 1 + form.epsilon)


def _power(mean_square: Expr, size: Symbol) -> Rational:
    """The limit of the local slope d log(rms) / d log(size)."""
    expanded = sympy.expand(mean_square)
    return sympy.limit(size * expanded.diff(size) / expanded, size, sympy.oo) / 2


def limit_exponent(recipe: Recipe, observable: Observable, axis: Axis) -> Rational | None:
    """The exact power of n or L in the limit; None where it is identically zero or no power at all.

    Every mean square is a sum of positive terms. Where r^L stays finite, a power of r lies between 1 and a
    constant, and S between L and a multiple of L: replacing them by 1 and L leaves the power of the whole as it
    is. Where r grows with n, so does replacing them by their leading terms.
    """
    form = ClosedForm(recipe)
    mean_square, growth = form.mean_square(observable), 1 + form.epsilon
    if mean_square == 0:
        return None
    if axis == "depth":
        # All terms are positive powers of n times functions of L: any n shows the power of L.
        if sympy.limit(growth.subs(n, 1) ** L, L, sympy.oo) == sympy.oo:
            return None
        return _power(mean_square.subs({n: 1, S: L, r: 1}), L)
    powers = set()
    for depth in TWO_DEPTHS:
        here = form.epsilon.subs(L, depth)
        grows = sympy.limit(here, n, sympy.oo) == sympy.oo
        leading = {S: here ** (depth - 1), r: here} if grows else {S: depth, r: 1}
        powers.add(_power(mean_square.subs(L, depth).subs(leading), n))
    return powers.pop() if len(powers) == 1 else None
