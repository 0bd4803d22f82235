r"""Claims about the exponents of one step, each derived again and measured on two activations and two kinds of data.

Symbols: alpha, a branch is multiplied by L^(-alpha); c_j, the power of L on the rate of internal layer j; Tensor
Programs VI writes gamma = alpha - c for one-layer blocks under SGD, since it normalises gradients. The number a
claim gives is what its source prints; the derived one comes from ``derive``; the two are compared only where the
derived one is seen to hold (``from_verdict``).

Where a claim says that no power holds (C1' at alpha < 1/2), it is judged by the local power itself: over later
depths it must exceed the one over earlier depths by an eighth at least; under any power law the two are equal.

A step that does not see the gradient's size (sign descent, the first of Adam and Lion, Muon) has c = -gamma; evidence
made with one names it in its condition.

Assumptions: width-muP on digits or Gaussian inputs, one infinitesimal step from initialization, of SGD unless said.
Worked line: depth-mup has alpha = 1/2 and c_1 = 0, so own-update:1 ~ L^(c_1 - alpha) = L^(-1/2), as arXiv 2512.21075
prints.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from fractions import Fraction
from typing import Any, Final

from powercount.decide import grows
from powercount.derivations.dynamics.block_powers import blocks_at
from powercount.derivations.named import named_recipe
from powercount.derivations.predict import derive
from powercount.derivations.published import published
from powercount.derivations.recipe import Axis, Recipe, observable_named
from powercount.derivations.sources import COMPLETEP, HERE, INFINITE_LIMITS, NFD, TP6, WIDTH_DEPTH
from powercount.derivations.translate import translated
from powercount.door.recipe_file import recipe_from, recipe_text
from powercount.empirical.design import Sweep
from powercount.empirical.fit import Estimate
from powercount.empirical.sweep import Measurement
from powercount.finite_size import FiniteSize
from powercount.ledger.claim import ABSTRACT, INFERRED, ONE_STEP_TEST, Claim
from powercount.ledger.finding import Evidence, from_side, from_verdict
from powercount.recipes import WIDTHS, default_sweep, verify_axis
from powercount.studies.study import Study
from powercount.verdict import Verdict, judge

HALF: Final = Fraction(1, 2)
CONDITIONS: Final = (("relu", "digits"), ("tanh", "gaussian"))
QUICK_DEPTHS: Final = (4, 8, 16, 32)
QUICK_WIDTHS: Final = WIDTHS[:3]
EARLY: Final = (2, 4, 8)
LATE: Final = (16, 32, 64)
ALPHA_GAMMA: Final = ((HALF, HALF), (Fraction(1), Fraction(0)), (HALF, Fraction(1, 4)), (Fraction(3, 4), HALF))
MORE_ALPHA_GAMMA: Final = ((Fraction(3, 4), Fraction(1, 4)), (HALF, Fraction(1)), (Fraction(1), Fraction(-1, 2)))
# Steps that do not see the gradient's size: entrywise, and in the spectral norm.
NORMALISED: Final = ("signsgd", "muon")


def conditions(study: Study) -> tuple[tuple[str, str], ...]:
    """(activation, data) of every condition a claim is tried under; a quick study takes the first."""
    return CONDITIONS[:1] if study.quick else CONDITIONS


def condition_of(recipe: Recipe, data: str) -> str:
    """A condition in words: activation, data and, unless it is SGD, the optimizer."""
    optimizer = recipe.optimizer.name
    return ", ".join((recipe.block.activation, data, *((optimizer,) if optimizer != "sgd" else ())))


def sweep_of(study: Study, recipe: Recipe, axis: Axis, data: str) -> Sweep:
    """The sizes a claim is measured on: those of the laws, or about half of them in a quick study."""
    whole = replace(default_sweep(recipe, axis), data=data, seed=study.seed)
    if not study.quick:
        return whole
    if axis == "width":
        return replace(whole, sizes=QUICK_WIDTHS)
    return replace(whole, sizes=QUICK_DEPTHS, fixed=64, most_seeds=64)


def quantities(layers: int) -> tuple[str, ...]:
    """The observables some claim asks for, so that one measurement of a recipe serves all claims."""
    shares = (f"{what}@hidden1" for what in ("feature-update", "output-update"))
    own = (f"own-update:{role}" for role in ("input", *range(1, layers + 1), "readout"))
    total = ("total-update:1",) if layers > 1 else ()
    return ("branch-sum", "feature-update", "output-update", *shares, *own, *total)


def measured(*, recipe: str, sweep: Mapping[str, Any], names: Sequence[str]) -> list[dict[str, Any]]:
    """The observables of a recipe, given as TOML, along one axis, until the laws can decide: plain data of each."""
    made, chosen = recipe_from(recipe), Sweep.of(sweep)
    asked = [observable_named(name, made.block.layers) for name in names]
    return [each.measurement.plain() for each in verify_axis(made, chosen.axis, asked=asked, sweep=chosen)]


def verdicts(study: Study, recipe: Recipe, sweep: Sweep, names: tuple[str, ...] = ()) -> dict[str, Verdict]:
    """The laws' verdicts on one recipe along one axis, by observable; measured once however many claims ask."""
    asked = names or quantities(recipe.block.layers)
    shared = recipe_text(replace(recipe, name="any"))
    name = f"{', '.join(asked)} along {sweep.axis} of {recipe.name}, {condition_of(recipe, sweep.data)}"
    rows = study.cell(name, measured, recipe=shared, sweep=asdict(sweep), names=list(asked))
    values = FiniteSize.of(recipe, sweep)
    found = {}
    for each, row in zip(asked, rows, strict=True):
        prediction = derive(recipe, observable_named(each, recipe.block.layers))
        found[each] = judge(prediction, Measurement.of(row), finite_size=values)
    return found


