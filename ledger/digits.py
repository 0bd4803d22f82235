"""Claims about kernels and random features on real images: spectra, samples, features; coarser classes, input noise.

scikit-learn's digits, averaged to fewer pixels or not, on the sphere; the 1797 images are the whole distribution, drawn
from with replacement, so that its spectrum is exact and the number of images no source of error; alpha_K is given with
the interval of leaving images out all the same. Students have ReLU features; the kernel is that of infinitely many.
D, P and the ranks alpha_K is fitted to run from 64 to 512, every octave counting alike.

512 of 1797 images is no small part: alpha_D and alpha_P are compared with what a power law of exponent alpha_K on as
many modes has at these sizes. Digits are no power law (read from the sums of the eigenvalues left, alpha_K gives up to
.05 less), and real features are not Gaussian: exponents are one if they differ by less than an eighth, half the way to
the nearest rival. ``predicted`` is the deterministic equivalent of all eigenvalues and the target's share in each: a
white target, drawn from the kernel, has the same in all; the ten classes, one output each less its mean, have not.
Worked line: 8 x 8 pixels, white target: alpha_K = .69, which gives .86 at these sizes; D has .85, P 1.08.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np

from powercount.decide import REPORTED, falls, stays
from powercount.derivations.scaling_laws import ridge
from powercount.derivations.sources import BAHRI, HERE
from powercount.empirical.fit import Estimate, from_left_out, jackknife, least_squares_weights
from powercount.empirical.scaling_laws import kernels
from powercount.empirical.scaling_laws.kernels import Array, Labels
from powercount.ledger.claim import Claim
from powercount.ledger.finding import Evidence, from_side, written
from powercount.ledger.runs import Rows, mean, slope_expected, slope_of
from powercount.ledger.spectra import generator_at
from powercount.studies.study import Study

SIZES: Final = (64, 128, 256, 512)
PIXELS: Final = ((8, 8), (8, 4), (4, 4))
IMAGES, FEW_IMAGES = 1797, 900
# Of the pixels' standard deviation: they are 0 to 16, and vary by 6.
NOISE: Final = 4.0
CLASSES: Final[dict[str, Callable[[Labels], Labels]]] = {
    "ten classes": lambda labels: labels,
    "five classes, neighbours joined": lambda labels: labels // 2,
    "two classes, even and odd": lambda labels: labels % 2,
    "two classes, small and large": lambda labels: labels // 5,
}
TARGETS: Final = ("white", *CLASSES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Inputs (images, pixels) and labels of the digits asked for, and the kernel of infinitely many ReLU features."""

    inputs: Array
    kernel: Array
    labels: Labels

    def targets(self, classes: str = "ten classes") -> Array:
        """One output a class, less its mean, shape (images, outputs)."""
        joined = CLASSES[classes](self.labels)
        outputs = np.eye(int(joined.max()) + 1)[joined]
        centred: Array = outputs - outputs.mean(axis=0)
        return centred


def sizes_of(study: Study) -> tuple[int, ...]:
    """D and P."""
    return SIZES[:-1] if study.quick else SIZES


def count_of(study: Study) -> int:
    """How many images: the first 900 in a quick study."""
    return FEW_IMAGES if study.quick else IMAGES


def images_of(study: Study, pixels: tuple[int, int] = (8, 8), noise: float = 0.0) -> Images:
    """The digits."""
    return first_images(**images_asked(study, pixels, noise))


def images_asked(study: Study, pixels: tuple[int, int] = (8, 8), noise: float = 0.0) -> dict[str, Any]:
    """The digits of a study as plain data, for ``first_images``."""
    return {"pixels": pixels, "noise": noise, "count": count_of(study), "seed": study.seed}


