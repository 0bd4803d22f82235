"""Claims about regression on power-law spectra: data and feature exponents, duality, variance-limited excess.

Gaussian inputs and random features (``empirical.scaling_laws.features``) beside their exact laws at the same sizes
(``derivations.scaling_laws``). Random numbers are shared along a sweep: the first D rows of one draw. What the
deterministic equivalent leaves is of relative order 1/m; ``OVER_SIZE`` bounds its coefficient.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from powercount.derivations.scale import as_fraction, as_rational
from powercount.derivations.scaling_laws import ridge, spectra
from powercount.derivations.sources import BAHRI, DYNAMICAL, MALONEY
from powercount.empirical.fit import Estimate
from powercount.empirical.scaling_laws.features import (
    draws,
    fit_losses,
    one_sided_losses,
    projection_losses,
    white_losses,
)
from powercount.ledger.claim import SPECTRA_TEST, Claim
from powercount.ledger.finding import Evidence, Number, from_estimate
from powercount.ledger.runs import Rows, exact, mean, mean_of, next_order, slope_expected, slope_of
from powercount.studies.study import Study

OVER_SIZE: Final = 1.0
CAPACITIES: Final = (Fraction(1, 4), Fraction(1, 2), Fraction(1), Fraction(2))
# (a, b): lambda_k w_k^2 = k^(-a), lambda_k = k^(-b); a white target, one with a source of its own, and an easy one.
WHITE, HARD, EASY = (Fraction(2), Fraction(2)), (Fraction(2), Fraction(3, 2)), (Fraction(6), Fraction(3, 2))
SMALLEST: Final = 64
# Two exponents of these papers that lie closer than this are not told apart.
CLOSEST: Final = 0.25
ONE_PERCENT: Final = 0.01
EXACT: Final = 1e-10
GAPS: Final = (16, 32, 64, 128, 256)
FEWER: Final = 32


def generator_at(seed: int, *place: int) -> np.random.Generator:
    """The generator of one cell: the study's seed and its place among the cells."""
    return np.random.default_rng([seed, *place])


def _sizes(study: Study) -> tuple[int, ...]:
    return (SMALLEST, 96, 128, 192) if study.quick else (SMALLEST, 128, 256, 512)


def size_allowance(sizes: Sequence[int]) -> float:
    """How far 1 + c/m, |c| <= ``OVER_SIZE``, moves a slope."""
    return next_order(sizes, OVER_SIZE)


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelLosses:
    """Losses of a white target, shape (members, sizes), beside their exact values."""

    sizes: tuple[int, ...]
    rows: Rows
    exact: tuple[float, ...]

    def slope(self) -> Estimate:
        """The slope of the mean loss."""
        return slope_of(mean, self.rows, self.sizes)


def one_sided(study: Study, capacity: Fraction) -> KernelLosses:
    """Losses at spectrum k^(-(1 + a)) against the number of samples; modes beyond the spectrum are a ridge."""
    sizes, modes, members = _sizes(study), 1024 if study.quick else 2048, 8
    asked = {"capacity": str(capacity), "sizes": sizes, "modes": modes, "members": members, "seed": study.seed}
    name = f"one-sided losses, a = {capacity}, m = {sizes}, {modes} modes, {members} members"
    found = study.cell(name, one_sided_rows, **asked)
    spectrum, tail = ridge.power_law(1 + capacity, modes), ridge.power_law_tail(1 + capacity, modes)
    exact = tuple(ridge.one_sided_loss(spectrum, size, tail) for size in sizes)
    return KernelLosses(sizes=sizes, rows=np.asarray(found), exact=exact)


def one_sided_rows(*, capacity: str, sizes: Sequence[int], modes: int, members: int, seed: int) -> list[list[float]]:
    """One member after the other, its loss at each size."""
    power = 1 + Fraction(capacity)
    spectrum, tail = ridge.power_law(power, modes), ridge.power_law_tail(power, modes)
    rows = []
    for member in range(members):
        directions = draws(1, sizes[-1], modes, generator_at(seed, 1, member))
        rows.append([float(one_sided_losses(spectrum, directions[:, :size], tail)[0]) for size in sizes])
    return rows


def _capacity_evidence(study: Study, letter: str) -> list[Evidence]:
    found = []
    for capacity in CAPACITIES[1:3] if study.quick else CAPACITIES:
        losses = one_sided(study, capacity)
        found.append(
            from_estimate(
                losses.slope(),
                -capacity,
                -as_fraction(spectra.white_exponent().subs(spectra.A, as_rational(capacity))),
                part=f"slope of the loss against {letter}, a = {capacity}",
                condition=f"white target, alpha_K = {capacity}",
                expected=slope_expected(losses.exact, losses.sizes),
                allowance=size_allowance(losses.sizes),
                rival=CLOSEST,
            )
        )
    return found


def l1(study: Study) -> list[Evidence]:
    """alpha_D = alpha_K: the loss of a white target falls as D^(-a) on eigenvalues k^(-(1 + a))."""
    return _capacity_evidence(study, "D")