def powers(
    study: Study,
    recipe: Recipe,
    claimed: Mapping[str, Fraction | int],
    label: str = "",
    names: tuple[str, ...] = (),
) -> list[Evidence]:
    """Evidence for claimed powers of L under one recipe, condition by condition; ``label`` tells recipes apart.

    ``names`` limits what is measured, for a recipe that no other claim asks about.
    """
    found = []
    for activation, data in conditions(study):
        here = replace(recipe, block=replace(recipe.block, activation=activation))
        seen = verdicts(study, here, sweep_of(study, here, "depth", data), names)
        for name, power in claimed.items():
            part = f"{name}, {label or recipe.name}"
            found.append(from_verdict(seen[name], power, part=part, condition=condition_of(here, data)))
    return found


def unstable(study: Study) -> Iterator[tuple[str, str, Verdict, Verdict]]:
    """(label, condition, verdict over early depths, verdict over late depths) of branch-sum at alpha < 1/2."""
    sizes = Sweep(axis="depth", sizes=EARLY, fixed=64 if study.quick else 128, most_seeds=64)
    for layers in (1, 2):
        for alpha in (Fraction(1, 4),) if study.quick else (Fraction(0), Fraction(1, 4)):
            for activation, data in CONDITIONS:
                recipe = blocks_at(alpha, (Fraction(0),) * layers, activation)
                # Two seeds, so that the two slopes share no draw and their errors add as squares.
                early = replace(sizes, data=data, seed=study.seed)
                late = replace(early, sizes=LATE, seed=study.seed + 1)
                one, other = (verdicts(study, recipe, each, ("branch-sum",))["branch-sum"] for each in (early, late))
                yield f"k = {layers}, alpha = {alpha}", f"{activation}, {data}", one, other


def c1(study: Study) -> list[Evidence]:
    """Stable at initialization iff alpha >= 1/2: branches sum to L^(1/2 - alpha), and grow for alpha below 1/2."""
    found = []
    for layers in (1, 2):
        for alpha in (HALF, Fraction(1)):
            recipe = blocks_at(alpha, (Fraction(0),) * layers)
            label = f"k = {layers}, alpha = {alpha}"
            found += powers(study, recipe, {"branch-sum": HALF - alpha}, label, ("branch-sum",))
    for label, condition, _, late in unstable(study):
        found.append(
            from_side(
                late.measurement.fitted,
                grows,
                part=f"branch-sum grows, {label}",
                condition=condition,
                claimed="grows",
                predicted="grows",
                expected=late.expected,
            )
        )
    return found


