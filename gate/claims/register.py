"""The register of claims: what the papers say about training deep and wide nets, and where each is checked.

A claim is a printed sentence, put here in our own words, with its formal statement and the exponents it gives.
``check`` names the function ("module:function" in this folder) that derives, measures and judges it; ``test`` the
law file that holds the same under pytest. Verdicts are never written here: they are measured. Importing this file
costs nothing.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from powercount.derivations.recipe import QuestionError

if TYPE_CHECKING:
    from powercount.claims.finding import Evidence
    from powercount.claims.study import Study

NFD: Final = "arXiv 2512.21075"
TP4: Final = "Tensor Programs IV (arXiv 2011.14522)"
TP6: Final = "Tensor Programs VI (arXiv 2310.02244)"
COMPLETEP: Final = "CompleteP (arXiv 2505.01618)"
EVERETT: Final = "Everett et al. (arXiv 2407.05872)"
SPECTRAL: Final = "arXiv 2310.17813"
INFINITE_LIMITS: Final = "Bordelon et al. (arXiv 2405.15712)"
HERE: Final = "derived here"
V1_ONLY: Final = "in the first version only"
ONE_STEP_TEST: Final = "tests/laws/dynamics/test_claims_exponents.py"
INFERRED: Final = "the printed formula could not be read; ours is an inference"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One claim: ``summary`` in our words, ``statement`` as a formula; ``conditions`` under which it is tried."""

    id: str
    source: str
    summary: str
    statement: str
    conditions: str
    check: str
    test: str
    marks: tuple[str, ...] = ()

    def evidence(self, study: Study) -> Sequence[Evidence]:
        """Derive and measure the claim now."""
        module, _, function = self.check.partition(":")
        found: Callable[[Study], Sequence[Evidence]] = getattr(
            importlib.import_module(f"powercount.claims.{module}"), function
        )
        return found(study)


