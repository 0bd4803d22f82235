"""The kernels that stand for infinitely wide networks are those of networks, and exact averages those of draws."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from powercount.derivations.recipe import QuestionError
from powercount.derivations.scaling_laws import sphere
from powercount.derivations.scaling_laws.ridge import power_law
from powercount.empirical.scaling_laws import kernels
from powercount.ledger.digits import spectral_slope
from powercount.ledger.spread import power_law_ratio

DRAWS = 40_000
# Double precision: sums of a dozen terms of order one, a small system solved.
ROUNDED = 1e-12


@pytest.fixture(scope="module")
def points():
    """Twelve points on S^2."""
    return kernels.on_sphere(np.random.default_rng(0).standard_normal((12, 3)))


def drawn(kernel, shape, seed):
    """Functions of that covariance, on the last axis."""
    root = np.linalg.cholesky(kernel + kernels.ROUNDING * np.eye(len(kernel)))
    return np.random.default_rng(seed).standard_normal((*shape, len(kernel))) @ root.T


@pytest.mark.parametrize("kind", kernels.KERNELS)
def test_kernels_are_averages_over_hidden_units(points, kind):
    """NNGP: E 2 relu relu; NTK: half the product of all gradients, of readout and hidden weights alike."""
    generator = np.random.default_rng(1)
    before = points @ generator.standard_normal((3, DRAWS))
    of_readout = 2 * np.maximum(before, 0)[:, None] * np.maximum(before, 0)[None]
    samples = of_readout
    if kind == "ntk":
        active = (before > 0).astype(float)
        of_hidden = 2 * active[:, None] * active[None] * (points @ points.T)[..., None]
        samples = (of_readout + of_hidden) / 2
    error = samples.std(axis=-1) / DRAWS**0.5
    # 78 pairs: six standard errors
    assert (np.abs(samples.mean(axis=-1) - kernels.arc_cosine(kind, points @ points.T)) < 6 * error + ROUNDED).all()


@pytest.mark.parametrize("kind", kernels.KERNELS)
def test_eigenvalues_on_the_sphere_are_the_derived_ones(kind):
    """800 random points: the first nine eigenvalues, of degrees 0 to 2, within the noise of so many points."""
    count = 800
    points = kernels.on_sphere(np.random.default_rng(2).standard_normal((count, 3)))
    seen = kernels.eigenvalues(kernels.arc_cosine(kind, points @ points.T))[:9]
    known, _ = sphere.spectrum(kind, 2)
    # A group of 2 l + 1 equal values spreads by twice the square root of its size over the points.
    assert np.abs(seen / known - 1).max() < 4 * (5 / count) ** 0.5


def test_spread_over_starts_is_that_of_drawn_starts(points):
    """sigma/mu in closed form beside the losses of 40 000 starts drawn from the prior and fitted."""
    prior, kernel = (kernels.arc_cosine(kind, points @ points.T) for kind in ("nngp", "ntk"))
    seen, tests = np.arange(5), np.arange(5, 12)
    targets = np.stack([points[:, 0], points[:, 1] ** 2], axis=1)
    found = kernels.weights(kernel, seen, tests)
    covariance = kernels.start_covariance(prior, found, seen, tests)
    exact = kernels.spread_over_starts(covariance, found @ targets[seen] - targets[tests])
    starts = drawn(prior, (DRAWS, 2), seed=3)
    trained = starts[..., tests] + (targets[seen].T - starts[..., seen]) @ found.T
    losses = np.square(trained - targets[tests].T).sum(axis=1).mean(axis=1)
    # The relative error of a standard deviation from so many draws of a loss of kurtosis below 10.
    assert losses.std() / losses.mean() == pytest.approx(exact, rel=4 * (10 / DRAWS) ** 0.5)


def test_losses_of_kernel_regression_are_those_of_drawn_targets(points):
    """White targets drawn from the kernel and interpolated err by the loss in closed form."""
    kernel, seen, tests = kernels.arc_cosine("nngp", points @ points.T), np.arange(5), np.arange(12)
    found = kernels.weights(kernel, seen, tests)
    targets = drawn(kernel, (DRAWS,), seed=4).T
    errors = np.square(found @ targets[seen] - targets).mean(axis=0)
    exact = kernels.white_loss(kernel, found, seen, tests)
    # Five standard errors: one false alarm in a million seeds, and the seed is fixed.
    assert abs(errors.mean() - exact) < 5 * errors.std() / DRAWS**0.5


def test_losses_of_students_are_those_of_least_squares(points):
    """The best student of P features, by least squares on all points, for a given target and for drawn white ones."""
    kernel = kernels.arc_cosine("nngp", points @ points.T)
    given = np.stack([points[:, 0], points[:, 1] ** 2], axis=1)
    white, other = kernels.student_losses(points, kernel, given, (3, 6), np.random.default_rng(5))
    features = np.maximum(points @ np.random.default_rng(5).standard_normal((3, 6)), 0)
    targets = drawn(kernel, (DRAWS,), seed=6).T
    for place, size in enumerate((3, 6)):
        left = [each - features[:, :size] @ np.linalg.lstsq(features[:, :size], each)[0] for each in (given, targets)]
        # Rounding, grown by the condition of six features on twelve points.
        assert other[place] == pytest.approx(np.square(left[0]).sum(axis=1).mean(), rel=1e-9)
        errors = np.square(left[1]).mean(axis=0)
        # As above.
        assert abs(errors.mean() - white[place]) < 5 * errors.std() / DRAWS**0.5


@pytest.mark.parametrize("power", [1.5, 2.0])
def test_alpha_k_of_a_power_law_is_its_own(power):
    """Eigenvalues k^(-power) have alpha_K = power - 1 to rounding, whatever the ranks fitted."""
    values = np.asarray(power_law(power, 600))
    for sizes in ((16, 64), (64, 512)):
        assert spectral_slope(values, sizes) == pytest.approx(power - 1, abs=ROUNDED)


@pytest.mark.parametrize(("source", "capacity"), [("3/2", "3/2"), ("2", "2"), ("6", "3/2")])
def test_modes_beyond_those_kept_are_carried(source, capacity):
    """sigma/mu of 128 modes and their tail is that of 1024 modes and theirs, on the same draws of the first."""
    directions = np.random.default_rng(7).standard_normal((24, 1024))
    few, many = (power_law_ratio(Fraction(source), Fraction(capacity), directions[:, :n]) for n in (128, 1024))
    # The tail replaced by its mean: fluctuations of its share of the Gram matrix.
    assert few == pytest.approx(many, rel=0.02)


def test_interpolation_is_exact_where_it_was_seen(points):
    """The loss on seen points is zero, of a given target and of one drawn from the kernel."""
    kernel, seen = kernels.arc_cosine("nngp", points @ points.T), np.arange(6)
    found = kernels.weights(kernel, seen, seen)
    assert kernels.target_loss(points, found, seen, seen) < ROUNDED
    assert abs(kernels.white_loss(kernel, found, seen, seen)) < ROUNDED


def test_digits_are_averaged_and_scaled():
    """8 x 8 pixels are the images; 4 x 4 the means of squares of four; all of length one."""
    whole, labels = kernels.digits()
    quarters, again = kernels.digits(4, 4)
    assert whole.shape == (1797, 64)
    assert quarters.shape == (1797, 16)
    assert (labels == again).all()
    squares = whole[:, [0, 1, 8, 9]].mean(axis=1) / np.linalg.norm(
        whole.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(1797, -1), axis=1
    )
    np.testing.assert_allclose(quarters[:, 0], squares, atol=ROUNDED)
    np.testing.assert_allclose(np.linalg.norm(quarters, axis=1), 1, atol=ROUNDED)


def test_an_unknown_kernel_is_refused():
    """The remedy is the list of names."""
    with pytest.raises(QuestionError, match="ntk"):
        kernels.arc_cosine("rbf", np.eye(2))