def c1_no_power(study: Study) -> list[Evidence]:
    """Below 1/2 no power of L holds: the local power itself grows, by which a power law is told apart.

    Derived for activations of order |y|; a bounded one adds branches of bounded size, whose sum is L^(1/2 - alpha).
    """
    found = []
    for label, condition, early, late in unstable(study):
        slopes = early.measurement.fitted, late.measurement.fitted
        grown = Estimate(
            value=slopes[1].value - slopes[0].value,
            standard_error=math.hypot(*(each.standard_error for each in slopes)),
            freedom=min(each.freedom for each in slopes),
        )
        found.append(
            from_side(
                grown,
                grows,
                part=f"growth of branch-sum's local power, {label}",
                condition=condition,
                claimed="no power",
                predicted=early.predicted or "no power",
                expected=late.expected - early.expected,
            )
        )
    return found


def c2(study: Study) -> list[Evidence]:
    """One-layer blocks move the stream by L^(1 - alpha - gamma): stable and nontrivial iff alpha + gamma = 1."""
    pairs = ALPHA_GAMMA[:3] if study.quick else ALPHA_GAMMA + MORE_ALPHA_GAMMA
    found = []
    for optimizer in ("sgd", *NORMALISED):
        for alpha, gamma in pairs:
            rate = alpha - gamma if optimizer == "sgd" else -gamma
            claimed = {"feature-update@hidden1": 1 - alpha - gamma}
            label = f"alpha = {alpha}, gamma = {gamma}"
            recipe = blocks_at(alpha, (rate,), optimizer=optimizer)
            found += powers(study, recipe, claimed, label, tuple(claimed))
    return found


def c3(study: Study) -> list[Evidence]:
    """The collapse: the first internal layer's own update falls as L^(-1/2) under depth-mup."""
    return powers(study, named_recipe("depth-mup"), {"own-update:1": -HALF})


def c3_total(study: Study) -> list[Evidence]:
    """The whole change of the first preactivation does not collapse: it inherits the stream's."""
    return powers(study, named_recipe("depth-mup"), {"total-update:1": 0})


def c4(study: Study) -> list[Evidence]:
    """The second internal layer's own update falls as L^(-1/2) too."""
    return powers(study, named_recipe("depth-mup"), {"own-update:2": -HALF})


def c5(study: Study) -> list[Evidence]:
    """sqrt(L) on the first internal rate makes its own update of order one again."""
    return powers(study, named_recipe("depth-mup-sqrt"), {"own-update:1": 0})


def c6(study: Study) -> list[Evidence]:
    """The same rule makes the first internal matrix's share of stream and output grow as L^(1/2)."""
    recipe, claimed = named_recipe("depth-mup-sqrt"), {"feature-update@hidden1": HALF, "output-update@hidden1": HALF}
    found = powers(study, recipe, claimed)
    for optimizer in NORMALISED:
        found += powers(study, translated(recipe, optimizer), claimed, names=tuple(claimed))
    return found


def c8(study: Study) -> list[Evidence]:
    """CompleteP: internal layers, stream and output all move by order one at any depth, each optimizer at its rates."""
    recipe = named_recipe("completep")
    claimed = dict.fromkeys(("own-update:1", "own-update:2", "feature-update", "output-update"), 0)
    found = powers(study, recipe, claimed)
    for optimizer in ("adamw", "muon"):
        found += powers(study, published(recipe, optimizer), claimed, names=tuple(claimed))
    return found


def c9(study: Study) -> list[Evidence]:
    """At alpha = 1 the random part of the branches at initialization falls as L^(-1/2)."""
    return powers(study, named_recipe("completep"), {"branch-sum": -HALF})


def c10(study: Study) -> list[Evidence]:
    """Along the stable line c = 2 alpha - 1 a block moves by L^(alpha - 1): of order one only at alpha = 1."""
    found = []
    for alpha in (HALF, Fraction(3, 4), Fraction(1)):
        recipe = blocks_at(alpha, (2 * alpha - 1,) * 2)
        claimed = {"own-update:1": alpha - 1, "own-update:2": alpha - 1}
        found += powers(study, recipe, claimed, f"alpha = {alpha}")
    return found


