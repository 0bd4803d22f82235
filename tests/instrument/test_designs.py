"""The sockets of the instrument: any subject, points over any axes, one loop, one rule."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from powercount.decide import Limit, decide
from powercount.derivations.mean_field import InfiniteWidth
from powercount.derivations.named import named_recipe
from powercount.derivations.recipe import observable_named
from powercount.door import verbs as command
from powercount.empirical.data import DATA
from powercount.empirical.design import DEVICES, Plane, Sweep, SweepError, cross, grid
from powercount.empirical.ensemble import seed_of
from powercount.empirical.fit import fit_slope, fit_slopes
from powercount.empirical.grow import grow
from powercount.empirical.nets import RecipeNets, check_possible
from powercount.empirical.subject import Rows
from powercount.empirical.sweep import measure

WIDTHS, DEPTHS = (16, 32, 64), (2, 4, 8)
WIDE = {"grid": grid((64, 128, 256), DEPTHS), "cross": cross((64, 128, 256), DEPTHS, (128, 4))}
PLANES = {"grid": grid(WIDTHS, DEPTHS), "cross": cross((16, 32, 64, 128), (2, 4, 8, 16), (32, 4))}


def planted(points, width, depth, members, generator):
    """Members whose rms follows n^width L^depth, log-normal, with noise that points share in part."""
    sizes = np.array([n**width * length**depth for n, length in points])
    common, own = generator.normal(size=(members, 1)), generator.normal(size=(members, len(points)))
    return sizes**2 * np.exp(0.3 * common + 0.3 * own)


@pytest.mark.parametrize("name", PLANES)
def test_both_slopes_of_a_plane_are_found(name):
    """Planted n^(-1/2) L^(1/4): of 400 ensembles the 95 % intervals miss either slope as often as they say."""
    points, generator = Plane(at=PLANES[name]).points(), np.random.default_rng(7)
    missed, errors, covariances = np.zeros(2), [], []
    for _ in range(400):
        found = fit_slopes(planted(points, -0.5, 0.25, 24, generator), points)
        truth = {"width": -0.5, "depth": 0.25}
        for place, (axis, slope) in enumerate(found.along.items()):
            low, high = slope.interval(0.95)
            missed[place] += not low <= truth[axis] <= high
        errors.append([found.along[axis].value - truth[axis] for axis in truth])
        covariances.append(found.covariance)
    assert (missed <= 400 * 0.05 + 4 * (400 * 0.05) ** 0.5).all()
    # The covariance is that of the slopes. 400 ensembles know a variance to (2/400)^(1/2) = .07: four of these.
    scale = np.sqrt(np.diag(seen := np.cov(np.array(errors).T)))
    assert np.allclose(np.mean(covariances, axis=0) / np.outer(scale, scale), seen / np.outer(scale, scale), atol=0.28)


def test_one_axis_is_what_it_was():
    """Along one axis ``fit_slopes`` is ``fit_slope``, and ``measure`` is ``grow`` on a recipe's nets, to the digit."""
    sweep, recipe = Sweep(axis="width", sizes=WIDTHS, fixed=3, seeds=4, most_seeds=8), named_recipe("mup")
    asked = [observable_named("own-update:1", 2), observable_named("stream", 2)]
    squares, slopes = grow(RecipeNets(recipe), asked, sweep)
    for each, found in measure(recipe, asked, sweep).items():
        assert found.fitted == slopes[each].along["width"] == fit_slope(squares[each], WIDTHS)
        assert slopes[each].covariance.item() == pytest.approx(  # rounding: both leave each seed out once
            np.var([fit_slope(np.delete(squares[each], i, 0), WIDTHS).value for i in range(len(squares[each]))])
            * (len(squares[each]) - 1)
        )


@pytest.mark.parametrize("name", WIDE)
def test_a_recipe_over_both_axes_has_both_exact_slopes(name, powercount_laws):
    """depth-mup over width and depth at once: each slope is that of the exact values at the same points."""
    recipe, plane = named_recipe("depth-mup"), Plane(at=WIDE[name], seeds=64, most_seeds=64, data="gaussian")
    asked = [observable_named(each, 2) for each in ("own-update:1", "own-update:2", "feature-update@hidden2")]
    _, slopes = grow(RecipeNets(recipe), asked, plane)
    for each in asked:
        exact = [[InfiniteWidth(recipe, *point).mean_square(each) for point in plane.points()]] * 2
        expected = fit_slopes(np.array(exact), plane.points()).along
        for axis, slope in slopes[each].along.items():
            # Finite width: a factor 1 + c/n with c of some units moves a slope by no more than .03 from n = 64 on.
            found = decide(slope, Limit(value=expected[axis].value, allowance=0.03))
            powercount_laws.note(
                f"{name}, {each} along {axis}", f"{slope.value:+.3f}, exact {expected[axis].value:+.3f}"
            )
            assert found.outcome == "AGREES", found.because
            rival = Limit(value=expected[axis].value + 0.25, allowance=0.03)
            assert decide(slope, rival).outcome == "CONTRADICTS"


