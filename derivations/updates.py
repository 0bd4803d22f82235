r"""One optimizer step: the error signal, the gradient at every preactivation, every role's own update.

Claim (SGD). With f's error signal chi = dloss/df, g = df/dh and delta_j = dloss/dy_j,
    delta_j = chi g L^(-alpha) prod_{i>j} Gamma_i,      dW_j = -lambda_j m_j delta_j z_j^T,
    own update   m_j dW_j z_j = -lambda_j m_j^2 delta_j <z_j, z_j>,   <z_j, z_j> = n |z_j|^2.
Another optimizer has another rule for the last line (``optimizers``).
Input and readout likewise: m_in^2 lambda_in chi g <x, x>/d, and m_out^2 lambda_out chi <h_L, h_L>.

Worked line (muP in width, k = 2): lambda_1 = n L^(c_1), m_1^2 n |z|^2 = 1, g = n^(-1): the own update of
the first internal layer is L^(c_1 - alpha). At alpha = 1/2 and c_1 = 0 it collapses as L^(-1/2)
(arXiv 2512.21075, the two-layer collapse).
"""

from __future__ import annotations

from sympy import Expr, Integer

from powercount.derivations.forward import (
    ALPHA,
    SymbolicRole,
    gain_keys,
    gains_between,
    slope_of_activation,
)
from powercount.derivations.optimizers import SGD, Meeting, SizeRule
from powercount.derivations.scale import ONE, Scale, added, aligned, product
from powercount.derivations.sources import NFD, TP6
from powercount.derivations.steps import Chain, Step

LEARNED = "learned-gradient"


def updates(
    chain: Chain,
    roles: dict[str, SymbolicRole],
    layers: int,
    activation: str,
    loss: str,
    alpha: Expr = ALPHA,
    *,
    rule: SizeRule = SGD,
    learned: bool = False,
) -> None:
    """Add one step at base rate 1 to the chain; ``learned``: the step after one that moved a zero readout."""
    bounded = loss == "cross-entropy"
    chain.add(
        Step(
            key="error",
            symbol=r"\chi=\partial\mathrm{loss}/\partial f",
            formula="p-e_y" if bounded else "f-y",
            because="a difference of probabilities: of order one whatever f"
            if bounded
            else "the labels are of order one and the output adds its own size (lemma added)",
            scale=ONE if bounded else added(ONE, chain.scale("output")),
            parents=() if bounded else ("output",),
        )
    )
    if learned:
        chain.add(
            Step(
                key=LEARNED,
                symbol=r"|g|=|\partial f/\partial h_L|",
                formula=r"m_{out}^2\,\lambda_{out}\,\chi\,|h_L|",
                because="the first step writes -lambda m chi h_L^T into a readout that starts at zero: from the second "
                "step on the gradient is that times m, along the stream itself",
                scale=product(
                    roles["readout"].multiplier ** 2,
                    roles["readout"].learning_rate,
                    chain.scale("error"),
                    chain.scale("stream"),
                ),
                parents=("error", "stream"),
            )
        )
    slope_of_output = LEARNED if learned else "gradient"
    error, gradient, stream = (chain.scale(key) for key in ("error", slope_of_output, "stream"))
    for j in range(layers, 0, -1):
        slopes = product(*(slope_of_activation(chain, layers, activation, i) for i in range(j, layers)))
        chain.add(
            Step(
                key=f"backward:{j}",
                symbol=rf"|\delta_{j}|=|\partial\mathrm{{loss}}/\partial y_{j}|",
                formula=rf"\chi\,g\,L^{{-\alpha}}\prod_{{i>{j}}}\Gamma_i",
                because="the gradient passes the branch factor and the transposed matrices above",
                scale=product(error, gradient, Scale(Integer(0), -alpha), gains_between(chain, j + 1, layers), slopes),
                parents=("error", slope_of_output, *gain_keys(j + 1, layers)),
            )
        )
    for j in range(1, layers + 1):
        incoming = stream * gains_between(chain, 1, j - 1)
        below = (f"preactivation:{j - 1}",) if f"preactivation:{j - 1}" in chain.steps else ()
        met = Meeting(
            role=roles[f"hidden{j}"],
            delta=chain.scale(f"backward:{j}"),
            size=incoming,
            coordinates=aligned,
            rows=aligned,
            letters=(f"m_{j}", rf"\lambda_{j}"),
            signal=rf"|\delta_{j}|",
            square=rf"\;n\,|z_{j}|^2",
            sum=rf"\;n\,|z_{j}|",
            norm=rf"\;|z_{j}|",
            keys=(f"backward:{j}",),
        )
        here = rule.of(met.role)
        chain.add(
            Step(
                key=f"own-update:{j}",
                symbol=rf"|m_{j}\,\Delta W_{j}\,z_{j}|",
                formula=here.formula(met),
                because=f"{here.step}, and it meets the z it was made from: {here.meets}, "
                f"with |z_{j}| = {'|h|' if j == 1 else f'|y_{j - 1}|'}",
                scale=here.size(met),
                parents=("stream", *here.parents(met), *gain_keys(1, j - 1), *below),
                source=f"{NFD} (first internal layer of a two-layer block); {TP6}, section 9",
            )
        )
    met = Meeting(
        role=roles["input"],
        delta=product(error, gradient),
        size=ONE,
        coordinates=ONE,
        rows=aligned,
        letters=("m_{in}", r"\lambda_{in}"),
        signal=r"\chi\,g",
        square=r"\;|x|^2/d",
        sum=r"\;|x|_1/\sqrt d",
        norm=r"\;|x|/\sqrt d",
        keys=("error", slope_of_output),
    )
    here = rule.of(met.role)
    chain.add(
        Step(
            key="own-update:input",
            symbol=r"|m_{in}\,\Delta W_{in}\,x|/\sqrt d",
            formula=here.formula(met),
            because=f"the same with {here.fixed}",
            scale=here.size(met),
            parents=here.parents(met),
        )
    )
    met = Meeting(
        role=roles["readout"],
        delta=error,
        size=stream,
        coordinates=aligned,
        rows=ONE,
        letters=("m_{out}", r"\lambda_{out}"),
        signal=r"\chi",
        square=r"\;n\,|h_L|^2",
        sum=r"\;n\,|h_L|",
        norm=r"\;\sqrt n\,|h_L|",
        keys=("error",),
    )
    here = rule.of(met.role)
    chain.add(
        Step(
            key="own-update:readout",
            symbol=r"|m_{out}\,\Delta W_{out}\,h_L|",
            formula=here.formula(met),
            because="the readout's step meets the stream it was made from (lemma aligned)",
            scale=here.size(met),
            parents=(*here.parents(met), "stream"),
        )
    )
