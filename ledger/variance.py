"""Claims about variance-limited scaling: the excess over the limit falls as one over samples, and over features."""

from __future__ import annotations

from typing import Final

import numpy as np

from powercount.derivations.scaling_laws import ridge, spectra
from powercount.derivations.sources import BAHRI
from powercount.empirical.scaling_laws.features import (
    draws,
    one_sided_losses,
    white_losses,
)
from powercount.ledger.claim import Claim
from powercount.ledger.finding import Evidence, from_estimate
from powercount.ledger.runs import Rows, mean, mean_of, slope_of
from powercount.ledger.spectra import CLOSEST, FEWER, GAPS, generator_at
from powercount.ledger.width import l3_network
from powercount.studies.study import Study


def excesses(study: Study, *, of_samples: bool) -> Rows:
    """(L(D, P) - L(m))/L(m) on the same directions of the smaller kind, (members, gaps), with M - m - 1 = ``GAPS``."""
    members, kind = 48 if study.quick else 192, "samples" if of_samples else "features"
    name = f"excess over {kind}, m = {FEWER}, gaps {GAPS}, {members} members"
    return np.asarray(study.cell(name, excess_rows, of_samples=of_samples, members=members, seed=study.seed))


def excess_rows(*, of_samples: bool, members: int, seed: int) -> list[list[float]]:
    """One member after the other, its excess at each gap."""
    spectrum, rows = ridge.power_law(2, 256), []
    for member in range(members):
        generator = generator_at(seed, 4 + of_samples, member)
        few = draws(1, FEWER, 256, generator)
        many = draws(1, FEWER + 1 + GAPS[-1], 256, generator)
        floor = one_sided_losses(spectrum, few)
        row = []
        for gap in GAPS:
            more = many[:, : FEWER + 1 + gap]
            pair = (more, few) if of_samples else (few, more)
            row.append(float((white_losses(spectrum, *pair) / floor - 1)[0]))
        rows.append(row)
    return rows


def _variance_limited(study: Study, *, of_samples: bool) -> list[Evidence]:
    rows = excesses(study, of_samples=of_samples)
    kept, limit = ("P", "D") if of_samples else ("D", "P")
    condition = f"white target, a = 1, {kept} = {FEWER}"
    return [
        from_estimate(
            slope_of(mean, rows, GAPS),
            -1,
            -int(spectra.variance_limited_exponent()),
            part=f"slope of L(D, P) - L({kept}) against {limit} - {kept} - 1",
            condition=condition,
            rival=CLOSEST,
        ),
        from_estimate(
            mean_of(rows[:, 2]),
            FEWER / GAPS[2],
            FEWER / GAPS[2],
            part=f"(L(D, P) - L({kept}))/L({kept}) at {limit} - {kept} - 1 = {GAPS[2]}",
            condition=condition,
            rival=FEWER / GAPS[2] / 2,
        ),
    ]


def l3(study: Study) -> list[Evidence]:
    """With P fixed the loss approaches its limit in D as 1/D: exactly P/(D - P - 1) of it. A trained net's does too."""
    return [*_variance_limited(study, of_samples=True), *l3_network(study)]


def l4(study: Study) -> list[Evidence]:
    """With D fixed the loss approaches its limit in P as 1/P."""
    return _variance_limited(study, of_samples=False)


VARIANCE_TEST: Final = "tests/laws/scaling_laws/test_exponents_variance_limited.py"

CLAIMS: Final[tuple[Claim, ...]] = (
    Claim(
        id="L3",
        source=BAHRI,
        summary="with more data than features the loss is variance-limited in data",
        statement="L(D, P) - L(P) ~ 1/D, exactly P/(D - P - 1) of L(P); E L(D) - L(infinity) ~ 1/D for a fixed net",
        conditions="white target, a = 1, P = 32, D - P - 1 = 16..256; tanh net of width 8, D = 64..1024 of 512 points",
        check=l3,
        test=VARIANCE_TEST,
    ),
    Claim(
        id="L4",
        source=BAHRI,
        summary="with more features than data the loss is variance-limited in features",
        statement="L(D, P) - L(D) ~ 1/P; exactly D/(P - D - 1) of L(D)",
        conditions="white target, a = 1, D = 32, P - D - 1 = 16..256, paired on the same samples",
        check=l4,
        test=VARIANCE_TEST,
    ),
)
