r"""Sizes at initialization, forward and backward.

Symbols: sigma_r, m_r, lambda_r are the initial standard deviation, multiplier and learning rate of
role r; L^(-alpha) multiplies a branch; k is the number of internal layers.

Claim. With the gains Gamma_j = m_j sigma_j n^(1/2) and the branch gain beta = L^(-alpha) prod_j Gamma_j,
    |h_L| = |h_0| = m_in sigma_in,   |h_L - h_0| = |h_0| beta L^(1/2),
    |df/dh_l| = m_out sigma_out,     |f| = m_out sigma_out n^(1/2) |h_L|,
as long as beta <= n^0 L^(-1/2): the exact infinite-width recursion is |h_l|^2 = |h_{l-1}|^2 (1 + c beta^2)
with c of order one, so |h_L|^2 = |h_0|^2 (1 + c beta^2)^L: beyond that line an unbounded activation makes the
stream grow faster than any power, and a bounded one saturates and leaves the algebra.

Assumptions: independent centred weights; an activation that is of order |y| where its input is small or
large (or of order one and fed with inputs that do not grow). Worked line: depth-mup has Gamma_j = 1,
beta = L^(-1/2), so |h_L - h_0| = L^0; CompleteP has beta = L^(-1), so |h_L - h_0| = L^(-1/2).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sympy import Expr, Integer, Rational, Symbol

from powercount.derivations.recipe import KINDS, Power, Recipe, role_names
from powercount.derivations.scale import ONE, ZERO, Scale, independent, over_depth, product
from powercount.derivations.sources import TP6
from powercount.derivations.steps import Chain, Condition, Step

SATURATING = ("erf", "tanh")
KINKED = ("relu", "abs")
ALPHA = Symbol("alpha", real=True)
_LETTER = {
    "init_std": "sigma",
    "multiplier": "m",
    "learning_rate": "lambda",
    "weight_decay": "omega",
    "epsilon": "epsilon",
}
_SHORT = {"input": "in", "readout": "out"}


@dataclass(frozen=True, slots=True)
class SymbolicRole:
    """The scales of a role, with symbolic powers; zero where weights start at zero or do not decay, or no epsilon."""

    init_std: Scale
    multiplier: Scale
    learning_rate: Scale
    weight_decay: Scale
    epsilon: Scale


def short(role: str) -> str:
    """The index a role wears in formulas: in, 1, 2, ..., out."""
    return _SHORT.get(role, role.removeprefix("hidden"))


def power_symbol(role: str, kind: str, axis: str) -> Symbol:
    """The symbol of one power, such as lambda_1^L: the power of L on hidden1's learning rate."""
    return Symbol(f"{_LETTER[kind]}_{short(role)}^{'n' if axis == 'width' else 'L'}", real=True)


def symbolic_roles(layers: int, absent: frozenset[tuple[str, str]]) -> dict[str, SymbolicRole]:
    """Every role with free powers but those (role, kind) that are ``absent``: zero."""
    roles = {}
    for role in role_names(layers):
        scales = [Scale(power_symbol(role, kind, "width"), power_symbol(role, kind, "depth")) for kind in KINDS]
        there = zip(KINDS, scales, strict=True)
        roles[role] = SymbolicRole(*(ZERO if (role, kind) in absent else scale for kind, scale in there))
    return roles


def placed_roles(recipe: Recipe) -> dict[str, SymbolicRole]:
    """Every role with the powers of a recipe."""

    def scale(power: Power | None) -> Scale:
        return ZERO if power is None else Scale(Rational(power.width), Rational(power.depth))

    return {
        name: SymbolicRole(*(scale(getattr(role, kind)) for kind in KINDS))
        for name, role in recipe.parametrization.roles()
    }


def powers_of(recipe: Recipe) -> dict[Expr, Expr]:
    """What each symbol stands for in a recipe."""
    values: dict[Expr, Expr] = {ALPHA: Rational(-recipe.parametrization.branch)}
    for name, role in recipe.parametrization.roles():
        for kind in KINDS:
            power = getattr(role, kind)
            if power is not None:
                values[power_symbol(name, kind, "width")] = Rational(power.width)
                values[power_symbol(name, kind, "depth")] = Rational(power.depth)
    return values


def gains_between(chain: Chain, first: int, last: int) -> Scale:
    """Gamma_first ... Gamma_last, or 1 where there is none."""
    return product(*(chain.scale(f"gain:{j}") for j in range(first, last + 1)))


def gain_keys(first: int, last: int) -> tuple[str, ...]:
    """The steps ``gains_between`` rests on."""
    return tuple(f"gain:{j}" for j in range(first, last + 1))


def slope_of_activation(chain: Chain, layers: int, activation: str, j: int) -> Scale:
    """Size of phi'(y_j): one, but exactly zero at the kink of an activation fed with exact zeros."""
    dead = activation in KINKED and chain.scale(f"preactivation:{j}").zero
    return ZERO if dead else ONE