def first_images(*, pixels: Sequence[int], noise: float, count: int, seed: int) -> Images:
    """So many digits of so many pixels, and their kernel."""
    rows, columns = pixels
    inputs, labels = kernels.digits(rows, columns, noise=noise, seed=seed)
    inputs = inputs[:count]
    return Images(inputs=inputs, kernel=kernels.arc_cosine("nngp", inputs @ inputs.T), labels=labels[:count])


def _named(pixels: tuple[int, int]) -> str:
    return f"{pixels[0]} x {pixels[1]} pixels"


def _cell(study: Study, pixels: tuple[int, int], noise: float = 0.0) -> str:
    return f"{count_of(study)} digits, {_named(pixels)}, noise {noise:g}, D, P = {sizes_of(study)}"


def spectral_slope(values: Array, sizes: Sequence[int]) -> float:
    """alpha_K of the eigenvalues whose rank lies within ``sizes``, every octave of ranks counting alike."""
    ranks = np.arange(sizes[0], sizes[-1] + 1)
    slope, _ = np.polyfit(np.log(ranks), np.log(values[ranks - 1]), 1, w=ranks**-0.5)
    return -1 - float(slope)


def pure_exponent(spectral: float, modes: int, sizes: Sequence[int]) -> float:
    """alpha_D of a white target on k^(-(1 + alpha_K)), k up to ``modes``."""
    spectrum = ridge.power_law(1 + spectral, modes)
    return -slope_expected([ridge.one_sided_loss(spectrum, size) for size in sizes], sizes)


@cache
def spectral_exponent(study: Study, pixels: tuple[int, int]) -> Estimate:
    """alpha_K, its error from leaving groups of images out."""
    groups = 8 if study.quick else 24
    name = f"{_cell(study, pixels)}: alpha_K, {groups} groups"
    first, *without = study.cell(
        name, slopes_without, images=images_asked(study, pixels), sizes=sizes_of(study), groups=groups
    )
    return from_left_out(first, np.asarray(without))


def slopes_without(*, images: Mapping[str, Any], sizes: Sequence[int], groups: int) -> list[float]:
    """alpha_K of all images, then with each group of them left out."""
    kernel = first_images(**images).kernel
    place = np.arange(len(kernel)) % groups
    kept = [kernel[np.ix_(place != group, place != group)] for group in range(groups)]
    return [spectral_slope(kernels.eigenvalues(each), sizes) for each in (kernel, *kept)]


@cache
def sample_losses(study: Study, pixels: tuple[int, int], noise: float = 0.0) -> Rows:
    """Losses of the kernel on D images, shape (members, ``TARGETS``, sizes); members are draws of the images."""
    members = 32 if study.quick else 64
    name = f"{_cell(study, pixels, noise)}: losses on samples, {members} members"
    images = images_asked(study, pixels, noise)
    return np.asarray(study.cell(name, losses_on_samples, images=images, sizes=sizes_of(study), members=members))


def losses_on_samples(*, images: Mapping[str, Any], sizes: Sequence[int], members: int) -> list[list[list[float]]]:
    """One member after the other, each target's loss at each size."""
    known, rows = first_images(**images), []
    every = np.arange(len(known.kernel))
    targets = [known.targets(classes) for classes in CLASSES]
    for member in range(members):
        drawn = generator_at(images["seed"], 10, member).integers(0, len(every), SIZES[-1])
        columns = []
        for size in sizes:
            seen = np.unique(drawn[:size])
            found = kernels.weights(known.kernel, seen, every)
            given = [kernels.target_loss(each, found, seen, every) for each in targets]
            columns.append([kernels.white_loss(known.kernel, found, seen, every), *given])
        rows.append(np.transpose(columns).tolist())
    return rows


@cache
def feature_losses(study: Study, pixels: tuple[int, int]) -> Rows:
    """Losses of students of P features, shape (members, white and ten classes, sizes); members are draws of them."""
    members = 16 if study.quick else 192
    name = f"{_cell(study, pixels)}: losses of features, {members} members"
    images = images_asked(study, pixels)
    return np.asarray(study.cell(name, losses_of_features, images=images, sizes=sizes_of(study), members=members))