CLAIMS: Final[tuple[Claim, ...]] = (
    # -- exponents: one step from initialization (exponents.py, blocks.py, symmetry.py)
    Claim(
        id="C1",
        source=TP6,
        summary="a deep residual net is stable at initialization if and only if alpha is at least 1/2",
        statement="branch-sum ~ L^(1/2 - alpha) for alpha >= 1/2, growing below; Tensor Programs VI, 7.1",
        conditions="relu on digits and tanh on Gaussian inputs; k = 1 and 2; alpha = 0, 1/4, 1/2, 1",
        check="exponents:c1",
        test=ONE_STEP_TEST,
    ),
    Claim(
        id="C1'",
        source=HERE,
        summary="below alpha = 1/2 the stream grows faster than any power of depth",
        statement="the local power of branch-sum grows with L",
        conditions="relu on digits, and tanh, which is bounded, on Gaussian inputs; k = 1 and 2; alpha = 0 and 1/4",
        check="exponents:c1_no_power",
        test=ONE_STEP_TEST,
    ),
    Claim(
        id="C2",
        source=TP6,
        summary="one-layer blocks train stably and nontrivially if and only if alpha + gamma = 1",
        statement="feature-update@hidden1 ~ L^(1 - alpha - gamma), k = 1, c = alpha - gamma; Tensor Programs VI, 7.2",
        conditions="relu on digits and tanh on Gaussian inputs, SGD, one step; sign descent (c = -gamma) not measured",
        check="exponents:c2",
        test=ONE_STEP_TEST,
    ),
    Claim(
        id="C3",
        source=NFD,
        summary="in two-layer blocks the first internal layer stops learning with depth",
        statement="own-update:1 ~ L^(-1/2) under depth-mup",
        conditions="relu on digits and tanh on Gaussian inputs, SGD, one step",
        check="exponents:c3",
        test=ONE_STEP_TEST,
    ),
    Claim(
        id="C3'",
        source=HERE,
        summary="the whole change of the first preactivation hides that collapse",
        statement="total-update:1 ~ L^0 under depth-mup",
        conditions="relu on digits and tanh on Gaussian inputs, SGD, one step",
        check="exponents:c3_total",
        test=ONE_STEP_TEST,
    ),
    Claim(
        id="C4",
        source=HERE,
        summary="the second internal layer's own update collapses too",
        statement="own-update:2 ~ L^(-1/2) under depth-mup",
        conditions="relu on digits and tanh on Gaussian inputs, SGD, one step",
        check="exponents:c4",
        test=ONE_STEP_TEST,
    ),
    Claim(
        id="C5",
        source=NFD,
        summary="a depth-aware rate on the first internal layer restores its learning",
        statement="own-update:1 ~ L^0 with sqrt(L) on the rate of the first internal matrix",
        conditions="relu on digits and tanh on Gaussian inputs, SGD, one step",
        check="exponents:c5",
        test=ONE_STEP_TEST,
        marks=(INFERRED,),
    ),
    Claim(
        id="C6",
        source=HERE,
        summary="the same rule makes the first internal matrix's share of stream and output blow up with depth",
        statement="feature-update@hidden1, output-update@hidden1 ~ L^(1/2) with sqrt(L) on its rate",
        conditions="relu on digits and tanh on Gaussian inputs, SGD, one step; sign descent and Muon are not measured",
        check="exponents:c6",
        test=ONE_STEP_TEST,
        marks=(INFERRED,),
    ),
    Claim(
        id="C7",
        source=HERE,
        summary="the first internal matrices change the output by a sum of one sign over blocks",
        statement="df = -chi eta_1 sum_l |df/dW_1,l|^2 + O(eta^2)",
        conditions="plain net, one logit, mean squared error, one example; relu, tanh, gelu; n = 16 to 64, L = 4 to 64",
        check="blocks:c7",
        test=ONE_STEP_TEST,
    ),
    Claim(
        id="C8",
        source=COMPLETEP,
        summary="CompleteP keeps internal layers, stream and output learning at any depth",
        statement="own-update:1, own-update:2, feature-update, output-update ~ L^0",
        conditions="relu on digits and tanh on Gaussian inputs, SGD, one step; sign descent and Muon are not measured",
        check="exponents:c8",
        test=ONE_STEP_TEST,
    ),
    Claim(
        id="C9",
        source=COMPLETEP,
        summary="CompleteP's blocks lose their random part at initialization",
        statement="branch-sum ~ L^(-1/2) at alpha = 1",
        conditions="relu on digits and tanh on Gaussian inputs, at initialization",
        check="exponents:c9",
        test=ONE_STEP_TEST,
    ),
    Claim(
        id="C10",
        source=INFINITE_LIMITS,
        summary="along the stable line a block moves by L^(alpha - 1)",
        statement="own-update:1, own-update:2 ~ L^(alpha - 1) with c = 2 alpha - 1",
        conditions="relu on digits and tanh on Gaussian inputs, SGD, one step; alpha = 1/2, 3/4, 1",
        check="exponents:c10",
        test=ONE_STEP_TEST,
    ),
    Claim(
        id="C11",
        source=TP6,
        summary="only alpha = 1/2 keeps features diverse across depth",
        statement="increments of the trained stream over a depth fraction e: e^(1/2) at alpha = 1/2, e at alpha = 1",
        conditions="k = 1; relu on digits, tanh on Gaussian inputs; L = 128 and 256; three SGD steps",
        check="blocks:c11",
        test=ONE_STEP_TEST,
    ),
    Claim(
        id="C12",
        source=TP6,
        summary="blocks may be linearised in their own weights if and only if alpha < 1",
        statement="error of the linearised block beside its change: L^(alpha - 1), at a kink L^((alpha - 1)/2)",
        conditions="k = 2; relu (a kink) and gelu on digits, tanh on Gaussian inputs; L = 16 to 256; three SGD steps",
        check="blocks:c12",
        test=ONE_STEP_TEST,
    ),
    Claim(
        id="C13",
        source=COMPLETEP,
        summary="products of two updates keep up with single ones only at alpha = 1",
        statement="|dW_2|/|W_2| ~ L^(alpha - 1); derived here: summed over depth, second over first ~ L^(2 (alpha - 1))",
        conditions="k = 2, c = 2 alpha - 1; relu on digits, tanh on Gaussian inputs; L = 16 to 256; three SGD steps",
        check="blocks:c13",
        test=ONE_STEP_TEST,
    ),
    Claim(
        id="C23",
        source=TP4,
        summary="one exponent r decides between feature learning and a kernel",
        statement="feature-update ~ n^(-r), r = 0 under muP, 1/2 under SP and NTK",
        conditions="three printed, eight drawn stable parametrizations; relu on digits, tanh on Gaussian inputs; SGD",
        check="symmetry:c23",
        test=ONE_STEP_TEST,
    ),
    Claim(
        id="C24",
        source=EVERETT,
        summary="each parametrization has rates under which every layer moves by order one",
        statement="own-update of every role ~ n^0 under SP, NTK, muP, MFP with the printed rates, full alignment",
        conditions="the rows of SGD; those of Adam are not measured; relu on digits, tanh on Gaussian inputs",
        check="symmetry:c24",
        test=ONE_STEP_TEST,
    ),
    Claim(
        id="C25",
        source=TP4,
        summary="multiplier, initialization and rate trade against each other without any effect",
        statement="equal trajectories under (a, b, c) -> (a + theta, b - theta, c - 2 theta)",
        conditions="SGD, five steps in float64, theta drawn; the rules of Adam and Adafactor are not measured",
        check="symmetry:c25",
        test=ONE_STEP_TEST,
    ),
    Claim(
        id="C28",
        source=SPECTRAL,
        summary="feature learning is a condition on spectral norms",
        statement="|m W|_2, |m dW|_2 ~ sqrt(n_out/n_in) for every role",
        conditions="muP (coordinates B), depth-mup (coordinates A); relu on digits, tanh on Gaussian inputs; SGD",
        check="symmetry:c28",
        test=ONE_STEP_TEST,
    ),
    # -- gradient independence and the limit (coupling.py, convergence.py)
    # -- learning-rate transfer and where depth stops helping (transfer.py)
)


def claim_named(name: str) -> Claim:
    """The claim of that id, whatever its case."""
    known = {claim.id.lower(): claim for claim in CLAIMS}
    if name.lower() not in known:
        raise QuestionError(f"unknown claim {name!r}; choose one of: {', '.join(claim.id for claim in CLAIMS)}, or all")
    return known[name.lower()]
