"""The claim that the spread of a test loss over initializations is a fixed share of its mean, whatever the data's size.

For networks of infinite width under NTK the trained function is Gaussian over initializations, its mean the kernel's
prediction and its covariance what the kernel leaves of f_0: mean and spread of the loss are exact, no initialization
is drawn. Two settings:
- power-law spectra with Gaussian modes, f_0 of variances k^(-a), kernel k^(-b), target zero: the derived exponent;
- digits, f_0 of the NNGP kernel, NTK, ten outputs: every image not trained on as a test, or 150 of them. The fewer
  tests, the sooner the ratio levels off at the spread of so many squares: a constant of the test set, not of the law.
  With a target beside f_0 and no power-law spectrum no number is derived, only that the ratio falls.
The derived exponent is a limit, which at e = 1/4 a hundred samples are far from: what is expected at these sizes is
the slope of sigma/mu to leading order there; nothing is allowed beside it but 1 + c/D. The source's claim, a constant,
is no limit of ours and is held to 0 as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

import numpy as np

from powercount.decide import stays
from powercount.derivations.scale import as_fraction, as_rational
from powercount.derivations.scaling_laws import ridge
from powercount.derivations.scaling_laws.spread import ratio_at, ratio_here
from powercount.derivations.sources import ELSHARKAWY
from powercount.empirical.scaling_laws import kernels
from powercount.empirical.scaling_laws.features import draws
from powercount.ledger.claim import Claim
from powercount.ledger.digits import first_images, images_asked
from powercount.ledger.finding import Evidence, Number, from_estimate, from_side
from powercount.ledger.runs import Rows, mean, slope_expected, slope_of
from powercount.ledger.spectra import CLOSEST, EASY, HARD, WHITE, generator_at, size_allowance
from powercount.studies.study import Study

FEW_TESTS: Final = 150
EVERY_OTHER: Final = "every image not trained on"
MEMBERS: Final = 48
# e = 1/4, half-way between a fixed share and a sum of D terms.
BETWEEN: Final = (Fraction(15, 4), Fraction(3, 2))


def modes_of(study: Study) -> int:
    """How many modes are kept."""
    return 256 if study.quick else 1024


def power_law_ratios(study: Study, source: Fraction, capacity: Fraction) -> tuple[tuple[int, ...], Rows]:
    """D, and sigma/mu of shape (members, sizes); members are draws of the data."""
    sizes, modes = (16, 32, 64, 128), modes_of(study)
    name = f"sigma/mu, source {source}, capacity {capacity}, D = {sizes}, {modes} modes, {MEMBERS} members"
    asked = {"source": str(source), "capacity": str(capacity), "sizes": sizes, "modes": modes}
    return sizes, np.asarray(study.cell(name, ratio_rows, **asked, members=MEMBERS, seed=study.seed))


def ratio_rows(
    *, source: str, capacity: str, sizes: Sequence[int], modes: int, members: int, seed: int
) -> list[list[float]]:
    """One member after the other, its ratio at each size."""
    rows = []
    for member in range(members):
        directions = draws(1, sizes[-1], modes, generator_at(seed, 13, member))[0]
        rows.append([power_law_ratio(Fraction(source), Fraction(capacity), directions[:size]) for size in sizes])
    return rows


def power_law_ratio(source: Fraction, capacity: Fraction, directions: Rows) -> float:
    """sigma/mu for one draw of the samples' modes, shape (D, modes).

    Modes beyond those kept are a ridge to the kernel, noise to the samples, and stay as they are at the tests.
    """
    samples, modes = directions.shape
    seen = directions * ridge.power_law(capacity, modes)
    gram = seen @ directions.T + ridge.power_law_tail(capacity, modes) * np.eye(samples)
    answer = np.linalg.solve(gram, seen).T
    left, beyond = np.eye(modes) - answer @ directions, ridge.power_law_tail(source, modes)
    covariance = (left * ridge.power_law(source, modes)) @ left.T + beyond * answer @ answer.T
    return float((2 * np.square(covariance).sum()) ** 0.5 / (np.trace(covariance) + beyond))


def digit_ratios(study: Study, tests: int | None) -> tuple[tuple[int, ...], Rows]:
    """The same for digits, on that many fixed tests, or all that are not trained on."""
    sizes = (32, 64, 128) if study.quick else (32, 64, 128, 256, 512)
    name = f"sigma/mu on digits, D = {sizes}, {tests or EVERY_OTHER}, {MEMBERS} members"
    images = images_asked(study)
    return sizes, np.asarray(study.cell(name, digit_rows, images=images, tests=tests, sizes=sizes, members=MEMBERS))


def digit_rows(
    *, images: Mapping[str, Any], tests: int | None, sizes: Sequence[int], members: int
) -> list[list[float]]:
    """One member after the other, its ratio at each size."""
    known = first_images(**images)
    products = known.inputs @ known.inputs.T
    prior, kernel = known.kernel, kernels.arc_cosine("ntk", products)
    targets, rows = known.targets(), []
    for member in range(members):
        order = generator_at(images["seed"], 14, member).permutation(len(kernel))
        row = []
        for size in sizes:
            seen, fresh = order[:size], order[size if tests is None else -tests :]
            found = kernels.weights(kernel, seen, fresh)
            left = kernels.start_covariance(prior, found, seen, fresh)
            row.append(kernels.spread_over_starts(left, found @ targets[seen] - targets[fresh]))
        rows.append(row)
    return rows


def ratio_slope(
    study: Study, source: Fraction, capacity: Fraction, claimed: Number, *, of_limit: bool = True
) -> Evidence:
    """The slope of sigma/mu against D beside a claimed one, of a power law's limit or of these very sizes."""
    sizes, rows = power_law_ratios(study, source, capacity)
    here = [ratio_here(source, capacity, size, modes_of(study)) for size in sizes]
    return from_estimate(
        slope_of(mean, rows, sizes),
        claimed,
        -as_fraction(ratio_at(target=as_rational(source), capacity=as_rational(capacity))),
        part="slope of sigma/mu against D",
        condition=f"Gaussian modes, a = {source}, b = {capacity}",
        expected=slope_expected(here, sizes),
        allowance=size_allowance(sizes),
        rival=CLOSEST,
        of_limit=of_limit,
    )


def l24(study: Study) -> list[Evidence]:
    """sigma/mu independent of D: where a - 1 >= 2 b alone."""
    found = []
    for source, capacity in (WHITE, BETWEEN, EASY) if study.quick else (WHITE, HARD, BETWEEN, EASY):
        found.append(ratio_slope(study, source, capacity, 0, of_limit=False))
    for tests in (None, FEW_TESTS):
        sizes, rows = digit_ratios(study, tests)
        found.append(
            from_side(
                slope_of(mean, rows, sizes),
                stays,
                claimed="0",
                predicted="below 0",
                expected=float("nan"),
                part="slope of sigma/mu against D",
                condition=f"digits under NTK, tests: {tests or EVERY_OTHER}",
            )
        )
    return found


CLAIMS: Final[tuple[Claim, ...]] = (
    Claim(
        id="L24",
        source=ELSHARKAWY,
        summary="the spread of the test loss over initializations is a fixed share of its mean",
        statement="sigma/mu ~ D^0 at large D; derived here D^(-e), e = 2 b + 1 - a held between 0 and 1/2",
        conditions="infinite width: kernels k^(-b), starts k^(-a), e = 0, 1/4, 1/2, D = 16..128; digits under NTK, "
        "D = 32..512",
        check=l24,
        test="tests/laws/scaling_laws/test_exponents_loss_spread.py",
    ),
)