def _stability(beta: Scale, activation: str) -> Iterator[Condition]:
    if beta.zero:
        return
    bounded = activation in SATURATING
    saturates = f"{activation} saturates as the stream grows, so that phi(y) is no longer of order |y| and the algebra "
    saturates += "does not hold (bounded branches add up to a power at most)"
    yield Condition(
        axis="depth",
        power=beta.depth,
        bound=-Rational(1, 2),
        reason="the branch gain beta exceeds L^(-1/2): "
        + (saturates if bounded else "|h_L|^2 ~ (1 + c beta^2)^L grows faster than any power of L"),
    )
    yield Condition(
        axis="width",
        power=beta.width,
        bound=Integer(0),
        reason="the branch gain beta grows with n: "
        + (
            saturates
            if bounded
            else "every block multiplies the stream by a positive power of n, and the power of n grows with depth, so "
            "that no single exponent describes it"
        ),
    )


def _no_saturation(activation: str, what: str, size: Scale) -> Iterator[Condition]:
    if activation not in SATURATING or size.zero:
        return
    for axis in ("width", "depth"):
        letter = "n" if axis == "width" else "L"
        yield Condition(
            axis=axis,
            power=size.along(axis),
            bound=Integer(0),
            reason=f"{activation} saturates: its input {what} grows with {letter}, so that phi(y) is no longer "
            "of order |y| and the algebra does not hold",
        )


def forward(chain: Chain, roles: dict[str, SymbolicRole], layers: int, activation: str, alpha: Expr = ALPHA) -> None:
    """Add the sizes at initialization to the chain; ``alpha`` is a symbol or the recipe's own."""
    start = chain.add(
        Step(
            key="start",
            symbol=r"|h_0|",
            formula=r"m_{in}\,\sigma_{in}\,|x|/\sqrt d",
            because="the input has fixed dimension: a sum of d terms, whatever n and L",
            scale=product(roles["input"].multiplier, roles["input"].init_std),
        )
    )
    size = start
    if layers == 1:
        chain.add(
            Step(
                key="preactivation:0",
                symbol=r"|h_l|",
                formula=r"|h_0|",
                because="with one internal layer the activation reads the stream itself",
                scale=start,
                parents=("start",),
                conditions=tuple(_no_saturation(activation, "h", start)),
            )
        )
    for j in range(1, layers + 1):
        role = roles[f"hidden{j}"]
        gain = chain.add(
            Step(
                key=f"gain:{j}",
                symbol=rf"\Gamma_{j}",
                formula=rf"m_{j}\,\sigma_{j}\,n^{{1/2}}",
                because=f"W_{j} meets a vector independent of it: n^(1/2) (lemma independent)",
                scale=product(role.multiplier, role.init_std, independent),
            )
        )
        size = size * gain
        if j < layers:
            chain.add(
                Step(
                    key=f"preactivation:{j}",
                    symbol=rf"|y_{j}|",
                    formula=rf"|h|\,\prod_{{i\le {j}}}\Gamma_i",
                    because="one gain per internal layer; the activation keeps the order of its input",
                    scale=size,
                    parents=("start", *gain_keys(1, j)),
                    conditions=tuple(_no_saturation(activation, f"y_{j}", size)),
                )
            )
    inside = tuple(key for key in chain.steps if key.startswith("preactivation:"))
    beta = chain.add(
        Step(
            key="branch-gain",
            symbol=r"\beta",
            formula=r"L^{-\alpha}\prod_j\Gamma_j",
            because="a branch multiplies the size of the stream by its gains and by L^(-alpha)",
            scale=product(
                Scale(Integer(0), -alpha),
                gains_between(chain, 1, layers),
                *(slope_of_activation(chain, layers, activation, j) for j in range(layers) if j > 0 or layers == 1),
            ),
            parents=(*gain_keys(1, layers), *inside),
        )
    )
    stream = chain.add(
        Step(
            key="stream",
            symbol=r"|h_L|",
            formula=r"|h_0|\,(1+c\,\beta^2)^{L/2}",
            because="branches are independent of the stream and of mean zero, so squares add; the product stays "
            "of order one if and only if beta <= L^(-1/2)",
            scale=start,
            parents=("start", "branch-gain"),
            conditions=tuple(_stability(beta, activation)),
            assumes=("weights independent and centred at initialization",),
            source=f"{TP6}, section 7; stable at initialization iff alpha >= 1/2",
        )
    )
    chain.add(
        Step(
            key="branch-sum",
            symbol=r"|h_L-h_0|",
            formula=r"|h_0|\,\beta\,L^{1/2}",
            because="a sum of L independent branches of mean zero: L^(1/2) (lemma over_depth, incoherent)",
            scale=over_depth(stream * beta, coherent=False),
            parents=("stream", "branch-gain"),
        )
    )
    readout = roles["readout"]
    chain.add(
        Step(
            key="gradient",
            symbol=r"|g_l|=|\partial f/\partial h_l|",
            formula=r"m_{out}\,\sigma_{out}\,(1+c\,\beta^2)^{(L-l)/2}",
            because="the gradient starts as the readout's row and meets the transposed branches, of the same gain; "
            "the condition is the forward one",
            scale=product(readout.multiplier, readout.init_std),
            parents=("stream",),
            assumes=("at initialization the backward pass may treat W^T as independent of the forward pass",),
        )
    )
    chain.add(
        Step(
            key="output",
            symbol=r"|f|",
            formula=r"m_{out}\,\sigma_{out}\,n^{1/2}\,|h_L|",
            because="the readout is independent of the stream: n^(1/2) (lemma independent)",
            scale=product(readout.multiplier, readout.init_std, independent, stream),
            parents=("stream",),
        )
    )
