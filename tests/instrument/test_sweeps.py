"""A sweep adds seeds until its intervals are narrow, and what real steps do otherwise is in what it says of them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from powercount.derivations.named import named_recipe
from powercount.derivations.recipe import observable_named
from powercount.empirical.design import Sweep
from powercount.empirical.ensemble import draw_ensemble
from powercount.empirical.fit import fit_slope
from powercount.empirical.nets import member_squares
from powercount.empirical.sweep import PAIRED, measure

RECIPE = named_recipe("depth-mup", activation="tanh")
WIDTH = Sweep(axis="width", sizes=(8, 16, 32), fixed=2, seeds=4, most_seeds=512, data="gaussian")


def test_seeds_are_doubled_until_the_interval_is_narrow():
    """The first doubling at which the interval is within its half-width is the last; fewer seeds do not reach it."""
    output = observable_named("output", 2)
    narrow, wide = (measure(RECIPE, [output], replace(WIDTH, half_width=width))[output] for width in (0.1, 0.4))
    for found, width in ((narrow, 0.1), (wide, 0.4)):
        low, high = found.interval()
        assert high - low <= 2 * width
        assert found.seeds in (4, 8, 16, 32, 64, 128, 256)
    assert narrow.seeds > wide.seeds
    half = measure(RECIPE, [output], replace(WIDTH, seeds=narrow.seeds // 2, most_seeds=narrow.seeds // 2))[output]
    low, high = half.interval()
    assert high - low > 2 * 0.1


def test_what_real_steps_do_otherwise_is_in_their_slope():
    """Rates that grow as n^(1/2) and are not small: the slope is that of real steps on other members, not 1/2."""
    share, fast = observable_named("feature-update", 2), RECIPE
    for role in RECIPE.role_names:
        fast = fast.shifted(role, "learning_rate", "width", Fraction(1, 2))
    sweep = replace(WIDTH, sizes=(8, 32, 128), seeds=64, most_seeds=64, steps=2, rate=0.2, examples=1)
    found = measure(fast, [share], sweep)[share]
    first = measure(fast, [share], replace(sweep, steps=0, examples=16))[share]
    draws = draw_ensemble(seed=9, members=range(64), width=128, depth=2, layers=2, data="gaussian", examples=1)
    alone = fit_slope(member_squares(fast, [share], sweep, draws)[share], sweep.sizes)
    noise = np.hypot(found.fitted.standard_error, alone.standard_error)
    assert abs(found.slope - alone.value) < 3 * noise
    assert first.slope - found.slope > 3 * np.hypot(found.fitted.standard_error, first.fitted.standard_error)


def test_what_leaves_float32_is_computed_in_float64():
    """Rates less n^8 and a readout less n^12: sizes of 1e-43 are no zeros, and the slope is what it was, less 20."""
    sweep = replace(WIDTH, sizes=(32, 64, 128), seeds=16, most_seeds=16)
    observable, slow = observable_named("feature-update", 2), RECIPE.shifted("readout", "multiplier", "width", -6)
    slow = slow.shifted("readout", "init_std", "width", -6)
    for role in RECIPE.role_names:
        slow = slow.shifted(role, "learning_rate", "width", -8)
    here, there = (measure(recipe, [observable], sweep)[observable] for recipe in (RECIPE, slow))
    assert there.state == "measured"
    assert abs(there.slope - here.slope + 20) < 0.1  # without logits the error signal is another one, alike at every n


def test_pairs_are_added_where_they_help_and_no_further():
    """What is out of reach of the first-order response asks for few pairs; what pairs alone leave wide, for more."""
    share, never = observable_named("feature-update", 2), observable_named("feature-update@readout", 2)
    slow = replace(WIDTH, seeds=64, most_seeds=64, steps=2, rate=0.001, examples=1, half_width=1e-9)
    # The stream does not read the readout: a zero whose seeds are the pairs.
    assert measure(RECIPE, [share, never], slow)[never].seeds == PAIRED < 64
    assert measure(RECIPE, [share, never], replace(slow, rate=0.5))[never].seeds == 64
