"""The register of claims: what the papers say about training deep and wide nets, and where each is checked.

The one list of claims, each a ``Claim``. Verdicts are never written here: they are measured. Importing this file
costs nothing.
"""

from __future__ import annotations

from typing import Final

from powercount.derivations.recipe import QuestionError
from powercount.ledger.claim import ABSTRACT, ALONE, HERE, INFERRED, NFD, TP6, V1_ONLY, Claim
from powercount.ledger.one_step import ONE_STEP
from powercount.ledger.scaling_laws import SCALING_LAWS

__all__ = ["CLAIMS", "Claim", "claim_named"]

V3_ONLY: Final = "in the third version only"
FIGURE: Final = "a figure we know from its description alone"
DYNAMICS_TEST: Final = "tests/laws/dynamics/test_claims_dynamics.py"


CLAIMS: Final[tuple[Claim, ...]] = (
    # -- exponents: one step from initialization (exponents.py, blocks.py, symmetry.py)
    *ONE_STEP,
    # -- gradient independence and the limit (coupling.py, convergence.py)
    Claim(
        id="C14",
        source=NFD,
        summary="(i) at initialization the coupling of forward and backward pass is O(1/n), uniformly in depth",
        statement="E cos^2(W_l^T delta_l, phi(h_{l-1})) ~ n^(-1) L^0",
        conditions="linear, relu, tanh; tied and decoupled; n = 64..512, L = 4..32; k = 1, alpha = 1/2",
        check="coupling:c14",
        test=DYNAMICS_TEST,
        marks=(V3_ONLY, ABSTRACT),
    ),
    Claim(
        id="C15-ii",
        source=NFD,
        summary="(ii) in training one layer's coupling to its own past gradients vanishes with depth",
        statement="the share of W_l(0) phi(h_{l-1}) along past delta_l ~ L^(-1/2)",
        conditions="linear, relu, tanh; one step, L = 4..128, n = 4096; k = 1, alpha = 1/2",
        check="coupling:c15_single",
        test=DYNAMICS_TEST,
        marks=(ABSTRACT,),
    ),
    Claim(
        id="C15-iii",
        source=NFD,
        summary="(iii) the coupling of a reused weight through the block next to it is faster still",
        statement="its share of the stream ~ L^(-2) a layer; the source gives L^(-2) to the whole term, whose formula "
        "we could not read: that a layer is meant is our inference",
        conditions="linear, relu, tanh; one step, L = 4..128, n = 4096; k = 1, alpha = 1/2",
        check="coupling:c15_adjacent",
        test=DYNAMICS_TEST,
        marks=(V3_ONLY, INFERRED, ABSTRACT),
    ),
    Claim(
        id="C15-iv",
        source=NFD,
        summary="(iv) gradient independence becomes valid again in training as depth grows: its effect on output and "
        "features vanishes",
        statement="tied/decoupled - 1 -> 0; derived here L^0: T e^T/(e^T - 1) - 1 for linear blocks. The source's 1/L "
        "is its error of discretisation; the coupling's own rate there is L^(-2), for the whole term",
        conditions="our reading: an independent copy of W(0)^T in the backward pass, shared updates, hidden matrices "
        "alone, T = 1, one small step; linear, relu, tanh; L = 4..128, n = 4096; k = 1, alpha = 1/2",
        check="coupling:c15_accumulated",
        test=DYNAMICS_TEST,
        marks=(ABSTRACT,),
    ),
    Claim(
        id="C15-v",
        source=NFD,
        summary="(v) without the 1/sqrt(L) branch the assumption gets worse with depth",
        statement="tied/decoupled - 1 ~ L at alpha = 0",
        conditions="linear, relu, tanh; one step, L = 4..32, n = 4096; k = 1",
        check="coupling:c15_branch",
        test=DYNAMICS_TEST,
        marks=(ABSTRACT,),
    ),
    Claim(
        id="C15-vi",
        source=NFD,
        summary="(vi) at later training times the losses of tied and decoupled nets agree: both fit the labels",
        statement="loss(decoupled) - loss(tied) -> 0 with the number of steps, at fixed depth",
        conditions="relu, tanh; four digits, 32 steps at eta = 1/2, L = 16, n = 1024; k = 1, alpha = 1/2",
        check="coupling:c15_late",
        test=DYNAMICS_TEST,
        marks=(ABSTRACT,),
    ),
    Claim(
        id="C15-vii",
        source=NFD,
        summary="(vii) read through covariances, backward fields may be decoupled: the output's first step agrees",
        statement="-df = eta e sum_l beta^2 C_phi,l C_g,l of decoupled fields = that of tied nets; T e^T if linear",
        conditions="linear, relu, tanh; one step, L = 4 and 128, n = 4096; k = 1, alpha = 1/2",
        check="readings:c15_covariances",
        test=DYNAMICS_TEST,
        marks=(ABSTRACT, "this reading is ours"),
    ),
    Claim(
        id="C15-viii",
        source=NFD,
        summary="(viii) the features of the nets so read move as those of tied nets",
        statement="|h_l^1 - h_l^0|^2 tied = decoupled, to an eighth, at mid-depth and at the top",
        conditions="linear, relu, tanh; one step, L = 128, n = 4096; k = 1, alpha = 1/2",
        check="readings:c15_features",
        test=DYNAMICS_TEST,
        marks=(ABSTRACT, "this reading is ours"),
    ),
    Claim(
        id="C15-ix",
        source=NFD,
        summary="(ix) with every matrix trained the effect of gradient independence on the output vanishes with depth",
        statement="tied/decoupled - 1 -> 0; derived here L^0: 3/2 - 1 for linear blocks",
        conditions="as C15-iv, input and readout trained too",
        check="readings:c15_all",
        test=DYNAMICS_TEST,
        marks=(ABSTRACT, "this reading is ours"),
    ),
    Claim(
        id="C15-x",
        source=NFD,
        summary="(x) with activations outside the blocks the effect on the output vanishes with depth",
        statement="h_l = h_{l-1} + L^(-1/2) phi(W_l h_{l-1}), phi odd: tied/decoupled - 1 -> 0; derived here L^0",
        conditions="as C15-iv; tanh, erf",
        check="readings:c15_outside",
        test=DYNAMICS_TEST,
        marks=(ABSTRACT, "this reading is ours"),
    ),
    Claim(
        id="C15'",
        source=HERE,
        summary="gradient independence does come back at infinite depth for every alpha above 1/2, and only there",
        statement="tied/decoupled - 1 ~ L^(1 - 2 alpha)",
        conditions="linear, relu, tanh; alpha = 3/4 and 1; one step, L = 4..64, n = 4096; k = 1",
        check="coupling:c15_alpha",
        test=DYNAMICS_TEST,
    ),
    Claim(
        id="C16",
        source=HERE,
        summary="linear blocks have an exact oracle for tied and decoupled training",
        statement="the output moves by T(1 + T/L)^(L-1) tied and (1 + T/L)^L - 1 decoupled",
        conditions="L = 4, 16, 64; n = 4096 known by products and n = 1024 with all entries; T = 1",
        check="coupling:c16",
        test=DYNAMICS_TEST,
    ),
    Claim(
        id="C17-a",
        source=NFD,
        summary="at initialization finite nets reach the limit at O(1/n + 1/L)",
        statement="bias of the covariances of two inputs ~ n^(-1) at fixed L and ~ L^(-1) at large n",
        conditions="relu at T = 1 with n = 2..16, erf at T = 4 with n = 4..32, at L = 4; L = 2..16 at n = 512",
        check="convergence:c17_start",
        test=DYNAMICS_TEST,
        marks=(V3_ONLY, ABSTRACT),
    ),
    Claim(
        id="C17-b",
        source=HERE,
        summary="in training finite nets reach infinite width at O(1/n)",
        statement="bias of the output's movement ~ n^(-1) at fixed L",
        conditions="tanh, relu; tied and decoupled; one step, n = 2..16, L = 4, T = 1",
        check="convergence:c17_width",
        test=ALONE,
    ),
    Claim(
        id="C17-c",
        source=NFD,
        summary="in training wide nets reach Neural Feature Dynamics at O(1/L)",
        statement="distance of the output's movement from its limit ~ L^(-1)",
        conditions="relu, linear; one step; tied and decoupled nets, and the limits with and without R, S",
        check="convergence:c17_depth",
        test=DYNAMICS_TEST,
        marks=(V3_ONLY, ABSTRACT),
    ),
    Claim(
        id="C17-d",
        source=NFD,
        summary="the covariances of features and gradients stay non-degenerate as the width grows",
        statement="smallest eigenvalue over steps and samples ~ n^0",
        conditions="relu, tanh; four digits, 3 steps at eta = 1/2, n = 512..4096, L = 16; cosines, at mid-depth",
        check="convergence:c17_eigenvalue",
        test=ALONE,
        marks=(FIGURE, ABSTRACT),
    ),
    Claim(
        id="C17-e",
        source=HERE,
        summary="the particle solver of the full system, with R and S, is the limit of real networks",
        statement="loss, E h_L^2, E delta_0^2 of networks over those of particles: 1",
        conditions="relu, tanh; four digits, 3 steps at eta = 1/2; all n^2 entries, n = 1024, L = 64; 8192 particles",
        check="convergence:c17_solver",
        test=DYNAMICS_TEST,
    ),
    Claim(
        id="C30",
        source=NFD,
        summary="depth has diminishing returns because the infinite-depth limit is being reached",
        statement="loss after a fixed number of steps approaches its limit as L^(-1)",
        conditions="relu, tanh; four digits, 3 steps at eta = 1/2, L = 2..8 beside L = 256, n = 2048; k = 1",
        check="convergence:c30",
        test=ALONE,
        marks=(ABSTRACT,),
    ),
    # -- learning-rate transfer and where depth stops helping (transfer.py)
    Claim(
        id="C18",
        source=TP6,
        summary="with one-layer blocks the best SGD rate does not move with depth",
        statement="best rate ~ L^0 under depth-mup, k = 1 (Adam: L^(-1/2)); Tensor Programs VI, table 1",
        conditions="tanh on 32 digits, 20 steps, width 64, L = 2 to 64; both losses; every matrix, and hidden alone",
        check="transfer:c18",
        test=ALONE,
    ),
    Claim(
        id="C19",
        source=TP6,
        summary="with two-layer blocks the best rate shifts with depth",
        statement="the slope of the best rate against log L is not 0 under depth-mup, k = 2; Tensor Programs VI, 9.1",
        conditions="as C18, at a branch multiplier of 1: the source sweeps the multiplier as well, which is not done",
        check="transfer:c19",
        test=ALONE,
    ),
    Claim(
        id="C20",
        source=HERE,
        summary="sqrt(L) on the first internal rate makes the best hidden rate fall",
        statement="best rate ~ L^(-1/2) under depth-mup-sqrt, input and readout frozen or at a fixed rate",
        conditions="as C18; by the rate of equal progress and by the best rate",
        check="transfer:c20",
        test=ALONE,
        marks=(INFERRED,),
    ),
    Claim(
        id="C21",
        source=NFD,
        summary="the corrected rule transfers the best rate across depth and makes deeper nets better",
        statement="best rate ~ L^0 and the best train loss falls with L, under depth-mup-sqrt, every matrix moving",
        conditions="as C18; among runs that never rose above their start, and among all runs by their last loss",
        check="transfer:c21",
        test=ALONE,
        marks=(V1_ONLY, INFERRED, ABSTRACT),
    ),
    Claim(
        id="C29",
        source=TP6,
        summary="blocks W phi(h) gain nothing from depth past eight, where blocks phi(W h) still do",
        statement="the slope of the best train loss against log L past 8: 0 for W phi(h), below 0 for phi(W h)",
        conditions="as C18, every matrix; the source trains far longer, on CIFAR-10",
        check="transfer:c29",
        test=ALONE,
    ),
    # -- neural scaling laws (spectra.py, ridge.py, width.py, resolution.py, learning.py)
    *SCALING_LAWS,
)


def claim_named(name: str) -> Claim:
    """The claim of that id, whatever its case."""
    known = {claim.id.lower(): claim for claim in CLAIMS}
    if name.lower() not in known:
        raise QuestionError(f"unknown claim {name!r}; choose one of: {', '.join(claim.id for claim in CLAIMS)}, or all")
    return known[name.lower()]