CLAIMS: Final[tuple[Claim, ...]] = (
    Claim(
        id="C1",
        source=TP6,
        summary="a deep residual net is stable at initialization if and only if alpha is at least 1/2",
        statement="branch-sum ~ L^(1/2 - alpha) for alpha >= 1/2, growing below; Tensor Programs VI, 7.1",
        conditions="relu on digits and tanh on Gaussian inputs; k = 1 and 2; alpha = 0, 1/4, 1/2, 1",
        check=c1,
        test=ONE_STEP_TEST,
    ),
    Claim(
        id="C1'",
        source=HERE,
        summary="below alpha = 1/2 the stream grows faster than any power of depth",
        statement="the local power of branch-sum grows with L",
        conditions="relu on digits, and tanh, which is bounded, on Gaussian inputs; k = 1 and 2; alpha = 0 and 1/4",
        check=c1_no_power,
        test=ONE_STEP_TEST,
    ),
    Claim(
        id="C2",
        source=TP6,
        summary="one-layer blocks train stably and nontrivially if and only if alpha + gamma = 1",
        statement="feature-update@hidden1 ~ L^(1 - alpha - gamma), k = 1, c = alpha - gamma under SGD, -gamma where a "
        "step does not see the gradient's size; Tensor Programs VI, 7.2",
        conditions="relu on digits and tanh on Gaussian inputs; SGD, sign descent and Muon (c = -gamma); one step",
        check=c2,
        test=ONE_STEP_TEST,
    ),
    Claim(
        id="C3",
        source=NFD,
        summary="in two-layer blocks the first internal layer stops learning with depth",
        statement="own-update:1 ~ L^(-1/2) under depth-mup",
        conditions="relu on digits and tanh on Gaussian inputs, SGD, one step",
        check=c3,
        test=ONE_STEP_TEST,
        marks=(ABSTRACT,),
    ),
    Claim(
        id="C3'",
        source=HERE,
        summary="the whole change of the first preactivation hides that collapse",
        statement="total-update:1 ~ L^0 under depth-mup",
        conditions="relu on digits and tanh on Gaussian inputs, SGD, one step",
        check=c3_total,
        test=ONE_STEP_TEST,
    ),
    Claim(
        id="C4",
        source=HERE,
        summary="the second internal layer's own update collapses too",
        statement="own-update:2 ~ L^(-1/2) under depth-mup",
        conditions="relu on digits and tanh on Gaussian inputs, SGD, one step",
        check=c4,
        test=ONE_STEP_TEST,
    ),
    Claim(
        id="C5",
        source=NFD,
        summary="a depth-aware rate on the first internal layer restores its learning",
        statement="own-update:1 ~ L^0 with sqrt(L) on the rate of the first internal matrix",
        conditions="relu on digits and tanh on Gaussian inputs, SGD, one step",
        check=c5,
        test=ONE_STEP_TEST,
        marks=(INFERRED, ABSTRACT),
    ),
    Claim(
        id="C6",
        source=HERE,
        summary="the same rule makes the first internal matrix's share of stream and output blow up with depth",
        statement="feature-update@hidden1, output-update@hidden1 ~ L^(1/2) with sqrt(L) on its rate",
        conditions="relu on digits and tanh on Gaussian inputs; SGD, sign descent and Muon; one step",
        check=c6,
        test=ONE_STEP_TEST,
        marks=(INFERRED,),
    ),
    Claim(
        id="C8",
        source=f"{COMPLETEP}; Muon: {WIDTH_DEPTH}",
        summary="CompleteP keeps internal layers, stream and output learning at any depth",
        statement="own-update:1, own-update:2, feature-update, output-update ~ L^0",
        conditions="relu on digits and tanh on Gaussian inputs; SGD with L on the hidden rates, AdamW and Muon at "
        "their printed rates, without; one step",
        check=c8,
        test=ONE_STEP_TEST,
    ),
    Claim(
        id="C9",
        source=COMPLETEP,
        summary="CompleteP's blocks lose their random part at initialization",
        statement="branch-sum ~ L^(-1/2) at alpha = 1",
        conditions="relu on digits and tanh on Gaussian inputs, at initialization",
        check=c9,
        test=ONE_STEP_TEST,
    ),
    Claim(
        id="C10",
        source=INFINITE_LIMITS,
        summary="along the stable line a block moves by L^(alpha - 1)",
        statement="own-update:1, own-update:2 ~ L^(alpha - 1) with c = 2 alpha - 1",
        conditions="relu on digits and tanh on Gaussian inputs, SGD, one step; alpha = 1/2, 3/4, 1",
        check=c10,
        test=ONE_STEP_TEST,
    ),
)