def losses_of_features(
    *, images: Mapping[str, Any], sizes: Sequence[int], members: int
) -> list[tuple[list[float], list[float]]]:
    """One member after the other, of a white target and of the classes at each size."""
    known = first_images(**images)
    return [
        kernels.student_losses(
            known.inputs, known.kernel, known.targets(), sizes, generator_at(images["seed"], 11, member)
        )
        for member in range(members)
    ]


@cache
def expected_losses(study: Study, pixels: tuple[int, int], noise: float = 0.0) -> Rows:
    """The deterministic equivalent of all eigenvalues, shape (1 + 2 classes, sizes).

    Of a white target, in D and P alike; then, for each of ``CLASSES``, in D and in P.
    """
    name = f"{_cell(study, pixels, noise)}: deterministic equivalent"
    return np.asarray(
        study.cell(name, equivalent_losses, images=images_asked(study, pixels, noise), sizes=sizes_of(study))
    )


def equivalent_losses(*, images: Mapping[str, Any], sizes: Sequence[int]) -> list[list[float]]:
    """One curve after the other."""
    known = first_images(**images)
    values, vectors = np.linalg.eigh(known.kernel / len(known.kernel))
    positive = np.maximum(values, kernels.ROUNDING)
    spectrum = positive.tolist()
    curves = [[ridge.one_sided_loss(spectrum, size) for size in sizes]]
    for classes in CLASSES:
        shares = (np.square(vectors.T @ known.targets(classes)).sum(axis=1) / len(values) / positive).tolist()
        curves += [
            [ridge.expected_error(spectrum, shares, samples=size) for size in sizes],
            [ridge.expected_error(spectrum, shares, samples=math.inf, features=size) for size in sizes],
        ]
    return curves


def _exponents(curves: Rows, sizes: Sequence[int]) -> list[float]:
    return [-slope_expected(curve, sizes) for curve in curves]


def exponent(rows: Rows, sizes: Sequence[int]) -> Estimate:
    """alpha_D or alpha_P: minus the slope of the mean loss."""
    slope = slope_of(mean, rows, sizes)
    return Estimate(value=-slope.value, standard_error=slope.standard_error, freedom=slope.freedom)


def _judged(estimate: Estimate, claimed: float, predicted: float, *, part: str, condition: str) -> Evidence:
    """Whether an exponent is the one claimed, to an eighth."""
    return from_side(
        estimate,
        lambda low, high: stays(low - claimed, high - claimed),
        claimed=written(claimed),
        predicted=written(predicted),
        expected=predicted,
        part=part,
        condition=condition,
    )


def l2_digits(study: Study) -> list[Evidence]:
    """alpha_D = alpha_P = alpha_K of white targets on digits."""
    found, sizes = [], sizes_of(study)
    for pixels in PIXELS[:1] if study.quick else PIXELS:
        spectral = spectral_exponent(study, pixels)
        pure = pure_exponent(spectral.value, count_of(study), sizes)
        low, high = spectral.interval(REPORTED)
        white = _exponents(expected_losses(study, pixels), sizes)[0]
        data = exponent(sample_losses(study, pixels)[:, 0], sizes)
        features = exponent(feature_losses(study, pixels)[:, 0], sizes)
        # Independent draws.
        apart = Estimate(
            value=features.value - data.value,
            standard_error=math.hypot(features.standard_error, data.standard_error),
            freedom=min(features.freedom, data.freedom),
        )
        condition = f"{_named(pixels)}, alpha_K = {spectral.value:.3f} [{low:.3f}, {high:.3f}]"
        for part, estimate, claimed, predicted in (
            ("alpha_D", data, pure, white),
            ("alpha_P", features, pure, white),
            ("alpha_P - alpha_D", apart, 0.0, 0.0),
        ):
            found.append(_judged(estimate, claimed, predicted, part=part, condition=condition))
    return found


