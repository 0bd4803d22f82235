r"""What weight decay does to the stream and to the output, by role.

Claim. A step multiplies W_j by 1 - lambda_j omega_j: it adds -lambda omega y_j to every y_j, a vector that no gradient
has pushed. y_j is made by a W_j that no other block has, so that what the L blocks add to the stream is independent:
    |dh_L from the decay of W_j| = lambda_j omega_j |h_L - h_0| = lambda omega |h| beta L^(1/2),    incoherent,
where the gradient's part of the same step adds up to L. The input's shrinks h_0, the readout's f.

Worked line (alpha = 1, Gamma = 1): lambda omega L^(-1/2). The same power as the branch sum at initialization, for every
j: decay with lambda omega of order one shrinks all that initialization has made, on one time scale.
"""

from __future__ import annotations

from sympy import Expr, Integer

from powercount.derivations.forward import (
    ALPHA,
    SymbolicRole,
    gain_keys,
    gains_between,
    short,
    slope_of_activation,
)
from powercount.derivations.scale import Scale, over_depth, product
from powercount.derivations.sources import HERE, WIDTH_DEPTH
from powercount.derivations.steps import Chain, Step

SOURCE = f"{HERE}; norm counting in {WIDTH_DEPTH} takes the sum over depth as L"


def shrinkage(chain: Chain, roles: dict[str, SymbolicRole], layers: int, activation: str, alpha: Expr = ALPHA) -> None:
    """Add what the decay of each role alone does at one step; exactly zero of roles that do not decay."""
    for role, powers in roles.items():
        letter, rate = short(role), powers.learning_rate * powers.weight_decay
        shrinks = rf"\lambda_{{{letter}}}\,\omega_{{{letter}}}"
        if role == "input":
            seen, formula = chain.scale("start"), r"|h_0|"
            parents: tuple[str, ...] = ("start", "stream")
            because = "h_0 shrinks by that factor, and the stream carries the change on, times a gain of order one"
        elif role == "readout":
            seen, formula, parents = chain.scale("output"), r"|f|", ("output",)
            because = "the output is linear in the readout: it shrinks by that factor"
        else:
            j = int(role.removeprefix("hidden"))
            slopes = product(
                *(slope_of_activation(chain, layers, activation, i) for i in range(layers) if i > 0 or layers == 1)
            )
            block = product(chain.scale("stream"), Scale(Integer(0), -alpha), gains_between(chain, 1, layers), slopes)
            inside = tuple(key for key in chain.steps if key.startswith("preactivation:"))
            seen, formula = over_depth(block, coherent=False), r"L^{1/2}\,L^{-\alpha}\prod_i\Gamma_i\,|h|"
            parents = ("stream", *gain_keys(1, layers), *inside)
            because = (
                f"each block's y_{j} shrinks by that factor; it is made by matrices that no other block has: "
                "independent vectors add up over depth (lemma over_depth, incoherent)"
            )
        chain.add(
            Step(
                key=f"decay-update:{role.removeprefix('hidden')}",
                symbol=rf"|\Delta {'f' if role == 'readout' else 'h_L'}|_{{{letter}}}",
                formula=rf"{shrinks}\,{formula}",
                because=because if not rate.zero else f"{role} has no weight decay",
                scale=product(rate, seen),
                parents=parents,
                source=SOURCE,
            )
        )