def duality_gap(study: Study) -> float:
    """The largest relative difference of L(Z, G) and L(G, Z) over drawn spectra, sizes and ridges."""
    return float(study.cell("duality, 20 draws", exchanged, count=20, seed=study.seed))


def exchanged(*, count: int, seed: int) -> float:
    """The largest difference over so many draws."""
    generator, worst = generator_at(seed, 2), 0.0
    for _ in range(count):
        spectrum = ridge.power_law(1 + generator.uniform(0.25, 2), 256)
        few = int(generator.integers(16, 128))
        many = few + int(generator.integers(8, 64))
        samples, features = draws(2, few, 256, generator), draws(2, many, 256, generator)
        penalty = float(generator.choice([0.0, 0.1, 10.0]))
        ratio = white_losses(spectrum, samples, features, penalty) / white_losses(spectrum, features, samples, penalty)
        worst = max(worst, float(abs(ratio - 1).max()))
    return worst


def students(study: Study, capacity: Fraction) -> KernelLosses:
    """Losses of P-feature students on D = 4 P samples, beside the exact law of the same spectrum."""
    sizes, modes, members = (32, 64, 128), 512 if study.quick else 1024, 32
    asked = {"capacity": str(capacity), "sizes": sizes, "modes": modes, "members": members, "seed": study.seed}
    name = f"students on four samples a feature, a = {capacity}, P = {sizes}, {modes} modes, {members} members"
    spectrum = ridge.power_law(1 + capacity, modes)
    exact = tuple(ridge.one_sided_loss(spectrum, size) * joint_factor(size, 4 * size) for size in sizes)
    return KernelLosses(sizes=sizes, rows=np.asarray(study.cell(name, student_rows, **asked)), exact=exact)


def student_rows(*, capacity: str, sizes: Sequence[int], modes: int, members: int, seed: int) -> list[list[float]]:
    """One member after the other, its loss at each size."""
    spectrum, rows = ridge.power_law(1 + Fraction(capacity), modes), []
    for member in range(members):
        generator = generator_at(seed, 3, member)
        samples = draws(1, 4 * sizes[-1], modes, generator)
        features = draws(1, sizes[-1], modes, generator)
        rows.append([float(white_losses(spectrum, samples[:, : 4 * size], features[:, :size])[0]) for size in sizes])
    return rows


def joint_factor(few: int, many: int) -> float:
    """(M - 1)/(M - m - 1)."""
    return float(spectra.joint_factor().subs({spectra.FEWER: few, spectra.MORE: many}))


def l2(study: Study) -> list[Evidence]:
    """alpha_P = alpha_K, on students; and samples and features may be exchanged, sample by sample."""
    found = [
        from_estimate(
            exact(duality_gap(study)),
            0,
            0,
            part="largest |L(Z, G)/L(G, Z) - 1|",
            condition="any spectrum, size and ridge",
            allowance=EXACT,
            rival=ONE_PERCENT,
        )
    ]
    for capacity in CAPACITIES[2:3] if study.quick else CAPACITIES[2:]:
        losses = students(study, capacity)
        found.append(
            from_estimate(
                losses.slope(),
                -capacity,
                -capacity,
                part=f"slope of the loss against P at D = 4 P, a = {capacity}",
                condition=f"white target, alpha_K = {capacity}",
                expected=slope_expected(losses.exact, losses.sizes),
                allowance=size_allowance(losses.sizes),
                rival=CLOSEST,
            )
        )
    return found


PAIRS: Final = ((32, 64), (64, 32), (24, 96), (96, 24), (64, 160), (160, 64))


def l11(study: Study) -> list[Evidence]:
    """One law for samples and features, symmetric; beyond the latent dimension the power law ends."""
    spectrum, members = ridge.power_law(2, 512), 32 if study.quick else 128
    found = []
    for samples, features in PAIRS:
        few, many = min(samples, features), max(samples, features)
        exact = ridge.one_sided_loss(spectrum, few) * joint_factor(few, many)
        name = f"joint losses, D = {samples}, P = {features}, {members} members"
        losses = np.asarray(
            study.cell(name, joint_losses, samples=samples, features=features, members=members, seed=study.seed)
        )
        found.append(
            from_estimate(
                mean_of(losses / exact),
                1,
                1,
                part=f"loss over m kappa (M - 1)/(M - m - 1), D = {samples}, P = {features}",
                condition="white target, a = 1",
                allowance=OVER_SIZE / few,
                rival=CLOSEST,
            )
        )
    latent = ridge.power_law(2, 48)
    generator = generator_at(study.seed, 7)
    beyond = white_losses(latent, draws(8, 64, 48, generator), draws(8, 96, 48, generator)) / sum(latent)
    found.append(
        from_estimate(
            mean_of(beyond),
            0,
            0,
            part="loss over variance, 48 modes, D = 64, P = 96",
            condition="white target, a = 1",
            allowance=EXACT,
            rival=ONE_PERCENT,
        )
    )
    return found


def joint_losses(*, samples: int, features: int, members: int, seed: int) -> list[float]:
    """Losses of a white target, one a member, on 512 modes k^(-2)."""
    generator, spectrum, losses = generator_at(seed, 6, samples, features), ridge.power_law(2, 512), []
    for _ in range(members):
        seen, rows = draws(1, samples, 512, generator), draws(1, features, 512, generator)
        losses.append(float(white_losses(spectrum, seen, rows)[0]))
    return losses


