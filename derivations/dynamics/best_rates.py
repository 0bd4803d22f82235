r"""How the best learning rate and the edge of stability move with depth.

Claim. A step at base rate eta moves the output by eta S, with S = sum over the roles that move of their shares
|df|_r. Training sees the rate through that product first: the loss falls at a speed set by eta S, and the step
overshoots once eta S times the curvature of the loss in f, which knows neither n nor L, passes two. Hence
    best rate, edge of stability, rate of equal progress  ~  1 / S  =  n^(-max_r a_r) L^(-max_r b_r),
where |df|_r ~ n^(a_r) L^(b_r): the largest share among the moving roles sets the rate for all of them.

Assumptions. S at initialization stands for S along the way, that is, the dynamics in the rescaled rate has a limit.
The speed asks for nothing more, being read off before anything has moved far. The optimum lies where features
have moved by order one: it inherits the power, and approaches it as slowly as that limit is approached.

What moves: "all" roles; the "hidden" ones alone; or "split", where input and readout move at a fixed base rate and
the rate of the hidden ones is swept: the fixed part of S is of order one and leaves the power of the rest alone.

Worked line (muP in width, k = 2): |df|_(hidden j) ~ L^(1 - 2 alpha + c_j), so hidden alone go as
L^(-max_j(1 - 2 alpha + c_j)): L^0 under depth-mup, L^(-1/2) with sqrt(L) on the first rate, L^0 under completep.
With all roles moving, the input and readout shares L^0 join the maximum: -1/2 stays the limit, but is far off
while sqrt(L) times the first matrix's share has not outgrown them (``depth_for_half``).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from sympy import Expr, Rational

from powercount.derivations.forward import powers_of
from powercount.derivations.predict import Prediction, chain_of, derive
from powercount.derivations.recipe import Observable, Recipe, check_name
from powercount.derivations.scale import added
from powercount.derivations.steps import Chain, Step

MODES: Final = ("all", "hidden", "split")
BEST_RATE: Final = Observable(quantity="best-rate")


def moving_roles(recipe: Recipe, mode: str) -> tuple[str, ...]:
    """The roles whose rate is swept."""
    check_name("mode", mode, MODES)
    return recipe.role_names if mode == "all" else recipe.role_names[1:-1]


def best_rate(recipe: Recipe, mode: str = "all") -> Prediction:
    """The powers of n and L of the best rate, with the chain they come from; a reason where there is none."""
    roles = moving_roles(recipe, mode)
    shares = tuple(f"output-update@{role}" for role in roles)
    chain = Chain(steps=dict(chain_of(recipe).steps))
    chain.add(
        Step(
            key="moving-share",
            symbol="S",
            formula=r"\sum_r|\Delta f|_r",
            because="a step at base rate one moves the output by the shares of the roles whose rate is swept, "
            f"here {', '.join(roles)}: positive, so that they cannot cancel (lemma added)",
            scale=added(*(chain.scale(share) for share in shares)),
            parents=shares,
        )
    )
    chain.add(
        Step(
            key=str(BEST_RATE),
            symbol=r"\lambda",
            formula=r"1/S",
            because="progress and overshoot alike depend on the rate times S; the curvature of the loss in f knows "
            "neither n nor L",
            scale=chain.scale("moving-share") ** -1,
            parents=("moving-share",),
            assumes=("the dynamics at rate 1/S has a limit in L, which S at initialization sets",),
        )
    )
    steps, values = chain.behind(str(BEST_RATE)), powers_of(recipe)
    alone = [derive(recipe, Observable(quantity="output-update", role=role)) for role in roles]
    alive = [each for each in alone if not each.vanishes] or alone
    broken = dict(reason for each in alive for reason in each.reasons)
    return Prediction(
        recipe=recipe,
        observable=BEST_RATE,
        scale=steps[-1].scale.at(values),
        steps=tuple(replace(step, scale=step.scale.at(values)) for step in steps),
        symbols=tuple(step.scale for step in steps),
        reasons=tuple(broken.items()),
    )


def depth_for_half(hidden: Expr, others: Expr, power: Rational) -> Expr:
    """The depth from which a share hidden L^power makes up half of S, the others' share being of order one.

    Worked line: input and readout hold 3 of 4 parts, the first matrix 1/2, growing as L^(1/2): L = (3 / (1/2))^2 = 36.
    """
    return (others / hidden) ** (1 / power)
