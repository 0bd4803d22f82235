"""The register: the only list of laws.

A law is a claim about observables of residual nets, with the exponent it gives in width-muP (powers of n
as in muP, branch L^(-alpha), hidden rate of layer j times L^(c_j)), its source, and the test file that
holds it. A new law is a derivation, one entry here, and that file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from powercount.derivations.sources import (
    BAHRI,
    COMPLETEP,
    DEFILIPPIS,
    ELSHARKAWY,
    EVERETT,
    FEATURE_LEARNING,
    HAAS,
    HERE,
    NARROW,
    NFD,
    TP6,
)

SCALING: Final = "tests/laws/scaling_laws"


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """One law: its name, what it says, on which observables, the exponents (width, depth), source and test."""

    name: str
    claim: str
    observables: tuple[str, ...]
    width: str
    depth: str
    source: str
    test: str


LAWS: Final[tuple[Law, ...]] = (
    Law(
        name="stream",
        claim="the stream keeps its size if and only if alpha >= 1/2",
        observables=("stream",),
        width="0",
        depth="0 for alpha >= 1/2; no power for alpha < 1/2",
        source=f"{TP6}, 7.1",
        test="tests/laws/test_exponents_stream.py",
    ),
    Law(
        name="branch-sum",
        claim="at initialization the branches add up incoherently",
        observables=("branch-sum",),
        width="0",
        depth="1/2 - alpha",
        source=f"{TP6}, 7.1; {COMPLETEP}",
        test="tests/laws/test_exponents_branch_sum.py",
    ),
    Law(
        name="gradient-and-output",
        claim="gradient and output at initialization follow the readout alone",
        observables=("gradient", "output"),
        width="-1 and -1/2",
        depth="0",
        source=TP6,
        test="tests/laws/test_exponents_gradient_and_output.py",
    ),
    Law(
        name="own-update",
        claim="internal layer j moves its own preactivation by L^(c_j - alpha): the two-layer collapse",
        observables=("own-update:J", "own-update:input", "own-update:readout"),
        width="0",
        depth="c_j - alpha; 0 for input and readout",
        source=NFD,
        test="tests/laws/test_exponents_own_update.py",
    ),
    Law(
        name="optimizers",
        claim="sign and polar steps, which do not see the gradient's size, collapse and add up over depth as SGD's do",
        observables=("own-update:J", "feature-update@hiddenJ"),
        width="0 at m lambda n |z| (sign) or m lambda |z| (polar) of order one",
        depth="c_j; the rates of depth-muP have c_j = -1/2, of CompleteP 0",
        source=HERE,
        test="tests/laws/test_exponents_optimizers.py",
    ),
    Law(
        name="published-rates",
        claim="printed rates move every role by order one; of SP and NTK they move the output by n^(1/2), not n^0",
        observables=("own-update:J", "feature-update", "output-update", "output-update@ROLE"),
        width="0; output under the rows of SP and NTK 1/2, by the readout 0",
        depth="0; own-update of hidden layers under depth-muP -1/2",
        source=f"{HERE}; {HAAS}; against {EVERETT}, as notes on it give what it assumes",
        test="tests/laws/test_exponents_published_rates.py",
    ),
    Law(
        name="total-update",
        claim="the whole change of a preactivation inherits the stream's and hides the collapse",
        observables=("total-update:J",),
        width="0",
        depth="max(c_j - alpha, 0, 1 - 2 alpha + max_i c_i)",
        source=HERE,
        test="tests/laws/test_exponents_total_update.py",
    ),
    Law(
        name="feature-update",
        claim="the pushes of all blocks on the stream add up coherently",
        observables=("feature-update", "feature-update@ROLE"),
        width="0",
        depth="1 - 2 alpha + c_j from hidden j; 0 from the input",
        source=f"{TP6}, 7.2 and 9; {COMPLETEP}",
        test="tests/laws/test_exponents_feature_update.py",
    ),
    Law(
        name="output-update",
        claim="the output moves with the stream; sqrt(L) on the first internal rate costs L^(1/2)",
        observables=("output-update", "output-update@ROLE"),
        width="0",
        depth="1 - 2 alpha + c_j from hidden j; 0 from input and readout",
        source=f"{HERE}; price of the correction announced in {NFD}",
        test="tests/laws/test_exponents_output_update.py",
    ),
    Law(
        name="growth",
        claim="without a depth rule nothing follows a power of L, and the growth at finite depth is known",
        observables=("all",),
        width="as derived",
        depth="none: faster than any power",
        source=HERE,
        test="tests/laws/test_exponents_growth.py",
    ),
    Law(
        name="infinite-width-values",
        claim="sizes and updates equal their infinite-width values, constants included",
        observables=("all",),
        width="none: values, not slopes",
        depth="none: values, not slopes",
        source=HERE,
        test="tests/laws/test_infinite_width_values.py",
    ),
    Law(
        name="drawn-recipes",
        claim="for any powers stable at initialization the algebra gives the exponent of every observable",
        observables=("all",),
        width="as derived",
        depth="as derived",
        source=HERE,
        test="tests/laws/test_exponents_drawn_recipes.py",
    ),
    Law(
        name="every-option",
        claim="the exponents hold under both losses, on both data, for one to eight internal layers and real steps",
        observables=("all",),
        width="as derived",
        depth="as derived",
        source=HERE,
        test="tests/laws/test_exponents_every_option.py",
    ),
    Law(
        name="epsilon",
        claim="an epsilon with the powers of its gradient's entries, m |delta| |z|, leaves Adam's powers as they were",
        observables=("own-update:J", "total-update:J", "feature-update", "output-update"),
        width="those of the sign",
        depth="those of the sign",
        source=HERE,
        test="tests/laws/test_exponents_epsilon.py",
    ),
    Law(
        name="weight-decay",
        claim="weight decay adds up incoherently over depth, where the gradient's part of a step adds up coherently",
        observables=("decay-update:J",),
        width="of lambda omega",
        depth="lambda omega L^(1/2 - alpha)",
        source=HERE,
        test="tests/laws/test_exponents_weight_decay.py",
    ),
    Law(
        name="real-steps",
        claim="T real optimizer steps on one example follow the exponents of one infinitesimal step",
        observables=("own-update:J", "total-update:J", "feature-update", "output-update"),
        width="as derived",
        depth="as derived",
        source=HERE,
        test="tests/laws/test_exponents_real_steps.py",
    ),
    Law(
        name="gradient-independence",
        claim="the effect of gradient dependence is L^(1 - 2 alpha) of the step: of order one at alpha = 1/2",
        observables=("output-update, tied over decoupled",),
        width="0",
        depth="1 - 2 alpha",
        source=f"{HERE}; refutes a claim of {NFD}",
        test="tests/laws/dynamics/test_exponents_gradient_independence.py",
    ),
    Law(
        name="blocks",
        claim="inside a block: diversity of features, linearisation in its own weights, products of two updates",
        observables=("increments of the stream", "branch beside its linearisation", "second order beside first"),
        width="0",
        depth="alpha - 1 and 2(alpha - 1); increments as epsilon^(1/2) at alpha = 1/2, else epsilon",
        source=f"{TP6}, 7.4 to 7.6; {COMPLETEP}",
        test="tests/laws/dynamics/test_exponents_blocks.py",
    ),
    Law(
        name="transfer",
        claim="the rate of equal progress goes as one over the output's movement by the roles that move",
        observables=("best learning rate",),
        width="0",
        depth="minus the power of output-update; -1/2 for hidden matrices under sqrt(L)",
        source=HERE,
        test="tests/laws/dynamics/test_exponents_transfer.py",
    ),
    Law(
        name="kernel-spectra",
        claim="on eigenvalues k^(-(1 + a)) a white target is learned as D^(-a) and P^(-a), exchangeably",
        observables=("test loss",),
        width="-a in features P; -min(a - 1, b) with source a and capacity b",
        depth="none: powers of D, -a; -min(a - 1, 2 b)",
        source=f"{BAHRI}; feature exponent {HERE}",
        test=f"{SCALING}/test_exponents_kernel_spectra.py",
    ),
    Law(
        name="variance-limited",
        claim="the excess of the larger of data and features over its limit falls as one over it",
        observables=("L(D, P) - L(m)",),
        width="-1",
        depth="none: powers of D, -1",
        source=BAHRI,
        test=f"{SCALING}/test_exponents_variance_limited.py",
    ),
    Law(
        name="width-variance",
        claim="a trained network varies over initializations by 1/n once its start is taken off",
        observables=("Var f",),
        width="-1; 0 under NTK where not centred",
        depth="none",
        source=f"{BAHRI}; the control {HERE}",
        test=f"{SCALING}/test_exponents_width_variance.py",
    ),
    Law(
        name="finite-width-and-data",
        claim="smooth mean losses exceed their limit by 1/n and 1/D; the mean output of narrow nets is off by 1/n",
        observables=("E L(n) - L", "E f_n - f", "E L(D) - L"),
        width="-1; square of the bias -2",
        depth="none: powers of D, -1; -1/2 for a loss with a kink at the limit",
        source=f"{BAHRI}; {NARROW}",
        test=f"{SCALING}/test_exponents_finite_width_and_data.py",
    ),
    Law(
        name="arc-cosine-kernels",
        claim="the first odd power theta^t of a kernel on S^m gives its spectrum and its data exponent",
        observables=("test loss",),
        width="none",
        depth="none: powers of D, -t/m; t = 3 (NNGP), 1 (NTK)",
        source=BAHRI,
        test=f"{SCALING}/test_exponents_arc_cosine_kernels.py",
    ),
    Law(
        name="digits",
        claim="classes of images have the exponents of the whole spectrum and of their share in it, not its own",
        observables=("test loss", "eigenvalues"),
        width="none: powers of P",
        depth="none: powers of D and of the rank",
        source=f"{HERE}; beside {BAHRI}",
        test=f"{SCALING}/test_exponents_digits.py",
    ),
    Law(
        name="loss-spread",
        claim="over initializations sigma/mu of the loss is constant for targets much easier than the spectrum alone",
        observables=("sigma/mu of the test loss",),
        width="none",
        depth="none: powers of D, -(2 b + 1 - a) held between 0 and 1/2",
        source=f"{HERE}; against {ELSHARKAWY}",
        test=f"{SCALING}/test_exponents_loss_spread.py",
    ),
    Law(
        name="lasso",
        claim="a diagonal linear net with weight decay is LASSO: its best rate, its peak at interpolation, and beyond",
        observables=("excess risk",),
        width="none",
        depth="none: n^(-1 + 1/(2 gamma)) at its best; lambda^(-2/3) at n = d; 1/n beyond",
        source=DEFILIPPIS,
        test=f"{SCALING}/test_exponents_lasso.py",
    ),
    Law(
        name="resolution-limited",
        claim="interpolation in d dimensions errs by D^(-1/d), squared by D^(-2/d), piecewise linear by D^(-4/d)",
        observables=("test loss",),
        width="none",
        depth="none: powers of D, -1/d, -2/d, -4/d",
        source=BAHRI,
        test=f"{SCALING}/test_exponents_resolution_limited.py",
    ),
    Law(
        name="feature-learning",
        claim="feature learning raises the exponent of time of hard tasks to 2 beta/(1 + beta), of easy ones not",
        observables=("loss against time",),
        width="none",
        depth="none: powers of t, -beta max(1, 2/(1 + beta))",
        source=FEATURE_LEARNING,
        test=f"{SCALING}/test_exponents_feature_learning.py",
    ),
)
