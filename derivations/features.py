r"""What one step does to preactivations, stream and output, by role.

Claim. The own update of W_j in block l moves the stream by L^(-alpha) M_j M_j^T (..) g_l, where
M_j = prod_{i>j} m_i W_i phi'. Its trace part is prod_{i>j} Gamma_i^2 times the identity and positive, so the
L blocks push along g together: the sum over depth is coherent,
    |dh_L from W_j| = L  L^(-2 alpha) chi g  m_j^2 lambda_j n |z_j|^2  prod_{i>j} Gamma_i^2.
The output sees it through its own gradient, again aligned: |df from W_j| = n g |dh_L from W_j|; for one
example this is exactly chi lambda_j sum_l |df/dW_j,l|^2, every summand positive.
The whole change of a preactivation is its own update and the inherited one, dy_1 = own + m_1 W_1 dh.

Worked line (muP in width, k = 2): dh_L from W_1 is L^(1 - 2 alpha + c_1): at alpha = 1/2 it is L^0 for
c_1 = 0 and L^(1/2) for c_1 = 1/2. dy_1 is then max(L^(c_1 - alpha), L^0) = L^0: a check that looks at
activations alone does not see the collapse.
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
from powercount.derivations.scale import ZERO, Scale, added, aligned, over_depth, product
from powercount.derivations.steps import Chain, Step


def features(
    chain: Chain,
    roles: dict[str, SymbolicRole],
    layers: int,
    activation: str,
    alpha: Expr = ALPHA,
    *,
    learned: bool = False,
) -> None:
    """Add the changes of stream, preactivations and output to the chain.

    ``learned``: of several steps of a readout that starts at zero, to leading order in the rate. A role that moves
    alone leaves the readout at zero and gets no gradient; the output's change is the readout's own.
    """
    share = "share" if learned else "feature-update"
    chain.add(
        Step(
            key=f"{share}@input",
            symbol=r"|\Delta h_L|_{in}",
            formula=r"|m_{in}\Delta W_{in}x|/\sqrt d",
            because="the stream carries the change of h_0 to the end, times a gain of order one",
            scale=chain.scale("own-update:input"),
            parents=("own-update:input", "stream"),
        )
    )
    for j in range(1, layers + 1):
        slopes = product(*(slope_of_activation(chain, layers, activation, i) for i in range(j, layers)))
        step = product(Scale(Integer(0), -alpha), gains_between(chain, j + 1, layers), slopes)
        chain.add(
            Step(
                key=f"{share}@hidden{j}",
                symbol=rf"|\Delta h_L|_{{{j}}}",
                formula=rf"L\;L^{{-\alpha}}\prod_{{i>{j}}}\Gamma_i\;|m_{j}\Delta W_{j}z_{j}|",
                because="one block's own update reaches the stream through M M^T, whose trace part is positive: all "
                "L blocks push along g together (lemma over_depth, coherent)",
                scale=over_depth(step * chain.scale(f"own-update:{j}"), coherent=True),
                parents=(f"own-update:{j}", "stream", *gain_keys(j + 1, layers)),
                assumes=("the gradient varies slowly along depth, so that updates of different blocks are aligned",),
            )
        )
    chain.add(
        Step(
            key="feature-update@readout",
            symbol=r"|\Delta h_L|_{out}",
            formula="0",
            because="the stream does not read the readout: its change is exactly zero",
            scale=ZERO,
        )
    )
    moving = tuple(f"{share}@{role}" for role in roles if role != "readout")
    chain.add(
        Step(
            key="feature-update",
            symbol=r"|\Delta h_L|",
            formula=r"\sum_r|\Delta h_L|_r",
            because="each role's share is a positive operator on the same gradient: they cannot cancel (lemma added)",
            scale=added(*(chain.scale(key) for key in moving)),
            parents=moving,
        )
    )
    inherited, above = chain.scale("feature-update"), "feature-update"
    for j in range(1, layers + 1):
        if j > 1 or layers == 1:
            inherited = inherited * slope_of_activation(chain, layers, activation, j - 1)
        inherited = chain.add(
            Step(
                key=f"total-update:{j}",
                symbol=rf"|\Delta y_{j}|",
                formula=rf"|m_{j}\Delta W_{j}z_{j}|+\Gamma_{j}\,|{'Δh' if j == 1 else f'Δy_{j - 1}'}|".replace(
                    "Δ", r"\Delta "
                ),
                because="own update plus what it inherits from below through W at its initial value"
                + ("; at mid-depth half of the blocks have pushed the stream" if j == 1 else ""),
                scale=added(chain.scale(f"own-update:{j}"), chain.scale(f"gain:{j}") * inherited),
                parents=(f"own-update:{j}", f"gain:{j}", above),
            )
        )
        above = f"total-update:{j}"
    if learned:
        _alone(chain, roles)
        return
    reach = product(aligned, chain.scale("gradient"))
    for role in roles:
        seen, symbol = f"feature-update@{role}", short(role)
        chain.add(
            Step(
                key=f"output-update@{role}",
                symbol=rf"|\Delta f|_{{{symbol}}}",
                formula=r"|m_{out}\Delta W_{out}h_L|" if role == "readout" else rf"n\,g\,|\Delta h_L|_{{{symbol}}}",
                because="the readout's own update is the change of the output"
                if role == "readout"
                else "the change of the stream lies along the gradient the output has on it (lemma aligned)",
                scale=chain.scale("own-update:readout") if role == "readout" else reach * chain.scale(seen),
                parents=("own-update:readout",) if role == "readout" else (seen, "gradient"),
            )
        )
    every = tuple(f"output-update@{role}" for role in roles)
    chain.add(
        Step(
            key="output-update",
            symbol=r"|\Delta f|",
            formula=r"\sum_r|\Delta f|_r",
            because="for one example every share is -chi times a positive number: they cannot cancel (lemma added)",
            scale=added(*(chain.scale(key) for key in every)),
            parents=every,
        )
    )


def _alone(chain: Chain, roles: dict[str, SymbolicRole]) -> None:
    """What a role moves by itself while the readout stays at zero: nothing; and what the readout moves."""
    for role in roles:
        for quantity in ("feature-update", "output-update"):
            if f"{quantity}@{role}" in chain.steps or (role, quantity) == ("readout", "output-update"):
                continue
            chain.add(
                Step(
                    key=f"{quantity}@{role}",
                    symbol=rf"|\Delta {'h_L' if quantity == 'feature-update' else 'f'}|_{{{short(role)}}}",
                    formula="0",
                    because="where this role moves alone the readout stays at zero, and no gradient reaches it",
                    scale=ZERO,
                )
            )
    for key, role in (("output-update@readout", "out"), ("output-update", "")):
        chain.add(
            Step(
                key=key,
                symbol=rf"|\Delta f|_{{{role}}}" if role else r"|\Delta f|",
                formula=r"|m_{out}\Delta W_{out}h_L|",
                because="the readout's own update is the change of the output; hidden matrices change it at the third "
                "order in the rate",
                scale=chain.scale("own-update:readout"),
                parents=("own-update:readout",),
            )
        )