def l13_digits(study: Study) -> list[Evidence]:
    """The classes' own alpha_D and alpha_P are those of all eigenvalues and of the classes' share in each."""
    found, sizes = [], sizes_of(study)
    for pixels in PIXELS[-1:] if study.quick else PIXELS:
        by_samples, by_features = _exponents(expected_losses(study, pixels), sizes)[1:3]
        data = exponent(sample_losses(study, pixels)[:, 1], sizes)
        features = exponent(feature_losses(study, pixels)[:, 1], sizes)
        for part, estimate, predicted in (("alpha_D", data, by_samples), ("alpha_P", features, by_features)):
            found.append(_judged(estimate, predicted, predicted, part=part, condition=_named(pixels)))
    return found


def change(after: Rows, before: Rows, sizes: Sequence[int]) -> Estimate:
    """The change of alpha_D, members paired by their draws."""
    weights = least_squares_weights(sizes)
    both = np.stack([after, before], axis=1)
    return jackknife(lambda rows: float(weights @ np.diff(np.log(rows.mean(axis=0)), axis=0)[0]), both)


def l10(study: Study) -> list[Evidence]:
    """Joining classes leaves alpha_D as it is; noise on the inputs lowers it."""
    pixels, sizes = PIXELS[0], sizes_of(study)
    clean, noisy = sample_losses(study, pixels), sample_losses(study, pixels, NOISE)
    # Of a white target, then of each of the classes, in D.
    before, after = (
        [curves[0], *curves[1::2]]
        for curves in (_exponents(expected_losses(study, pixels, noise), sizes) for noise in (0.0, NOISE))
    )
    found = [
        _judged(
            change(clean[:, place], clean[:, 1], sizes),
            0.0,
            before[place] - before[1],
            part=f"alpha_D less that of ten classes: {TARGETS[place]}",
            condition="classes joined",
        )
        for place in range(2, 3 if study.quick else len(TARGETS))
    ]
    for place, kind in ((0, "white target"), (1, "ten classes")):
        expected = after[place] - before[place]
        found.append(
            from_side(
                change(noisy[:, place], clean[:, place], sizes),
                falls,
                claimed="below 0",
                predicted=written(expected),
                expected=expected,
                part=f"change of alpha_D under noise of {NOISE:g} on pixels of 0 to 16, {kind}",
                condition="input noise",
            )
        )
    return found


DIGITS_TEST: Final = "tests/laws/scaling_laws/test_exponents_digits.py"

CLAIMS: Final[tuple[Claim, ...]] = (
    Claim(
        id="L2'",
        source=BAHRI,
        summary="on real images too data, features and spectrum have one exponent",
        statement="alpha_D = alpha_P = alpha_K, to an eighth, for ReLU features of digits",
        conditions="white targets on scikit-learn's digits of 64, 32 and 16 pixels; D, P and ranks 64..512 of 1797;"
        " all 1797 are the tests, those trained on among them",
        check=l2_digits,
        test=DIGITS_TEST,
        marks=("the spectrum of digits is no power law",),
    ),
    Claim(
        id="L10",
        source=BAHRI,
        summary="joining classes leaves the data exponent as it is, noise on the inputs lowers it",
        statement="alpha_D of fewer, larger classes = alpha_D, to an eighth; alpha_D with input noise < alpha_D",
        conditions="the kernel analogue of their networks: digits, ReLU kernel, D = 64..512, paired draws",
        check=l10,
        test=DIGITS_TEST,
    ),
    Claim(
        id="L13'",
        source=HERE,
        summary="on real images the classes' exponents are those of all eigenvalues and of their share in each",
        statement="alpha_D, alpha_P of the ten classes = those of the deterministic equivalent, to an eighth",
        conditions="as L2', the ten classes less their means; alpha_K alone errs by up to a half",
        check=l13_digits,
        test=DIGITS_TEST,
    ),
)