def _source(study: Study, kind: str, problem: tuple[Fraction, Fraction], claimed: Number) -> Evidence:
    source, capacity = problem
    modes, members, sizes = (512, 160, (16, 32, 64)) if study.quick else (2048, 128, (16, 32, 64, 128))
    spectrum, target = ridge.power_law(capacity, modes), ridge.power_law(source - capacity, modes)
    exponent = spectra.data_exponent() if kind == "samples" else spectra.feature_exponent()
    predicted = spectra.at(exponent, target=as_rational(source), capacity=as_rational(capacity))
    asked = {"source": str(source), "capacity": str(capacity), "kind": kind, "sizes": sizes, "modes": modes}
    name = f"source {source}, capacity {capacity}, {kind} {sizes}, {modes} modes, {members} members"
    rows = np.asarray(study.cell(name, source_rows, **asked, members=members, seed=study.seed))
    unlimited = {"samples": math.inf, "features": math.inf}
    exact = [ridge.expected_error(spectrum, target, **(unlimited | {kind: size})) for size in sizes]
    return from_estimate(
        slope_of(mean, rows, sizes),
        claimed,
        -as_fraction(predicted),
        part=f"slope of the loss against {kind}, a = {source}, b = {capacity}",
        condition=f"a = {source}, b = {capacity}",
        expected=slope_expected(exact, sizes),
        allowance=size_allowance(sizes),
        rival=1.0,
    )


def source_rows(
    *, source: str, capacity: str, kind: str, sizes: Sequence[int], modes: int, members: int, seed: int
) -> list[list[float]]:
    """One member after the other, its loss at each size, on samples or on features."""
    spectrum = ridge.power_law(Fraction(capacity), modes)
    target = ridge.power_law(Fraction(source) - Fraction(capacity), modes)
    measure: Callable[..., Rows] = fit_losses if kind == "samples" else projection_losses
    rows = []
    for member in range(members):
        row = []
        for size in sizes:
            generator = generator_at(seed, 9, member)
            row.append(float(measure(spectrum, target, **{kind: size}, members=1, generator=generator)[0]))
        rows.append(row)
    return rows


def l13(study: Study) -> list[Evidence]:
    """Data: the loss falls as D^(-min(a - 1, 2 b))."""
    return [
        _source(study, "samples", (source, capacity), -min(source - 1, 2 * capacity))
        for source, capacity in (WHITE, HARD, EASY)
    ]


def l14(study: Study) -> list[Evidence]:
    """Features: quoted with the same min(a - 1, 2 b); a projection errs at first order, min(a - 1, b)."""
    return [
        _source(study, "features", (source, capacity), -min(source - 1, 2 * capacity))
        for source, capacity in (WHITE, HARD, EASY)
    ]


CLAIMS: Final[tuple[Claim, ...]] = (
    Claim(
        id="L1",
        source=BAHRI,
        summary="the data exponent of a kernel is that of its spectrum",
        statement="eigenvalues k^(-(1 + a)), white target: L(D) ~ D^(-a), alpha_D = alpha_K",
        conditions="a = 1/4, 1/2, 1, 2; D = 64..512; 2048 modes, the tail carried as ridge",
        check=l1,
        test=SPECTRA_TEST,
    ),
    Claim(
        id="L2",
        source=BAHRI,
        summary="the feature exponent is that of the spectrum too, for samples and features exchange",
        statement="L(P) ~ P^(-a), alpha_P = alpha_K; L(Z, G) = L(G, Z) sample by sample",
        conditions="white target; identity for any spectrum, size and ridge; students of P = 32..128 on 4 P samples",
        check=l2,
        test=SPECTRA_TEST,
    ),
    Claim(
        id="L11",
        source=MALONEY,
        summary="one law for data and features, symmetric in the two, up to the latent dimension",
        statement="L(D, P) = m kappa_m (M - 1)/(M - m - 1), m the smaller, M the larger; 0 beyond the latent dimension",
        conditions="white target, a = 1, 512 modes, three pairs of sizes and their mirror images; 48 modes beyond",
        check=l11,
        test=SPECTRA_TEST,
    ),
    Claim(
        id="L13",
        source=DYNAMICAL,
        summary="source and capacity give the data exponent",
        statement="lambda_k = k^(-b), lambda_k w_k^2 = k^(-a): L ~ D^(-min(a - 1, 2 b))",
        conditions="(a, b) = (2, 2), (2, 3/2), (6, 3/2); D = 16..128, no ridge",
        check=l13,
        test=SPECTRA_TEST,
    ),
    Claim(
        id="L14",
        source=DYNAMICAL,
        summary="the feature exponent is the data exponent",
        statement="L ~ P^(-min(a - 1, 2 b)) as quoted; derived here P^(-min(a - 1, b))",
        conditions="(a, b) = (2, 2), (2, 3/2), (6, 3/2); P = 16..128, infinitely many samples",
        check=l14,
        test=SPECTRA_TEST,
    ),
)
