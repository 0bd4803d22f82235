"""The plots of the page of claims, from the cells of the study that measured them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, Final

from powercount.derivations.dynamics.covariances import Pair, at_depth
from powercount.derivations.dynamics.first_step import first_step, first_step_limit
from powercount.derivations.named import named_recipe
from powercount.derivations.recipe import observable_named
from powercount.derivations.scaling_laws.resolution import ORDERS
from powercount.door.figure import canvas
from powercount.empirical.design import Sweep
from powercount.empirical.dynamics.training import Run
from powercount.empirical.scaling_laws.kernels import eigenvalues
from powercount.empirical.sweep import measure
from powercount.ledger import convergence, coupling, digits, resolution, spectra, variance
from powercount.ledger.runs import mean
from powercount.studies.limit import LimitPlan, draw_limit, run_limit
from powercount.studies.study import Study
from powercount.studies.transfer import run_transfer
from powercount.studies.transfer_page import draw_transfer

FIGURES: Final = {
    "collapse.png": "The two-layer collapse. Own updates of both internal layers and the whole change of the first "
    "preactivation, after 1, 5 and 20 real steps on digits, over their values at L = 4. Under depth-mup both own "
    "updates fall as L^(-1/2) while the whole change does not; sqrt(L) on the first rate restores the first and makes "
    "the whole change grow; CompleteP keeps all three.",
    "independence.png": "Gradient independence. Left: one layer's coupling to its own past gradients, and what comes "
    "through the block next to it, fall as L^(-1/2) and L^(-2). Right: their sum over depth does not; tied nets move "
    "the output by a fixed factor more than decoupled ones. Points are measured, lines exact at infinite width.",
    "limit.png": "Neural Feature Dynamics with (full) and without (R = S = 0) response terms beside finite networks.",
    "approach.png": "The approach to the limit: biases of covariances and of the output's movement against n and L.",
    "transfer.png": "Learning-rate transfer on digits.",
    "scaling.png": "Neural scaling laws. Left: the loss of a white target on eigenvalues k^(-(1 + a)) against the "
    "number of samples; lines are the exact law at these sizes. Middle: the excess of more samples, or more features, "
    "over the loss of the fewer; the line is m/(M - m - 1). Right: nearest-neighbour and piecewise-linear errors in d "
    "dimensions; lines have the powers 2/d and 4/d.",
    "digits.png": "Digits. Left: eigenvalues of the ReLU kernel, and the power law fitted to ranks 64 to 512: they are "
    "no power law. Middle and right: losses of a white target and of the ten classes against the number of samples "
    "(circles) and of ReLU features (squares); lines are the deterministic equivalent of all eigenvalues, dashed in P.",
}
STEPS: Final = (1, 5, 20)
COLOURS: Final = {"linear": "tab:blue", "relu": "tab:orange", "tanh": "tab:green"}


def _panels(columns: int, width: float = 10, height: float = 4) -> tuple[Any, Any]:
    """A figure and a row of axes against a size, in powers of two."""
    figure, axes = canvas(1, columns, width, height)
    for axis in axes.flat:
        axis.set_xscale("log", base=2)
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes[0]


def _label(axes: Sequence[Any], labels: Sequence[str], titles: Sequence[str]) -> None:
    """Log-log panels with their labels, titles and legends."""
    for axis, label, title in zip(axes, labels, titles, strict=True):
        axis.set_yscale("log")
        axis.set_xlabel(label)
        axis.set_title(title, fontsize=9)
        axis.legend(fontsize=7, frameon=False)


def draw_independence(study: Study, path: Path) -> None:
    """The shares of one layer, and the ratio of tied to decoupled movement, against L."""
    figure, (left, right) = _panels(2)
    depths = coupling.depths(study)
    for activation in coupling.activations(study):
        colour, exact = COLOURS[activation], [first_step(activation, depth) for depth in depths]
        rows = mean(coupling.sweep(study, activation))
        for place, key, marker in ((coupling.SINGLE, "single_layer", "o"), (coupling.ADJACENT, "adjacent", "s")):
            left.plot(depths, [abs(getattr(each, key)) for each in exact], color=colour, lw=1)
            left.plot(depths, abs(rows[:, place]), marker, color=colour, ms=5, label=f"{activation}, {key}")
        decoupled = mean(coupling.sweep(study, activation, tied=False))
        ratio = rows[:, coupling.OUTPUT] / decoupled[:, coupling.OUTPUT]
        right.plot(depths, [each.ratio for each in exact], color=colour, lw=1)
        right.plot(depths, ratio, "o", color=colour, ms=5, label=activation)
        tied, alone = first_step_limit(activation)
        right.axhline(tied / alone, color=colour, lw=0.8, ls=":")
    left.set_yscale("log")
    left.set_ylabel("share, per unit of rate and error")
    right.axhline(1, color="black", lw=0.8)
    right.text(depths[0], 1.01, "claimed limit", fontsize=8)
    right.set_ylabel("movement of f, tied over decoupled")
    for axis in (left, right):
        axis.set_xlabel("depth L")
        axis.legend(fontsize=7, frameon=False)
    figure.savefig(path, dpi=130)


def collapse(
    study: Study, names: Sequence[str], every_steps: Sequence[int], sizes: Sequence[int]
) -> dict[tuple[str, int], dict[str, list[float]]]:
    """rms sizes by depth of own updates and whole change, by recipe and number of real steps at rate 1/8."""
    pairs = list(product(names, every_steps))
    asked = {
        f"collapse of {name} after {steps} steps": {
            "name": name,
            "steps": steps,
            "sizes": list(sizes),
            "seeds": 4 if study.quick else 8,
            "seed": study.seed,
        }
        for name, steps in pairs
    }
    return dict(zip(pairs, study.cells(collapse_points, asked), strict=True))


def collapse_points(*, name: str, steps: int, sizes: Sequence[int], seeds: int, seed: int) -> dict[str, list[float]]:
    """The points of ``collapse`` by observable."""
    asked = [observable_named(each, 2) for each in ("own-update:1", "own-update:2", "total-update:1")]
    sweep = Sweep(
        axis="depth",
        sizes=tuple(sizes),
        fixed=64,
        seeds=seeds,
        most_seeds=seeds,
        seed=seed,
        steps=steps,
        rate=0.125,
        examples=1,
    )
    found = measure(named_recipe(name), asked, sweep)
    return {str(each): list(found[each].points) for each in asked}


def draw_collapse(study: Study, path: Path) -> None:
    """Own updates and whole change against L, by recipe, after 1, 5 and 20 steps."""
    figure, axes = _panels(3, 12)
    sizes = (4, 8, 16) if study.quick else (4, 8, 16, 32, 64)
    marks = {"own-update:1": "tab:red", "own-update:2": "tab:orange", "total-update:1": "tab:blue"}
    names = ("depth-mup", "depth-mup-sqrt", "completep")
    found = collapse(study, names, STEPS, sizes)
    for axis, name in zip(axes, names, strict=True):
        for steps, style in zip(STEPS, ("-", "--", ":"), strict=True):
            for observable, points in found[name, steps].items():
                label = f"{observable}, T = {steps}"
                axis.plot(
                    sizes, [point / points[0] for point in points], style, color=marks[observable], label=label, lw=1.5
                )
        axis.plot(sizes, [(size / sizes[0]) ** -0.5 for size in sizes], color="grey", lw=0.8)
        axis.text(sizes[-1], (sizes[-1] / sizes[0]) ** -0.5 * 0.88, r"$L^{-1/2}$", fontsize=8, ha="right", color="grey")
        axis.set_yscale("log", base=2)
        axis.set_title(name, fontsize=10)
        axis.set_xlabel("depth L")
    axes[0].set_ylabel("size over its value at the smallest depth")
    axes[0].legend(fontsize=6, frameon=False, loc="lower left")
    figure.savefig(path, dpi=130)


def draw_approach(study: Study, path: Path) -> None:
    """Biases against n and against L, and the loss above its value at the reference depth."""
    figure, (left, middle, right) = _panels(3, 12)
    start, activation, horizon = Pair(1, 1, convergence.OVERLAP), "erf", 4.0
    exact = convergence.columns(at_depth(activation, start, convergence.SHALLOW, horizon))
    count = convergence.members_at_start(study)
    narrow = [
        mean(convergence.batches_at_start(study, activation, n, convergence.SHALLOW, count, horizon))
        for n in convergence.WIDER
    ]
    left.plot(convergence.WIDER, [abs((row - exact).mean()) for row in narrow], "o", label="covariances at init, erf")
    for tied in (True, False):
        here = first_step("tanh", convergence.SHALLOW)
        value = here.tied if tied else here.decoupled
        moved = [abs(convergence.narrow_steps(study, "tanh", n, tied=tied).mean() - value) for n in convergence.NARROW]
        net = "tied" if tied else "decoupled"
        left.plot(convergence.NARROW, moved, "s", label=f"movement of f, tanh, {net}")
        left.plot(convergence.NARROW, [moved[0] * 2 / n for n in convergence.NARROW], color="grey", lw=0.8)
    deep = convergence.deep(study)
    for activation in ("relu",) if study.quick else ("relu", "linear"):
        limits = first_step_limit(activation)
        for tied, marker in ((True, "o"), (False, "s")):
            rows = [
                convergence.moved(study, coupling.run_of(study, activation, depth, tied=tied)).mean() for depth in deep
            ]
            gaps = [abs(value - limits[0 if tied else 1]) for value in rows]
            exact_gaps = [
                abs((each.tied if tied else each.decoupled) - limits[0 if tied else 1])
                for each in (first_step(activation, depth) for depth in deep)
            ]
            middle.plot(deep, exact_gaps, color=COLOURS[activation], lw=1)
            net = "tied" if tied else "decoupled"
            middle.plot(deep, gaps, marker, color=COLOURS[activation], label=f"{activation}, {net}")
    shallow = convergence.LOSS_DEPTHS
    for activation in ("relu",) if study.quick else ("relu", "tanh"):
        losses = mean(convergence.approach(study, activation, shallow))
        right.plot(shallow, losses[:-1] - losses[-1], "o-", color=COLOURS[activation], label=activation)
    titles = ("bias against n, L = 4", "distance of f from its limit", "loss above its value at the reference depth")
    _label((left, middle, right), ("width n", "depth L", "depth L"), titles)
    figure.savefig(path, dpi=130)


def draw_scaling(study: Study, path: Path) -> None:
    """Losses against samples, excesses against the larger size, interpolation errors by dimension."""
    figure, (left, middle, right) = _panels(3, 12)
    for capacity in spectra.CAPACITIES[1:3] if study.quick else spectra.CAPACITIES:
        found = spectra.one_sided(study, capacity)
        left.plot(found.sizes, found.exact, color="grey", lw=1)
        left.plot(found.sizes, mean(found.rows), "o", ms=5, label=f"a = {capacity}")
    middle.plot(spectra.GAPS, [spectra.FEWER / gap for gap in spectra.GAPS], color="grey", lw=1)
    for of_samples, marker, kind in ((True, "o", "samples"), (False, "s", "features")):
        rows = mean(variance.excesses(study, of_samples=of_samples))
        middle.plot(spectra.GAPS, rows, marker, ms=5, label=f"more {kind}")
    for dimension in (1, 2, 3):
        for kind, marker in (("nearest-mse", "o"), ("linear-mse", "s")):
            sizes, rows = resolution.errors(study, kind, dimension)
            errors, power = mean(rows), ORDERS[kind] / dimension
            right.plot(sizes, [errors[0] * (size / sizes[0]) ** -power for size in sizes], color="grey", lw=0.8)
            right.plot(sizes, errors, marker, ms=5, label=f"{kind}, d = {dimension}")
    titles = ("loss of a white target", f"excess over L(m), m = {spectra.FEWER}", "interpolation, mean square")
    _label((left, middle, right), ("samples D", "M - m - 1", "samples D"), titles)
    figure.savefig(path, dpi=130)


def draw_digits(study: Study, path: Path) -> None:
    """Spectra of digits of fewer and fewer pixels; losses of a white target and of the classes in D and P."""
    figure, (left, middle, right) = _panels(3, 12)
    sizes = digits.sizes_of(study)
    for place, pixels in enumerate(digits.PIXELS[:1] if study.quick else digits.PIXELS):
        colour, label = f"C{place}", f"{pixels[0]} x {pixels[1]}"
        values = eigenvalues(digits.images_of(study, pixels).kernel)
        spectral = digits.spectral_exponent(study, pixels).value
        left.plot(range(1, len(values) + 1), values, color=colour, lw=1, label=f"{label}, {spectral:.2f}")
        middle_rank = round((sizes[0] * sizes[-1]) ** 0.5)
        fitted = [values[middle_rank - 1] * (size / middle_rank) ** (-1 - spectral) for size in sizes]
        left.plot(sizes, fitted, color=colour, lw=3, alpha=0.4)
        white, by_samples, by_features = digits.expected_losses(study, pixels)[:3]
        samples, features = mean(digits.sample_losses(study, pixels)), mean(digits.feature_losses(study, pixels))
        for axis, kind, lines in ((middle, 0, (white, white)), (right, 1, (by_samples, by_features))):
            axis.plot(sizes, lines[0], color=colour, lw=1)
            axis.plot(sizes, lines[1], "--", color=colour, lw=1)
            axis.plot(sizes, samples[kind], "o", color=colour, ms=5, label=f"{label}, D")
            axis.plot(sizes, features[kind], "s", color=colour, ms=5, mfc="none", label=f"{label}, P")
    titles = ("eigenvalues, alpha_K fitted", "loss of a white target", "loss of ten classes")
    _label((left, middle, right), ("rank", "D, P", "D, P"), titles)
    figure.savefig(path, dpi=130)


def limit_plan(study: Study) -> LimitPlan:
    """The run of the page's figure: relu on four digits."""
    run = Run(
        width=1024 if study.quick else 8192,
        depth=16 if study.quick else 64,
        steps=5,
        rate=0.5,
        kind="particles",
        seed=study.seed,
        centred=True,
    )
    if study.quick:
        return LimitPlan(run=run, widths=(64,), depths=(4,), members=1)
    return replace(LimitPlan(run=run), depths=(4, 16))


def draw_nfd(study: Study, path: Path) -> None:
    """Neural Feature Dynamics with and without response terms beside finite networks."""
    draw_limit(run_limit(limit_plan(study), study), str(path))


def draw_rates(study: Study, path: Path) -> None:
    """The best rate against depth."""
    draw_transfer(run_transfer(study), path)


DRAWN: Final[dict[str, Callable[[Study, Path], None]]] = {
    "collapse.png": draw_collapse,
    "independence.png": draw_independence,
    "limit.png": draw_nfd,
    "approach.png": draw_approach,
    "transfer.png": draw_rates,
    "scaling.png": draw_scaling,
    "digits.png": draw_digits,
}
