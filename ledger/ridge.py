"""The claim that any random-feature ridge regression has its test error in one closed set of equations.

Settings of any spectrum, source, size, ridge and noise are drawn, and measured beside their deterministic equivalent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from powercount.derivations.scaling_laws import ridge
from powercount.derivations.sources import HERE
from powercount.empirical.fit import jackknife
from powercount.empirical.scaling_laws.features import target_losses
from powercount.ledger.claim import SPECTRA_TEST, Claim
from powercount.ledger.finding import Evidence, from_estimate
from powercount.ledger.runs import Rows, mean_of
from powercount.ledger.spectra import CLOSEST, ONE_PERCENT, generator_at
from powercount.studies.study import Study


@dataclass(frozen=True, slots=True, kw_only=True)
class RidgeSetting:
    """One drawn problem: lambda_k = k^(-capacity), lambda_k w_k^2 = k^(-source)."""

    capacity: float
    source: float
    samples: int
    features: int
    ridge: float
    noise: float
    modes: int = 256

    def spectrum(self) -> list[float]:
        """lambda."""
        return ridge.power_law(self.capacity, self.modes)

    def target(self) -> list[float]:
        """w^2."""
        return ridge.power_law(self.source - self.capacity, self.modes)

    def expected(self) -> float:
        """The deterministic equivalent."""
        return ridge.expected_error(
            self.spectrum(),
            self.target(),
            samples=self.samples,
            features=self.features,
            ridge=self.ridge,
            noise=self.noise,
        )

    def measured(self, members: int, generator: np.random.Generator) -> Rows:
        """Test errors of ``members`` draws."""
        return target_losses(
            self.spectrum(),
            self.target(),
            samples=self.samples,
            features=self.features,
            ridge=self.ridge,
            noise=self.noise,
            members=members,
            generator=generator,
        )


def drawn_setting(generator: np.random.Generator) -> RidgeSetting:
    """Any spectrum, source, sizes at least 8 apart, ridge and noise."""
    few = int(generator.integers(24, 96))
    sizes = [few, few + int(generator.integers(8, 96))]
    generator.shuffle(sizes)
    return RidgeSetting(
        capacity=float(generator.uniform(1.25, 3)),
        source=float(generator.uniform(1.2, 4)),
        samples=sizes[0],
        features=sizes[1],
        ridge=float(generator.choice([0.0, 1e-4, 1e-2])),
        noise=float(generator.choice([0.0, 0.1])),
    )


def l12(study: Study) -> list[Evidence]:
    """The deterministic equivalent of drawn settings: its ratio to the measured error, how often 3 errors hold it."""
    count, members = (24, 32) if study.quick else (240, 32)
    name = f"ridge, {count} settings, {members} members"
    rows = np.asarray(study.cell(name, error_ratios, count=count, members=members, seed=study.seed))
    scores = (rows[:, 0] - 1) / rows[:, 1]
    return [
        from_estimate(
            jackknife(_weighted, rows),
            1,
            1,
            part=f"measured over exact, {count} settings",
            condition="drawn settings",
            allowance=ONE_PERCENT,
            rival=CLOSEST,
        ),
        from_estimate(
            mean_of((abs(scores) <= 3).astype(np.float64)),
            1,
            1,
            part=f"share of {count} settings within 3 standard errors",
            condition="drawn settings",
            # Student's t with 31 degrees of freedom leaves one setting in 190 outside.
            allowance=ONE_PERCENT,
            rival=CLOSEST,
        ),
    ]


def error_ratios(*, count: int, members: int, seed: int) -> list[list[float]]:
    """Of each drawn setting the measured error over the exact one, and its standard error."""
    rows = []
    for place in range(count):
        generator = generator_at(seed, 8, place)
        setting = drawn_setting(generator)
        errors, exact = setting.measured(members, generator), setting.expected()
        rows.append([errors.mean() / exact, errors.std(ddof=1) / members**0.5 / exact])
    return rows


def _weighted(rows: Rows) -> float:
    weights = rows[:, 1] ** -2
    return float((rows[:, 0] * weights).sum() / weights.sum())


CLAIMS: Final[tuple[Claim, ...]] = (
    Claim(
        id="L12",
        source=HERE,
        summary="any spectrum, target, ridge and noise has its test error in one closed set of equations",
        statement="E = (g - kappa_1 g' kappa_2' + s2)/(1 - gamma_1)",
        conditions="240 drawn settings: sizes 24 to 190 at least 8 apart, capacity 1.25 to 3, source 1.2 to 4",
        check=l12,
        test=SPECTRA_TEST,
    ),
)