class Perceptron:
    """Somebody's own nets: torch's layers as they are, whose features are said to keep their size."""

    def __init__(self, gain=1.0):
        self.gain = gain

    def squares(self, asked, design, members):
        """Mean squares of the two named layers, shape (members, points)."""
        rows = {name: [] for name in asked}
        for member in members:
            x = torch.randn(8, 10, generator=torch.Generator().manual_seed(seed_of(design.seed, member)))
            row = {name: [] for name in asked}
            for width, depth in design.points():
                torch.manual_seed(seed_of(design.seed, member))
                layers = torch.nn.Sequential(torch.nn.Linear(10, width, bias=False))
                layers.extend(torch.nn.Linear(width, width, bias=False) for _ in range(depth))
                with torch.no_grad():
                    for layer in layers:
                        torch.nn.init.normal_(layer.weight, std=self.gain * layer.in_features**-0.5)
                    first = layers[0](x)
                    seen = {"first": first, "last": layers(x)}
                for name in asked:
                    row[name].append(float(seen[name].square().mean()))
            for name in asked:
                rows[name].append(row[name])
        return {name: np.array(each) for name, each in rows.items()}

    def numbers(self, design):
        """Weights of the largest net."""
        width, depth = design.largest()
        return depth * width**2


def test_a_module_of_anybodys_is_a_subject():
    """Flat in width and depth; with weights too large by 2^(1/4) a layer the last one grows with depth, and is told."""
    flat = Limit(value=0.0)
    for gain, last in ((1.0, "AGREES"), (2**0.25, "CONTRADICTS")):
        design = Plane(at=cross((64, 128, 256), (1, 2, 4), (128, 2)), seeds=64, most_seeds=64)
        _, slopes = grow(Perceptron(gain), ["first", "last"], design)
        assert {axis: decide(each, flat).outcome for axis, each in slopes["first"].along.items()} == {
            "width": "AGREES",
            "depth": "AGREES",
        }
        assert decide(slopes["last"].along["width"], flat).outcome == "AGREES"
        assert decide(slopes["last"].along["depth"], flat).outcome == last


def test_rows_are_a_subject_too():
    """Numbers computed elsewhere are grown and judged like nets; too few of them, or for other points, are refused."""
    points, generator = Plane(at=PLANES["grid"]).points(), np.random.default_rng(3)
    rows = Rows(known={"loss": planted(points, -1, 0, 64, generator)})
    design = Plane(at=PLANES["grid"], seeds=16, most_seeds=64, half_width=0.02)
    squares, slopes = grow(rows, ["loss"], design)
    assert len(squares["loss"]) > 16
    assert decide(slopes["loss"].along["width"], Limit(value=-1.0)).outcome == "AGREES"
    assert decide(slopes["loss"].along["depth"], Limit(value=-0.25)).outcome == "CONTRADICTS"
    with pytest.raises(SweepError, match="give as many rows, or set most_seeds = 64"):
        grow(rows, ["loss"], replace(design, seeds=128, most_seeds=128))
    with pytest.raises(SweepError, match="64 members at 9 points; the design has 3 points"):
        grow(rows, ["loss"], Sweep(axis="width", sizes=WIDTHS, fixed=2))


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (((8, 2), (16, 2), (32, 2)), "needs at least 3 different sizes"),
        (((8, 2), (16, 4), (32, 8)), "lie on one line"),
        (((0, 2), (16, 4), (32, 8), (32, 2)), "at least 1"),
    ],
)
def test_a_plane_without_two_slopes_is_refused(at, said):
    """Too few sizes along an axis, points on one line, or no network: one line says so."""
    with pytest.raises(SweepError, match=said):
        Plane(at=at)


def test_a_device_that_is_not_there_is_refused(monkeypatch):
    """An unknown device, and an accelerator where torch sees none, with the way out; the command knows the same."""
    assert (command.DEVICES, command.DATA) == (DEVICES, DATA)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SweepError, match="choose one of: cpu, cuda"):
        Sweep(axis="width", sizes=WIDTHS, fixed=2, device="tpu")
    with pytest.raises(SweepError, match="sees no GPU; use --device cpu"):
        check_possible(named_recipe("mup"), Sweep(axis="width", sizes=WIDTHS, fixed=2, device="cuda"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
@pytest.mark.parametrize("steps", [0, 2])
def test_a_gpu_sees_what_a_cpu_sees(steps):
    """The same draws, the same slopes: to float32's rounding, which a slope divides by the log of the sizes' ratio."""
    sweep = Sweep(axis="width", sizes=WIDTHS, fixed=3, steps=steps, examples=1 if steps else 16)
    asked = [observable_named(each, 2) for each in ("own-update:1", "output-update", "stream")]
    here, there = (measure(named_recipe("mup"), asked, replace(sweep, device=each)) for each in ("cpu", "cuda"))
    for each in asked:
        assert math.isclose(here[each].slope, there[each].slope, abs_tol=1e-5)
